"""The messages of the gm channel's handshake (SPEC.md §3.1)."""

from __future__ import annotations

from typing import ClassVar

from protocols.arguments import MAX_NAME_CHARACTERS
from protocols.wire import Message

VERSION = "fedcrm-gm-channel/1"
NONCE_BYTES = 32
MAX_ATTEMPT = (1 << 31) - 1
_MAX_KEY_BYTES = 128
_MAX_PROOF_BYTES = 2048


class ChannelOffer(Message, frozen=True):
    """The initiator's ephemeral public key and nonce, and the version and suite it speaks."""

    max_bytes: ClassVar[int] = 1024

    version: str
    suite: str
    ephemeral_key: bytes
    nonce: bytes

    def __post_init__(self) -> None:
        _check_fresh(self.ephemeral_key, self.nonce)
        if max(len(self.version), len(self.suite)) > MAX_NAME_CHARACTERS:
            raise ValueError("a name is too long")


class ChannelAnswer(Message, frozen=True):
    """The responder's ephemeral public key and nonce, and its sealed :class:`ChannelProof`."""

    max_bytes: ClassVar[int] = _MAX_PROOF_BYTES + 1024

    ephemeral_key: bytes
    nonce: bytes
    sealed: bytes

    def __post_init__(self) -> None:
        _check_fresh(self.ephemeral_key, self.nonce)


class ChannelConfirmation(Message, frozen=True):
    """The initiator's sealed :class:`ChannelProof`."""

    max_bytes: ClassVar[int] = _MAX_PROOF_BYTES + 64

    sealed: bytes


class ChannelProof(Message, frozen=True):
    """Who the sender is, what it takes the channel to be for, and its signature and MAC.

    It travels sealed only.
    """

    max_bytes: ClassVar[int] = _MAX_PROOF_BYTES

    party: str
    spec_digest: bytes
    attempt: int
    signature: bytes
    mac: bytes

    def __post_init__(self) -> None:
        if len(self.party) > MAX_NAME_CHARACTERS or not 0 <= self.attempt <= MAX_ATTEMPT:
            raise ValueError("a name too long or an attempt out of range")


def _check_fresh(ephemeral_key: bytes, nonce: bytes) -> None:
    if len(ephemeral_key) > _MAX_KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("an ephemeral key or a nonce of an impossible length")
