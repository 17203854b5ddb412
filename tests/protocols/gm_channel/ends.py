"""Two ends of a gm channel, and one who stands between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.gm_channel import (
    VERSION,
    ChannelAnswer,
    ChannelKeys,
    ChannelOffer,
    ChannelTerms,
    initiator,
    responder,
)
from protocols.gm_channel.handshake import Fresh, Handshake
from protocols.roles import Receive, Role, Send
from protocols.suite import get_suite
from protocols.wire import Message, decode, encode

SUITES = {name: get_suite(name) for name in ("gm", "intl")}
SUITE = SUITES["gm"]
ROLES = {"bank": initiator, "retailer": responder}
PEER = {"bank": "retailer", "retailer": "bank"}
SPEC_DIGEST = bytes.fromhex("5ec0") * 16
SEEDS = {"bank": b"\x0b" * 32, "retailer": b"\x0e" * 32, "insurer": b"\x0f" * 32}
SIGNING = {
    name: {
        party: suite.generate_signing_key(seed)
        for party, seed in (
            ("bank", b"\x01" * 32),
            ("retailer", b"\x02" * 32),
            ("insurer", b"\x03" * 32),
        )
    }
    for name, suite in SUITES.items()
}


def certificate(party: str, suite: str = "gm") -> bytes:
    return SUITES[suite].hash(f"certificate of {party}".encode())


def terms(party: str, suite: str = "gm", **changed: Any) -> ChannelTerms:
    """What an honest party takes the channel to be, with some of it ``changed``."""
    peer = changed.get("peer", PEER.get(party, ""))
    honest = {
        "party": party,
        "peer": peer,
        "suite": SUITES[suite],
        "spec_digest": SPEC_DIGEST,
        "attempt": 1,
        "certificate_digest": certificate(party, suite),
        "peer_certificate_digest": certificate(peer, suite),
        "private_key": SIGNING[suite][party][0],
        "peer_public_key": SIGNING[suite][peer][1],
    }
    return ChannelTerms(**honest | changed)


def role(party: str, suite: str = "gm", *, seed: bytes = b"", **changed: Any) -> Role[ChannelKeys]:
    return ROLES[party](terms(party, suite, **changed), seed=seed or SEEDS[party])


def first(run: Role[ChannelKeys]) -> Message | None:
    """Start a role; return what it sends first, or None if it waits."""
    request = next(run)
    return request.message if isinstance(request, Send) else None


def give(run: Role[ChannelKeys], message: Message) -> Message:
    """Hand over a message through the real encoding; return what the role sends next."""
    request = run.send(decode(encode(message), type(message)))
    assert isinstance(request, Send), request
    return request.message


def finish(run: Role[ChannelKeys], message: Message | None = None) -> ChannelKeys:
    """Hand over the last message, or none; return the role's result."""
    try:
        run.send(message)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the role goes on")


def waits_for(run: Role[ChannelKeys]) -> type[Message]:
    """Go past what the role just sent; return what it waits for."""
    request = next(run)
    assert isinstance(request, Receive)
    return request.type


def handshake(
    bank: Role[ChannelKeys],
    retailer: Role[ChannelKeys],
    *,
    between: Callable[[str, Message], Message] = lambda _, message: message,
) -> tuple[ChannelKeys, ChannelKeys]:
    """Run both to the end; ``between`` sees every message with its sender and may change it."""
    offer = first(bank)
    assert offer is not None
    assert first(retailer) is None
    answer = give(retailer, between("bank", offer))
    waits_for(bank)
    confirmation = give(bank, between("retailer", answer))
    waits_for(retailer)
    keys = finish(bank)
    return keys, finish(retailer, between("bank", confirmation))


def reckless_initiator(**changed: Any) -> tuple[Role[ChannelKeys], Handshake]:
    """A retailer that waits for the last message, and a bank that did not check the answer."""
    retailer = role("retailer")
    assert first(retailer) is None
    own = Fresh.derive(SUITE, SEEDS["bank"])
    answer = give(retailer, ChannelOffer(VERSION, SUITE.name, own.ephemeral_key, own.nonce))
    assert isinstance(answer, ChannelAnswer)
    waits_for(retailer)
    bank = Handshake(
        terms("bank", **changed),
        "initiator",
        own,
        ephemeral_key=answer.ephemeral_key,
        nonce=answer.nonce,
    )
    return retailer, bank
