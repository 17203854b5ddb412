"""With how many parties a coordinator may collude and read no single update: SPEC.md §5."""

from __future__ import annotations


def tolerated(*, parties: int, threshold: int, floor: int) -> int:
    """Return with how many parties the coordinator may collude and read no single update.

    Of masked methods; ``need`` is what every step needs, the larger of threshold and floor. With
    2 need - n they can get two lists signed for one sum, and so shares of both secrets of one
    member; with the threshold they hold enough shares themselves; with all but one of the fewest
    contributors, the last one's update is the sum less theirs.
    """
    need = max(threshold, floor)
    return min(2 * need - parties, threshold, need - 1) - 1
