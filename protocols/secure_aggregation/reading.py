"""Who, colluding with whom, reads what, for each way of adding: the line a person is shown.

The table behind it is in SPEC.md §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_OPEN = "The coordinator alone reads nothing. Each party reads the sums. "
_LAST = "All contributors but one together read the last one's update in any case."
_MASKED = (
    _OPEN + "The coordinator together with {tolerated} of the {parties} parties reads no single "
    "update of another party; together with {colluding} it can. " + _LAST
)
_SHARED_KEY = (
    _OPEN + "The coordinator together with any one of the {parties} parties reads every single "
    "update, because all parties hold the one key. " + _LAST
)
_TEXTS = {
    "aggregation.masked_he": _MASKED + " Masks and encryption both cover an update.",
    "aggregation.masks": _MASKED + " Masks alone cover an update; nothing is encrypted besides.",
    "aggregation.ckks": _SHARED_KEY,
    "aggregation.paillier": _SHARED_KEY,
    "aggregation.two_parties": "The coordinator alone reads nothing. Each of the two parties reads "
    "the other's update: it is the sum less its own.",
}


@dataclass(frozen=True)
class ReadsWhat:
    """One line: a stable id, the numbers in it, and the English text with them filled in."""

    id: str
    text: str
    numbers: Mapping[str, int] = field(default_factory=dict)


def tolerated(*, parties: int, threshold: int, floor: int) -> int:
    """Return with how many parties the coordinator may collude and read no single update.

    Of masked methods; ``need`` is what every step needs, the larger of threshold and floor. With
    2 need - n they can get two lists signed for one sum, and so shares of both secrets of one
    member; with the threshold they hold enough shares themselves; with all but one of the fewest
    contributors, the last one's update is the sum less theirs.
    """
    need = max(threshold, floor)
    return min(2 * need - parties, threshold, need - 1) - 1


def reads_what(method: str, *, parties: int, threshold: int, floor: int) -> ReadsWhat:
    """Return the line that applies to a job; raises ``KeyError`` for an unknown method."""
    id_ = f"aggregation.{method}" if parties > 2 else "aggregation.two_parties"
    numbers = {"parties": parties}
    if method in ("masked_he", "masks"):
        safe = tolerated(parties=parties, threshold=threshold, floor=floor)
        numbers |= {"tolerated": safe, "colluding": safe + 1}
    return ReadsWhat(id_, _TEXTS[id_].format(**numbers), numbers)
