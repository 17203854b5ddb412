"""The steps both roles of ECDH-PSI take, named as in SPEC.md §3.

A step that sends or receives is a generator for ``yield from``; none draws randomness other than
from the party's seed. Lists of elements are arrays of bytes, one element to a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from protocols.arguments import check_floor, check_items, check_seed, check_session
from protocols.element_lists import chunks, turns
from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.intersection import Intersection, pack_positions
from protocols.kernels.sorting import sort_rows
from protocols.psi_ecdh.messages import (
    CHUNK_INDICES,
    CHUNK_ITEMS,
    ELEMENT_BYTES,
    INDEX_BYTES,
    SIGNATURE_PREFIX,
    VERSION,
    BlindedItems,
    EvaluatedItems,
    Opening,
    Reveal,
    RoleName,
    SizeStatement,
    Terms,
    To,
)
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import (
    Indices,
    InvalidElement,
    InvalidSignature,
    Items,
    Octets,
    Suite,
    canonical,
)


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """One party's view of the run: who, on what terms, with which secrets."""

    role: RoleName
    party: PartyId
    peer: PartyId
    suite: Suite
    context: bytes
    floor: int
    reveal: Reveal
    to: To
    private_key: bytes = field(repr=False)
    peer_public_key: bytes
    seed: bytes = field(repr=False)
    items: Items = field(repr=False)
    sorted_items: Indices = field(init=False, repr=False)
    """The order that sorts the items: that of the result."""

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
        if self.reveal not in ("list", "size") or self.to not in ("both", "receiver"):
            raise LocalProtocolError('reveal is "list" or "size", to is "both" or "receiver"')
        object.__setattr__(self, "sorted_items", check_items(self.items))

    @property
    def size(self) -> int:
        """How many items this party brings."""
        return len(self.items)

    @property
    def both_learn_the_size(self) -> bool:
        """Whether the intersection's size is for both parties, and signed."""
        return self.reveal == "list" or self.to == "both"

    def purpose(self, name: str) -> bytes:
        """Return the label under which ``seed`` yields this role's randomness for ``name``."""
        return f"{VERSION} {self.role} {name}".encode("ascii")

    def permutation(self, name: str, length: int) -> Indices:
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
            reveal=own.reveal,
            to=own.to,
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
    if (terms.reveal, terms.to) != (own.reveal, own.to):
        raise RemoteProtocolError(
            f"Terms: peer would reveal the {terms.reveal} to {_recipient(terms.to)}, "
            f"we the {own.reveal} to {_recipient(own.to)}; the signed spec says which"
        )
    return terms.size


def _recipient(to: To) -> str:
    return "both" if to == "both" else "the receiver"


@dataclass(frozen=True, slots=True, eq=False)
class Blinded:
    """Both parties' items under their owners' scalars, and what this party made of the peer's."""

    order: Indices = field(repr=False)
    """The j-th element sent is of the own item ``order[j]``."""
    evaluated: Octets = field(repr=False)
    """The peer's items under both scalars, in the order they came."""
    own_digest: bytes
    peer_digest: bytes
    """Of the two blinded lists, for the statement."""


