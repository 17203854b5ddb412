"""Many hashes, fixed-key hashing of blocks, and which twin computes: both suites, both twins."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import get_suite, symmetric
from protocols.suite.symmetric import BULK_VALUES
from tests.protocols.kernels.message_batches import column, made

SUITES = {
    (name, kernels): get_suite(name, kernels)
    for name in ("gm", "intl")
    for kernels in ("auto", "portable")
}
every = pytest.mark.parametrize("suite", SUITES.values(), ids=map("-".join, SUITES))
HASHLIB = {"gm": "sm3", "intl": "sha256"}


def test_kernels_are_those_of_the_processor():
    there = cpu.has(cpu.IFMA | cpu.VAES | cpu.GFNI | cpu.CLMUL)
    for (_, kernels), suite in SUITES.items():
        assert suite.kernels == ("avx512" if there and kernels == "auto" else "portable")


def test_get_suite_names_the_kernels_there_are():
    with pytest.raises(ValueError, match="unknown kernels 'fast'; there are: auto, portable"):
        get_suite("gm", "fast")


@every
@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("count", [0, 1, BULK_VALUES - 1, BULK_VALUES, BULK_VALUES + 17])
def test_hash_many_is_hash_of_each(suite, count, framed):
    values = made([i % 150 for i in range(count)], b"values")
    digests = suite.hash_many(b"prefix", *column(values, b"before"), framed=framed)
    assert digests.shape == (count, 32)
    assert digests.dtype == np.uint8
    for digest, value in zip(digests, values, strict=True):
        frame = len(value).to_bytes(4, "big") if framed else b""
        message = b"prefix" + frame + value
        assert digest.tobytes() == hashlib.new(HASHLIB[suite.name], message).digest()
        assert digest.tobytes() == suite.hash(b"prefix", frame, value)


@every
@given(st.binary(max_size=80), st.lists(st.binary(max_size=200), max_size=20), st.booleans())
@settings(max_examples=25, deadline=None)
def test_hash_many_does_not_depend_on_the_way(suite, prefix, values, framed):
    arguments = prefix, *column(values)
    bound = symmetric.BULK_VALUES
    by_openssl = suite.hash_many(*arguments, framed=framed)
    try:
        symmetric.BULK_VALUES = 0
        by_kernel = suite.hash_many(*arguments, framed=framed)
    finally:
        symmetric.BULK_VALUES = bound
    assert (by_openssl == by_kernel).all()


@every
def test_hash_many_takes_what_may_not_be_written_to(suite):
    values = made([20] * (BULK_VALUES + 1), b"frozen")
    data, offsets = column(values)
    frozen = np.frombuffer(offsets.tobytes(), np.int64)
    assert not frozen.flags.writeable
    digests = suite.hash_many(b"", data, frozen, framed=False)
    assert (digests == suite.hash_many(b"", data.copy(), offsets, framed=False)).all()


DATA = np.zeros(10, np.uint8)


@every
@pytest.mark.parametrize(
    ("data", "offsets", "message"),
    [
        (DATA, np.array([], np.int64), "offsets must be 64-bit"),
        (DATA, np.array([0, 10], np.int32), "offsets must be 64-bit"),
        (DATA, np.array([[0, 10]]), "offsets must be 64-bit"),
        (DATA, np.array([0, 11]), "ascend"),
        (DATA, np.array([-1, 10]), "ascend"),
        (DATA, np.array([0, 5, 4, 10]), "ascend"),
        (DATA, np.array([0, 2**62, 10]), "ascend"),
        (DATA, np.array([0, 2**63 - 1, -2]), "ascend"),
        (DATA[::2], np.array([0, 1]), "row of bytes"),
        (DATA.view(np.int8), np.array([0, 1]), "row of bytes"),
        (DATA.reshape(2, 5), np.array([0, 1]), "row of bytes"),
    ],
)
def test_hash_many_refuses(suite, data, offsets, message):
    with pytest.raises(ValueError, match=message):
        suite.hash_many(b"", data, offsets, framed=True)


@every
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100, 5000])
def test_block_hash_is_the_cipher_plus_its_input(suite, count):
    # Encrypting single blocks is checked with the standards' vectors; AES there has a longer key.
    key = bytes(range(16))
    blocks = suite.stream(bytes(32), b"blocks").words(2 * count).reshape(-1, 2)
    out = np.empty_like(blocks)
    function = suite.block_hash(key)
    function.hash_blocks(blocks, out)
    cipher = type(suite).block_cipher(key)
    assert (out == encrypted(cipher, blocks) ^ blocks).all()
    row = blocks.reshape(-1).copy()
    function.hash_blocks(row, row)
    assert (row == out.reshape(-1)).all()
    frozen = np.frombuffer(blocks.tobytes(), np.uint64)
    function.hash_blocks(frozen, row)
    assert (row == out.reshape(-1)).all()


def encrypted(cipher, blocks: np.ndarray) -> np.ndarray:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    octets = Cipher(cipher, ECB()).encryptor().update(blocks.tobytes())
    return np.frombuffer(octets, np.uint64).reshape(blocks.shape)


BLOCKS = np.zeros(8, np.uint64)


@every
@pytest.mark.parametrize(
    ("blocks", "out", "message"),
    [
        (BLOCKS, np.zeros(6, np.uint64), "one shape"),
        (BLOCKS, BLOCKS.reshape(4, 2), "one shape"),
        (BLOCKS.view(np.int64), BLOCKS, "64-bit words"),
        (BLOCKS, np.zeros(8, np.uint32), "64-bit words"),
        (BLOCKS[::2], BLOCKS[:4], "contiguous"),
        (BLOCKS[:4], BLOCKS[::2], "contiguous"),
        (BLOCKS, np.frombuffer(bytes(64), np.uint64), "writeable"),
        (BLOCKS[:3], BLOCKS[3:6], "two 64-bit words"),
    ],
)
def test_block_hash_refuses(suite, blocks, out, message):
    with pytest.raises(ValueError, match=message):
        suite.block_hash(bytes(16)).hash_blocks(blocks, out)


@every
@pytest.mark.parametrize("length", [0, 15, 24, 32])
def test_block_hash_takes_a_key_of_one_size(suite, length):
    with pytest.raises(ValueError, match="16-byte key"):
        suite.block_hash(bytes(length))


def test_short_work_loads_no_compiler():
    """What an auditor's verifier does: hash, verify, open, read a short stream."""
    program = """
import sys
from protocols.suite import get_suite
for name in ("gm", "intl"):
    suite = get_suite(name)
    private, public = suite.generate_signing_key(bytes(32))
    suite.verify(public, b"m", suite.sign(private, b"m", bytes(32)))
    key = suite.derive(bytes(32), b"", suite.key_bytes)
    suite.open(key, bytes(12), suite.seal(key, bytes(12), b"p", b""), b"")
    suite.hash(b"m")
    suite.stream(bytes(32), b"").permutation(1000)
    suite.agree(suite.agreement_key(bytes(32))[0], suite.agreement_key(bytes(31) + b"1")[1])
print([name for name in ("numba", "llvmlite") if name in sys.modules])
"""
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
