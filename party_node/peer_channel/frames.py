"""The link's own frames, beneath the protocols' messages; decoded as strictly as those."""

from __future__ import annotations

from typing import TypeAlias

from protocols.errors import DecodeError
from protocols.wire import Message, decode, encode

PART_BYTES = 1 << 20
_MAX_PLACE = 1 << 32
_MAX_TEXT = 500


class Hello(Message, frozen=True):
    """Who connects, for what, and the place in the peer's stream it wants to continue from."""

    party: str
    job_id: str
    spec_digest: bytes
    attempt: int
    ordinal: int
    position: int

    def __post_init__(self) -> None:
        """Refuse places no stream has and names no party has."""
        _check_places(self.attempt, self.ordinal, self.position)
        if max(len(self.party), len(self.job_id)) > _MAX_TEXT or len(self.spec_digest) > 64:
            raise ValueError("a name or digest is too long")


class Part(Message, frozen=True):
    """One piece of the message at (step ``ordinal``, ``position``)."""

    ordinal: int
    position: int
    part: int
    last: bool
    data: bytes

    def __post_init__(self) -> None:
        """Refuse places no stream has."""
        _check_places(self.ordinal, self.position, self.part)


class Acknowledged(Message, frozen=True):
    """The sender has finished step ``ordinal`` for good and needs nothing of it again."""

    ordinal: int

    def __post_init__(self) -> None:
        """Refuse places no stream has."""
        _check_places(self.ordinal)


class Abandon(Message, frozen=True):
    """The sender's journal does not fit: this attempt is over."""

    reason: str

    def __post_init__(self) -> None:
        """Refuse what should not be shown to an operator."""
        if len(self.reason) > _MAX_TEXT or not self.reason.isprintable():
            raise ValueError("the reason is too long or not printable")


class Farewell(Message, frozen=True):
    """The sender has left the phase; nothing more comes on this connection."""


def _check_places(*places: int) -> None:
    if not all(0 <= place < _MAX_PLACE for place in places):
        raise ValueError("a place out of range")


Frame: TypeAlias = Hello | Part | Acknowledged | Abandon | Farewell
_KINDS: tuple[type[Frame], ...] = (Hello, Part, Acknowledged, Abandon, Farewell)


def encode_frame(frame: Frame) -> bytes:
    """Return a kind byte and the frame's canonical encoding."""
    return bytes([_KINDS.index(type(frame))]) + encode(frame)


def decode_frame(data: bytes) -> Frame:
    """Return the frame; raises :class:`DecodeError` and nothing else."""
    if not data or data[0] >= len(_KINDS):
        raise DecodeError("not a frame of the peer channel")
    return decode(data[1:], _KINDS[data[0]])
