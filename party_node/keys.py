"""The node's keys: one to sign with, one storage secret from which every other key is derived.

Both are made on the node, live in its ``keys`` folder with mode 0600 and never leave it. Keys of
different use are derived under different labels, so that no key serves two purposes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from audit.key_files import KeyFileError, create_secret_file, load_secret_file
from protocols.suite import OpenError, Suite

_SIGNING = "signing.key"
_STORAGE = "storage.key"


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
        """Return the sealing key for one purpose."""
        return self.suite.derive(
            self.storage_secret, b"fedcrm/node/v1/seal/" + purpose.encode(), self.suite.key_bytes
        )

    def identifier_key(self) -> bytes:
        """Return the 32-byte key of identifier tags; those tags never leave the node."""
        return self.suite.derive(self.storage_secret, b"fedcrm/node/v1/identifier-tags", 32)


def create_keys(folder: Path, suite: Suite) -> NodeKeys:
    """Make and store both keys; refuses to overwrite any, or to add one to the other."""
    for name in (_SIGNING, _STORAGE):
        if (folder / name).exists():
            # A new signing key beside an old storage key would pass for the node's own.
            raise KeyFileError(f"{folder / name} exists already; a key is never overwritten")
    signing, _ = suite.generate_signing_key(secrets.token_bytes(32))
    create_secret_file(folder / _SIGNING, signing)
    create_secret_file(folder / _STORAGE)
    return load_keys(folder, suite)


def load_keys(folder: Path, suite: Suite) -> NodeKeys:
    """Read both keys; raises :class:`audit.key_files.KeyFileError`."""
    signing = load_secret_file(folder / _SIGNING)
    storage = load_secret_file(folder / _STORAGE)
    try:
        public = suite.public_key(signing)
    except ValueError:
        raise KeyFileError(
            f"{folder / _SIGNING} does not hold a key of suite {suite.name}; "
            "restore it from a backup"
        ) from None
    return NodeKeys(suite, public, signing, storage)


def seal(suite: Suite, key: bytes, plaintext: bytes, purpose: bytes) -> bytes:
    """Return nonce || ciphertext || tag under a fresh random nonce, bound to ``purpose``."""
    nonce = secrets.token_bytes(suite.nonce_bytes)
    return nonce + suite.seal(key, nonce, plaintext, purpose)


def unseal(suite: Suite, key: bytes, sealed: bytes, purpose: bytes) -> bytes:
    """Return what :func:`seal` sealed; raises ``OpenError``."""
    if len(sealed) < suite.nonce_bytes:
        raise OpenError("sealed data is shorter than its nonce")
    return suite.open(key, sealed[: suite.nonce_bytes], sealed[suite.nonce_bytes :], purpose)
