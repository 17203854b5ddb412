"""Runs a Receiver ``r`` against a Sender ``s``, one of which may alter what it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols import silent_vole
from protocols.roles import Role, Send
from protocols.suite import get_suite
from protocols.wire import Message
from tests.drive import Transcript, drive

SEEDS = {"r": b"\x31" * 32, "s": b"\x32" * 32}
Words = np.ndarray


@dataclass(frozen=True)
class Vole:
    a: Words
    c: tuple[Words, Words]
    delta: tuple[int, int]
    b: tuple[Words, Words]
    transcript: Transcript


def role(party: str, size: int, *, suite: str, kernels: str = "auto", **terms: Any) -> Role[Any]:
    make = silent_vole.receiver if party == "r" else silent_vole.sender
    arguments = {"context": b"context", "seed": SEEDS[party]} | terms
    peer = "s" if party == "r" else "r"
    return make(size, peer=peer, suite=get_suite(suite, kernels), **arguments)


def altered(inner: Role[Any], alter: Callable[[Message], Message]) -> Role[Any]:
    value = None
    while True:
        try:
            request = inner.send(value)
        except StopIteration as stop:
            return stop.value
        if isinstance(request, Send):
            request = Send(request.to, alter(request.message))
        value = yield request


def run(
    size: int,
    *,
    suite: str = "intl",
    kernels: str | dict[str, str] = "auto",
    context: bytes = b"context",
    seeds: dict[str, bytes] | None = None,
    liar: str = "",
    alter: Callable[[Message], Message] = lambda message: message,
) -> Vole:
    roles = {}
    for party in ("r", "s"):
        twin = kernels if isinstance(kernels, str) else kernels[party]
        terms = {"context": context, "seed": (seeds or SEEDS)[party]}
        roles[party] = role(party, size, suite=suite, kernels=twin, **terms)
        if party == liar:
            roles[party] = altered(roles[party], alter)
    results, transcript = drive(roles)
    (a, *c), (delta, *b) = results["r"], results["s"]
    return Vole(a, tuple(c), delta, tuple(b), transcript)


def multiply(factor: int, values: Words) -> Words:
    """factor times each value in GF(2^64), by shifting and adding."""
    product, power = np.zeros_like(values), values.copy()
    for bit in range(64):
        if factor >> bit & 1:
            product ^= power
        carried = np.uint64(0) - (power >> np.uint64(63))
        power = (power << np.uint64(1)) ^ (carried & np.uint64(0x1B))
    return product


def holds(vole: Vole) -> bool:
    """Whether c = b + delta a, in both planes."""
    return all(
        np.array_equal(c, b ^ multiply(delta, vole.a))
        for c, b, delta in zip(vole.c, vole.b, vole.delta, strict=True)
    )
