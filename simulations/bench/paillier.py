"""Paillier operation by operation: CPU microseconds on one core, ours, ``phe`` and another system.

Ours and ``phe`` are measured in one process on one core; another system's command runs in turn with
it (A B A B) on the same core. The work is that of a histogram: 24-bit plaintexts, and sums of their
ciphertexts into 16 bins for each of 64 columns. Whatever was computed is decrypted and compared
with the plaintexts before any figure is given.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import phe

from party_node import kernel_cache
from simulations.bench.two_processes import BenchError

_DEADLINE_S = 3600.0
_PLAINTEXT_BITS = 24
_COUNT = 1024
_DECRYPTED = 64
_COLUMNS, _BINS = 64, 16
_REPEATS = 3
_PHE_SAMPLES = 8
_RATIOS = ("encrypt_us", "decrypt_us", "add_us", "bucket_add_us")
_SEED = bytes(32)


@dataclass(frozen=True, slots=True)
class _Histogram:
    """Which ciphertexts each bin of each column adds up."""

    positions: np.ndarray[Any, np.dtype[np.int64]]
    offsets: np.ndarray[Any, np.dtype[np.int64]]


def bench_paillier(bits: int, kernels: str, runs: int, peer: str | None) -> dict[str, Any]:
    """Return the figures as one JSON object, medians of ``runs`` processes.

    ``kernels`` is ``auto`` or ``portable``; ``peer`` a command whose last line is JSON with any of
    ``encrypt_us``, ``decrypt_us``, ``add_us`` and ``bucket_add_us``. Raises :class:`BenchError`,
    also if a decrypted result is not what the plaintexts give.
    """
    kernel_cache.prepare()
    own = [sys.executable, "-m", "simulations.bench.paillier", str(bits), kernels]
    _run(own)  # compiles what is not in the cache yet
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(_run(own))
        if peer is not None:
            theirs.append(_run(shlex.split(peer)))
    figures = _medians(ours) | {"runs": runs}
    figures["phe"] = _medians([report["phe"] for report in ours])
    if peer is not None:
        figures["peer"] = _medians(theirs) | {"command": peer}
    for rival in ("phe", "peer"):
        if rival in figures:
            figures[rival]["times_faster"] = {
                key.removesuffix("_us"): round(figures[rival][key] / figures[key], 2)
                for key in _RATIOS
                if key in figures[rival]
            }
    return figures


def _medians(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the last report with the median in place of each number measured."""
    medians = dict(reports[-1])
    for key in medians:
        if key.endswith(("_us", "_s")):
            medians[key] = round(statistics.median(float(r[key]) for r in reports), 3)
    return medians


