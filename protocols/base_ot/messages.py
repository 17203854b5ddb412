"""The messages of the base oblivious transfers (SPEC.md §3)."""

from __future__ import annotations

from typing import ClassVar

from protocols.wire import Message

VERSION = "fedcrm-base-ot/1"

MAX_TRANSFERS = 1024
MAX_POINT_BYTES = 65
_ENVELOPE_BYTES = 64  # the type's name and the lengths around one byte string


class SenderPoints(Message, frozen=True):
    """The Sender's two points, encoded and concatenated: A = a G, then C."""

    max_bytes: ClassVar[int] = 2 * MAX_POINT_BYTES + _ENVELOPE_BYTES

    points: bytes


class ReceiverPoints(Message, frozen=True):
    """The Receiver's point P_j for each transfer, encoded and concatenated."""

    max_bytes: ClassVar[int] = MAX_TRANSFERS * MAX_POINT_BYTES + _ENVELOPE_BYTES

    points: bytes
