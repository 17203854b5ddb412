"""A second implementation of the base transfers, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.protocols.suite import plain_gm

VERSION = b"fedcrm-base-ot/1"
Point = tuple[int, int] | None


@dataclass(frozen=True)
class Curve:
    """y^2 = x^3 - 3 x + b, as both curves are; affine, ``None`` is infinity."""

    p: int
    b: int
    n: int
    g: tuple[int, int]

    def add(self, first: Point, second: Point) -> Point:
        if first is None or second is None:
            return first or second
        (x1, y1), (x2, y2) = first, second
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        if first == second:
            slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, self.p) % self.p
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, self.p) % self.p
        x3 = (slope * slope - x1 - x2) % self.p
        return x3, (slope * (x1 - x3) - y1) % self.p

    def multiply(self, scalar: int, point: Point) -> Point:
        result: Point = None
        for bit in bin(scalar)[2:]:
            result = self.add(result, result)
            if bit == "1":
                result = self.add(result, point)
        return result

    def negate(self, point: Point) -> Point:
        assert point is not None
        return point[0], self.p - point[1]

    def encode(self, point: Point) -> bytes:
        assert point is not None
        return bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")

    def is_on_curve(self, x: int) -> bool:
        return pow(x**3 - 3 * x + self.b, (self.p - 1) // 2, self.p) in (0, 1)


SM2 = Curve(plain_gm.P, plain_gm.B, plain_gm.N, plain_gm.G)
P256 = Curve(
    p=2**256 - 2**224 + 2**192 + 2**96 - 1,
    b=0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B,
    n=0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    g=(
        0x6B17D1F2_E12C4247_F8BCE6E5_63A440F2_77037D81_2DEB33A0_F4A13945_D898C296,
        0x4FE342E2_FE1A7F9B_8EE7EB4A_7C0F9E16_2BCE3357_6B315ECE_CBB64068_37BF51F5,
    ),
)


@dataclass(frozen=True)
class Primitives:
    """What a suite gives the protocols, from libraries and plain code."""

    name: str
    curve: Curve
    hash: Callable[[bytes], bytes]
    cipher: Callable[[bytes], algorithms.SM4 | algorithms.AES]
    key_bytes: int

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """RFC 2104 §2, for a key of at most one 64-byte block."""
        inner, outer = (bytes(x ^ pad for x in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
        return self.hash(outer + self.hash(inner + data))

    def hkdf(self, key: bytes, info: bytes) -> bytes:
        """RFC 5869 §2 with an empty salt, its first block."""
        return self.hmac(self.hmac(bytes(32), key), info + b"\1")

    def encrypt(self, key: bytes, blocks: bytes) -> bytes:
        return Cipher(self.cipher(key), modes.ECB()).encryptor().update(blocks)

    def stream(self, seed: bytes, label: bytes, length: int) -> bytes:
        key = self.hkdf(seed, b"fedcrm/stream/1" + label)[: self.key_bytes]
        counters = b"".join(i.to_bytes(16, "big") for i in range(-(-length // 16)))
        return self.encrypt(key, counters)[:length]

    def scalars(self, seed: bytes, label: bytes, count: int) -> list[int]:
        """Each 1 + the first 32 bytes (big endian) that are below n - 1."""
        data, scalars = self.stream(seed, label, 32 * (count + 4)), []
        while len(scalars) < count:
            value, data = int.from_bytes(data[:32], "big"), data[32:]
            if value < self.curve.n - 1:
                scalars.append(1 + value)
        return scalars


GM = Primitives("gm", SM2, lambda data: hashlib.new("sm3", data).digest(), algorithms.SM4, 16)
INTL = Primitives("intl", P256, lambda data: hashlib.sha256(data).digest(), algorithms.AES, 32)
BY_NAME = {"gm": GM, "intl": INTL}


@dataclass(frozen=True)
class PlainTransfers:
    sender_points: bytes
    receiver_points: bytes
    pairs: list[tuple[bytes, bytes]]
    chosen: list[bytes]


def run(
    suite: Primitives,
    choices: list[int],
    context: bytes,
    sender_seed: bytes,
    receiver_seed: bytes,
) -> PlainTransfers:
    curve = suite.curve
    a, c = suite.scalars(sender_seed, VERSION + b" sender scalars", 2)
    public, offset = curve.multiply(a, curve.g), curve.multiply(c, curve.g)
    sent, shared_offset = curve.encode(public) + curve.encode(offset), curve.multiply(a, offset)

    def key(index: int, point: bytes, shared: Point) -> bytes:
        prefix = VERSION + b" key\0" + suite.hash(context) + sent
        return suite.hash(prefix + index.to_bytes(4, "big") + point + curve.encode(shared))

    points, pairs, chosen = [], [], []
    scalars = suite.scalars(receiver_seed, VERSION + b" receiver scalars", len(choices))
    for index, (k, choice) in enumerate(zip(scalars, choices, strict=True)):
        point = curve.multiply(k, curve.g)
        if choice:
            point = curve.add(point, offset)
        encoded = curve.encode(point)
        points.append(encoded)
        chosen.append(key(index, encoded, curve.multiply(k, public)))
        shared = [curve.multiply(a, point)]
        shared.append(curve.add(shared[0], curve.negate(shared_offset)))
        pairs.append((key(index, encoded, shared[0]), key(index, encoded, shared[1])))
    return PlainTransfers(sent, b"".join(points), pairs, chosen)
