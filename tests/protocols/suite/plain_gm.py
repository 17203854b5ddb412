"""A second implementation of what the gm suite does, for the tests to compare with.

Plain integers from the standards' text, one point and one scalar at a time, and nothing of
``protocols``; SM3 and SM4 are gmssl's pure-Python ones, so that OpenSSL is checked too.
"""

from __future__ import annotations

from gmssl import sm3 as gmssl_sm3
from gmssl import sm4 as gmssl_sm4

P = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
A = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFC
B = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
N = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
G = (
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
)
Z = -9 % P

Point = tuple[int, int] | None


def add(first: Point, second: Point) -> Point:
    """Affine addition, GB/T 32918.1 §3.2.3.1; ``None`` is infinity."""
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if first == second:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiply(scalar: int, point: Point) -> Point:
    """Double and add from the highest bit."""
    result: Point = None
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def is_square(value: int) -> bool:
    return pow(value, (P - 1) // 2, P) in (0, 1)


def square_root(value: int) -> int:
    root = pow(value, (P + 1) // 4, P)
    assert root * root % P == value % P
    return root


def curve(x: int) -> int:
    return (x**3 + A * x + B) % P


def lift(x: int) -> Point:
    return x, square_root(curve(x))


def sm3(data: bytes) -> bytes:
    return bytes.fromhex(gmssl_sm3.sm3_hash(list(data)))


def hmac(key: bytes, data: bytes) -> bytes:
    """RFC 2104 §2 with a 64-byte block."""
    if len(key) > 64:
        key = sm3(key)
    key = key.ljust(64, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in key) + data)
    return sm3(bytes(byte ^ 0x5C for byte in key) + inner)


def hkdf(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 §2 with an empty salt."""
    pseudorandom_key = hmac(bytes(32), key)
    output = block = b""
    number = 1
    while len(output) < length:
        block = hmac(pseudorandom_key, block + info + bytes([number]))
        output += block
        number += 1
    return output[:length]


class Stream:
    """SM4-CTR from counter 0 under HKDF-SM3(seed, "fedcrm/stream/1" + info)."""

    def __init__(self, seed: bytes, info: bytes) -> None:
        self.cipher = gmssl_sm4.CryptSM4()
        self.cipher.set_key(hkdf(seed, b"fedcrm/stream/1" + info, 16), gmssl_sm4.SM4_ENCRYPT)
        self.counter = 0
        self.rest = b""

    def bytes(self, length: int) -> bytes:
        while len(self.rest) < length:
            block = list(self.counter.to_bytes(16, "big"))
            self.rest += bytes(self.cipher.one_round(self.cipher.sk, block))
            self.counter += 1
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def below(self, bound: int) -> int:
        bits = (bound - 1).bit_length()
        while True:
            value = int.from_bytes(self.bytes(-(-bits // 8)), "big") % (1 << bits)
            if value < bound:
                return value

    def permutation(self, length: int) -> list[int]:
        chosen: dict[int, int] = {}
        missing = list(range(length - 1, 0, -1))
        while missing:
            again = []
            for position in missing:
                word = int.from_bytes(self.bytes(4), "big")
                if word < 2**32 - 2**32 % (position + 1):
                    chosen[position] = word % (position + 1)
                else:
                    again.append(position)
            missing = again
        order = list(range(length))
        for position in range(length - 1, 0, -1):
            other = chosen[position]
            order[position], order[other] = order[other], order[position]
        return order


def encode_to_curve(message: bytes, tag: bytes) -> tuple[int, int]:
    """RFC 9380 §3 (encode_to_curve), §5.3.1, §6.6.2 by its first, unoptimised description."""
    if len(tag) > 255:
        tag = sm3(b"H2C-OVERSIZE-DST-" + tag)
    tag += bytes([len(tag)])
    b_0 = sm3(bytes(64) + message + bytes([0, 48, 0]) + tag)
    b_1 = sm3(b_0 + bytes([1]) + tag)
    b_2 = sm3(bytes(x ^ y for x, y in zip(b_0, b_1, strict=True)) + bytes([2]) + tag)
    u = int.from_bytes((b_1 + b_2)[:48], "big") % P

    denominator = (Z**2 * u**4 + Z * u**2) % P
    tv1 = pow(denominator, -1, P) if denominator else 0
    x1 = (-B * pow(A, -1, P)) * (1 + tv1) % P if tv1 else B * pow(Z * A, -1, P) % P
    x2 = Z * u**2 * x1 % P
    x = x1 if is_square(curve(x1)) else x2
    y = square_root(curve(x))
    return x, y if u % 2 == y % 2 else P - y


def message_digest(public_key: bytes, message: bytes) -> bytes:
    """e of GB/T 32918.2 §6.1 with the default identity."""
    parts = [b"\x00\x80", b"1234567812345678"]
    parts += [value.to_bytes(32, "big") for value in (A, B, *G)]
    return sm3(sm3(b"".join(parts) + public_key[1:]) + message)


def public_key(private_key: bytes) -> bytes:
    point = multiply(int.from_bytes(private_key, "big"), G)
    assert point is not None
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def sign(private_key: bytes, message: bytes, entropy: bytes) -> bytes:
    """GB/T 32918.2 §6.1 with this project's nonce derivation; DER written by hand."""
    d = int.from_bytes(private_key, "big")
    digest = message_digest(public_key(private_key), message)
    nonce_key = hmac(private_key, b"fedcrm/sm2-nonce/1" + entropy + digest)
    counter = 0
    while True:
        k = int.from_bytes(hmac(nonce_key, counter.to_bytes(4, "big")), "big")
        counter += 1
        if not 1 <= k < N:
            continue
        point = multiply(k, G)
        assert point is not None
        r = (int.from_bytes(digest, "big") + point[0]) % N
        if r == 0 or r + k == N:
            continue
        s = pow(1 + d, -1, N) * (k - r * d) % N
        if s:
            return der(r, s)


def der(r: int, s: int) -> bytes:
    body = b""
    for value in (r, s):
        content = value.to_bytes(value.bit_length() // 8 + 1, "big")
        body += bytes([2, len(content)]) + content
    return bytes([0x30, len(body)]) + body


def verify(public_key: bytes, message: bytes, r: int, s: int) -> bool:
    """GB/T 32918.2 §7.1."""
    q = (int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big"))
    t = (r + s) % N
    point = add(multiply(s, G), multiply(t, q))
    e = int.from_bytes(message_digest(public_key, message), "big")
    return t != 0 and point is not None and (e + point[0]) % N == r
