"""The Receiver of private intersection-sum: it brings items, and learns the sum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from protocols import elgamal
from protocols.element_lists import chunks, turns
from protocols.errors import RemoteProtocolError
from protocols.kernels.sorting import sort_rows
from protocols.psi_sum import steps
from protocols.psi_sum.messages import (
    CHUNK_ITEMS,
    CIPHERTEXT_BYTES,
    ELEMENT_BYTES,
    TOTAL_LIMIT,
    BlindedItems,
    Cardinality,
    DecryptionShare,
    EncryptedSum,
    EncryptionKey,
    EvaluatedItems,
    SizeStatement,
    SumStatement,
    To,
    ValuedItems,
)
from protocols.psi_sum.result import IntersectionSum
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Indices, InvalidElement, Items, Octets, Suite


def receiver(
    items: Items,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    floor: int,
    to: To = "both",
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[IntersectionSum]:
    """Receiver of private intersection-sum with cardinality, SPEC.md §3.

    Ion et al., "On Deploying Secure Computing: Private Intersection-Sum-with-Cardinality", IEEE
    EuroS&P 2020, §3 (SPEC.md §8 has the differences).

    ``items`` are distinct 32-byte digests, shape (n, 32), ``context`` the session's binding (1 to
    1,024 bytes), ``seed`` 32 fresh secret bytes; keys are the suite's signature keys.

    Learns the peer's size, the intersection's, and from ``floor`` on the sum of the Sender's
    values over it; never which items are in it. Reveals the own size; from ``floor`` on the
    intersection's, and with ``to="both"`` the sum. Adversary: a semi-honest peer (DDH, random
    oracle). Raises ``LocalProtocolError`` for unusable arguments, ``RemoteProtocolError`` for a
    peer that departs from the protocol.
    """
    own = steps.Party(
        role="receiver",
        party=party,
        peer=peer,
        suite=suite,
        context=context,
        floor=floor,
        to=to,
        private_key=private_key,
        peer_public_key=peer_public_key,
        seed=seed,
        items=items,
    )
    transcript = steps.Transcript(suite)
    peer_size = yield from steps.agree_on_terms(own)
    public_key = yield from _receive_key(own, transcript)
    valued = yield from _blind_and_receive_values(own, peer_size, transcript)
    shared = yield from _match(own, valued, transcript)

    opened = len(shared) >= floor
    told = len(shared) if opened else None
    yield Send(peer, Cardinality(told))
    statement = steps.state(own, peer_size, transcript, told, None)
    signatures = yield from steps.exchange_statements(own, statement, SizeStatement)

    total = None
    if opened:
        ciphertexts = np.take(valued.ciphertexts, shared, axis=0)
        total = yield from _decrypt_sum(own, public_key, ciphertexts, transcript)
        if to == "both":
            statement = steps.state(own, peer_size, transcript, told, total)
            signatures = yield from steps.exchange_statements(own, statement, SumStatement)
    return steps.result(
        own,
        peer_size=peer_size,
        size=len(shared),
        opened=opened,
        total=total,
        statement=statement,
        signatures=signatures,
    )


def _receive_key(own: steps.Party, transcript: steps.Transcript) -> Role[bytes]:
    """Receive the public key of the Sender's values."""
    message: EncryptionKey = yield Receive(own.peer, EncryptionKey)
    steps.check_points(own, "EncryptionKey", message.point, 1)
    transcript.note("key", message.point)
    return message.point


@dataclass(frozen=True, slots=True, eq=False)
class _Valued:
    """The Sender's items, as far as the Receiver has them."""

    evaluated: Octets = field(repr=False)
    """Under both scalars, in the order they came."""
    ciphertexts: Octets = field(repr=False)
    """Their values, in the same order."""


