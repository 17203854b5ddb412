"""Runs a Receiver and a Sender in memory, one of them possibly lying, and says who refused.

A dealer stands for the silent VOLE, which has its own tests, unless a test asks for the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from protocols import silent_vole
from protocols.errors import ProtocolError
from protocols.kernels import gf64
from protocols.psi_vole import receiver, sender
from protocols.roles import Progress, Role, Send
from protocols.suite import Suite, get_suite
from protocols.wire import Message
from tests.drive import Transcript, drive

SEEDS = {"bank": b"\x03" * 32, "retailer": b"\x04" * 32}
PLAY = {"bank": receiver, "retailer": sender}
PEER = {"bank": "retailer", "retailer": "bank"}
CONTEXT = b"spec digest and attempt"

Alter = Callable[[Message], Sequence[Message]]


@cache
def suite(name: str = "gm", kernels: str = "auto") -> Suite:
    return get_suite(name, kernels)


def items(numbers: Sequence[int]) -> np.ndarray:
    digests = [suite().hash(b"item", number.to_bytes(8, "big")) for number in numbers]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


class Dealer:
    """Both ends of a VOLE from one hand: a, c = b + delta a."""

    def __init__(self, seed: bytes = b"\x05" * 32) -> None:
        self._stream = suite("intl").stream(seed, b"dealer")
        self.delta = int(self._stream.words(1)[0]), int(self._stream.words(1)[0])
        self._dealt: dict[int, tuple[np.ndarray, ...]] = {}

    def deal(self, size: int) -> tuple[np.ndarray, ...]:
        """Return a, b and c, the latter two as (low, high)."""
        if size not in self._dealt:
            mask, low, high = self._stream.words(3 * size).reshape(3, size)
            results = low.copy(), high.copy()
            for factor, plane in zip(self.delta, results, strict=True):
                gf64.scale_into(factor, mask, plane, portable=True)
            self._dealt[size] = mask, low, high, *results
        return tuple(part.copy() for part in self._dealt[size])

    def receiver(self, size: int, **_: Any) -> Role[Any]:
        yield Progress("dealt", size, size)
        mask, _, _, low, high = self.deal(size)
        return mask, low, high

    def sender(self, size: int, **_: Any) -> Role[Any]:
        yield Progress("dealt", size, size)
        _, low, high, _, _ = self.deal(size)
        return self.delta, low, high


def arguments(party: str, **changed: Any) -> dict[str, Any]:
    return {
        "party": party,
        "peer": PEER[party],
        "suite": suite(),
        "context": CONTEXT,
        "seed": SEEDS[party],
        **changed,
    }


@dataclass
class Refusals:
    """Which party raised what."""

    by: dict[str, ProtocolError] = field(default_factory=dict)


def watched(
    party: str, inner: Role[Any], refusals: Refusals, alter: Alter | None = None
) -> Role[Any]:
    """Run ``inner``, replacing each message it sends by what ``alter`` makes of it."""
    value = None
    while True:
        try:
            request = inner.send(value)
        except StopIteration as stop:
            return stop.value
        except ProtocolError as error:
            refusals.by[party] = error
            raise
        if isinstance(request, Send) and alter is not None:
            for message in alter(request.message):
                yield Send(request.to, message)
            value = None
        else:
            value = yield request


def run_items(
    bank: np.ndarray,
    retailer: np.ndarray,
    *,
    bank_terms: dict[str, Any] | None = None,
    retailer_terms: dict[str, Any] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    dealer: Dealer | None = None,
    real_vole: bool = False,
    **terms: Any,
) -> tuple[dict[str, Any], Transcript]:
    """Run the bank as Receiver against the retailer as Sender, on ``terms`` for both."""
    refusals, dealer = refusals or Refusals(), dealer or Dealer()
    given = {"bank": (bank, bank_terms), "retailer": (retailer, retailer_terms)}
    roles = {
        party: watched(
            party,
            PLAY[party](brought, **arguments(party, **{**terms, **(own or {})})),
            refusals,
            alter if party == liar else None,
        )
        for party, (brought, own) in given.items()
    }
    dealt = (
        nullcontext()
        if real_vole
        else patch.multiple(silent_vole, receiver=dealer.receiver, sender=dealer.sender)
    )
    with dealt:
        return drive(roles)


def run(
    bank: Sequence[int], retailer: Sequence[int], **options: Any
) -> tuple[dict[str, Any], Transcript]:
    """As :func:`run_items`, with items made of numbers."""
    return run_items(items(bank), items(retailer), **options)


def check(bank: Sequence[int], retailer: Sequence[int], results: dict[str, Any]) -> None:
    """Assert that the results are Python's intersection of the two lists of distinct numbers."""
    matched, offered = results["bank"], results["retailer"]
    theirs, ours = set(retailer), set(bank)
    assert matched.positions.dtype == np.int64
    assert matched.positions.tolist() == [i for i, x in enumerate(bank) if x in theirs]
    found = offered.positions(matched.answer).tolist()
    assert found == [i for i, y in enumerate(retailer) if y in ours]
    assert sorted(offered.order.tolist()) == list(range(len(retailer)))
    sizes = len(bank), len(retailer)
    assert (matched.own_size, matched.peer_size) == sizes
    assert (offered.peer_size, offered.own_size) == sizes
