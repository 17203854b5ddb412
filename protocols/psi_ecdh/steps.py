"""The steps both roles of ECDH-PSI take, named as in SPEC.md §3.

A step that sends or receives is a generator for ``yield from``; none draws randomness other than
from the party's seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from protocols.arguments import check_floor, check_items, check_seed, check_session
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_ecdh.messages import (
    CHUNK_ITEMS,
    INDEX_BYTES,
    SIGNATURE_PREFIX,
    VERSION,
    BlindedItems,
    EvaluatedItems,
    Opening,
    RoleName,
    SizeStatement,
    Terms,
)
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import InvalidElement, InvalidSignature, Suite, canonical


@dataclass(frozen=True, slots=True)
class Party:
    """One party's view of the run: who, on what terms, with which secrets."""

    role: RoleName
    party: PartyId
    peer: PartyId
    suite: Suite
    context: bytes
    floor: int
    private_key: bytes = field(repr=False)
    peer_public_key: bytes
    seed: bytes = field(repr=False)
    items: Sequence[bytes] = field(repr=False)

    def __post_init__(self) -> None:
        check_session(
            party=self.party,
            peers=(self.peer,),
            suite=self.suite,
            context=self.context,
            private_key=self.private_key,
        )
        check_floor(self.floor)
        check_seed(self.seed)
        check_items(self.items)

    @property
    def size(self) -> int:
        """How many items this party brings."""
        return len(self.items)

    def purpose(self, name: str) -> bytes:
        """Return the label under which ``seed`` yields this role's randomness for ``name``."""
        return f"{VERSION} {self.role} {name}".encode("ascii")

    def permutation(self, name: str, length: int) -> list[int]:
        """Return the secret permutation of ``range(length)`` that the seed gives ``name``."""
        return self.suite.stream(self.seed, self.purpose(name)).permutation(length)


def agree_on_terms(own: Party) -> Role[int]:
    """Exchange :class:`Terms`; return how many items the peer brings."""
    yield Send(
        own.peer,
        Terms(
            version=VERSION,
            suite=own.suite.name,
            party=own.party,
            peer=own.peer,
            role=own.role,
            context=own.context,
            floor=own.floor,
            size=own.size,
        ),
    )
    terms: Terms = yield Receive(own.peer, Terms)
    if terms.version != VERSION:
        raise RemoteProtocolError(f"Terms: peer's protocol version is not ours, {VERSION}")
    if terms.suite != own.suite.name:
        raise RemoteProtocolError(f"Terms: peer's suite is not ours, {own.suite.name}")
    if (terms.party, terms.peer) != (own.peer, own.party):
        raise RemoteProtocolError("Terms: peer's run is between other parties")
    if terms.role == own.role:
        raise RemoteProtocolError(f"Terms: both sides run the {own.role}; one must be the other")
    if terms.context != own.context:
        raise RemoteProtocolError(
            "Terms: peer's context is not ours; both must run the same signed spec and attempt"
        )
    if terms.floor != own.floor:
        raise RemoteProtocolError(
            f"Terms: peer's floor is {terms.floor}, ours {own.floor}; "
            "both must use the stricter one of the signed spec"
        )
    return terms.size


def blind_and_send(own: Party, scalar: int) -> Role[tuple[list[int], bytes]]:
    """Send the own items blinded, in a secret order; return that order and the list sent."""
    group = own.suite.group
    # A session's own tag: the same item is another point in another session, so lists of
    # different runs cannot be compared even under a repeated scalar.
    dst = VERSION.encode("ascii") + b" " + own.suite.hash(own.context)
    order = own.permutation("order", own.size)
    blinded = bytearray()
    for start in range(0, own.size, CHUNK_ITEMS):
        chunk = [own.items[index] for index in order[start : start + CHUNK_ITEMS]]
        elements = group.hash_and_multiply(scalar, chunk, dst)
        blinded += elements
        yield Send(own.peer, BlindedItems(elements))
        yield Progress("blind", start + len(chunk), own.size)
    return order, bytes(blinded)


