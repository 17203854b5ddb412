"""Adding up updates by each method: CPU seconds at a party and at the coordinator, and bytes.

One party's whole round is measured: its update in fixed point, its masks, its encryption; then,
at the coordinator, the check and the addition of every party's contribution; then at a party again
the opening and the removal of the masks of those who answered. Another library does the same
encryption, addition and opening in the same process on the same core, in turn with ours: TenSEAL by
its own calls, and ``phe`` for ``paillier``. Opened sums are compared with the sums of the words
before any figure is given.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from party_node import kernel_cache
from protocols.sum_ciphers import CipherAdder, Method, SumCipher, SumKey, Words
from simulations.bench.two_processes import BenchError

_DEADLINE_S = 3600.0
_BOUND = 1.0
_SEED = bytes(32)
_WARM_UP_PARAMETERS = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AggregationBench:
    """What is measured, for one method and one number of parties."""

    method: Method
    parties: int
    parameters: int = 1_000_000
    suite: str = "gm"
    kernels: str = "auto"
    paillier_bits: int = 2048
    runs: int = 5
    phe_ciphertexts: int = 8


def bench_aggregation(asked: AggregationBench) -> dict[str, Any]:
    """Return the figures as one JSON object, medians of the runs; raises :class:`BenchError`."""
    kernel_cache.prepare()
    core = max(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "simulations.bench.aggregation", json.dumps(asdict(asked))]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        if done.returncode:
            raise ValueError
        figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{asked.method} could not be measured: {error}") from None
    except (IndexError, ValueError):
        raise BenchError(
            f"measuring {asked.method} (exit status {done.returncode}) gave no figures: "
            f"{done.stderr.strip()[-500:]}"
        ) from None
    return figures


class _Round:
    """One sum of a job: keys, every party's words and masks, and who adds."""

    def __init__(self, asked: AggregationBench, parameters: int) -> None:
        from protocols import sum_ciphers  # noqa: PLC0415 - in the measuring process alone
        from protocols.suite import get_suite  # noqa: PLC0415

        self.asked, self.parameters = asked, parameters
        self.suite = get_suite(asked.suite, asked.kernels)
        self.key: SumKey | None = None
        if asked.method != "masks":
            self.key = sum_ciphers.generate(
                asked.method, paillier_bits=asked.paillier_bits, suite=self.suite, seed=_SEED
            )
        self.cipher: SumCipher = sum_ciphers.cipher(self.key, asked.method, self.suite)
        self.adder: CipherAdder = sum_ciphers.adder(self.cipher.public, asked.method, self.suite)
        self.value_bits = self.cipher.value_bits(asked.parties)

    def update(self, party: int) -> npt.NDArray[np.float64]:
        """Return a made update: uniform 32-bit floats within the bound."""
        words = self.suite.stream(_seed("update", party), b"bench").words(self.parameters)
        uniform = (words >> np.uint64(11)).astype(np.float64) / 2.0**53
        return ((2 * uniform - 1) * _BOUND).astype(np.float32).astype(np.float64)

    def quantise(self, update: npt.NDArray[np.float64]) -> Words:
        """Return an update as words."""
        from protocols.secure_aggregation.fixed_point import quantise  # noqa: PLC0415

        return quantise(update, _BOUND, self.value_bits)

    def mask(self, words: Words, party: int) -> Words:
        """Return the words under a mask with each other party and one of the party's own."""
        if not self.cipher.modulus:
            return words
        from protocols.secure_aggregation.masks import add_masks  # noqa: PLC0415

        pairs = {
            other: _seed("pair", *sorted((party, other)))
            for other in range(self.asked.parties)
            if other != party
        }
        plus = [seed for other, seed in pairs.items() if other > party]
        minus = [seed for other, seed in pairs.items() if other < party]
        own = _seed("self", party)
        return add_masks(words, self.cipher.modulus, [*plus, own], minus, self.suite)

    def unmask(self, words: Words) -> Words:
        """Return the signed sums: every party's own mask is removed, those of pairs cancelled."""
        if not self.cipher.modulus:
            return words
        from protocols.secure_aggregation.masks import centred, remove_masks  # noqa: PLC0415

        own = [_seed("self", party) for party in range(self.asked.parties)]
        unmasked = remove_masks(words, self.cipher.modulus, own, [], self.suite)
        return centred(unmasked, self.cipher.modulus)

    def encrypt(self, words: Words, party: int) -> list[bytes]:
        """Return a contribution."""
        return self.cipher.encrypt(words, seed=_seed("encrypt", party))

    def add(self, contributions: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Return the contributions' sum, each checked as it comes in."""
        self.adder.start()
        for chunks in contributions:
            self.adder.check(chunks, length=self.parameters)
            self.adder.add(chunks)
        return self.adder.total()

    def open(self, total: Sequence[bytes]) -> Words:
        """Return the sums, masks and all."""
        return self.cipher.decrypt(total, contributions=self.asked.parties, length=self.parameters)


def _measure(asked: AggregationBench) -> dict[str, Any]:
    """Measure in this process; raises :class:`BenchError` for a wrong sum."""
    _runs(_Round(asked, min(asked.parameters, _WARM_UP_PARAMETERS)), runs=1)
    return _runs(_Round(asked, asked.parameters), runs=asked.runs)


def _runs(round_: _Round, runs: int) -> dict[str, Any]:
    asked = round_.asked
    peer = _peer(round_)
    expected = np.zeros(round_.parameters, np.int64)
    for party in range(asked.parties):
        expected += round_.quantise(round_.update(party))
    update = round_.update(0)
    masked = {party: _masked(round_, party) for party in range(asked.parties)}
    others = [round_.encrypt(masked[party], party) for party in range(1, asked.parties)]
    peers_others = (
        [peer.encrypt(masked[party]) for party in range(1, asked.parties)] if peer else []
    )
    seconds: dict[str, list[float]] = {}

    def timed(step: str, compute: Callable[..., T], *arguments: Any) -> T:
        started = time.process_time()
        result = compute(*arguments)
        seconds.setdefault(step, []).append(time.process_time() - started)
        return result

    for _ in range(runs):
        words = timed("quantise", round_.quantise, update)
        covered = timed("mask", round_.mask, words, 0)
        own = timed("encrypt", round_.encrypt, covered, 0)
        if peer:
            peers_own = timed("peer encrypt", peer.encrypt, covered)
        total = timed("add", round_.add, [own, *others])
        if peer:
            peers_total = timed("peer add", peer.add, [peers_own, *peers_others])
        opened = timed("open", round_.open, total)
        sums = timed("unmask", round_.unmask, opened)
        _check(sums, expected)
        if peer:
            peers_opened = timed("peer open", peer.open, peers_total)[: round_.parameters]
            _check(round_.unmask(peers_opened), expected[: len(peers_opened)])
    medians = {step: statistics.median(each) for step, each in seconds.items()}
    figures = _figures(round_, medians, sum(map(len, own))) | {"runs": runs}
    if peer:
        figures["peer"] = peer.facts | _against(medians, peer.share, asked.parties)
        figures["peer"]["bytes_per_party"] = round(sum(map(len, peers_own)) / peer.share)
    return figures


def _masked(round_: _Round, party: int) -> Words:
    return round_.mask(round_.quantise(round_.update(party)), party)


def _peer(round_: _Round) -> Any:
    from simulations.bench.aggregation_peers import Phe, Tenseal  # noqa: PLC0415

    if round_.asked.method == "masks":
        return None
    if round_.asked.method == "paillier":
        assert round_.key is not None
        return Phe(round_.key, round_.suite, round_.parameters, round_.asked.phe_ciphertexts)
    return Tenseal(round_.asked.method)


def _check(sums: Words, expected: Words) -> None:
    if not len(sums) or not np.array_equal(sums, expected):
        raise BenchError("opened sums are not the sums of the words: no figures")


def _figures(round_: _Round, medians: dict[str, float], size: int) -> dict[str, Any]:
    asked = round_.asked
    party = {step: medians[step] for step in ("quantise", "mask", "encrypt", "open", "unmask")}
    party["total"] = sum(party.values())
    return {
        "bench": "aggregation",
        "method": asked.method,
        "suite": asked.suite,
        "kernels": round_.suite.kernels,
        "parameters": round_.parameters,
        "parties": asked.parties,
        "value_bits": round_.value_bits,
        "paillier_bits": asked.paillier_bits if asked.method == "paillier" else None,
        "party_s": {step: round(value, 4) for step, value in party.items()},
        "coordinator_s": round(medians["add"], 4),
        "bytes_per_party": size,
        "bytes_per_parameter": round(size / round_.parameters, 2),
        "checked": True,
    }


def _against(medians: dict[str, float], share: float, parties: int) -> dict[str, Any]:
    """Return the peer's seconds, and ours by its: of encryption, addition and opening alone."""
    theirs = {step: medians[f"peer {step}"] / share for step in ("encrypt", "add", "open")}
    ours = {step: medians[step] for step in theirs}
    for times in (theirs, ours):
        # Of a whole sum: every party encrypts and opens, one adds.
        times["all"] = parties * (times["encrypt"] + times["open"]) + times["add"]
    return {
        "party_s": {step: round(theirs[step], 4) for step in ("encrypt", "open")},
        "coordinator_s": round(theirs["add"], 4),
        "ratio": {step: round(ours[step] / theirs[step], 3) for step in theirs},
    }


def _seed(purpose: str, *numbers: int) -> bytes:
    """Return a seed that is this measurement's alone; it protects nothing."""
    return " ".join([purpose, *map(str, numbers)]).encode().ljust(32, b"\0")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(AggregationBench(**json.loads(sys.argv[1])))) + "\n")
