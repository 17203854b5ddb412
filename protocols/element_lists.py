"""Lists of elements between two parties: cut into messages, sent and received in turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from protocols.errors import RemoteProtocolError

AHEAD = 4
"""How many messages a party sends before it waits for the first of the peer's."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries ``start`` to ``stop`` of a list, which travel in one message."""

    name: str
    """Which message of how many, for errors."""
    start: int
    stop: int

    def check(self, message: str, data: bytes, width: int) -> None:
        """Refuse ``data`` unless it is as many entries of ``width`` bytes as the chunk has."""
        length = self.stop - self.start
        if len(data) != length * width:
            raise RemoteProtocolError(
                f"{message} {self.name}: {len(data)} bytes, "
                f"but the size in Terms asks for {length} x {width}"
            )


def chunks(total: int, length: int) -> list[Chunk]:
    """Return the chunks of a list of ``total`` entries, ``length`` each but the last."""
    count = -(-total // length)
    return [
        Chunk(f"{number + 1} of {count}", number * length, min(number * length + length, total))
        for number in range(count)
    ]


def turns(
    out: list[Chunk], in_: list[Chunk], ahead: int = AHEAD
) -> Iterator[tuple[Literal["send", "receive"], Chunk]]:
    """Return in which order to send the chunks ``out`` and receive the chunks ``in_``.

    One of each in turn, but ``ahead`` are sent before the first is received: when both parties do
    so, neither waits while the other computes, and what is under way between them is bounded (no
    deadlock where a channel's buffers are).
    """
    for turn in range(max(len(out), len(in_) + ahead)):
        if turn < len(out):
            yield "send", out[turn]
        if ahead <= turn < len(in_) + ahead:
            yield "receive", in_[turn - ahead]