def _run(command: list[str]) -> dict[str, Any]:
    """Run a command on one core and return its last line's JSON."""
    core = max(os.sched_getaffinity(0))
    try:
        done = subprocess.run(  # noqa: S603 - our own module, or what the user asked to measure
            command,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{command[0]} could not be measured: {error}") from None
    try:
        if done.returncode:
            raise ValueError
        report = json.loads(done.stdout.strip().splitlines()[-1])
        if not any(key in report for key in _RATIOS):
            raise ValueError
    except (IndexError, ValueError, TypeError):
        raise BenchError(
            f"{command[0]} (exit status {done.returncode}) printed no figures: "
            f"{done.stderr.strip()[-500:]}"
        ) from None
    return report  # type: ignore[no-any-return]


def _measure(bits: int, kernels: str) -> dict[str, Any]:
    """Measure in this process; raises :class:`BenchError` for a wrong result."""
    from protocols.paillier import PrivateKey, Summands, generate_private_key  # noqa: PLC0415
    from protocols.suite import get_suite  # noqa: PLC0415

    suite = get_suite("gm", kernels)

    def stream(purpose: bytes) -> Any:
        return suite.stream(_SEED, purpose)

    key, keygen_s = _timed(lambda: generate_private_key(bits, stream(b"key"), suite))
    key = PrivateKey.from_bytes(key.to_bytes(), suite)
    public_key = key.public_key
    _, tables_s = _timed(lambda: key.encrypt([0], stream(b"first")))
    public_key.rerandomise(public_key.zeros(1), stream(b"first"))

    drawn = stream(b"plaintexts")
    plaintexts = [drawn.below(1 << _PLAINTEXT_BITS) for _ in range(_COUNT)]
    codes = (
        np.frombuffer(drawn.bytes(_COUNT * _COLUMNS), np.uint8).reshape(_COUNT, _COLUMNS) % _BINS
    )
    histogram = _histogram(codes)
    ciphertexts, encrypt_us = _each(lambda: key.encrypt(plaintexts, stream(b"e")), _COUNT)
    few = ciphertexts[:_DECRYPTED]
    opened, decrypt_us = _each(lambda: key.decrypt(few), _DECRYPTED)
    doubled, add_us = _each(lambda: public_key.add(ciphertexts, ciphertexts), _COUNT)
    fresh, rerandomise_us = _each(lambda: public_key.rerandomise(few, stream(b"r")), _DECRYPTED)
    _, prepare_us = _each(lambda: key.prepare(_COUNT, stream(b"p")), _COUNT)

    def bucket_sums() -> Any:
        summands = Summands(public_key)
        summands.extend(ciphertexts)
        return summands.sums(histogram.positions, histogram.offsets)

    sums, bucket_add_us = _each(bucket_sums, _COUNT * _COLUMNS)

    _check(key.decrypt(ciphertexts), plaintexts)
    _check(opened, plaintexts[:_DECRYPTED])
    _check(key.decrypt(doubled), [2 * value for value in plaintexts])
    _check(key.decrypt(fresh), plaintexts[:_DECRYPTED])
    _check(key.decrypt(sums), _plain_sums(plaintexts, histogram))
    return {
        "bench": "paillier",
        "bits": bits,
        "kernels": public_key.kernels,
        "mode": key.mode,
        "encrypt_us": encrypt_us,
        "decrypt_us": decrypt_us,
        "add_us": add_us,
        "bucket_add_us": bucket_add_us,
        "rerandomise_us": rerandomise_us,
        "prepare_us": prepare_us,
        "keygen_s": keygen_s,
        "tables_s": tables_s,
        "checked": True,
        "phe": _measure_phe(key, plaintexts, histogram),
    }


def _measure_phe(key: Any, plaintexts: list[int], histogram: _Histogram) -> dict[str, Any]:
    """Measure ``phe`` under the same key, fewer operations of the slow ones."""
    public_key = phe.PaillierPublicKey(int(key.public_key.n))
    private_key = phe.PaillierPrivateKey(public_key, int(key.p), int(key.q))
    few = plaintexts[:_PHE_SAMPLES]
    sealed, encrypt_us = _each(lambda: [public_key.raw_encrypt(m) for m in few], _PHE_SAMPLES)
    opened, decrypt_us = _each(lambda: [private_key.raw_decrypt(c) for c in sealed], _PHE_SAMPLES)
    _check(opened, few)
    values = key.encrypt(plaintexts, key.public_key.suite.stream(_SEED, b"e")).integers()
    numbers = [phe.EncryptedNumber(public_key, value) for value in values]
    doubled, add_us = _each(lambda: [number + number for number in numbers], _COUNT)
    _check([private_key.decrypt(number) for number in doubled[:3]], [2 * m for m in few[:3]])
    bins = histogram.offsets[: _BINS + 1].tolist()

    def bucket_sums() -> list[Any]:
        column = []
        for start, stop in pairwise(bins):
            total = numbers[histogram.positions[start]]
            for position in histogram.positions[start + 1 : stop].tolist():
                total = total + numbers[position]
            column.append(total)
        return column

    sums, bucket_add_us = _each(bucket_sums, _COUNT)
    first_column = _Histogram(histogram.positions, histogram.offsets[: _BINS + 1])
    _check([private_key.decrypt(total) for total in sums], _plain_sums(plaintexts, first_column))
    return {
        "encrypt_us": encrypt_us,
        "decrypt_us": decrypt_us,
        "add_us": add_us,
        "bucket_add_us": bucket_add_us,
    }


def _histogram(codes: np.ndarray[Any, np.dtype[np.uint8]]) -> _Histogram:
    order = np.concatenate([np.argsort(column, kind="stable") for column in codes.T])
    counts = np.concatenate([np.bincount(column, minlength=_BINS) for column in codes.T])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _Histogram(order.astype(np.int64), offsets)


def _plain_sums(plaintexts: Sequence[int], histogram: _Histogram) -> list[int]:
    bounds = histogram.offsets.tolist()
    return [
        sum(plaintexts[at] for at in histogram.positions[start:stop].tolist())
        for start, stop in pairwise(bounds)
    ]


def _check(found: Sequence[int], expected: Sequence[int]) -> None:
    if list(found) != list(expected):
        raise BenchError("decrypted results are not what the plaintexts give: no figures")


def _timed(compute: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and the CPU seconds it took."""
    started = time.process_time()
    result = compute()
    return result, round(time.process_time() - started, 3)


def _each(compute: Callable[[], Any], count: int) -> tuple[Any, float]:
    """Return the result and the CPU microseconds of each of ``count``, a median after a warm-up."""
    result = compute()
    times = [_timed_us(compute) / count for _ in range(_REPEATS)]
    return result, round(statistics.median(times), 3)


def _timed_us(compute: Callable[[], Any]) -> float:
    started = time.process_time()
    compute()
    return (time.process_time() - started) * 1e6


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(int(sys.argv[1]), sys.argv[2])) + "\n")