def receive_and_evaluate(
    own: Party, scalar: int, own_blinded: bytes, peer_size: int
) -> Role[tuple[bytes, bytes]]:
    """Receive the peer's blinded items; return them and their multiples, in the same order."""
    group = own.suite.group
    own_elements = set(_split(own_blinded, group.element_bytes))
    seen: set[bytes] = set()
    blinded, evaluated = bytearray(), bytearray()
    for number, length in _chunks(peer_size):
        message: BlindedItems = yield Receive(own.peer, BlindedItems)
        where = f"BlindedItems {number}"
        _check_length(where, message.elements, length, group.element_bytes)
        _check_distinct(where, message.elements, group.element_bytes, seen)
        # Two honest scalars never agree. A peer that mirrors our messages back would see its
        # "set" match ours whole, without holding one item.
        if not own_elements.isdisjoint(_split(message.elements, group.element_bytes)):
            raise RemoteProtocolError(f"{where}: contains elements that we sent")
        try:
            evaluated += group.multiply(scalar, message.elements)
        except InvalidElement as error:
            raise RemoteProtocolError(f"{where}: {error}") from None
        blinded += message.elements
        yield Progress("evaluate", len(blinded) // group.element_bytes, peer_size)
    return bytes(blinded), bytes(evaluated)


def send_shuffled(own: Party, evaluated: bytes) -> Role[tuple[list[int], bytes]]:
    """Send the peer's evaluated items under a fresh secret shuffle; return shuffle and list."""
    width = own.suite.group.element_bytes
    elements = _split(evaluated, width)
    shuffle = own.permutation("shuffle", len(elements))
    shuffled = b"".join(elements[index] for index in shuffle)
    step = CHUNK_ITEMS * width
    for start in range(0, len(shuffled), step):
        yield Send(own.peer, EvaluatedItems(shuffled[start : start + step]))
    return shuffle, shuffled


def receive_evaluated(own: Party) -> Role[bytes]:
    """Receive the own items as the peer evaluated and shuffled them; return the list."""
    group = own.suite.group
    seen: set[bytes] = set()
    evaluated = bytearray()
    for number, length in _chunks(own.size):
        message: EvaluatedItems = yield Receive(own.peer, EvaluatedItems)
        where = f"EvaluatedItems {number}"
        _check_length(where, message.elements, length, group.element_bytes)
        _check_distinct(where, message.elements, group.element_bytes, seen)
        try:
            group.check(message.elements)
        except InvalidElement as error:
            raise RemoteProtocolError(f"{where}: {error}") from None
        evaluated += message.elements
    return bytes(evaluated)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The four lists of a run as both parties saw them, by whose items they hold."""

    own_blinded: bytes
    peer_blinded: bytes
    own_evaluated: bytes
    """The own items, evaluated and shuffled by the peer."""
    peer_evaluated: bytes
    """The peer's items, evaluated and shuffled by this party."""


def state_size(own: Party, exchange: Exchange) -> tuple[bytes, list[bytes]]:
    """Return the size statement and the shared evaluated elements, sorted.

    Both lists hold every item of one party under both scalars, so that equal elements are equal
    items; their order says nothing, for each was shuffled by the party that does not own it.
    """
    width = own.suite.group.element_bytes
    own_elements = _split(exchange.own_evaluated, width)
    peer_elements = _split(exchange.peer_evaluated, width)
    shared = sorted(set(own_elements).intersection(peer_elements))
    own_lists = (exchange.own_blinded, exchange.own_evaluated)
    peer_lists = (exchange.peer_blinded, exchange.peer_evaluated)
    if own.role == "receiver":
        receiver_id, sender_id = own.party, own.peer
        lists = (*own_lists, *peer_lists)
    else:
        receiver_id, sender_id = own.peer, own.party
        lists = (*peer_lists, *own_lists)
    framed = ((len(elements).to_bytes(8, "big"), elements) for elements in lists)
    transcript = own.suite.hash(*itertools.chain.from_iterable(framed))
    statement = canonical.encode(
        {
            "version": VERSION,
            "suite": own.suite.name,
            "context": own.context.hex(),
            "receiver": receiver_id,
            "sender": sender_id,
            "sizes": {own.party: len(own_elements), own.peer: len(peer_elements)},
            "intersection": len(shared),
            "floor": own.floor,
            "opened": len(shared) >= own.floor,
            "transcript": transcript.hex(),
        }
    )
    return statement, shared


def sign_statement(own: Party, statement: bytes) -> bytes:
    """Return this party's signature over prefix and statement, hedged from the seed."""
    entropy = own.suite.derive(own.seed, own.purpose("signature entropy"), 32)
    return own.suite.sign(own.private_key, SIGNATURE_PREFIX + statement, entropy)


def check_statement(own: Party, statement: bytes, received: SizeStatement) -> bytes:
    """Return the peer's signature over the same statement; raises ``VerifyError``."""
    if received.statement != statement:
        raise VerifyError("SizeStatement: peer's statement is not the one we computed")
    try:
        own.suite.verify(own.peer_public_key, SIGNATURE_PREFIX + statement, received.signature)
    except InvalidSignature as error:
        raise VerifyError(f"SizeStatement: {error}") from None
    return received.signature


def send_opening(own: Party, shuffle: list[int]) -> Role[None]:
    """Open the shuffle of the peer's evaluated items."""
    indices = np.array(shuffle, dtype=">u4").tobytes()
    step = CHUNK_ITEMS * INDEX_BYTES
    for start in range(0, len(indices), step):
        yield Send(own.peer, Opening(indices[start : start + step]))


def receive_opening(own: Party) -> Role[list[int]]:
    """Receive the shuffle of the own evaluated items; raises unless it is a permutation."""
    indices = bytearray()
    for number, length in _chunks(own.size):
        message: Opening = yield Receive(own.peer, Opening)
        _check_length(f"Opening {number}", message.indices, length, INDEX_BYTES)
        indices += message.indices
    shuffle = np.frombuffer(bytes(indices), dtype=">u4")
    if not np.array_equal(np.sort(shuffle), np.arange(own.size)):
        raise RemoteProtocolError("Opening: not a permutation of our items")
    opened: list[int] = shuffle.tolist()
    return opened


def locate(
    own: Party, order: list[int], shuffle: list[int], own_evaluated: bytes, shared: list[bytes]
) -> list[int]:
    """Return, for each shared element in order, the index of the own item it belongs to."""
    elements = _split(own_evaluated, own.suite.group.element_bytes)
    item_of = {element: order[sent] for element, sent in zip(elements, shuffle, strict=True)}
    return [item_of[element] for element in shared]


def _chunks(total: int) -> list[tuple[str, int]]:
    """Return, for each chunk of a list of ``total``, its name in errors and its length."""
    count = -(-total // CHUNK_ITEMS)
    return [
        (f"{number + 1} of {count}", min(CHUNK_ITEMS, total - number * CHUNK_ITEMS))
        for number in range(count)
    ]


def _split(data: bytes, width: int) -> list[bytes]:
    return [data[start : start + width] for start in range(0, len(data), width)]


def _check_length(where: str, data: bytes, length: int, width: int) -> None:
    if len(data) != length * width:
        raise RemoteProtocolError(
            f"{where}: {len(data)} bytes, but the size in Terms asks for {length} x {width}"
        )


def _check_distinct(where: str, data: bytes, width: int, seen: set[bytes]) -> None:
    """Add the elements to ``seen``; raises if one is there already."""
    for element in _split(data, width):
        if element in seen:
            raise RemoteProtocolError(f"{where}: an element occurs twice")
        seen.add(element)
