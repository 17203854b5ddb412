"""Rows of bytes sort as Python's byte strings do, ties and hostile prefixes included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels.sorting import all_words, find_rows, leading_words, sort_rows

# A few values per byte and few distinct prefixes: ties everywhere.
WIDTHS = st.sampled_from([8, 9, 10, 11, 15, 16, 24, 32])


@st.composite
def row_lists(draw, unique=False):
    width = draw(WIDTHS)
    prefix = st.sampled_from([bytes(8), b"\xff" * 8, bytes(7) + b"\1", b"\x80" + bytes(7)])
    rest = st.binary(min_size=width - 8, max_size=width - 8)
    row = st.builds(lambda first, last: first + last, prefix, rest) | st.binary(
        min_size=width, max_size=width
    )
    return width, draw(st.lists(row, max_size=30, unique=unique))


def as_rows(data, width):
    return np.frombuffer(b"".join(data), dtype=np.uint8).reshape(-1, width)


@given(row_lists())
@settings(max_examples=300, deadline=None)
def test_the_order_is_that_of_byte_strings(drawn):
    width, data = drawn
    order, repeated = sort_rows(as_rows(data, width))
    assert sorted(order.tolist()) == list(range(len(data)))
    ordered = [data[index] for index in order]
    assert ordered == sorted(data)
    expected = [p for p in range(len(data) - 1) if ordered[p] == ordered[p + 1]]
    assert repeated.tolist() == expected


def test_many_rows_that_share_their_first_bytes_are_sorted_exactly():
    count = 5000
    rows = np.zeros((count, 32), dtype=np.uint8)
    numbers = (np.arange(count, dtype=np.uint64) * 2654435761) % (1 << 32)
    rows[:, 28:] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    order, repeated = sort_rows(rows)
    assert np.array_equal(order, np.argsort(numbers))
    assert len(repeated) == 0
    rows[17] = rows[4711]
    _, repeated = sort_rows(rows)
    assert len(repeated) == 1


def test_rows_too_narrow_are_refused():
    with pytest.raises(ValueError, match="at least 8"):
        sort_rows(np.zeros((2, 7), dtype=np.uint8))


@given(row_lists())
@settings(max_examples=100, deadline=None)
def test_words_compare_as_the_rows_do(drawn):
    width, data = drawn
    words = [tuple(map(int, row)) for row in all_words(as_rows(data, width))]
    assert sorted(range(len(data)), key=words.__getitem__) == sorted(
        range(len(data)), key=data.__getitem__
    )
    assert leading_words(as_rows(data, width)).tolist() == [word[0] for word in words]


@given(row_lists(unique=True), st.data())
@settings(max_examples=300, deadline=None)
def test_every_row_is_found_and_no_other(drawn, data):
    width, rows = drawn
    rows = sorted(rows)
    here = data.draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else []
    other = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=8))
    near = [row[:-1] + bytes([row[-1] ^ 1]) for row in here]
    wanted = here + other + near
    places = find_rows(as_rows(rows, width), as_rows(wanted, width))
    assert places.tolist() == [rows.index(row) if row in rows else -1 for row in wanted]


@pytest.mark.parametrize("width", [8, 10, 16])
def test_uniform_and_crowded_rows_are_found_alike(width):
    count = 20000
    uniform = (np.arange(1, count + 1, dtype=np.uint64) * 0x9E3779B97F4A7C15).astype(">u8")
    crowded = (np.arange(count, dtype=np.uint64) + (1 << 63)).astype(">u8")
    for leading in (uniform, crowded):
        rows = np.zeros((count, width), dtype=np.uint8)
        rows[:, :8] = leading.view(np.uint8).reshape(-1, 8)
        rows = rows[sort_rows(rows)[0]]
        assert np.array_equal(find_rows(rows, rows), np.arange(count))
        absent = rows.copy()
        absent[:, 7] ^= 0x80
        there = {row.tobytes() for row in rows}
        expected = [row.tobytes() in there for row in absent]
        assert (find_rows(rows, absent) >= 0).tolist() == expected


class Counted(np.ndarray):
    """An array that counts the rows taken from it."""

    taken = 0

    def take(self, indices, *arguments, **keywords):
        Counted.taken += len(indices)
        return np.asarray(self).take(indices, *arguments, **keywords)


def test_a_look_up_reads_few_rows():
    count = 1 << 16
    words = np.sort((np.arange(count, dtype=np.uint64) + 1) * 0x9E3779B97F4A7C15)
    rows = words.astype(">u8").view(np.uint8).reshape(count, 8).view(Counted)
    Counted.taken = 0
    places = find_rows(rows, np.asarray(rows[:100]))
    assert places.tolist() == list(range(100))
    assert 100 < Counted.taken < 100 * 20
