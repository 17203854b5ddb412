"""Time and bytes of a training, told before it runs.

A model states its cost in counts (:mod:`models.cost`). How fast this machine does each kind of
work is measured (:mod:`party_node.operation_speeds`), and so are messages and checkpoints
(:mod:`party_node.link_speed`); the estimate is counts times speeds. It leaves out a network slower
than the measured channel, a peer with a slower machine, other work on this one, the second a fresh
process takes to load its kernels, and waiting for a peer that is not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.cost import Cost
from party_node.link_speed import LinkSpeed
from party_node.operation_speeds import Speeds

CHANNEL_BYTES = 40
"""What a message carries beside its own bytes: its place in the stream, the length, the tag."""


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take."""

    seconds: float
    bytes: int
    by_part: Mapping[str, float]
    """Seconds by party, and of ``messages`` and ``checkpoints``."""

    def text(self, what: str) -> str:
        """Return one line to print, such as ``about 35 s and 62 MB (20 trees, 24,000 rows)``."""
        return f"about {_duration(self.seconds)} and {_size(self.bytes)} ({what})"


def estimate(cost: Cost, speeds: Speeds, link: LinkSpeed, *, one_machine: bool) -> Estimate:
    """Return the time and bytes of ``cost`` at these speeds.

    On machines of their own, all as fast as this one, a stage takes as long as the party that
    takes longest in it. With ``one_machine``, as in a simulation, the parties share its cores and
    their times add up.
    """
    by_part: dict[str, float] = {}
    seconds = 0.0
    for stage in cost.stages:
        walls = {party: speeds.seconds(counts) for party, counts in stage.items()}
        for party, wall in walls.items():
            by_part[party] = by_part.get(party, 0.0) + wall
        seconds += sum(walls.values()) if one_machine else max(walls.values(), default=0.0)
    for party, calls in cost.calls.items():
        more = speeds.seconds_of_calls(calls)
        by_part[party] = by_part.get(party, 0.0) + more
        seconds += more
    messages, carried = sum(cost.messages.values()), sum(cost.bytes.values())
    by_part["messages"] = messages * link.seconds_per_message + carried * link.seconds_per_byte
    by_part["checkpoints"] = cost.checkpoints * link.seconds_per_checkpoint
    seconds += by_part["messages"] + by_part["checkpoints"]
    return Estimate(seconds, carried + CHANNEL_BYTES * messages, by_part)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"


def _size(count: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            amount = count / unit
            return f"{amount:.1f} {name}" if amount < 10 else f"{amount:,.0f} {name}"
    return f"{count} bytes"
