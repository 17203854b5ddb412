"""What both roles of private intersection-sum share: session, terms, lists and statements.

A step that sends or receives is a generator for ``yield from``; none draws randomness other than
from the party's seed. Lists of elements are arrays of bytes, one element to a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from protocols.arguments import check_floor, check_items, check_seed, check_session
from protocols.errors import LocalProtocolError, RemoteProtocolError, VerifyError
from protocols.kernels.sorting import sort_rows
from protocols.psi_sum.messages import (
    ELEMENT_BYTES,
    POINT_BYTES,
    SIGNATURE_PREFIX,
    VERSION,
    RoleName,
    SizeStatement,
    SumStatement,
    Terms,
    To,
)
from protocols.psi_sum.result import IntersectionSum
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import (
    Indices,
    InvalidElement,
    InvalidSignature,
    Items,
    Octets,
    Suite,
    canonical,
)

Statement = TypeVar("Statement", SizeStatement, SumStatement)


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """One party's view of the run: who, on what terms, with which secrets."""

    role: RoleName
    party: PartyId
    peer: PartyId
    suite: Suite
    context: bytes
    floor: int
    to: To
    private_key: bytes = field(repr=False)
    peer_public_key: bytes
    seed: bytes = field(repr=False)
    items: Items = field(repr=False)

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
        if self.to not in ("both", "receiver"):
            raise LocalProtocolError('to is "both" or "receiver"')
        check_items(self.items)

    @property
    def size(self) -> int:
        """How many items this party brings."""
        return len(self.items)

    @property
    def dst(self) -> bytes:
        """The domain separation tag of the items' hash.

        A session's own: the same item is another point in another session, so lists of different
        runs cannot be compared even under a repeated scalar.
        """
        return VERSION.encode("ascii") + b" " + self.suite.hash(self.context)

    def purpose(self, name: str) -> bytes:
        """Return the label under which ``seed`` yields this role's randomness for ``name``."""
        return f"{VERSION} {self.role} {name}".encode("ascii")

    def permutation(self, name: str, length: int) -> Indices:
        """Return the secret permutation of ``range(length)`` that the seed gives ``name``."""
        return self.suite.stream(self.seed, self.purpose(name)).permutation(length)

    def scalar(self) -> int:
        """Return the secret scalar that blinds this party's items."""
        return self.suite.group.random_scalar(self.suite.stream(self.seed, self.purpose("scalar")))


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
    if terms.to != own.to:
        raise RemoteProtocolError(
            f"Terms: peer's sum is for {_recipient(terms.to)}, ours for {_recipient(own.to)}; "
            "the signed spec says which"
        )
    return terms.size


def _recipient(to: To) -> str:
    return "both" if to == "both" else "the receiver"


@dataclass(slots=True, eq=False)
class Transcript:
    """Digests of what crossed, each list in its own order: both parties end with the same."""

    suite: Suite
    parts: dict[str, list[bytes]] = field(default_factory=dict)

    def note(self, list_: str, *payload: bytes) -> None:
        """Append the digest of one message's payload to a list."""
        self.parts.setdefault(list_, []).append(self.suite.hash(*payload))

    def digest(self, *lists: str) -> bytes:
        """Return the digest of the lists' digests, in this order; sizes tell how many there are."""
        return self.suite.hash(*(part for name in lists for part in self.parts.get(name, ())))


def multiply(own: Party, scalar: int, where: str, elements: bytes) -> Octets:
    """Return the peer's elements under our scalar; refuse what is not in the group."""
    try:
        return rows(own.suite.group.multiply(scalar, elements))
    except InvalidElement as error:
        raise RemoteProtocolError(f"{where}: {error}") from None


def check_points(own: Party, where: str, points: bytes, count: int) -> None:
    """Refuse what is not so many points of the group of the encrypted values."""
    if len(points) != count * POINT_BYTES:
        raise RemoteProtocolError(f"{where}: {len(points)} bytes, not {count} x {POINT_BYTES}")
    try:
        own.suite.points.check(points)
    except InvalidElement:
        raise RemoteProtocolError(f"{where}: not a point of the group") from None


def check_blinded(blinded: Octets, own_size: int, message: str) -> None:
    """Refuse a peer's list that repeats an element, or has one of ours, which come first.

    Our own are distinct, and two honest scalars never agree: whose elements are ours mirrors our
    messages back, to match a list without holding an item of it.
    """
    sorted_, repeated = sort_rows(blinded)
    if len(repeated):
        mirrored = min(sorted_[repeated].min(), sorted_[repeated + 1].min()) < own_size
        problem = "contains elements that we sent" if mirrored else "an element occurs twice"
        raise RemoteProtocolError(f"{message}: {problem}")


def state(
    own: Party, peer_size: int, transcript: Transcript, size: int | None, total: int | None
) -> bytes:
    """Return the statement of the run, canonical JSON, the same at both parties.

    ``size`` is None if it is below the floor, ``total`` until it is known to both.
    """
    receiver_id, sender_id = own.party, own.peer
    if own.role == "sender":
        receiver_id, sender_id = sender_id, receiver_id
    digest = transcript.digest("key", "blinded", "evaluated", "valued", "sum", "share")
    return canonical.encode(
        {
            "version": VERSION,
            "suite": own.suite.name,
            "context": own.context.hex(),
            "receiver": receiver_id,
            "sender": sender_id,
            "sizes": {own.party: own.size, own.peer: peer_size},
            "to": own.to,
            "floor": own.floor,
            "intersection": size,
            "opened": size is not None,
            "total": total,
            "transcript": digest.hex(),
        }
    )


def exchange_statements(
    own: Party, statement: bytes, type_: type[Statement]
) -> Role[tuple[bytes, bytes]]:
    """Sign the statement and check that the peer did; return the own and the peer's signature.

    The Receiver is first; the Sender signs only after it has checked what the Receiver signed.
    """
    purpose = own.purpose(f"{type_.__name__} signature entropy")
    entropy = own.suite.derive(own.seed, purpose, 32)
    if own.role == "receiver":
        signature = own.suite.sign(own.private_key, SIGNATURE_PREFIX + statement, entropy)
        yield Send(own.peer, type_(statement, signature))
    received: Statement = yield Receive(own.peer, type_)
    if received.statement != statement:
        raise VerifyError(f"{type_.__name__}: peer's statement is not the one we computed")
    try:
        own.suite.verify(own.peer_public_key, SIGNATURE_PREFIX + statement, received.signature)
    except InvalidSignature as error:
        raise VerifyError(f"{type_.__name__}: {error}") from None
    if own.role == "sender":
        signature = own.suite.sign(own.private_key, SIGNATURE_PREFIX + statement, entropy)
        yield Send(own.peer, type_(statement, signature))
    return signature, received.signature


def rows(elements: bytes) -> Octets:
    """Return the concatenated elements as rows."""
    return np.frombuffer(elements, dtype=np.uint8).reshape(-1, ELEMENT_BYTES)


def result(
    own: Party,
    *,
    peer_size: int,
    size: int | None,
    opened: bool,
    total: int | None,
    statement: bytes,
    signatures: tuple[bytes, bytes],
) -> IntersectionSum:
    """Return what this party ends with; ``signatures`` are its own and the peer's."""
    return IntersectionSum(
        size=size,
        own_size=own.size,
        peer_size=peer_size,
        floor=own.floor,
        opened=opened,
        total=total,
        statement=statement,
        signatures=dict(zip((own.party, own.peer), signatures, strict=True)),
    )
