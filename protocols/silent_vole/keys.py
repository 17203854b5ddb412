"""Labels and keys: what keeps every key to one purpose."""

from __future__ import annotations

from protocols.silent_vole.messages import VERSION
from protocols.suite import BlockHash, Suite

BLOCK_KEY_BYTES = 16


def purpose(name: str) -> bytes:
    """Return the label under which a secret yields what ``name`` needs."""
    return f"{VERSION} {name}".encode("ascii")


def session_hash(suite: Suite, context: bytes, name: str) -> BlockHash:
    """Return the fixed-key hash of this session for one purpose; both parties know its key.

    The context is in the key: tables computed for one session are of no use in another.
    """
    digest = suite.hash(purpose(name), b"\x00", suite.hash(context))
    return suite.block_hash(digest[:BLOCK_KEY_BYTES])


def public_hash(suite: Suite, name: str) -> BlockHash:
    """Return the fixed-key hash that yields the code's part ``name``, the same for everyone."""
    return suite.block_hash(suite.hash(purpose(f"code {name}"), b"\x00")[:BLOCK_KEY_BYTES])
