"""The OKVS: every key gets its value back, in both suites and by both twins."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.okvs import DuplicateKeys, EncodingFailure, Okvs, columns_for
from protocols.suite import Suite, get_suite
from tests.protocols.okvs import plain_okvs

SEED = bytes(range(32))
SUITES = pytest.mark.parametrize("name", ["gm", "intl"])
KERNELS = pytest.mark.parametrize("kernels", ["auto", "portable"])


@cache
def suite(name: str, kernels: str = "auto") -> Suite:
    return get_suite(name, kernels)


def words(text: str, *shape: int) -> np.ndarray:
    octets = hashlib.shake_256(text.encode()).digest(8 * int(np.prod(shape)))
    return np.frombuffer(octets, np.uint64).reshape(shape).copy()


def octets(keys: np.ndarray) -> list[bytes]:
    return [key.tobytes() for key in keys]


def encoded(okvs: Okvs, keys: np.ndarray, values: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Encode ``values[i]`` at ``keys[i]``."""
    rows, placed = okvs.rows(keys)
    assert np.array_equal(placed, keys[rows.order])
    solution = free.copy()
    okvs.encode(rows, values[rows.order], solution)
    return solution


def decoded(okvs: Okvs, keys: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """What two vectors have at each key, shape (2, n)."""
    rows, _ = okvs.rows(keys)
    out = np.empty((2, len(keys)), np.uint64)
    okvs.decode(rows, (low, high), (out[0], out[1]))
    found = np.empty_like(out)
    found[:, rows.order] = out
    return found


@SUITES
@KERNELS
@given(size=st.integers(1, 300), text=st.text(max_size=8))
@settings(max_examples=20, deadline=None)
def test_every_key_gets_its_value(name, kernels, size, text):
    okvs = Okvs(size, suite=suite(name, kernels), seed=SEED)
    keys, values = words(f"keys {text}", size, 2), words(f"values {text}", size)
    solution = encoded(okvs, keys, values, words("free", okvs.columns))
    assert np.array_equal(decoded(okvs, keys, solution, solution), np.stack([values, values]))


@SUITES
@KERNELS
def test_five_hundred_tiny_sets_are_encoded(name, kernels):
    keys, values = words("tiny keys", 500, 40, 2), words("tiny values", 500, 40)
    for trial in range(500):
        size = 1 + trial % 40
        seed = trial.to_bytes(32, "big")
        okvs = Okvs(size, suite=suite(name, kernels), seed=seed)
        solution = encoded(
            okvs, keys[trial, :size], values[trial, :size], np.zeros(okvs.columns, np.uint64)
        )
        found = decoded(okvs, keys[trial, :size], solution, solution)
        assert np.array_equal(found[0], values[trial, :size])


@SUITES
@KERNELS
@pytest.mark.parametrize("size", [1, 2, 40])
def test_the_encoding_is_the_specs(name, kernels, size):
    okvs = Okvs(size, suite=suite(name, kernels), seed=SEED)
    plain = plain_okvs.PlainOkvs(name, size, SEED)
    assert okvs.columns == plain.columns
    keys, values = words(f"spec keys {size}", size, 2), words("spec values", size)
    solution = encoded(okvs, keys, values, np.zeros(okvs.columns, np.uint64))
    assert solution.tolist() == plain.encode(octets(keys), values.tolist())
    others = words("spec others", 5, 2)
    vector = words("spec vector", okvs.columns)
    found = decoded(okvs, others, solution, vector).tolist()
    for column_words, expected in zip((solution, vector), found, strict=True):
        assert [plain.decode(column_words.tolist(), key) for key in octets(others)] == expected


@SUITES
def test_twins_encode_a_large_set_alike(name):
    size = 20_000
    keys, values = words("large keys", size, 2), words("large values", size)
    solutions = []
    for kernels in ("auto", "portable"):
        okvs = Okvs(size, suite=suite(name, kernels), seed=SEED)
        solutions.append(encoded(okvs, keys, values, words("large free", okvs.columns)))
        assert np.array_equal(decoded(okvs, keys, solutions[0], solutions[0])[1], values)
    assert np.array_equal(*solutions)


def test_decoding_is_linear():
    okvs = Okvs(50, suite=suite("gm"), seed=SEED)
    keys = words("linear keys", 70, 2)
    x, y = words("x", okvs.columns), words("y", okvs.columns)
    sums = decoded(okvs, keys, x, y)
    assert np.array_equal(decoded(okvs, keys, x ^ y, x)[0], sums[0] ^ sums[1])


def test_free_columns_keep_what_they_held_and_make_encodings_differ():
    okvs = Okvs(100, suite=suite("gm"), seed=SEED)
    keys, values = words("free keys", 100, 2), words("free values", 100)
    free = words("free one", okvs.columns)
    one = encoded(okvs, keys, values, free)
    two = encoded(okvs, keys, values, words("free two", okvs.columns))
    assert np.count_nonzero(one == free) == okvs.columns - 100
    assert np.count_nonzero(one == two) < okvs.columns // 2


def test_values_of_another_seed_are_not_found():
    keys, values = words("keys", 100, 2), words("values", 100)
    one = Okvs(100, suite=suite("gm"), seed=SEED)
    two = Okvs(100, suite=suite("gm"), seed=bytes(32))
    solution = encoded(one, keys, values, np.zeros(one.columns, np.uint64))
    assert not np.any(decoded(two, keys, solution, solution)[0] == values)


@KERNELS
@given(size=st.integers(2, 60), data=st.data())
@settings(max_examples=30, deadline=None)
def test_duplicates_are_refused_by_name(kernels, size, data):
    keys = words("duplicates", size, 2)
    first, second = sorted(
        data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    )
    keys[second] = keys[first]
    okvs = Okvs(size, suite=suite("intl", kernels), seed=SEED)
    with pytest.raises(DuplicateKeys) as caught:
        okvs.rows(keys)
    assert (caught.value.first, caught.value.second) == (first, second)


def test_keys_equal_in_one_word_are_different_keys():
    keys = words("words", 40, 2)
    keys[:20, 0], keys[20:, 1] = 7, 7
    okvs = Okvs(40, suite=suite("gm"), seed=SEED)
    values = words("values", 40)
    solution = encoded(okvs, keys, values, np.zeros(okvs.columns, np.uint64))
    assert np.array_equal(decoded(okvs, keys, solution, solution)[0], values)


def test_more_keys_than_there_are_columns_have_no_encoding():
    """What a failure looks like: twice the keys of the size it was made for."""
    okvs = Okvs(1000, suite=suite("gm"), seed=SEED)
    rows, _ = okvs.rows(words("crowd", 2000, 2))
    with pytest.raises(EncodingFailure):
        okvs.encode(rows, words("crowd values", 2000), np.zeros(okvs.columns, np.uint64))


def test_no_keys_have_rows_of_no_length():
    okvs = Okvs(0, suite=suite("gm"), seed=SEED)
    rows, placed = okvs.rows(np.empty((0, 2), np.uint64))
    solution = np.zeros(okvs.columns, np.uint64)
    okvs.encode(rows, np.empty(0, np.uint64), solution)
    assert (len(rows), placed.shape, solution.any()) == (0, (0, 2), False)


def test_columns_follow_the_spec():
    assert [columns_for(size) for size in (0, 1, 20, 2**20, 2**24)] == [
        320,
        320,
        320,
        1_153_728,
        18_455_232,
    ]
    for size in range(2000):
        assert columns_for(size) == plain_okvs.columns_for(size)
    for size in (-1, 2**24 + 1):
        with pytest.raises(ValueError, match="at most 16777216 keys"):
            columns_for(size)


def test_arguments_that_do_not_fit_are_refused():
    okvs = Okvs(5, suite=suite("gm"), seed=SEED)
    rows, _ = okvs.rows(words("few", 5, 2))
    with pytest.raises(ValueError, match="a value per row"):
        okvs.encode(rows, np.zeros(4, np.uint64), np.zeros(okvs.columns, np.uint64))
    with pytest.raises(ValueError, match="a word per column"):
        okvs.encode(rows, np.zeros(5, np.uint64), np.zeros(okvs.columns + 8, np.uint64))
    with pytest.raises(ValueError, match="seed"):
        Okvs(5, suite=suite("gm"), seed=bytes(16))
