"""Band systems: both twins against elimination on Python's integers."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import band, cpu
from tests.protocols.okvs.plain_okvs import apply, solve

TWINS = pytest.mark.parametrize(
    "portable",
    [
        True,
        pytest.param(
            False, marks=pytest.mark.skipif(not cpu.has(cpu.GFNI), reason="needs AVX-512 GFNI")
        ),
    ],
)
SEEDS = st.integers(0, 2**32 - 1)


def words(seed: int, *shape: int) -> np.ndarray:
    count = int(np.prod(shape))
    octets = hashlib.shake_256(seed.to_bytes(8, "big")).digest(8 * count)
    return np.frombuffer(octets, np.uint64).reshape(shape).copy()


@dataclass
class System:
    columns: int
    places: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def rows(self) -> list[int]:
        bands = np.concatenate([self.low, self.high], axis=1)
        starts = (self.places >> np.uint64(32)).tolist()
        return [
            int.from_bytes(bits.tobytes(), "little") << start
            for bits, start in zip(bands, starts, strict=True)
        ]


def system(seed: int, size: int, columns: int) -> System:
    places, spare = np.empty(size, np.uint64), np.empty(size, np.uint64)
    band.place(words(seed, size, 2), 0, columns - band.MARGIN + 1, places)
    band.sort_places(places, spare, columns.bit_length())
    return System(columns, places, words(seed + 1, size, 2), words(seed + 2, size, 2))


def solved(given_: System, values: np.ndarray, free: np.ndarray, *, portable: bool) -> list[int]:
    pivots = np.zeros((given_.columns, band.PIVOT_WORDS), np.uint64)
    assert band.eliminate(given_.places, given_.low, given_.high, values, pivots)
    solution = free.copy()
    band.back_substitute(pivots, solution, portable=portable)
    return solution.tolist()


def test_starts_spread_over_their_span():
    """floor(h span / 2^64) exactly, at the edges too."""
    hashes = words(1, 1000, 2)
    hashes[:4, 0] = [0, 2**64 - 1, 2**63, 2**32 - 1]
    for span in (1, 58, 12_345_678, 2**32 - 1):
        places = np.empty(1000, np.uint64)
        band.place(hashes, 7, span, places)
        expected = [(h * span >> 64) << 32 | 7 + i for i, h in enumerate(hashes[:, 0].tolist())]
        assert places.tolist() == expected


@given(seed=SEEDS, size=st.integers(0, 300), bits=st.integers(1, 25))
@settings(max_examples=40, deadline=None)
def test_places_are_sorted_stably(seed, size, bits):
    starts = words(seed, size) >> np.uint64(64 - bits)
    places = starts << np.uint64(32) | np.arange(size, dtype=np.uint64)
    expected = sorted(places.tolist())
    band.sort_places(places, np.empty_like(places), bits)
    assert places.tolist() == expected


@given(seed=SEEDS, size=st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_keys_follow_their_places(seed, size):
    made = system(seed, size, 640)
    keys, out = words(seed + 3, size, 2), np.empty((size, 2), np.uint64)
    band.gather(keys, made.places, out)
    order = (made.places & np.uint64(0xFFFFFFFF)).astype(np.int64)
    assert sorted(order.tolist()) == list(range(size))
    assert np.array_equal(out, keys[order])


@given(seed=SEEDS, size=st.integers(2, 100), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_repeated_key_is_found(seed, size, data):
    made = system(seed, size, 384)
    keys = words(seed + 3, size, 2)
    assert band.first_repeated(made.places, keys) == -1
    starts = (made.places >> np.uint64(32)).tolist()
    pairs = [(i, j) for j in range(size) for i in range(j) if starts[i] == starts[j]]
    if pairs:
        first, second = data.draw(st.sampled_from(pairs))
        keys[second] = keys[first]
        assert band.first_repeated(made.places, keys) == first
        keys[second, 1] ^= np.uint64(1)
        assert band.first_repeated(made.places, keys) == -1


@TWINS
@given(seed=SEEDS, size=st.integers(0, 120), columns=st.sampled_from([320, 384, 512]))
@settings(max_examples=25, deadline=None)
def test_solutions_are_those_of_plain_elimination(portable, seed, size, columns):
    made, values, free = (
        system(seed, size, columns),
        words(seed + 3, size),
        words(seed + 4, columns),
    )
    expected = solve(made.rows(), values.tolist(), columns, free.tolist())
    assert solved(made, values, free, portable=portable) == expected


@TWINS
def test_a_row_reaches_the_last_column(portable):
    made = system(5, 3, 320)
    made.places[:] = np.array([0, 1 << 32, (320 - band.MARGIN) << 32], np.uint64)
    made.high[:, 1] |= np.uint64(1 << 63)
    values, zeros = words(6, 3), np.zeros(320, np.uint64)
    assert solved(made, values, zeros, portable=portable) == solve(
        made.rows(), values.tolist(), 320
    )


@TWINS
@given(seed=SEEDS, size=st.integers(0, 90), columns=st.sampled_from([320, 448, 1280]))
@settings(max_examples=25, deadline=None)
def test_decoding_is_the_product(portable, seed, size, columns):
    made = system(seed, size, columns)
    planes = words(seed + 3, columns), words(seed + 4, columns)
    out = np.zeros(size + 2, np.uint64), np.zeros(size + 2, np.uint64)
    band.decode(
        made.places,
        made.low,
        made.high,
        planes,
        (out[0][1:-1], out[1][1:-1]),
        portable=portable,
    )
    for plane, found in zip(planes, out, strict=True):
        column_words = plane.tolist()
        expected = [apply(row, column_words) for row in made.rows()]
        assert found.tolist() == [0, *expected, 0]


@TWINS
def test_twins_agree_on_many_rows(portable):
    made, columns = system(11, 20_000, 22_272), 22_272
    values, zeros = words(12, 20_000), np.zeros(columns, np.uint64)
    solution = np.array(solved(made, values, zeros, portable=portable), np.uint64)
    assert solution.tolist() == solved(made, values, zeros, portable=True)
    outs = []
    for twin in (portable, True):
        out = np.empty((2, 20_000), np.uint64)
        planes = solution, words(13, columns)
        band.decode(made.places, made.low, made.high, planes, (out[0], out[1]), portable=twin)
        assert np.array_equal(out[0], values)
        outs.append(out[1])
    assert np.array_equal(*outs)


def test_dependent_rows_are_refused():
    made, values = system(21, 3, 320), words(22, 3)
    made.places[:] = made.places[0]
    made.low[2], made.high[2] = made.low[0] ^ made.low[1], made.high[0] ^ made.high[1]
    for last in (values[0] ^ values[1], values[2]):
        values[2] = last
        pivots = np.zeros((320, band.PIVOT_WORDS), np.uint64)
        assert not band.eliminate(made.places, made.low, made.high, values, pivots)


def test_an_empty_row_is_refused():
    made = system(23, 1, 320)
    made.low[:], made.high[:] = 0, 0
    pivots = np.zeros((320, band.PIVOT_WORDS), np.uint64)
    assert not band.eliminate(made.places, made.low, made.high, words(24, 1), pivots)


@TWINS
def test_arrays_that_do_not_fit_are_refused(portable):
    made = system(31, 4, 320)
    plane, out = np.zeros(320, np.uint64), np.zeros(4, np.uint64)

    def decode(planes, outs, places=made.places) -> None:
        band.decode(places, made.low, made.high, planes, outs, portable=portable)

    for planes in ((plane, plane[:312]), (plane[:256], plane[:256]), (plane[:300], plane[:300])):
        with pytest.raises(ValueError, match="planes"):
            decode(planes, (out, out))
    with pytest.raises(ValueError, match="one length"):
        decode((plane, plane), (out, out[:3]))
    beyond = made.places.copy()
    beyond[-1] = np.uint64((320 - band.MARGIN + 1) << 32)
    with pytest.raises(ValueError, match="beyond the columns"):
        decode((plane, plane), (out, out), beyond)
    pivots = np.zeros((320, band.PIVOT_WORDS), np.uint64)
    for solution in (plane[:312], plane[:316]):
        with pytest.raises(ValueError, match="multiple of eight"):
            band.back_substitute(pivots[: len(solution) + 1], solution, portable=portable)


@pytest.mark.skipif(not cpu.has(cpu.GFNI), reason="needs AVX-512 GFNI")
def test_threads_that_allocate_spoil_nothing():
    """The lanes' rings are memory that nobody else is given while they run."""
    made = system(3, 4000, 4608)
    planes = tuple(words(7 + plane, 4608) for plane in range(2))

    def products() -> np.ndarray:
        out = np.zeros((2, 4000), np.uint64)
        band.decode(made.places, made.low, made.high, planes, (out[0], out[1]), portable=False)
        return out

    expected, stop = products(), threading.Event()

    def churn() -> int:
        rounds = 0
        while not stop.is_set():
            _ = [np.full(size, 0xFF, np.uint8) for size in (4096, 8192, 20480, 40960, 66560)]
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        churning = [pool.submit(churn) for _ in range(2)]
        try:
            runs = [pool.submit(lambda: [products() for _ in range(60)]) for _ in range(2)]
            for run in runs:
                assert all((out == expected).all() for out in run.result())
        finally:
            stop.set()
    assert all(churned.result() for churned in churning)
