"""The key a coordinator knows a SuperNode by: EC P-384, as Flower's node authentication asks.

It says which SuperNode asks for messages and protects nothing else: jobs, reports and messages are
signed with the party's identity key. Neither suite has P-384; it is Flower's.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit.key_files import KeyFileError


def create_node_key(path: Path) -> bytes:
    """Make the key in a new file of mode 0600; return the public half (PEM).

    Raises :class:`KeyFileError` for a file that exists.
    """
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,  # the only form flower-supernode reads
        serialization.NoEncryption(),
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} exists already; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
        file.flush()
        os.fsync(descriptor)
    return _public(key)


def node_public_key(path: Path) -> bytes:
    """Return the public half (PEM, SubjectPublicKeyInfo) of the key in ``path``.

    Raises :class:`KeyFileError` for a file that is missing, open to others, or of another key.
    """
    try:
        mode = path.stat().st_mode
        key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"cannot read {path}; restore it from a backup") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} is readable by others; run: chmod 600 {path}")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP384R1):
        raise KeyFileError(f"{path} does not hold a SuperNode's key; restore it from a backup")
    return _public(key)


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