def blind_and_evaluate(own: Party, peer_size: int) -> Role[Blinded]:
    """Send the own items blinded, in a secret order; receive the peer's and multiply them.

    Chunk by chunk in turn, so that both parties compute at the same time. Nothing made of the
    peer's elements has been sent when this returns, and all of them are distinct by then.
    """
    group = own.suite.group
    scalar = group.random_scalar(own.suite.stream(own.seed, own.purpose("scalar")))
    # A session's own tag: the same item is another point in another session, so lists of
    # different runs cannot be compared even under a repeated scalar.
    dst = VERSION.encode("ascii") + b" " + own.suite.hash(own.context)
    order = own.permutation("order", own.size)
    blinded = np.empty((own.size + peer_size, ELEMENT_BYTES), dtype=np.uint8)
    own_blinded, peer_blinded = blinded[: own.size], blinded[own.size :]
    evaluated = np.empty((peer_size, ELEMENT_BYTES), dtype=np.uint8)

    for action, chunk in turns(chunks(own.size, CHUNK_ITEMS), chunks(peer_size, CHUNK_ITEMS)):
        place = slice(chunk.start, chunk.stop)
        if action == "send":
            elements = group.hash_and_multiply(
                scalar, np.take(own.items, order[place], axis=0), dst
            )
            own_blinded[place] = _rows(elements)
            yield Send(own.peer, BlindedItems(elements))
            yield Progress("blind", chunk.stop, own.size)
        else:
            message: BlindedItems = yield Receive(own.peer, BlindedItems)
            chunk.check("BlindedItems", message.elements, ELEMENT_BYTES)
            try:
                evaluated[place] = _rows(group.multiply(scalar, message.elements))
            except InvalidElement as error:
                raise RemoteProtocolError(f"BlindedItems {chunk.name}: {error}") from None
            peer_blinded[place] = _rows(message.elements)
            yield Progress("evaluate", chunk.stop, peer_size)

    sorted_, repeated = sort_rows(blinded)
    if len(repeated):
        # Our own are distinct. Two honest scalars never agree either: a peer that mirrors our
        # messages back would see its "set" match ours whole, without holding one item.
        mirrored = min(sorted_[repeated].min(), sorted_[repeated + 1].min()) < own.size
        problem = "contains elements that we sent" if mirrored else "an element occurs twice"
        raise RemoteProtocolError(f"BlindedItems: {problem}")
    return Blinded(
        order, evaluated, _digest(own.suite, own_blinded), _digest(own.suite, peer_blinded)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """The items under both scalars, as far as this party has them."""

    shuffle: Indices = field(repr=False)
    """The j-th of the peer's evaluated items came from the ``shuffle[j]``-th blinded one."""
    elements: Octets = field(repr=False)
    """The own items, evaluated and shuffled by the peer, then the peer's, by this party."""
    returned: int
    """How many of the elements are the own items': all, or none if the size is not for us."""

    @property
    def own(self) -> Octets:
        """The own items, evaluated and shuffled by the peer."""
        return self.elements[: self.returned]

    @property
    def peer(self) -> Octets:
        """The peer's items, evaluated and shuffled by this party."""
        return self.elements[self.returned :]


def exchange_evaluated(own: Party, blinded: Blinded) -> Role[Evaluated]:
    """Shuffle and return the peer's evaluated items, and receive the own ones.

    Where the size is for the Receiver alone it returns none: the Sender has nothing to compare.
    """
    sends = own.role == "sender" or own.both_learn_the_size
    receives = own.role == "receiver" or own.both_learn_the_size
    peer_size = len(blinded.evaluated)
    returned = own.size if receives else 0
    elements = np.empty((returned + peer_size, ELEMENT_BYTES), dtype=np.uint8)
    evaluated = Evaluated(own.permutation("shuffle", peer_size), elements, returned)
    np.take(blinded.evaluated, evaluated.shuffle, axis=0, out=evaluated.peer)

    out = chunks(peer_size if sends else 0, CHUNK_ITEMS)
    for action, chunk in turns(out, chunks(returned, CHUNK_ITEMS)):
        place = slice(chunk.start, chunk.stop)
        if action == "send":
            yield Send(own.peer, EvaluatedItems(evaluated.peer[place].tobytes()))
        else:
            message: EvaluatedItems = yield Receive(own.peer, EvaluatedItems)
            chunk.check("EvaluatedItems", message.elements, ELEMENT_BYTES)
            try:
                own.suite.group.check(message.elements)
            except InvalidElement as error:
                raise RemoteProtocolError(f"EvaluatedItems {chunk.name}: {error}") from None
            evaluated.own[place] = _rows(message.elements)
    return evaluated


def match(own: Party, evaluated: Evaluated) -> Indices:
    """Return which of the own evaluated items are the peer's too, as places in that list.

    Both lists hold every item of one party under both scalars, so that equal elements are equal
    items; the places say nothing, for the peer shuffled the list.
    """
    order, repeated = sort_rows(evaluated.elements)
    first, second = order[repeated], order[repeated + 1]
    lower, higher = np.minimum(first, second), np.maximum(first, second)
    # Of distinct elements each pair is an own one and a peer's, and no element is in two pairs.
    ours, theirs = higher < own.size, lower >= own.size
    pairs = ~(ours | theirs)
    if ours.any() or _repeats(higher[pairs]):
        raise RemoteProtocolError("EvaluatedItems: an element occurs twice")
    if theirs.any() or _repeats(lower[pairs]):
        # They differed by a point of low order, which our scalar cleared.
        raise RemoteProtocolError("BlindedItems: two elements are one under our scalar")
    return lower


def _repeats(indices: Indices) -> bool:
    ascending = np.sort(indices)
    return bool((ascending[1:] == ascending[:-1]).any())


def state(own: Party, blinded: Blinded, evaluated: Evaluated, size: int | None) -> bytes:
    """Return the statement of the run, canonical JSON; ``size`` is None if only one learns it."""
    peer_size = len(evaluated.peer)
    own_lists = [blinded.own_digest]
    peer_lists = [blinded.peer_digest]
    if own.role == "receiver" or own.both_learn_the_size:
        own_lists.append(_digest(own.suite, evaluated.own))
    if own.role == "sender" or own.both_learn_the_size:
        peer_lists.append(_digest(own.suite, evaluated.peer))
    if own.role == "receiver":
        receiver_id, sender_id = own.party, own.peer
        lists = own_lists + peer_lists
    else:
        receiver_id, sender_id = own.peer, own.party
        lists = peer_lists + own_lists
    return canonical.encode(
        {
            "version": VERSION,
            "suite": own.suite.name,
            "context": own.context.hex(),
            "receiver": receiver_id,
            "sender": sender_id,
            "sizes": {own.party: own.size, own.peer: peer_size},
            "reveal": own.reveal,
            "to": own.to,
            "floor": own.floor,
            "intersection": size,
            "opened": own.reveal == "list" and size is not None and size >= own.floor,
            "transcript": own.suite.hash(*lists).hex(),
        }
    )


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


def send_opening(own: Party, shuffle: Indices) -> Role[None]:
    """Open the shuffle of the peer's evaluated items."""
    for chunk in chunks(len(shuffle), CHUNK_INDICES):
        indices = shuffle[chunk.start : chunk.stop].astype(">u4").tobytes()
        yield Send(own.peer, Opening(indices))


def receive_opening(own: Party) -> Role[Indices]:
    """Receive the shuffle of the own evaluated items; raises unless it is a permutation."""
    shuffle = np.empty(own.size, dtype=np.int64)
    for chunk in chunks(own.size, CHUNK_INDICES):
        message: Opening = yield Receive(own.peer, Opening)
        chunk.check("Opening", message.indices, INDEX_BYTES)
        shuffle[chunk.start : chunk.stop] = np.frombuffer(message.indices, dtype=">u4")
    # As many indices as items, each below their number: a permutation if none is missing.
    named = np.zeros(own.size, dtype=np.bool_)
    if (shuffle < own.size).all():
        named[shuffle] = True
    if not named.all():
        raise RemoteProtocolError("Opening: not a permutation of our items")
    return shuffle


def locate(own: Party, order: Indices, shuffle: Indices, shared: Indices) -> Indices:
    """Return the own items at the places ``shared`` of the evaluated list, sorted by their bytes.

    That order is the same at both parties, who hold the same shared items, and in every run.
    """
    is_shared = np.zeros(own.size, dtype=np.bool_)
    is_shared[order[shuffle[shared]]] = True
    return own.sorted_items[is_shared[own.sorted_items]]


def result(
    own: Party,
    *,
    peer_size: int,
    size: int | None,
    positions: Indices | None,
    statement: bytes,
    signatures: tuple[bytes, bytes],
) -> Intersection:
    """Return what this party ends with; ``signatures`` are its own and the peer's."""
    return Intersection(
        size=size,
        own_size=own.size,
        peer_size=peer_size,
        floor=own.floor,
        opened=positions is not None,
        packed_positions=b"" if positions is None else pack_positions(positions),
        statement=statement,
        signatures=dict(zip((own.party, own.peer), signatures, strict=True)),
    )


def _rows(elements: bytes) -> Octets:
    return np.frombuffer(elements, dtype=np.uint8).reshape(-1, ELEMENT_BYTES)


def _digest(suite: Suite, elements: Octets) -> bytes:
    return suite.hash(elements.tobytes())
