"""Parties that fall away: what a simulation lets go wrong, and when.

An answer that never arrives is what a killed process, a cut line and a switched-off machine look
like from the coordinator's side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from protocols.session.phase_report import Phase


class Dropped(Exception):
    """Stands for the end of a party's process; it carries nothing."""


@dataclass(frozen=True)
class OneAwayEachRound:
    """In every sum from ``first`` on one party's contribution is lost, another one each time.

    It is lost after it was made, and before that or after that in turn: both must not matter.
    """

    parties: tuple[str, ...]
    first: int = 1

    def __call__(
        self,
        party: str,
        step: Phase,
        letters: Mapping[str, bytes],
        when: Literal["before", "after"],
    ) -> None:
        """Raise :class:`Dropped` where the party is away."""
        if step != "contribute" or "number" not in letters:
            return
        number = int.from_bytes(letters["number"], "big")
        if number < self.first or self.away(number) != party:
            return
        if when == ("before" if number % 2 else "after"):
            raise Dropped

    def away(self, number: int) -> str:
        """Return whose contribution to sum ``number`` is lost."""
        return self.parties[number % len(self.parties)]
