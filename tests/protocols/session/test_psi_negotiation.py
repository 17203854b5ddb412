"""The messages around the match: both parties come to the same, or learn why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.errors import DecodeError, RemoteProtocolError
from protocols.roles import Receive, Role, Send
from protocols.session.psi_negotiation import (
    RELEASE,
    Decision,
    Offer,
    Outcome,
    Standing,
    StatementSignature,
    exchange_decisions,
    exchange_offers,
    exchange_signatures,
    exchange_standings,
    hear_outcome,
    tell_outcome,
)
from protocols.session.psi_spec import MAX_BUCKETS
from protocols.wire import Message, decode, encode
from tests.drive import drive


def offer(**changes: Any) -> Offer:
    fields: dict[str, Any] = {
        "release": RELEASE,
        "terms": b"terms",
        "nonce": bytes(16),
        "created_at": "2026-11-21T08:00:00Z",
        "resumes": "",
        "attempt": 0,
    }
    return Offer(**(fields | changes))


def answer(role: Role[Any], message: Message) -> Any:
    """Run a role against a peer that sends ``message``; return its result."""
    request = next(role)
    try:
        while True:
            if isinstance(request, Send):
                request = role.send(None)
            else:
                assert isinstance(request, Receive)
                request = role.send(decode(encode(message), request.type))
    except StopIteration as stop:
        return stop.value


def test_each_gets_the_others_message() -> None:
    exchanges = {
        exchange_offers: (offer(nonce=b"a" * 16), offer(nonce=b"b" * 16, resumes="psi-1")),
        exchange_decisions: (Decision(b"d", True, b"s1"), Decision(b"d", False, b"")),
        exchange_signatures: (b"one", b"other"),
    }
    for exchange, (ours, theirs) in exchanges.items():
        results, _ = drive(
            {"bank": exchange(ours, peer="shop"), "shop": exchange(theirs, peer="bank")}
        )
        assert results == {"bank": theirs, "shop": ours}


def test_standings_say_in_which_attempt_a_part_was_finished() -> None:
    bank, shop = np.array([1, 0, 3, (1 << 31) - 1]), np.array([1, 1, 2, 0])
    results, _ = drive(
        {
            "bank": exchange_standings(bank, peer="shop"),
            "shop": exchange_standings(shop, peer="bank"),
        }
    )
    assert results["bank"].tolist() == shop.tolist()
    assert results["shop"].tolist() == bank.tolist()


def test_a_standing_fits_for_the_most_parts_there_can_be() -> None:
    attempts = np.full(MAX_BUCKETS, (1 << 31) - 1)
    results, _ = drive(
        {
            "bank": exchange_standings(attempts, peer="shop"),
            "shop": exchange_standings(attempts, peer="bank"),
        }
    )
    assert (results["bank"] == attempts).all()


@pytest.mark.parametrize("length", [0, 4, 7, 9, 12])
def test_a_standing_of_other_parts_is_refused(length: int) -> None:
    role = exchange_standings(np.array([1, 2]), peer="shop")
    with pytest.raises(RemoteProtocolError, match="not of as many parts"):
        answer(role, Standing(bytes(length)))


@pytest.mark.parametrize("opened", [True, False])
def test_the_sender_hears_what_the_receiver_tells(opened: bool) -> None:
    results, _ = drive(
        {"bank": tell_outcome(opened, peer="shop"), "shop": hear_outcome(peer="bank")}
    )
    assert results["shop"] is opened


def test_another_release_is_named() -> None:
    with pytest.raises(RemoteProtocolError, match="release of the protocol is not fedcrm"):
        answer(exchange_offers(offer(), peer="shop"), offer(release="fedcrm-psi-negotiation/2"))


def test_a_decision_about_another_spec_is_refused() -> None:
    own = Decision(b"d" * 32, True, b"s")
    with pytest.raises(RemoteProtocolError, match="another spec than ours"):
        answer(exchange_decisions(own, peer="shop"), Decision(b"e" * 32, True, b"s"))


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": b""},
        {"nonce": bytes(17)},
        {"attempt": -1},
        {"attempt": 1 << 31},
        {"release": "x" * 201},
        {"created_at": "x" * 201},
        {"resumes": "x" * 201},
    ],
)
def test_an_offer_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"out of range|too long"):
        offer(**changes)


@pytest.mark.parametrize(
    "message",
    [
        offer(terms=bytes(16384)),
        Decision(b"d", True, bytes(1024)),
        Standing(bytes(4 * MAX_BUCKETS + 64)),
        StatementSignature(bytes(1024)),
    ],
)
def test_a_message_longer_than_it_can_be_is_not_decoded(message: Message) -> None:
    with pytest.raises(DecodeError, match="at most"):
        decode(encode(message), type(message))


def test_an_outcome_is_yes_or_no() -> None:
    data = bytearray(encode(Outcome(True)))
    data[-1] = 0x01  # the number one instead of true
    with pytest.raises(DecodeError):
        decode(bytes(data), Outcome)
    assert decode(encode(Outcome(False)), Outcome).opened is False
