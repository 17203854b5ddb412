"""A message sealed under a key of its own, which a shared secret gives for this one purpose."""

from __future__ import annotations

from protocols.suite import OpenError, Suite

_LABEL = b"fedcrm/secure-aggregation/sealed/1"


def framed(*parts: bytes) -> bytes:
    """Return the parts, each after its length in four bytes, so that no two lists are alike."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(suite: Suite, secret: bytes, info: bytes, plaintext: bytes, seed: bytes) -> bytes:
    """Return a nonce and ``plaintext`` sealed under the key of ``secret`` for ``info``.

    The nonce comes of ``seed`` and of what is sealed: even a seed that a restored backup uses
    again gives another nonce to another message.
    """
    key = suite.derive(secret, _LABEL + framed(b"key", info), suite.key_bytes)
    nonce_info = _LABEL + framed(b"nonce", info, suite.hash(plaintext))
    nonce = suite.derive(seed, nonce_info, suite.nonce_bytes)
    return nonce + suite.seal(key, nonce, plaintext, info)


def unseal(suite: Suite, secret: bytes, info: bytes, sealed: bytes) -> bytes:
    """Return what was sealed; raises :class:`OpenError` for anything else."""
    if len(sealed) < suite.nonce_bytes:
        raise OpenError("sealed data is shorter than its nonce")
    key = suite.derive(secret, _LABEL + framed(b"key", info), suite.key_bytes)
    return suite.open(key, sealed[: suite.nonce_bytes], sealed[suite.nonce_bytes :], info)
