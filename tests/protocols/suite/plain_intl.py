"""A second implementation of what the intl suite does, for the tests to compare with.

Plain integers from the RFCs' text, one item at a time, and nothing of ``protocols``; SHA-2 is
hashlib's and AES pycryptodomex's, so that ``cryptography`` is checked too.
"""

from __future__ import annotations

import hashlib
import hmac as hashlib_hmac

from Cryptodome.Cipher import AES

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
J = 486662

# Curve25519 by x-coordinates, RFC 7748.


def ladder(scalar: int, x: int) -> int:
    """The Montgomery ladder of RFC 7748 §5 for any scalar; 0 also stands for infinity."""
    x2, z2, x3, z3 = 1, 0, x, 1
    for bit in bin(scalar)[2:]:
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        plus, minus = x2 + z2, x2 - z2
        cross_plus, cross_minus = (x3 - z3) * plus, (x3 + z3) * minus
        x3, z3 = (cross_plus + cross_minus) ** 2 % P, x * (cross_plus - cross_minus) ** 2 % P
        e = plus * plus - minus * minus
        x2, z2 = plus * plus * minus * minus % P, e * (plus * plus + (J - 2) // 4 * e) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * pow(z2, P - 2, P) % P


def x25519(private_key: bytes, public_key: bytes) -> bytes:
    """RFC 7748 §5, clamping and masking included."""
    scalar = int.from_bytes(private_key, "little") & ~7 & (2**254 - 1) | 2**254
    x = int.from_bytes(public_key, "little") & (2**255 - 1)
    return ladder(scalar, x % P).to_bytes(32, "little")


def curve(x: int) -> int:
    return (x**3 + J * x**2 + x) % P


def is_square(value: int) -> bool:
    return pow(value, (P - 1) // 2, P) in (0, 1)


def square_root(value: int) -> int:
    root = pow(value, (P + 3) // 8, P)
    if root * root % P != value % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    assert root * root % P == value % P
    return root


def map_to_curve(u: int) -> int:
    """RFC 9380 §6.7.1, by its first, unoptimised description with Z = 2; x only."""
    x1 = -J * pow(1 + 2 * u**2, -1, P) % P
    if x1 == 0:
        x1 = -J % P
    return x1 if is_square(curve(x1)) else (-x1 - J) % P


def encode_to_curve(message: bytes, tag: bytes) -> int:
    """RFC 9380 §3, §5.3.1 with SHA-512 and one block, cofactor cleared; x only."""
    if len(tag) > 255:
        tag = hashlib.sha512(b"H2C-OVERSIZE-DST-" + tag).digest()
    tag += bytes([len(tag)])
    b_0 = hashlib.sha512(bytes(128) + message + bytes([0, 48, 0]) + tag).digest()
    b_1 = hashlib.sha512(b_0 + bytes([1]) + tag).digest()
    return ladder(8, map_to_curve(int.from_bytes(b_1[:48], "big") % P))


# Ed25519, RFC 8032 §5.1.

D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def multiply(scalar: int, point: Point) -> Point:
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def compress(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decompress(data: bytes) -> Point:
    y = int.from_bytes(data, "little") & (2**255 - 1)
    x = square_root((y * y - 1) * pow(D * y * y + 1, -1, P) % P)
    return (x if x & 1 == data[31] >> 7 else P - x), y


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sha512_number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def expand(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & ~7 & (2**254 - 1) | 2**254, digest[32:]


def sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = expand(seed)
    public = compress(multiply(scalar, BASE))
    r = sha512_number(prefix, message) % L
    commitment = compress(multiply(r, BASE))
    s = (r + sha512_number(commitment, public, message) * scalar) % L
    return commitment + s.to_bytes(32, "little")


# The symmetric half.


def hkdf(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 §2 over HMAC-SHA-256 with an empty salt."""
    pseudorandom_key = hashlib_hmac.digest(bytes(32), key, "sha256")
    output = block = b""
    number = 1
    while len(output) < length:
        block = hashlib_hmac.digest(pseudorandom_key, block + info + bytes([number]), "sha256")
        output += block
        number += 1
    return output[:length]


def key_stream(seed: bytes, info: bytes, length: int) -> bytes:
    """AES-256-CTR from counter 0 under HKDF(seed, "fedcrm/stream/1" + info)."""
    block_cipher = AES.new(hkdf(seed, b"fedcrm/stream/1" + info, 32), AES.MODE_ECB)
    return b"".join(
        block_cipher.encrypt(counter.to_bytes(16, "big")) for counter in range(-(-length // 16))
    )[:length]


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=16)
    cipher.update(associated)
    ciphertext, tag = cipher.encrypt_and_digest(plaintext)
    return ciphertext + tag
