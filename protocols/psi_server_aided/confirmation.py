"""Comparing what the coordinator told each of the parties: the part of both."""

from __future__ import annotations

import hmac

import numpy as np

from protocols.arguments import check_floor, check_seed, check_session
from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.intersection import Intersection, pack_positions
from protocols.psi_server_aided.key_agreement import TokenKeys
from protocols.psi_server_aided.messages import (
    SIGNATURE_PREFIX,
    TOKEN_BYTES,
    VERSION,
    MatchAnswer,
    MatchesMac,
    MatchTerms,
    check_terms,
)
from protocols.psi_server_aided.token_list import OwnTokens, as_array
from protocols.roles import PartyId, Receive, Role, Send
from protocols.session.countersign import countersign
from protocols.suite import Indices, Suite, canonical

COORDINATOR = "coordinator"


def confirm_matches(
    answer: MatchAnswer,
    *,
    own: OwnTokens,
    keys: TokenKeys,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    floor: int,
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[Intersection]:
    """Check the coordinator's answer with the peer and sign the result, SPEC.md §3.4.

    ``own`` and ``keys`` are what :func:`tokens` and :func:`agree_keys` returned in this session.
    The party whose id sorts first shows its MAC first.

    Learns the peer's size and, from ``floor`` on, which own items the peer also has; below it,
    that they are fewer. Reveals the same. Adversary: a coordinator that lies to either party
    about what matched, both parties honest; not one that keeps the same real matches from both,
    nor one that colludes with a party. Raises ``LocalProtocolError`` for unusable arguments,
    ``RemoteProtocolError`` for an answer or a peer that departs from the protocol, ``VerifyError``
    when the parties were told different things.
    """
    check_session(party=party, peers=(peer,), suite=suite, context=context, private_key=private_key)
    check_floor(floor)
    check_seed(seed)
    matched, positions = _read_answer(answer, own, context, floor)

    yield Send(
        peer,
        MatchTerms(
            version=VERSION,
            suite=suite.name,
            party=party,
            peer=peer,
            context=context,
            floor=floor,
            size=answer.own_size,
            opened=answer.opened,
        ),
    )
    terms: MatchTerms = yield Receive(peer, MatchTerms)
    check_terms(terms, party=party, peer=peer, suite=suite, context=context)
    _check_outcome(terms, answer, floor)

    statement = _state(
        answer,
        matched,
        sizes={party: answer.own_size, peer: answer.peer_size},
        suite=suite,
        context=context,
        floor=floor,
    )
    # One after the other: if the coordinator lied, only the first shows a MAC over what it was
    # told, and the second signs nothing.
    if party < peer:
        yield Send(peer, MatchesMac(_mac(suite, keys, party, statement)))
        yield from _receive_mac(suite, keys, peer, statement)
    else:
        yield from _receive_mac(suite, keys, peer, statement)
        yield Send(peer, MatchesMac(_mac(suite, keys, party, statement)))

    signatures = yield from countersign(
        SIGNATURE_PREFIX + statement,
        party=party,
        private_key=private_key,
        peer_keys={peer: peer_public_key},
        suite=suite,
        seed=seed,
    )
    return Intersection(
        size=len(positions) if answer.opened else None,
        own_size=answer.own_size,
        peer_size=answer.peer_size,
        floor=floor,
        opened=answer.opened,
        packed_positions=pack_positions(positions),
        statement=statement,
        signatures=signatures,
    )


def _read_answer(
    answer: MatchAnswer, own: OwnTokens, context: bytes, floor: int
) -> tuple[bytes, Indices]:
    """Return the matched tokens, sorted, and the index of the own item behind each."""
    if len(own.tokens) != len(own.order) * TOKEN_BYTES:
        raise LocalProtocolError("tokens and their order are of different lengths")
    if answer.version != VERSION:
        raise RemoteProtocolError(
            f"MatchAnswer: the version is not ours, {VERSION}", party=COORDINATOR
        )
    if answer.context != context or answer.own_size != len(own.order):
        raise RemoteProtocolError("MatchAnswer: made for another run", party=COORDINATOR)
    if not answer.opened:
        return b"", np.empty(0, dtype=np.int64)
    bits = np.unpackbits(np.frombuffer(answer.matched, np.uint8), count=answer.own_size)
    places = np.flatnonzero(bits)
    if not floor <= len(places) <= answer.peer_size:
        raise RemoteProtocolError(
            "MatchAnswer: opened fewer matches than the floor, or more than the peer has items",
            party=COORDINATOR,
        )
    return as_array(own.tokens)[places].tobytes(), own.order[places]


def _check_outcome(terms: MatchTerms, answer: MatchAnswer, floor: int) -> None:
    if terms.floor != floor:
        raise RemoteProtocolError(
            f"MatchTerms: peer's floor is {terms.floor}, ours {floor}; "
            "both must use the stricter one of the signed spec"
        )
    if terms.size != answer.peer_size:
        raise RemoteProtocolError(
            "MatchTerms: peer's number of items is not what the coordinator counted: "
            "one of the two does not tell the truth"
        )
    if terms.opened != answer.opened:
        raise VerifyError(
            "MatchTerms: the coordinator opened the matches to one party and withheld them from "
            "the other, or the peer does not tell the truth"
        )


def _state(
    answer: MatchAnswer,
    matched: bytes,
    *,
    sizes: dict[PartyId, int],
    suite: Suite,
    context: bytes,
    floor: int,
) -> bytes:
    """Return the statement of the result, canonical JSON, the same at both parties."""
    transcript = suite.hash(len(matched).to_bytes(8, "big"), matched)
    return canonical.encode(
        {
            "version": VERSION,
            "suite": suite.name,
            "context": context.hex(),
            "sizes": {**sizes},
            "floor": floor,
            "opened": answer.opened,
            "intersection": len(matched) // TOKEN_BYTES if answer.opened else None,
            "transcript": transcript.hex() if answer.opened else None,
        }
    )


def _mac(suite: Suite, keys: TokenKeys, sender: PartyId, statement: bytes) -> bytes:
    """Return the MAC by which ``sender`` shows that it holds ``statement``."""
    name = sender.encode("ascii")
    return suite.mac(keys.match_key, len(name).to_bytes(4, "big"), name, statement)


def _receive_mac(suite: Suite, keys: TokenKeys, peer: PartyId, statement: bytes) -> Role[None]:
    message: MatchesMac = yield Receive(peer, MatchesMac)
    if not hmac.compare_digest(message.mac, _mac(suite, keys, peer, statement)):
        raise VerifyError(
            "MatchesMac: the peer holds other matches than we do: the coordinator told the "
            "parties different things, or the peer does not tell the truth"
        )
