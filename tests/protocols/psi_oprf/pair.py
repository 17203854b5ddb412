"""Runs a Receiver and a Sender of OPRF-PSI in memory, one of them possibly lying."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from protocols.psi_oprf import (
    EpochKey,
    EvaluatedSet,
    TagSet,
    draw_epoch_key,
    evaluate_set,
    hear_matches,
    receiver,
    sender,
    tell_matches,
)
from protocols.roles import Role
from protocols.suite import Indices, Items, Suite
from tests.drive import Transcript, drive
from tests.protocols.psi_ecdh.pair import INTL, KEYS, SUITE, Alter, Refusals, items, watched

PEER = {"bank": "retailer", "retailer": "bank"}
SEEDS = {"bank": b"\x03" * 32, "retailer": b"\x04" * 32}
EPOCH_SEED = b"\x07" * 32
QUOTA = 1000


@cache
def epoch_key(suite: Suite, seed: bytes = EPOCH_SEED) -> EpochKey:
    return draw_epoch_key(suite, seed)


def evaluated(
    given: Items, suite: Suite = SUITE, seed: bytes = EPOCH_SEED, quota: int = QUOTA
) -> EvaluatedSet:
    """Run ``evaluate_set`` to its end."""
    role = evaluate_set(given, suite=suite, key=epoch_key(suite, seed), quota=quota)
    try:
        while True:
            next(role)
    except StopIteration as stop:
        return stop.value


@cache
def prepared(numbers: tuple[int, ...], suite: Suite = SUITE) -> EvaluatedSet:
    return evaluated(items(numbers), suite)


def arguments(party: str, /, **changed: Any) -> dict[str, Any]:
    suite = changed.get("suite", SUITE)
    keys = KEYS[suite.name]
    own = {"cached": None} if party == "bank" else {"key": epoch_key(suite), "quota_left": QUOTA}
    return {
        "party": party,
        "peer": PEER[party],
        "suite": suite,
        "context": b"spec digest and attempt",
        "private_key": keys[party][0],
        "peer_public_key": keys[PEER[party]][1],
        "seed": SEEDS[party],
        **own,
        **changed,
    }


def bank(numbers: Sequence[int], **changed: Any) -> Role[Any]:
    return receiver(items(numbers), **arguments("bank", **changed))


def retailer(numbers: Sequence[int], made: EvaluatedSet | None = None, **changed: Any) -> Role[Any]:
    made = made or prepared(tuple(numbers), changed.get("suite", SUITE))
    return sender(made.tag_set, **arguments("retailer", **changed))


def run(
    bank_has: Sequence[int],
    retailer_has: Sequence[int],
    *,
    cached: TagSet | None = None,
    made: EvaluatedSet | None = None,
    bank_terms: dict[str, Any] | None = None,
    retailer_terms: dict[str, Any] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, Any], Transcript]:
    """Run the bank as Receiver against the retailer as Sender, on ``terms`` for both.

    ``made`` is the retailer's set if it has been evaluated before.
    """
    refusals = refusals or Refusals()
    roles = {
        "bank": bank(bank_has, **{"cached": cached, **terms, **(bank_terms or {})}),
        "retailer": retailer(retailer_has, made, **{**terms, **(retailer_terms or {})}),
    }
    return drive(
        {
            party: watched(party, inner, refusals, alter if party == liar else None)
            for party, inner in roles.items()
        }
    )


def tell(
    places: Any,
    *,
    tags: int,
    queries: int,
    alter: Alter | None = None,
    refusals: Refusals | None = None,
) -> tuple[Indices, Transcript]:
    """Let the bank tell the retailer what matched; return what the retailer heard."""
    roles = {
        "bank": watched("bank", tell_matches(places, peer="retailer"), Refusals(), alter),
        "retailer": watched(
            "retailer", hear_matches(tags, queries, peer="bank"), refusals or Refusals()
        ),
    }
    results, transcript = drive(roles)
    return results["retailer"], transcript


__all__ = ["INTL", "SUITE", "Alter", "Refusals", "items", "run", "tell"]
