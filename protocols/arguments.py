"""What a role asks of its caller; every check raises :class:`LocalProtocolError`."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.suite import Suite

MAX_ITEMS = 1 << 24
MAX_NAME_CHARACTERS = 256
MAX_CONTEXT_BYTES = 1024
ITEM_BYTES = 32
SEED_BYTES = 32


def check_session(
    *, party: PartyId, peers: Sequence[PartyId], suite: Suite, context: bytes, private_key: bytes
) -> None:
    """Check what binds a run to its parties and its session."""
    names = (party, *peers)
    if len(set(names)) != len(names) or not all(
        name.isascii() and 1 <= len(name) <= MAX_NAME_CHARACTERS for name in names
    ):
        raise LocalProtocolError("parties must have different, non-empty ASCII ids")
    if not 1 <= len(context) <= MAX_CONTEXT_BYTES:
        raise LocalProtocolError(f"context must be 1 to {MAX_CONTEXT_BYTES} bytes")
    try:
        suite.public_key(private_key)
    except ValueError as error:
        raise LocalProtocolError(f"private key: {error}") from None


def check_seed(seed: bytes) -> None:
    """Check the secret from which all of a role's randomness comes."""
    if len(seed) != SEED_BYTES:
        raise LocalProtocolError(f"seed must be {SEED_BYTES} bytes")


def check_floor(floor: int) -> None:
    """Check the smallest size that is opened."""
    if not 1 <= floor <= MAX_ITEMS:
        raise LocalProtocolError(f"floor must be between 1 and {MAX_ITEMS}")


def check_items(items: Sequence[bytes]) -> None:
    """Check what a party brings to a matching protocol."""
    if len(items) > MAX_ITEMS:
        raise LocalProtocolError(f"{len(items)} items; at most {MAX_ITEMS}")
    if any(len(item) != ITEM_BYTES for item in items):
        raise LocalProtocolError(f"every item must be a digest of {ITEM_BYTES} bytes")
    if len(set(items)) != len(items):
        raise LocalProtocolError("items must be distinct: remove duplicates before matching")
