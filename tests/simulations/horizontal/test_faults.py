"""Whose contribution to which sum is lost, and when."""

from __future__ import annotations

from typing import Literal

import pytest

from protocols.session.phase_report import Phase
from simulations.horizontal.faults import Dropped, OneAwayEachRound

PARTIES = ("east", "north", "south")
FAULTS = OneAwayEachRound(PARTIES)


def lost(number: int, step: Phase = "contribute") -> list[tuple[str, str]]:
    """Return who is dropped at sum ``number``, and at which end of its work."""
    found = []
    letters = {"number": number.to_bytes(8, "big")}
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    for party in PARTIES:
        for when in moments:
            try:
                FAULTS(party, step, letters, when)
            except Dropped:
                found.append((party, when))
    return found


def test_one_party_is_away_in_each_round_another_one_each_time() -> None:
    away = [lost(number) for number in range(1, 7)]
    assert all(len(each) == 1 for each in away)
    assert [each[0][0] for each in away] == [FAULTS.away(number) for number in range(1, 7)]
    assert {each[0][0] for each in away[:3]} == set(PARTIES)


def test_it_is_lost_before_it_was_made_and_after_it_in_turn() -> None:
    assert [lost(number)[0][1] for number in range(1, 5)] == ["before", "after"] * 2


def test_everybody_is_there_for_the_statistics() -> None:
    assert lost(0) == []


@pytest.mark.parametrize("step", ["advertise", "share", "consist", "unmask", "finish"])
def test_no_other_step_is_touched(step: Phase) -> None:
    assert lost(1, step) == []


def test_a_step_without_a_number_is_let_through() -> None:
    for party in PARTIES:
        FAULTS(party, "contribute", {}, "before")
    assert lost(1)
