"""The node's keys: one to sign with, one storage secret from which every other key is derived.

Both are made on the node, live in its ``keys`` folder with mode 0600 and never leave it. Keys of
different use are derived under different labels, so that no key serves two purposes.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from party_node.errors import NodeError
from protocols.suite import Suite

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node signs and seals with."""

    suite: Suite
    public_key: bytes
    signing_key: bytes = field(repr=False)
    storage_secret: bytes = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Sign with fresh entropy."""
        return self.suite.sign(self.signing_key, message, secrets.token_bytes(32))

    def derived(self, purpose: str) -> bytes:
        """Return the suite-length key for one purpose."""
        return self.suite.derive(
            self.storage_secret, b"fedcrm/node/v1/" + purpose.encode(), self.suite.key_bytes
        )

    def identifier_key(self) -> bytes:
        """Return the key of identifier tags that never leave the node."""
        return self.suite.derive(self.storage_secret, b"fedcrm/node/v1/identifiers", 32)


def create_keys(folder: Path, suite: Suite) -> NodeKeys:
    """Make and store both keys; refuses to overwrite any."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signing, _ = suite.generate_signing_key(secrets.token_bytes(32))
    for name, value in (("signing.key", signing), ("storage.key", secrets.token_bytes(32))):
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(value.hex() + "\n")
    return load_keys(folder, suite)


def load_keys(folder: Path, suite: Suite) -> NodeKeys:
    """Read the keys; raises :class:`NodeError` when a file is missing, malformed or readable by
    others."""
    values = []
    for name in ("signing.key", "storage.key"):
        path = folder / name
        try:
            mode = path.stat().st_mode
            text = path.read_text().strip()
            value = bytes.fromhex(text)
        except (OSError, ValueError):
            raise NodeError(
                f"cannot read {path}", "the node's keys folder is incomplete; restore it"
            ) from None
        if mode & 0o077:
            raise NodeError(f"{path} is readable by others", f"chmod 600 {path}")
        if len(value) != 32:
            raise NodeError(f"{path} does not hold a key", "restore it from your backup")
        values.append(value)
    return NodeKeys(suite, suite.public_key(values[0]), values[0], values[1])


def seal(suite: Suite, key: bytes, plaintext: bytes, purpose: bytes) -> bytes:
    """Return nonce || ciphertext || tag under a fresh random nonce, bound to ``purpose``."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + suite.seal(key, nonce, plaintext, purpose)


def unseal(suite: Suite, key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    """Return what :func:`seal` sealed; raises ``OpenError``."""
    return suite.open(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose)
