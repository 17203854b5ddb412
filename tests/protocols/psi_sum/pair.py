"""Runs a Receiver and a Sender in memory, one of them possibly lying, and says who refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np

from protocols.errors import ProtocolError
from protocols.psi_sum import IntersectionSum, receiver, sender
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


def bank_role(numbers: Sequence[int], **changed: Any) -> Role[IntersectionSum]:
    return receiver(items(numbers), **arguments("bank", **changed))


def retailer_role(valued: dict[int, int], **changed: Any) -> Role[IntersectionSum]:
    values = np.array(list(valued.values()), dtype=np.int64)
    return sender(items(list(valued)), values, **arguments("retailer", **changed))


@contextmanager
def constants(**values: int) -> Iterator[None]:
    """Run both roles with other constants: CHUNK_ITEMS, the items of a message, or TOTAL_LIMIT."""
    # By name: the package's attributes are the roles themselves.
    modules = [import_module(f"protocols.psi_sum.{name}") for name in ("receiver", "sender")]
    with patch.multiple(modules[0], **values), patch.multiple(modules[1], **values):
        yield


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
    retailer: dict[int, int],
    *,
    bank_terms: dict[str, Any] | None = None,
    retailer_terms: dict[str, Any] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, IntersectionSum], Transcript]:
    """Run the bank as Receiver against the retailer as Sender, on ``terms`` for both.

    ``retailer`` maps the numbers of its customers to their values.
    """
    refusals = refusals or Refusals()
    roles = {
        "bank": bank_role(bank, **{**terms, **(bank_terms or {})}),
        "retailer": retailer_role(retailer, **{**terms, **(retailer_terms or {})}),
    }
    return drive(
        {
            party: watched(party, inner, refusals, alter if party == liar else None)
            for party, inner in roles.items()
        }
    )
