"""What a journal keeps of a finished step: one encoding of a result, checked when read back."""

from __future__ import annotations

from typing import Self

import msgspec

from protocols.errors import LocalProtocolError


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of a role's result that a later step, or a restarted process, needs again."""

    def to_bytes(self) -> bytes:
        """Return the one encoding of this result (MessagePack, map keys sorted)."""
        return msgspec.msgpack.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the result ``data`` encodes; raises ``LocalProtocolError`` for anything else."""
        try:
            result = msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise LocalProtocolError(f"stored {cls.__name__}: not a well-formed one") from None
        if result.to_bytes() != data or not result._is_consistent():
            raise LocalProtocolError(f"stored {cls.__name__}: damaged or from another version")
        return result

    def _is_consistent(self) -> bool:
        """Whether the fields can be those of one result."""
        raise NotImplementedError
