"""The Sender of private intersection-sum: it brings items and a value for each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols import elgamal
from protocols.element_lists import chunks, turns
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.psi_sum import steps
from protocols.psi_sum.messages import (
    CHUNK_ITEMS,
    ELEMENT_BYTES,
    TOTAL_LIMIT,
    VALUE_LIMIT,
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
from protocols.suite import Items, Octets, Suite

Values = npt.NDArray[np.int64]


def sender(
    items: Items,
    values: Values,
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
    """Sender of private intersection-sum, SPEC.md §3; reference as for the Receiver.

    ``values`` has an integer in [0, 2^32) for each of ``items``, in their order, dtype int64; all
    together they are below 2^48. Decimals are scaled by the caller. The other arguments, errors
    and the adversary are those of :func:`~protocols.psi_sum.receiver.receiver`.

    Learns the peer's size; from ``floor`` on the intersection's as the Receiver states and signs
    it, and with ``to="both"`` the sum, decrypted by itself; never which items were shared. Reveals
    the own size, the intersection's, and from ``floor`` on the sum. It decrypts one ciphertext,
    and none before the Receiver has signed that the floor is reached.
    """
    own = steps.Party(
        role="sender",
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
    _check_values(values, own.size)
    transcript = steps.Transcript(suite)
    peer_size = yield from steps.agree_on_terms(own)
    stream = suite.stream(seed, own.purpose("encryption key"))
    key = elgamal.PrivateKey.generate(suite.points, stream)
    transcript.note("key", key.public_key)
    yield Send(peer, EncryptionKey(key.public_key))
    evaluated = yield from _send_values_and_evaluate(own, values, key, peer_size, transcript)
    yield from _return_evaluated(own, evaluated, transcript)

    size = yield from _receive_cardinality(own, peer_size)
    statement = steps.state(own, peer_size, transcript, size, None)
    signatures = yield from steps.exchange_statements(own, statement, SizeStatement)

    total = None
    if size is not None:
        total = yield from _decrypt_sum(own, key, transcript)
        if to == "both":
            statement = steps.state(own, peer_size, transcript, size, total)
            signatures = yield from steps.exchange_statements(own, statement, SumStatement)
    return steps.result(
        own,
        peer_size=peer_size,
        size=size,
        opened=size is not None,
        total=total,
        statement=statement,
        signatures=signatures,
    )


def _check_values(values: Values, size: int) -> None:
    if values.dtype != np.int64 or values.shape != (size,):
        raise LocalProtocolError("values must be an array of int64, one for each item")
    if size and not 0 <= values.min() <= values.max() < VALUE_LIMIT:
        raise LocalProtocolError("every value must be a whole number from 0 to 2^32 - 1")
    if int(values.sum()) >= TOTAL_LIMIT:
        raise LocalProtocolError(
            "the values add up to 2^48 or more: scale them down, for example to whole units"
        )


def _send_values_and_evaluate(
    own: steps.Party,
    values: Values,
    key: elgamal.PrivateKey,
    peer_size: int,
    transcript: steps.Transcript,
) -> Role[Octets]:
    """Send the own items blinded, with their values encrypted; multiply the Receiver's items.

    In a secret order, chunk by chunk in turn, so that both parties compute at the same time.
    Returns the Receiver's items under both scalars in the order they came; nothing made of them
    has been sent by then, and they are known to be distinct.
    """
    group, scalar, dst = own.suite.group, own.scalar(), own.dst
    order = own.permutation("order", own.size)
    stream = own.suite.stream(own.seed, own.purpose("encryption"))
    blinded = np.empty((own.size + peer_size, ELEMENT_BYTES), dtype=np.uint8)
    own_blinded, peer_blinded = blinded[: own.size], blinded[own.size :]
    evaluated = np.empty((peer_size, ELEMENT_BYTES), dtype=np.uint8)

    for action, chunk in turns(chunks(own.size, CHUNK_ITEMS), chunks(peer_size, CHUNK_ITEMS)):
        place = slice(chunk.start, chunk.stop)
        if action == "send":
            chosen = order[place]
            elements = group.hash_and_multiply(scalar, np.take(own.items, chosen, axis=0), dst)
            ciphertexts = key.encrypt(values[chosen], stream).tobytes()
            own_blinded[place] = steps.rows(elements)
            transcript.note("valued", elements, ciphertexts)
            yield Send(own.peer, ValuedItems(elements, ciphertexts))
            yield Progress("encrypt", chunk.stop, own.size)
        else:
            message: BlindedItems = yield Receive(own.peer, BlindedItems)
            chunk.check("BlindedItems", message.elements, ELEMENT_BYTES)
            where = f"BlindedItems {chunk.name}"
            evaluated[place] = steps.multiply(own, scalar, where, message.elements)
            peer_blinded[place] = steps.rows(message.elements)
            transcript.note("blinded", message.elements)
            yield Progress("evaluate", chunk.stop, peer_size)
    steps.check_blinded(blinded, own.size, "BlindedItems")
    return evaluated


def _return_evaluated(
    own: steps.Party, evaluated: Octets, transcript: steps.Transcript
) -> Role[None]:
    """Shuffle the Receiver's items under both scalars and return them."""
    shuffle = own.permutation("shuffle", len(evaluated))
    for chunk in chunks(len(evaluated), CHUNK_ITEMS):
        elements = np.take(evaluated, shuffle[chunk.start : chunk.stop], axis=0).tobytes()
        transcript.note("evaluated", elements)
        yield Send(own.peer, EvaluatedItems(elements))


def _receive_cardinality(own: steps.Party, peer_size: int) -> Role[int | None]:
    """Receive how many items are shared; None below the floor."""
    message: Cardinality = yield Receive(own.peer, Cardinality)
    if message.size is not None:
        if message.size < own.floor:
            raise RemoteProtocolError("Cardinality: below the floor no number is told")
        if message.size > min(own.size, peer_size):
            raise RemoteProtocolError("Cardinality: more than a party has")
    return message.size


def _decrypt_sum(
    own: steps.Party, key: elgamal.PrivateKey, transcript: steps.Transcript
) -> Role[int | None]:
    """Answer with the decryption share; return the sum if it is for both."""
    points = own.suite.points
    message: EncryptedSum = yield Receive(own.peer, EncryptedSum)
    steps.check_points(own, "EncryptedSum", message.points, 2 if own.to == "both" else 1)
    transcript.note("sum", message.points)
    share = key.share(elgamal.first_point(points, message.points))
    transcript.note("share", share)
    yield Send(own.peer, DecryptionShare(share))
    if own.to == "receiver":
        return None
    yield Progress("decrypt", 0, 1)
    total = elgamal.open_with_share(points, message.points, share, TOTAL_LIMIT)
    if total is None:
        raise RemoteProtocolError("EncryptedSum: it holds no sum in the range agreed on")
    yield Progress("decrypt", 1, 1)
    return total
