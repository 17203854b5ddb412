"""Masks: the expansion against a second implementation, sums that cancel, exact uniform words."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.secure_aggregation import masks
from protocols.secure_aggregation.masks import add_masks, centred, remove_masks
from protocols.suite import get_suite
from tests.protocols.plain_suites import PLAIN

T = 1099511480321
"""The largest prime below 2^40 that is 1 modulo 8192."""
MODULI = [2, 3, 5, 128, 129, 255, 256, 257, 2**16, 65537, 2**24 - 3, 2**32, 2**32 + 1, T, 2**40]
INFO = b"fedcrm/secure-aggregation/mask/1"
SUITES = {
    (name, kernels): get_suite(name, kernels)
    for name in ("gm", "intl")
    for kernels in ("auto", "portable")
}
every = pytest.mark.parametrize("suite", SUITES.values(), ids=map("-".join, SUITES))
SEEDS = [bytes([number]) * 32 for number in range(12)]


def expansion(stream: Iterator[int], modulus: int, count: int) -> list[int]:
    """The text's definition, a byte and a candidate at a time."""
    bits = (modulus - 1).bit_length()
    words: list[int] = []
    while len(words) < count:
        octets = [next(stream) for _ in range((bits + 7) // 8)]
        candidate = sum(octet << 8 * place for place, octet in enumerate(octets)) % 2**bits
        if candidate < modulus:
            words.append(candidate)
    return words


def plain_stream(name: str, seed: bytes) -> Iterator[int]:
    """From the standards' text; SM4 in plain Python takes 0.1 ms a block."""
    stream = PLAIN[name].stream(seed, INFO)
    while True:
        yield from stream.bytes(64)


def openssl_stream(suite, seed: bytes) -> Iterator[int]:
    key = suite.derive(seed, b"fedcrm/stream/1" + INFO, suite.key_bytes)
    cipher = Cipher(suite.block_cipher(key), CTR(bytes(16))).encryptor()
    while True:
        yield from cipher.update(bytes(1 << 16))


@every
@pytest.mark.parametrize("modulus", MODULI)
def test_the_expansion_matches_a_second_implementation(suite, modulus):
    expected = expansion(plain_stream(suite.name, SEEDS[3]), modulus, 19)
    words = add_masks(np.zeros(19, np.int64), modulus, [SEEDS[3]], [], suite)
    assert words.tolist() == expected


@every
@pytest.mark.parametrize("modulus", [5, 257, 2**32, T])
def test_blocks_follow_one_another(suite, modulus, monkeypatch):
    """Blocks of many lengths, with words passed over at their ends; reads long and short."""
    length = 70_003 if suite.kernels == "avx512" else 5_003
    expected = expansion(openssl_stream(suite, SEEDS[1]), modulus, length)
    for block in (masks._BLOCK_WORDS, 1 << 12, 1000, 1001, 37):
        monkeypatch.setattr(masks, "_BLOCK_WORDS", block)
        for count in (length, block, block + 1) if block < length else (length,):
            words = add_masks(np.zeros(count, np.int64), modulus, [SEEDS[1]], [], suite)
            assert words.tolist() == expected[:count]


@pytest.mark.parametrize("modulus", [2**32, T])
def test_both_twins_of_every_suite_mask_alike(modulus):
    words = np.arange(-100_000, 100_001)
    for name in ("gm", "intl"):
        first, second = (
            add_masks(words, modulus, SEEDS[:3], SEEDS[3:5], SUITES[name, kernels])
            for kernels in ("auto", "portable")
        )
        assert (first == second).all()


@pytest.mark.parametrize(
    ("name", "modulus", "digest"),
    [
        ("gm", 2**32, "49fae4cf43533f23cd587b0cc16e3db21054d01d06b6df0c2ef6c5e9daa2bc60"),
        ("gm", T, "f18acc63b382ac9d46c68655542248dd70d342b0788956e7618ebaefa4174148"),
        ("intl", 2**32, "33046b6fe8599675629aaf657cb2dd9fcd658ef41f66e2a98b89c0a345f9c60a"),
        ("intl", T, "4b8ddfa81fbc761a89a1f89960a94de6d1f99677fb02b860a93beddf4478466c"),
    ],
)
def test_what_was_agreed_stays(name, modulus, digest):
    """Another release must make the same masks, or parties of both could not add up."""
    suite = SUITES[name, "auto"]
    words = add_masks(np.arange(1000), modulus, SEEDS[:2], SEEDS[2:4], suite)
    assert suite.hash(words.astype("<i8").tobytes()).hex() == digest


wide = st.integers(-(2**63), 2**63 - 1)


@given(
    st.sampled_from(MODULI),
    st.integers(1, 5),
    st.lists(wide, max_size=40),
    st.sampled_from(list(SUITES)),
)
@settings(max_examples=60, deadline=None)
def test_pairwise_masks_cancel_and_self_masks_are_removed(modulus, parties, numbers, key):
    suite = SUITES[key]
    words = np.array(numbers, np.int64)
    total = np.zeros(len(words), np.int64)
    for u in range(parties):
        pairs = {v: bytes([min(u, v), max(u, v)]) * 16 for v in range(parties) if v != u}
        plus = [SEEDS[u], *(seed for v, seed in pairs.items() if v > u)]
        minus = [seed for v, seed in pairs.items() if v < u]
        masked = add_masks(words, modulus, plus, minus, suite)
        assert masked.dtype == np.int64
        assert ((masked >= 0) & (masked < modulus)).all()
        total += masked
    opened = remove_masks(total, modulus, SEEDS[:parties], [], suite)
    assert opened.tolist() == [parties * number % modulus for number in numbers]


@every
def test_signs_are_those_of_the_lists(suite):
    words = np.arange(50)
    one, other = (add_masks(0 * words, T, [seed], [], suite) for seed in SEEDS[:2])
    assert (add_masks(words, T, SEEDS[:1], SEEDS[1:2], suite) == (words + one - other) % T).all()
    assert (remove_masks(words, T, SEEDS[:1], SEEDS[1:2], suite) == (words - one + other) % T).all()
    assert (add_masks(words - 99, 2**32, [], [], suite) == (words - 99) % 2**32).all()


def test_words_are_left_as_they_were():
    words = np.arange(-5, 5)
    words.setflags(write=False)
    masked = add_masks(words, T, SEEDS[:1], [], SUITES["gm", "auto"])
    masked[:] = 0  # the caller's own
    assert words.tolist() == list(range(-5, 5))


def test_no_two_seeds_and_no_other_use_of_a_seed_share_an_expansion():
    suite = SUITES["gm", "auto"]
    zeros = np.zeros(8, np.int64)
    words = [add_masks(zeros, 2**32, [seed], [], suite).astype("<u4").tobytes() for seed in SEEDS]
    assert len(set(words)) == len(SEEDS)
    assert suite.stream(SEEDS[0], b"").bytes(32) != words[0]


@pytest.mark.parametrize(("modulus", "limit"), [(5, 18.5), (2, 10.9), (129, 190.0)])
def test_words_are_about_equally_frequent(modulus, limit):
    count = 1000 * modulus
    words = add_masks(np.zeros(count, np.int64), modulus, SEEDS[:1], [], SUITES["gm", "auto"])
    found = Counter(words.tolist())
    # Chi-square with modulus - 1 degrees of freedom; fixed seed, so this is a fixed outcome.
    assert sum((found[word] - 1000) ** 2 / 1000 for word in range(modulus)) < limit
    assert set(found) == set(range(modulus))


@pytest.mark.parametrize("modulus", [2, 3, 97, 2**32, T, 2**40])
def test_centred_words_lie_nearest_to_zero(modulus):
    edges = [0, 1, modulus // 2 - 1, modulus // 2, modulus // 2 + 1, modulus - 1, modulus, -1]
    words = np.array([*edges, 2**63 - 1, -(2**63)], np.int64)
    numbers = centred(words, modulus)
    assert numbers.dtype == np.int64
    for word, number in zip(words.tolist(), numbers.tolist(), strict=True):
        assert (word - number) % modulus == 0
        assert -(modulus // 2) <= number <= (modulus - 1) // 2


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=30))
@settings(max_examples=30, deadline=None)
def test_centred_undoes_the_reduction(numbers):
    suite = SUITES["gm", "auto"]
    for modulus in (2**32, T):
        masked = add_masks(np.array(numbers, np.int64), modulus, SEEDS[:2], SEEDS[2:3], suite)
        opened = remove_masks(masked, modulus, SEEDS[:2], SEEDS[2:3], suite)
        assert centred(opened, modulus).tolist() == numbers


@pytest.mark.parametrize("modulus", [2**32, T])
def test_memory_does_not_grow_with_words_and_seeds(modulus):
    suite = SUITES["gm", "auto"]
    words = np.zeros(1 << 20, np.int64)
    add_masks(words[:100_000], modulus, SEEDS[:1], [], suite)  # kernels are loaded
    tracemalloc.start()
    try:
        add_masks(words, modulus, SEEDS, SEEDS, suite)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < words.nbytes + (4 << 20)


@pytest.mark.parametrize(
    ("words", "modulus", "seeds", "message"),
    [
        (np.zeros(3, np.int32), 2**32, [], "64-bit integers"),
        (np.zeros(3, np.uint64), 2**32, [], "64-bit integers"),
        (np.zeros(3), 2**32, [], "64-bit integers"),
        (np.zeros((3, 1), np.int64), 2**32, [], "one row"),
        (np.zeros(3, np.int64), 1, [], "modulus"),
        (np.zeros(3, np.int64), 0, [], "modulus"),
        (np.zeros(3, np.int64), -T, [], "modulus"),
        (np.zeros(3, np.int64), 2**40 + 1, [], "modulus"),
        (np.zeros(3, np.int64), T, [bytes(31)], "32 bytes"),
        (np.zeros(3, np.int64), T, [SEEDS[0], bytes(33)], "32 bytes"),
    ],
)
def test_anything_else_is_refused(words, modulus, seeds, message):
    suite = SUITES["gm", "auto"]
    for refuse in (
        lambda: add_masks(words, modulus, seeds, [], suite),
        lambda: add_masks(words, modulus, [], seeds, suite),
        lambda: remove_masks(words, modulus, seeds, [], suite),
    ):
        with pytest.raises(ValueError, match=message):
            refuse()
    if not seeds:
        with pytest.raises(ValueError, match=message):
            centred(words, modulus)
