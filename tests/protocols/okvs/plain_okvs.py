"""The OKVS again, from protocols/okvs/SPEC.md, with rows as integers: bit c is column c."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from Cryptodome.Cipher import AES
from gmssl import sm4 as gmssl_sm4

from tests.protocols.plain_suites import PLAIN

BAND = 256


def block_hash(suite: str, key: bytes) -> Callable[[bytes], bytes]:
    """x -> E(x) xor x of one block."""
    if suite == "gm":
        cipher = gmssl_sm4.CryptSM4(padding_mode=-1)
        cipher.set_key(key, gmssl_sm4.SM4_ENCRYPT)
        encrypt = cipher.crypt_ecb
    else:
        encrypt = AES.new(key, AES.MODE_ECB).encrypt
    return lambda block: bytes(a ^ b for a, b in zip(encrypt(block), block, strict=True))


def columns_for(size: int) -> int:
    starts = -(-11 * size // 10)
    return -(-(starts + 262) // 64) * 64


class PlainOkvs:
    def __init__(self, suite: str, size: int, seed: bytes) -> None:
        self.columns = columns_for(size)
        self._hashes = {
            purpose: block_hash(
                suite, PLAIN[suite].hkdf(seed, b"fedcrm-okvs/1 " + purpose.encode(), 16)
            )
            for purpose in ("start", "low", "high")
        }

    def start(self, key: bytes) -> int:
        word = int.from_bytes(self._hashes["start"](key)[:8], "little")
        return word * (self.columns - 262) >> 64

    def row(self, key: bytes) -> int:
        band = self._hashes["low"](key) + self._hashes["high"](key)
        return int.from_bytes(band, "little") << self.start(key)

    def encode(self, keys: Sequence[bytes], values: Sequence[int]) -> list[int]:
        return solve([self.row(key) for key in keys], values, self.columns)

    def decode(self, vector: Sequence[int], key: bytes) -> int:
        return apply(self.row(key), vector)


def apply(row: int, vector: Sequence[int]) -> int:
    total = 0
    for column, word in enumerate(vector):
        if row >> column & 1:
            total ^= word
    return total


def solve(
    rows: Sequence[int], values: Sequence[int], columns: int, free: Sequence[int] | None = None
) -> list[int]:
    """The solution whose free columns are ``free``, or zero; ValueError if rows are dependent."""
    pivots: dict[int, tuple[int, int]] = {}
    for given_row, given_value in zip(rows, values, strict=True):
        row, value = given_row, given_value
        while (column := (row & -row).bit_length() - 1) in pivots:
            row ^= pivots[column][0]
            value ^= pivots[column][1]
        if not row:
            raise ValueError("dependent rows")
        pivots[column] = row, value
    solution = list(free or [0] * columns)
    for column in sorted(pivots, reverse=True):
        row, value = pivots[column]
        solution[column] = 0
        solution[column] = value ^ apply(row, solution)
    return solution
