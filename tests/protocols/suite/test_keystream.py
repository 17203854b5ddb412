"""Streams of both suites by both twins: bytes, words, integers, permutations."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import get_suite, gm, keystream
from protocols.suite.keystream import BULK_BYTES, BULK_PERMUTATION, Keystream
from tests.protocols.suite import plain_gm

SEED = bytes(range(32))
GM = get_suite("gm")
every = pytest.mark.parametrize(
    "suite",
    [get_suite(name, kernels) for name in ("gm", "intl") for kernels in ("auto", "portable")],
    ids=["gm", "gm-portable", "intl", "intl-portable"],
)


def whole_stream(suite, length: int) -> bytes:
    """What OpenSSL's counter mode gives under the stream's key, in one piece."""
    key = suite.derive(SEED, b"fedcrm/stream/1" + b"info", suite.key_bytes)
    return Cipher(suite.block_cipher(key), CTR(bytes(16))).encryptor().update(bytes(length))


def test_stream_matches_a_second_implementation():
    ours, plain = GM.stream(SEED, b"info"), plain_gm.Stream(SEED, b"info")
    assert ours.bytes(37) == plain.bytes(37)
    for bound in (1, 2, 3, 255, 256, 257, 10**30):
        assert ours.below(bound) == plain.below(bound)
    for length in (0, 1, 2, 3, 300):
        assert ours.permutation(length).tolist() == plain.permutation(length)
    assert ours.bytes(5) == plain.bytes(5)


@every
@pytest.mark.parametrize(
    "cuts",
    [
        (0, 1, 4095, 1, 5903),
        (BULK_BYTES, 1, BULK_BYTES + 1, 15, 0, BULK_BYTES - 1, 16),
        (7, BULK_BYTES + 4095, 9, 2 * BULK_BYTES + 8, 4096),
        (4096, BULK_BYTES + 16, 3),
        (4096, gm.LOADED_BYTES, 4096, 9, gm.LOADED_BYTES - 16, 2 * gm.LOADED_BYTES + 5, 70),
    ],
)
def test_stream_does_not_depend_on_how_it_is_cut(suite, cuts):
    stream = suite.stream(SEED, b"info")
    assert b"".join(stream.bytes(length) for length in cuts) == whole_stream(suite, sum(cuts))


@every
@pytest.mark.parametrize("before", [0, 1, 8, 4090])
@pytest.mark.parametrize("count", [0, 1, 513, BULK_BYTES // 8, BULK_BYTES // 8 + 1, 50_001])
def test_words_are_the_streams_bytes(suite, before, count):
    stream = suite.stream(SEED, b"info")
    read = stream.bytes(before)
    words = stream.words(count)
    read += words.astype("<u8").tobytes() + stream.bytes(20)
    assert read == whole_stream(suite, before + 8 * count + 20)
    assert words.dtype == np.uint64
    assert words.shape == (count,)
    words[:] = 0  # the caller's own


@given(st.lists(st.integers(0, 3 * BULK_BYTES), max_size=6))
@settings(max_examples=15, deadline=None)
def test_both_twins_read_the_same(cuts):
    streams = [get_suite("gm", kernels).stream(SEED, b"info") for kernels in ("auto", "portable")]
    for length in cuts:
        first, second = (stream.bytes(length) for stream in streams)
        assert first == second


@given(st.integers(1, 1 << 130), st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_below_stays_below(bound, seed):
    assert 0 <= GM.stream(seed, b"").below(bound) < bound


def test_below_takes_every_value_about_equally_often():
    stream = GM.stream(SEED, b"uniform")
    counts = [0] * 5
    for _ in range(5000):
        counts[stream.below(5)] += 1
    # Chi-square with 4 degrees of freedom; fixed seed, so this is a fixed outcome.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 18.5


@given(st.integers(0, 2000), st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_permutation_is_one(length, seed):
    order = GM.stream(seed, b"").permutation(length)
    assert sorted(order.tolist()) == list(range(length))
    assert order.dtype == np.int64


def test_all_permutations_of_three_are_about_equally_likely():
    stream = GM.stream(SEED, b"three")
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        order = tuple(stream.permutation(3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


@pytest.mark.parametrize("length", [BULK_PERMUTATION, BULK_PERMUTATION + 1, 100_003])
def test_long_permutations_are_those_of_the_loop(length, monkeypatch):
    stream = GM.stream(SEED, b"long")
    by_kernel, after = stream.permutation(length), stream.bytes(9)
    monkeypatch.setattr(keystream, "BULK_PERMUTATION", keystream.MAX_PERMUTATION)
    stream = GM.stream(SEED, b"long")
    assert (by_kernel == stream.permutation(length)).all()
    assert after == stream.bytes(9)
    assert (np.sort(by_kernel) == np.arange(length)).all()


class FixedWords:
    """A key stream of the given 32-bit words, then zeros."""

    def __init__(self, *words: int) -> None:
        self.data = b"".join(word.to_bytes(4, "big") for word in words)

    def write(self, first: int, zeros: np.ndarray) -> None:
        taken = self.data[16 * first :][: len(zeros)]
        zeros[: len(taken)] = np.frombuffer(taken, np.uint8)


def test_permutation_rejects_the_incomplete_last_interval():
    # 2^32 = 1 mod 3: the word 2^32 - 1 must not count for position 2, and is drawn again last.
    assert Keystream(FixedWords(2**32 - 1, 0, 1)).permutation(3).tolist() == [2, 0, 1]
    assert Keystream(FixedWords(1, 0)).permutation(3).tolist() == [2, 0, 1]


def plain_permutation(length: int, words: list[int]) -> list[int]:
    """The definition once more, a word and a position at a time."""
    words = iter(words)
    chosen: dict[int, int] = {}
    missing = list(range(length - 1, 0, -1))
    while missing:
        again = []
        for position in missing:
            word = next(words)
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


def test_long_permutations_reject_the_incomplete_last_interval():
    length = BULK_PERMUTATION + 3
    # Every fifth word is the highest, which all positions reject but those of a power of two, and
    # the others lie on both sides of the border.
    words = [2**32 - 1 - (i % 5) * (i % 4099) for i in range(2 * length)]
    order = Keystream(FixedWords(*words)).permutation(length)
    assert order.tolist() == plain_permutation(length, [*words, *[0] * length])


@pytest.mark.parametrize("call", ["bytes", "permutation"])
def test_stream_refuses_negative_lengths(call):
    with pytest.raises(ValueError, match="length must"):
        getattr(GM.stream(SEED, b""), call)(-1)


def test_words_refuse_a_negative_count():
    with pytest.raises(ValueError, match="count must"):
        GM.stream(SEED, b"").words(-1)


def test_below_refuses_an_empty_range():
    with pytest.raises(ValueError, match="at least 1"):
        GM.stream(SEED, b"").below(0)
