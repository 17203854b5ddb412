"""Both suites in plain integers, as far as the intersection protocols need them.

From the standards' text through ``plain_gm`` and ``plain_intl``; nothing of ``protocols``.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from tests.protocols.suite import plain_gm, plain_intl


class PlainSuite(Protocol):
    """One item, one scalar at a time; elements are x-coordinates of 32 bytes."""

    name: str

    def hash(self, data: bytes) -> bytes: ...

    def hkdf(self, key: bytes, info: bytes, length: int) -> bytes: ...

    def stream(self, seed: bytes, info: bytes) -> plain_gm.Stream: ...

    def scalar(self, stream: plain_gm.Stream) -> int: ...

    def hash_to_group(self, item: bytes, dst: bytes) -> bytes: ...

    def multiply(self, scalar: int, element: bytes) -> bytes: ...

    def divide(self, scalar: int, element: bytes) -> bytes: ...

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes: ...


class PlainGm:
    name = "gm"

    def hash(self, data: bytes) -> bytes:
        return plain_gm.sm3(data)

    def hkdf(self, key: bytes, info: bytes, length: int) -> bytes:
        return plain_gm.hkdf(key, info, length)

    def stream(self, seed: bytes, info: bytes) -> plain_gm.Stream:
        return plain_gm.Stream(seed, info)

    def scalar(self, stream: plain_gm.Stream) -> int:
        return 1 + stream.below(plain_gm.N - 1)

    def hash_to_group(self, item: bytes, dst: bytes) -> bytes:
        x, _ = plain_gm.encode_to_curve(item, dst + b"-with-SM2_XMD:SM3_SSWU_NU_")
        return x.to_bytes(32, "big")

    def multiply(self, scalar: int, element: bytes) -> bytes:
        point = plain_gm.multiply(scalar, plain_gm.lift(int.from_bytes(element, "big")))
        assert point is not None
        return point[0].to_bytes(32, "big")

    def divide(self, scalar: int, element: bytes) -> bytes:
        return self.multiply(pow(scalar, -1, plain_gm.N), element)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        return plain_gm.sign(private_key, message, entropy)


class IntlStream(plain_gm.Stream):
    """The same readings of another key stream: AES-256-CTR under HKDF-SHA-256."""

    def __init__(self, seed: bytes, info: bytes) -> None:
        self.seed, self.info, self.done = seed, info, 0

    def bytes(self, length: int) -> bytes:
        self.done += length
        return plain_intl.key_stream(self.seed, self.info, self.done)[self.done - length :]


class PlainIntl:
    name = "intl"

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def hkdf(self, key: bytes, info: bytes, length: int) -> bytes:
        return plain_intl.hkdf(key, info, length)

    def stream(self, seed: bytes, info: bytes) -> plain_gm.Stream:
        return IntlStream(seed, info)

    def scalar(self, stream: plain_gm.Stream) -> int:
        return 2**254 + 8 * stream.below(2**251)

    def hash_to_group(self, item: bytes, dst: bytes) -> bytes:
        x = plain_intl.encode_to_curve(item, dst + b"-with-curve25519_XMD:SHA-512_ELL2_NU_")
        return x.to_bytes(32, "little")

    def multiply(self, scalar: int, element: bytes) -> bytes:
        x = plain_intl.ladder(scalar, int.from_bytes(element, "little"))
        return x.to_bytes(32, "little")

    def divide(self, scalar: int, element: bytes) -> bytes:
        return self.multiply(pow(scalar, -1, plain_intl.L), element)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        return plain_intl.sign(private_key, message)


PLAIN: dict[str, PlainSuite] = {"gm": PlainGm(), "intl": PlainIntl()}


def pack(value: object) -> bytes:
    """MessagePack, the shortest form of each type."""
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 + len(value)]) + b"".join(map(pack, value))
    if isinstance(value, str):
        data = value.encode()
        head = bytes([0xA0 + len(data)]) if len(data) < 32 else bytes([0xD9, len(data)])
        return head + data
    if isinstance(value, bytes):
        if len(value) < 1 << 8:
            return bytes([0xC4, len(value)]) + value
        if len(value) < 1 << 16:
            return b"\xc5" + len(value).to_bytes(2, "big") + value
        return b"\xc6" + len(value).to_bytes(4, "big") + value
    assert isinstance(value, int)
    if value < 128:
        return bytes([value])
    if value < 1 << 8:
        return bytes([0xCC, value])
    if value < 1 << 16:
        return b"\xcd" + value.to_bytes(2, "big")
    return b"\xce" + value.to_bytes(4, "big")
