"""Runs a Receiver and a Sender in memory, one of them possibly lying, and says who refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protocols.errors import ProtocolError
from protocols.intersection import Intersection
from protocols.psi_ecdh import receiver, sender
from protocols.roles import Role, Send
from protocols.suite import Items, get_suite
from protocols.wire import Message
from tests.drive import Transcript, drive

SUITE = get_suite("gm", "portable")
INTL = get_suite("intl", "portable")
SEEDS = {"bank": b"\x03" * 32, "retailer": b"\x04" * 32}
KEYS = {
    suite.name: {
        party: suite.generate_signing_key(bytes([number]) * 32)
        for number, party in enumerate(SEEDS, 1)
    }
    for suite in (SUITE, INTL)
}
PLAY = {"bank": receiver, "retailer": sender}
PEER = {"bank": "retailer", "retailer": "bank"}

Alter = Callable[[Message], Sequence[Message]]


def item(number: int) -> bytes:
    return SUITE.hash(b"item", number.to_bytes(4, "big"))


def rows(digests: Sequence[bytes], width: int = 32) -> Items:
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, width)


def items(numbers: Sequence[int]) -> Items:
    return rows([item(number) for number in numbers])


def arguments(party: str, **changed: Any) -> dict[str, Any]:
    keys = KEYS[changed.get("suite", SUITE).name]
    return {
        "party": party,
        "peer": PEER[party],
        "suite": SUITE,
        "context": b"spec digest and attempt",
        "floor": 1,
        "private_key": keys[party][0],
        "peer_public_key": keys[PEER[party]][1],
        "seed": SEEDS[party],
        **changed,
    }


def role(party: str, numbers: Sequence[int], **changed: Any) -> Role[Intersection]:
    return PLAY[party](items(numbers), **arguments(party, **changed))


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


def run(
    bank: Sequence[int],
    retailer: Sequence[int],
    *,
    bank_terms: dict[str, Any] | None = None,
    retailer_terms: dict[str, Any] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, Intersection], Transcript]:
    """Run the bank as Receiver against the retailer as Sender, on ``terms`` for both."""
    refusals = refusals or Refusals()
    roles = {
        "bank": role("bank", bank, **{**terms, **(bank_terms or {})}),
        "retailer": role("retailer", retailer, **{**terms, **(retailer_terms or {})}),
    }
    return drive(
        {
            party: watched(party, inner, refusals, alter if party == liar else None)
            for party, inner in roles.items()
        }
    )
