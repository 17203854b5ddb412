"""Who encrypts, adds and opens a vector of words in horizontal jobs, by four methods (SPEC.md).

A party's :class:`SumCipher` turns words into a contribution; the coordinator's
:class:`CipherAdder` adds contributions that it cannot open; a party opens the total. Importing
this loads neither TenSEAL nor any kernel: the method that needs one does, when first used.
"""

from __future__ import annotations

from protocols.arguments import check_seed
from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import PrivateKey
from protocols.suite import Suite
from protocols.sum_ciphers import bfv, ckks, paillier, words
from protocols.sum_ciphers.interface import (
    MAX_CONTRIBUTIONS,
    MAX_WORDS,
    METHODS,
    CipherAdder,
    Method,
    SumCipher,
    SumKey,
    Words,
    headroom_bits,
)

__all__ = [
    "MAX_CONTRIBUTIONS",
    "MAX_WORDS",
    "METHODS",
    "CipherAdder",
    "Method",
    "SumCipher",
    "SumKey",
    "Words",
    "adder",
    "cipher",
    "generate",
    "received_key",
    "value_bits",
]


def generate(method: Method, *, paillier_bits: int, suite: Suite, seed: bytes) -> SumKey:
    """Return a fresh key for one job.

    ``paillier`` draws it from ``seed``, 32 secret bytes, and has ``paillier_bits``; ``masked_he``
    and ``ckks`` draw it inside SEAL, so keep what is returned. Raises
    :class:`LocalProtocolError` for ``masks``, which has no key.
    """
    check_seed(seed)
    if method == "masked_he":
        return bfv.generate()
    if method == "ckks":
        return ckks.generate()
    if method == "paillier":
        return paillier.generate(paillier_bits, suite=suite, seed=seed)
    raise LocalProtocolError(f"method {method} has no key")


def cipher(key: SumKey | None, method: Method, suite: Suite) -> SumCipher:
    """Return the party's side of ``method`` with the job's key, None for ``masks``.

    Raises :class:`DecodeError` for a key, which another party made, that cannot be one of the
    method's or whose halves do not belong together.
    """
    if method == "masks":
        if key is not None:
            raise LocalProtocolError("method masks has no key")
        return words.WordCipher()
    if key is None:
        raise LocalProtocolError(f"method {method} needs the job's key")
    if key.method != method:
        raise DecodeError(f"the key is for {key.method}, not for {method}")
    made: SumCipher
    if method == "masked_he":
        made = bfv.BfvCipher(key.secret)
    elif method == "ckks":
        made = ckks.CkksCipher(key.secret)
    else:
        made = paillier.PaillierCipher(PrivateKey.from_bytes(key.secret, suite))
    if made.public != key.public:
        raise DecodeError("the key's public half is not that of its secret half")
    return made


def received_key(data: bytes, method: Method, suite: Suite) -> SumKey:
    """Return the key that another party made and encoded (``SumKey.to_bytes``), checked.

    Raises :class:`DecodeError` for anything :func:`cipher` would refuse or that is no key.
    """
    try:
        key = SumKey.from_bytes(data)
    except LocalProtocolError:
        raise DecodeError("not an encoded key for sums") from None
    cipher(key, method, suite)
    return key


def adder(public: bytes, method: Method, suite: Suite) -> CipherAdder:
    """Return the coordinator's side of ``method``; ``public`` is the key's, b"" for ``masks``.

    Raises :class:`RemoteProtocolError` for public bytes that are not the method's.
    """
    if method == "masks":
        return words.WordAdder(public)
    if method == "paillier":
        return paillier.PaillierAdder(public, suite)
    return bfv.adder(public) if method == "masked_he" else ckks.adder(public)


def value_bits(method: Method, parties: int) -> int:
    """Return how many bits a word of ``method`` may have, as its cipher says, without a key."""
    if method == "ckks":
        return ckks.VALUE_BITS
    widest = {"masks": 32, "paillier": paillier.SLOT_BITS, "masked_he": 39}
    return widest[method] - headroom_bits(parties)
