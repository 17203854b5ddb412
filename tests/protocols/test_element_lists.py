"""Chunks cover a list; turns send and receive every chunk once, a bounded number ahead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.element_lists import AHEAD, chunks, turns
from protocols.errors import RemoteProtocolError

counts = st.integers(0, 40)


@given(st.integers(0, 200), st.integers(1, 50))
def test_chunks_cover_the_list(total, length):
    parts = chunks(total, length)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(total))
    assert all(part.stop - part.start == length for part in parts[:-1])
    assert [part.name for part in parts] == [
        f"{number + 1} of {len(parts)}" for number in range(len(parts))
    ]


def test_a_chunk_of_another_length_is_refused():
    (_, last) = chunks(5, 3)
    last.check("List", bytes(2 * 32), 32)
    for wrong in (bytes(3 * 32), bytes(63), b""):
        with pytest.raises(RemoteProtocolError, match=r"^List 2 of 2: \d+ bytes, but .* 2 x 32$"):
            last.check("List", wrong, 32)


@given(counts, counts)
def test_every_chunk_has_its_turn(out, in_):
    order = list(turns(chunks(out, 1), chunks(in_, 1)))
    for action, total in (("send", out), ("receive", in_)):
        assert [chunk.start for what, chunk in order if what == action] == list(range(total))


@given(counts, counts)
def test_two_parties_taking_turns_never_both_wait(left, right):
    """Each sends and receives by its own turns; what is under way stays bounded."""
    todo = [
        list(turns(chunks(left, 1), chunks(right, 1))),
        list(turns(chunks(right, 1), chunks(left, 1))),
    ]
    under_way = [0, 0]
    most = 0
    while any(todo):
        moved = False
        for party in (0, 1):
            while todo[party]:
                action = todo[party][0][0]
                if action == "receive" and not under_way[party]:
                    break
                todo[party].pop(0)
                moved = True
                if action == "send":
                    under_way[1 - party] += 1
                    most = max(most, under_way[1 - party])
                else:
                    under_way[party] -= 1
        assert moved, "both wait"
    assert under_way == [0, 0]
    assert left != right or most <= 2 * AHEAD + 2
