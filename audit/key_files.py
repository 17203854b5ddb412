"""Secret files: made once, readable by their owner only, never overwritten."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SECRET_BYTES = 32


class KeyFileError(Exception):
    """A secret file that is missing, malformed, or readable by others; the text says which."""


def create_secret_file(path: Path, value: bytes | None = None) -> bytes:
    """Write ``value`` (default: 32 fresh random bytes) as hex to a new 0600 file; return it.

    Raises :class:`KeyFileError` for a file that exists, ``ValueError`` for another length.
    """
    secret = secrets.token_bytes(SECRET_BYTES) if value is None else value
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret file holds {SECRET_BYTES} bytes")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} exists already; a key is never overwritten") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex() + "\n")
        # On the disk before anything is signed or sealed with it.
        file.flush()
        os.fsync(descriptor)
    return secret


def load_secret_file(path: Path) -> bytes:
    """Return the 32 secret bytes in ``path``; raises :class:`KeyFileError`."""
    try:
        mode = path.stat().st_mode
        value = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read {path}; restore the keys folder from a backup") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} is readable by others; run: chmod 600 {path}")
    if len(value) != SECRET_BYTES:
        raise KeyFileError(f"{path} does not hold a key; restore it from a backup")
    return value
