"""The active party of narrowing: it alone shares customers with every other party."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from protocols.common_customers.messages import (
    POSITION_BYTES,
    VERSION,
    CommonPositions,
    Narrowing,
    OtherSignatures,
)
from protocols.common_customers.result import CommonCustomers
from protocols.common_customers.steps import Session, chunks
from protocols.errors import LocalProtocolError
from protocols.intersection import Intersection
from protocols.roles import PartyId, Progress, Role, Send
from protocols.suite import Suite


def narrow_active(
    pairs: Mapping[PartyId, Intersection],
    *,
    party: PartyId,
    passives: tuple[PartyId, ...],
    suite: Suite,
    context: bytes,
    floor: int,
    private_key: bytes,
    peer_keys: Mapping[PartyId, bytes],
    seed: bytes,
) -> Role[CommonCustomers]:
    """Tell every passive party which customers all parties share, SPEC.md §3.

    ``pairs`` holds this party's opened intersection with each of ``passives`` (two or more, in
    the same order at every party), all of one list of items. ``peer_keys`` are the signature keys
    of the passive parties, ``context`` and ``seed`` as in the matching protocols.

    Learns nothing that ``pairs`` did not tell. Reveals to each passive party which of the
    customers it shares with this party all the others have too; below ``floor``, only that they
    are fewer. Adversary: a semi-honest passive party; a malicious one can only refuse. Raises
    ``LocalProtocolError`` for unusable arguments, ``VerifyError`` for a party that signs
    something else.
    """
    own = Session(party, party, passives, suite, context, floor, private_key, peer_keys, seed)
    positions, places = _intersect(pairs, passives)
    common = len(positions) if len(positions) >= floor else None

    digests = [own.pair_digest(pairs[passive]) for passive in passives]
    statement = own.statement(common, digests)
    for passive in passives:
        yield Send(
            passive,
            Narrowing(VERSION, suite.name, party, passives, context, floor, common, tuple(digests)),
        )
    signatures = yield from own.sign_with(passives, statement)
    # Everybody has signed the same; with the others' signatures each passive party sees it too.
    for passive in passives:
        others = tuple(signatures[other] for other in passives if other != passive)
        yield Send(passive, OtherSignatures(others))
    if common is None:
        return own.result(None, [], statement, signatures)

    for number, passive in enumerate(passives):
        encoded = places[number].astype(">u4").tobytes()
        for start, end in chunks(common):
            chunk = encoded[start * POSITION_BYTES : end * POSITION_BYTES]
            yield Send(passive, CommonPositions(chunk))
        yield Progress("narrow", number + 1, len(passives))
    return own.result(common, positions.tolist(), statement, signatures)


def _intersect(
    pairs: Mapping[PartyId, Intersection], passives: tuple[PartyId, ...]
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
    """Return the own items in every pair, and for each pair their places in its shared order.

    All in the shared order of the first pair. That is an order of the items' digests, or of tokens
    made of them under secret keys: it says nothing about the order of anybody's list.
    """
    if set(pairs) != set(passives):
        raise LocalProtocolError("one intersection for each passive party is needed")
    lists = [pairs[passive] for passive in passives]
    if not all(pair.opened for pair in lists):
        raise LocalProtocolError("an intersection below the floor cannot be narrowed")
    (own_size, *others) = {pair.own_size for pair in lists}
    if others:
        raise LocalProtocolError("the intersections are of different lists of items")

    place_of = np.full((len(lists), own_size), -1, dtype=np.int64)
    for places, pair in zip(place_of, lists, strict=True):
        places[pair.positions] = np.arange(len(pair.positions))
    first = lists[0].positions
    common = first[(place_of[:, first] >= 0).all(axis=0)]
    return common, [places[common] for places in place_of]
