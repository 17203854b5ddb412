"""What can go wrong inside a role: our own mistake, or a peer's.

A hostile byte string raises :class:`RemoteProtocolError` (or a subclass) and nothing else; a
caller's misuse raises :class:`LocalProtocolError`. No message of either carries an identifier, a
value or a key: errors travel to the coordinator and into logs.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of every error a protocol role raises."""


class LocalProtocolError(ProtocolError):
    """The caller of a role broke its contract (for example passed duplicate items)."""


class RemoteProtocolError(ProtocolError):
    """A peer sent something the protocol does not allow.

    ``party`` and ``step`` are filled in by the driver, which knows whom it was waiting for.
    """

    def __init__(self, reason: str, *, party: str = "", step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.party = party
        self.step = step

    def __str__(self) -> str:
        where = " ".join(
            part for part in (self.party, f"in {self.step}" if self.step else "") if part
        )
        return f"{where}: {self.reason}" if where else self.reason


class DecodeError(RemoteProtocolError):
    """Bytes that are not the one canonical encoding of the expected message."""


class VerifyError(RemoteProtocolError):
    """A signature, digest or statement that does not match."""
