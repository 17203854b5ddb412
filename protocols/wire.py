"""Typed messages and their one canonical encoding.

MessagePack through msgspec, decoded strictly: unknown fields, wrong types, oversized input,
trailing bytes and any second encoding of the same message are refused. A message's own
invariants are checked in ``__post_init__`` by raising ``ValueError``.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

import msgspec

from protocols.errors import DecodeError

MAX_MESSAGE_BYTES = 1 << 30


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag=True):
    """Base of every message two roles exchange; subclasses declare their fields."""

    max_bytes: ClassVar[int] = MAX_MESSAGE_BYTES


M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Return the canonical bytes of ``message``."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes, type_: type[M]) -> M:
    """Return the ``type_`` that ``data`` encodes.

    Raises :class:`DecodeError`, and nothing else, for any other byte string.
    """
    if len(data) > type_.max_bytes:
        raise DecodeError(f"{type_.__name__} of {len(data)} bytes; at most {type_.max_bytes}")
    try:
        message = msgspec.msgpack.decode(data, type=type_)
        # Inside the try: what nests just deep enough to decode can be too deep to encode.
        canonical = encode(message)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # The library's text can quote the input: the peer's bytes stay out of our errors.
        raise DecodeError(f"not a well-formed {type_.__name__}") from None
    if canonical != data:
        raise DecodeError(f"{type_.__name__} is not in canonical form")
    return message