def _blind_and_receive_values(
    own: steps.Party, peer_size: int, transcript: steps.Transcript
) -> Role[_Valued]:
    """Send the own items blinded, in a secret order; receive the Sender's with their values.

    Chunk by chunk in turn, so that both parties compute at the same time. Every point is checked
    as it comes, whether or not it will match: a refusal must not tell what matched.
    """
    group, scalar, dst = own.suite.group, own.scalar(), own.dst
    order = own.permutation("order", own.size)
    blinded = np.empty((own.size + peer_size, ELEMENT_BYTES), dtype=np.uint8)
    own_blinded, peer_blinded = blinded[: own.size], blinded[own.size :]
    valued = _Valued(
        np.empty((peer_size, ELEMENT_BYTES), dtype=np.uint8),
        np.empty((peer_size, CIPHERTEXT_BYTES), dtype=np.uint8),
    )
    for action, chunk in turns(chunks(own.size, CHUNK_ITEMS), chunks(peer_size, CHUNK_ITEMS)):
        place = slice(chunk.start, chunk.stop)
        if action == "send":
            own_items = np.take(own.items, order[place], axis=0)
            elements = group.hash_and_multiply(scalar, own_items, dst)
            own_blinded[place] = steps.rows(elements)
            transcript.note("blinded", elements)
            yield Send(own.peer, BlindedItems(elements))
            yield Progress("blind", chunk.stop, own.size)
        else:
            message: ValuedItems = yield Receive(own.peer, ValuedItems)
            chunk.check("ValuedItems", message.elements, ELEMENT_BYTES)
            chunk.check("ValuedItems", message.ciphertexts, CIPHERTEXT_BYTES)
            where = f"ValuedItems {chunk.name}"
            valued.evaluated[place] = steps.multiply(own, scalar, where, message.elements)
            valued.ciphertexts[place] = _checked_ciphertexts(own, where, message.ciphertexts)
            peer_blinded[place] = steps.rows(message.elements)
            transcript.note("valued", message.elements, message.ciphertexts)
            yield Progress("evaluate", chunk.stop, peer_size)
    steps.check_blinded(blinded, own.size, "ValuedItems")
    return valued


def _checked_ciphertexts(own: steps.Party, where: str, ciphertexts: bytes) -> Octets:
    table = np.frombuffer(ciphertexts, dtype=np.uint8).reshape(-1, CIPHERTEXT_BYTES)
    try:
        elgamal.check_ciphertexts(own.suite.points, table)
    except InvalidElement as error:
        raise RemoteProtocolError(
            f"{where}: ciphertext {error.index} is not two points of the group"
        ) from None
    return table


def _match(own: steps.Party, valued: _Valued, transcript: steps.Transcript) -> Role[Indices]:
    """Receive the own items, evaluated and shuffled; return which of the Sender's are among them.

    As places in the Sender's list, which it shuffled too: they say nothing of either side's rows.
    """
    elements = np.empty((own.size + len(valued.evaluated), ELEMENT_BYTES), dtype=np.uint8)
    elements[own.size :] = valued.evaluated
    for chunk in chunks(own.size, CHUNK_ITEMS):
        message: EvaluatedItems = yield Receive(own.peer, EvaluatedItems)
        chunk.check("EvaluatedItems", message.elements, ELEMENT_BYTES)
        try:
            own.suite.group.check(message.elements)
        except InvalidElement as error:
            raise RemoteProtocolError(f"EvaluatedItems {chunk.name}: {error}") from None
        elements[chunk.start : chunk.stop] = steps.rows(message.elements)
        transcript.note("evaluated", message.elements)

    order, repeated = sort_rows(elements)
    first, second = order[repeated], order[repeated + 1]
    lower, higher = np.minimum(first, second), np.maximum(first, second)
    # Of distinct elements each pair is an own one and a peer's, and no element is in two pairs.
    ours, theirs = higher < own.size, lower >= own.size
    pairs = ~(ours | theirs)
    if ours.any() or _repeats(higher[pairs]):
        raise RemoteProtocolError("EvaluatedItems: an element occurs twice")
    if theirs.any() or _repeats(lower[pairs]):
        # They differed by a point of low order, which our scalar cleared.
        raise RemoteProtocolError("ValuedItems: two elements are one under our scalar")
    return higher - own.size


def _repeats(indices: Indices) -> bool:
    ascending = np.sort(indices)
    return bool((ascending[1:] == ascending[:-1]).any())


def _decrypt_sum(
    own: steps.Party, public_key: bytes, ciphertexts: Octets, transcript: steps.Transcript
) -> Role[int]:
    """Add up the shared items' values and have the Sender decrypt the sum.

    Re-randomised, the sum tells the Sender nothing of what was added; its first point by itself is
    uniform, and tells nothing at all.
    """
    points = own.suite.points
    stream = own.suite.stream(own.seed, own.purpose("re-randomisation"))
    zero = elgamal.encrypt_zero(points, public_key, stream)
    # Added with the others: no ciphertexts, whoever chose them, have an infinite sum with it.
    sum_ = elgamal.add_all(points, np.concatenate([ciphertexts, zero]))
    shown = sum_ if own.to == "both" else elgamal.first_point(points, sum_)
    transcript.note("sum", shown)
    yield Send(own.peer, EncryptedSum(shown))
    yield Progress("decrypt", 0, 1)
    message: DecryptionShare = yield Receive(own.peer, DecryptionShare)
    steps.check_points(own, "DecryptionShare", message.point, 1)
    transcript.note("share", message.point)
    total = elgamal.open_with_share(points, sum_, message.point, TOTAL_LIMIT)
    if total is None:
        raise RemoteProtocolError("DecryptionShare: it opens no sum in the range agreed on")
    yield Progress("decrypt", 1, 1)
    return total
