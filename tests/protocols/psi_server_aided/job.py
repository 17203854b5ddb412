"""Runs server-aided PSI in memory, step by step, any one of the three possibly lying."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocols.intersection import Intersection
from protocols.psi_server_aided import (
    VERSION,
    MatchAnswer,
    OwnTokens,
    TokenKeys,
    TokenList,
    agree_keys,
    confirm_matches,
    match,
    tokens,
)
from protocols.roles import Receive, ReceiveEach, Role, Send
from protocols.suite import Items, get_suite
from protocols.wire import decode, encode
from tests.drive import Transcript, drive
from tests.protocols.psi_ecdh.pair import Alter, Refusals, rows, watched

SUITES = {name: get_suite(name) for name in ("gm", "intl")}
SUITE = SUITES["gm"]
CONTEXT = b"spec digest and attempt"
PEER = {"bank": "retailer", "retailer": "bank"}
SIGNING_SEEDS = {"bank": b"\x01" * 32, "retailer": b"\x02" * 32}
SEEDS = {"bank": b"\x03" * 32, "retailer": b"\x04" * 32}
KEYS = {
    name: {party: suite.generate_signing_key(seed) for party, seed in SIGNING_SEEDS.items()}
    for name, suite in SUITES.items()
}

Answers = Mapping[str, MatchAnswer]


def items(numbers: Sequence[int]) -> Items:
    return rows([SUITE.hash(b"item", number.to_bytes(4, "big")) for number in numbers])


def arguments(party: str, /, **changed: Any) -> dict[str, Any]:
    suite = changed.get("suite", SUITE)
    return {
        "party": party,
        "peer": PEER[party],
        "suite": suite,
        "context": CONTEXT,
        "private_key": KEYS[suite.name][party][0],
        "peer_public_key": KEYS[suite.name][PEER[party]][1],
        "seed": SEEDS[party],
        **changed,
    }


def agree(
    *,
    of: Mapping[str, dict[str, Any]] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, TokenKeys], Transcript]:
    """Run the key agreement on ``terms`` for both and ``of`` each party's own."""
    own = of or {}
    return drive(
        {
            party: watched(
                party,
                agree_keys(**arguments(party, **terms, **own.get(party, {}))),
                refusals or Refusals(),
                alter if party == liar else None,
            )
            for party in PEER
        }
    )


FIXED_KEYS = {name: agree(suite=suite)[0]["bank"] for name, suite in SUITES.items()}


@dataclass(frozen=True)
class Prepared:
    """Both parties' tokens, and what an honest coordinator says about them."""

    own: dict[str, OwnTokens]
    answers: dict[str, MatchAnswer]


def token_list(party: str, own: OwnTokens) -> TokenList:
    return TokenList(VERSION, party, PEER[party], CONTEXT, own.tokens)


def prepare(
    bank: Sequence[int], retailer: Sequence[int], *, floor: int = 1, suite: str = "gm"
) -> Prepared:
    numbers = {"bank": bank, "retailer": retailer}
    own = {party: tokens(items(numbers[party]), FIXED_KEYS[suite], SUITES[suite]) for party in PEER}
    lists = {party: decode(encode(token_list(party, own[party])), TokenList) for party in PEER}
    answers = match(lists, context=CONTEXT, floor=floor)
    return Prepared(own, {p: decode(encode(answer), MatchAnswer) for p, answer in answers.items()})


def confirmation(
    party: str, prepared: Prepared, answers: Answers | None = None, /, **changed: Any
) -> Role[Intersection]:
    given = arguments(party, **changed)
    return confirm_matches(
        (answers or prepared.answers)[party],
        own=prepared.own[party],
        keys=given.pop("keys", FIXED_KEYS[given["suite"].name]),
        floor=given.pop("floor", 1),
        **given,
    )


def confirm(
    prepared: Prepared,
    answers: Answers | None = None,
    *,
    of: Mapping[str, dict[str, Any]] | None = None,
    liar: str = "",
    alter: Alter | None = None,
    refusals: Refusals | None = None,
    **terms: Any,
) -> tuple[dict[str, Intersection], Transcript]:
    """Let the parties confirm ``answers``, by default the honest coordinator's."""
    own = of or {}
    return drive(
        {
            party: watched(
                party,
                confirmation(party, prepared, answers, **{**terms, **own.get(party, {})}),
                refusals or Refusals(),
                alter if party == liar else None,
            )
            for party in PEER
        }
    )


def run(
    bank: Sequence[int], retailer: Sequence[int], *, floor: int = 1, suite: str = "gm"
) -> dict[str, Intersection]:
    """Match and confirm, all three honest, with keys agreed before."""
    prepared = prepare(bank, retailer, floor=floor, suite=suite)
    return confirm(prepared, floor=floor, suite=SUITES[suite])[0]


def replay(role: Role[Any], inbound: Sequence[bytes]) -> tuple[list[bytes], Any]:
    """Run ``role`` on recorded inbound messages; return its outbound bytes and its result."""
    outbound: list[bytes] = []
    value: Any = None
    waiting = iter(inbound)
    while True:
        try:
            request = role.send(value)
        except StopIteration as stop:
            return outbound, stop.value
        value = None
        if isinstance(request, Send):
            outbound.append(encode(request.message))
        elif isinstance(request, Receive):
            value = decode(next(waiting), request.type)
        elif isinstance(request, ReceiveEach):
            value = {party: decode(next(waiting), request.type) for party in request.parties}


def changing(type_: type[Any], change: Callable[[Any], Any]) -> Alter:
    """Alter each message of ``type_`` by ``change``, leave the others alone."""
    return lambda message: [change(message) if isinstance(message, type_) else message]
