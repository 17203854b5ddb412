"""What a role asks of its caller; every check raises :class:`LocalProtocolError`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.errors import LocalProtocolError
from protocols.kernels.sorting import sort_rows
from protocols.roles import PartyId
from protocols.suite import Indices, Items, Suite

MAX_ITEMS = 1 << 24
MAX_NAME_CHARACTERS = 256
MAX_CONTEXT_BYTES = 1024
ITEM_BYTES = 32
SEED_BYTES = 32


def check_session(
    *, party: PartyId, peers: Sequence[PartyId], suite: Suite, context: bytes, private_key: bytes
) -> None:
    """Check what binds a run to its parties and its session, and the key that signs for it."""
    check_binding(party=party, peers=peers, context=context)
    try:
        suite.public_key(private_key)
    except ValueError as error:
        raise LocalProtocolError(f"private key: {error}") from None


def check_binding(*, party: PartyId, peers: Sequence[PartyId], context: bytes) -> None:
    """Check what binds a run to its parties and its session."""
    names = (party, *peers)
    if len(set(names)) != len(names) or not all(
        name.isascii() and 1 <= len(name) <= MAX_NAME_CHARACTERS for name in names
    ):
        raise LocalProtocolError("parties must have different, non-empty ASCII ids")
    if not 1 <= len(context) <= MAX_CONTEXT_BYTES:
        raise LocalProtocolError(f"context must be 1 to {MAX_CONTEXT_BYTES} bytes")


def check_seed(seed: bytes) -> None:
    """Check the secret from which all of a role's randomness comes."""
    if len(seed) != SEED_BYTES:
        raise LocalProtocolError(f"seed must be {SEED_BYTES} bytes")


def check_floor(floor: int) -> None:
    """Check the smallest size that is opened."""
    if not 1 <= floor <= MAX_ITEMS:
        raise LocalProtocolError(f"floor must be between 1 and {MAX_ITEMS}")


def check_items(items: Items) -> Indices:
    """Check what a party brings to a matching protocol; return the order that sorts it.

    ``items`` are as :func:`check_item_array` wants them, and distinct. The order is that of the
    rows as byte strings.
    """
    check_item_array(items)
    order, repeated = sort_rows(items)
    if len(repeated):
        raise LocalProtocolError("items must be distinct: remove duplicates before matching")
    return order


def check_item_array(items: Items) -> None:
    """Check that items are 32-byte digests, one to a row: bytes of shape (n, 32), contiguous."""
    if items.dtype != np.uint8 or items.ndim != 2 or items.shape[1] != ITEM_BYTES:
        raise LocalProtocolError(f"items must be an array of digests of {ITEM_BYTES} bytes")
    if not items.flags.c_contiguous:
        raise LocalProtocolError("items must be contiguous in memory")
    if len(items) > MAX_ITEMS:
        raise LocalProtocolError(f"{len(items)} items; at most {MAX_ITEMS}")
