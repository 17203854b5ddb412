"""A passive party of narrowing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocols.common_customers.messages import (
    POSITION_BYTES,
    SIGNATURE_PREFIX,
    VERSION,
    CommonPositions,
    Narrowing,
    OtherSignatures,
)
from protocols.common_customers.result import CommonCustomers
from protocols.common_customers.steps import Session, chunks
from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.intersection import Intersection
from protocols.roles import PartyId, Progress, Receive, Role
from protocols.suite import InvalidSignature, Suite


def narrow_passive(
    pair: Intersection,
    *,
    party: PartyId,
    active: PartyId,
    passives: tuple[PartyId, ...],
    suite: Suite,
    context: bytes,
    floor: int,
    private_key: bytes,
    peer_keys: Mapping[PartyId, bytes],
    seed: bytes,
) -> Role[CommonCustomers]:
    """Learn from the active party which customers all parties share, SPEC.md §3.

    ``pair`` is this party's opened intersection with ``active``, ``passives`` all passive parties
    (this one among them, in the same order at every party), ``peer_keys`` the signature keys of
    every other party.

    Learns which of the customers shared with ``active`` all the others have too; below ``floor``,
    only that they are fewer. Reveals nothing. Adversary: a semi-honest active party; what it says
    about other pairs cannot be checked here (SPEC.md §5). Raises ``LocalProtocolError`` for
    unusable arguments, ``RemoteProtocolError`` for an active party that departs from the
    protocol, ``VerifyError`` when the parties were told different things.
    """
    own = Session(party, active, passives, suite, context, floor, private_key, peer_keys, seed)
    if party not in passives:
        raise LocalProtocolError("this party is not one of the passive parties")
    if not pair.opened:
        raise LocalProtocolError("an intersection below the floor cannot be narrowed")

    told: Narrowing = yield Receive(active, Narrowing)
    _check_terms(own, told, pair)
    statement = own.statement(told.common, told.pairs)
    signatures = yield from own.sign_with([active], statement)
    received: OtherSignatures = yield Receive(active, OtherSignatures)
    signatures |= _check_signatures(own, statement, received)
    if told.common is None:
        return own.result(None, [], statement, signatures)

    encoded = bytearray()
    for start, end in chunks(told.common):
        message: CommonPositions = yield Receive(active, CommonPositions)
        if len(message.positions) != (end - start) * POSITION_BYTES:
            raise RemoteProtocolError(
                f"CommonPositions: {len(message.positions)} bytes, "
                f"but the number in Narrowing asks for {end - start} x {POSITION_BYTES}"
            )
        encoded += message.positions
        yield Progress("narrow", end, told.common)
    places = np.frombuffer(bytes(encoded), dtype=">u4").astype(np.int64)
    if places.max() >= len(pair.positions) or len(np.unique(places)) != len(places):
        raise RemoteProtocolError("CommonPositions: not distinct customers of the intersection")
    positions: list[int] = pair.positions[places].tolist()
    return own.result(told.common, positions, statement, signatures)


def _check_terms(own: Session, told: Narrowing, pair: Intersection) -> None:
    """Return if the active party takes the run to be what this party does."""
    if told.version != VERSION:
        raise RemoteProtocolError(f"Narrowing: peer's protocol version is not ours, {VERSION}")
    if told.suite != own.suite.name:
        raise RemoteProtocolError(f"Narrowing: peer's suite is not ours, {own.suite.name}")
    if (told.active, told.passives) != (own.active, own.passives):
        raise RemoteProtocolError("Narrowing: peer's run is between other parties")
    if told.context != own.context:
        raise RemoteProtocolError(
            "Narrowing: peer's context is not ours; both must run the same signed spec and attempt"
        )
    if told.floor != own.floor:
        raise RemoteProtocolError(
            f"Narrowing: peer's floor is {told.floor}, ours {own.floor}; "
            "all must use the strictest one of the signed spec"
        )
    if told.pairs[own.passives.index(own.party)] != own.pair_digest(pair):
        raise VerifyError("Narrowing: names another intersection than the one we both signed")
    if told.common is not None and told.common > len(pair.positions):
        raise RemoteProtocolError("Narrowing: more common customers than the pair has")


def _check_signatures(
    own: Session, statement: bytes, received: OtherSignatures
) -> dict[PartyId, bytes]:
    """Return the other passive parties' signatures over ``statement``, by party.

    An honest active party told everybody the same and verified what it forwards.
    """
    others = [passive for passive in own.passives if passive != own.party]
    if len(received.signatures) != len(others):
        raise RemoteProtocolError("OtherSignatures: not one for each other passive party")
    signatures = dict(zip(others, received.signatures, strict=True))
    for passive, signature in signatures.items():
        try:
            own.suite.verify(own.peer_keys[passive], SIGNATURE_PREFIX + statement, signature)
        except InvalidSignature:
            raise VerifyError(
                f"OtherSignatures: that of {passive} is not over what the active party told us",
                party=own.active,
            ) from None
    return signatures
