"""What two parties sign before they look for shared customers: the PsiSpec.

Each party says what it wants in :class:`PsiTerms`; both then compute the same spec from the two,
show it to a person, and sign its digest. The digest is bound into every message and event of the
run. What one side leaves open (protocol ``auto``) is settled by :func:`choose_protocol`, the same
at both; whatever else differs ends the run before a single item is touched.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from protocols.arguments import MAX_ITEMS
from protocols.errors import DecodeError, LocalProtocolError
from protocols.identifiers import IdentifierKind
from protocols.session.agreed_job import check_id, check_instant, check_reference, shortened
from protocols.suite import Suite, canonical

PsiProtocol: TypeAlias = Literal["ecdh", "vole", "oprf", "sum"]
Reveal: TypeAlias = Literal["list", "size", "sum"]
Recipient: TypeAlias = Literal["receiver", "both"]
PsiRole: TypeAlias = Literal["receiver", "sender"]
PsiPurpose: TypeAlias = Literal["credit_need", "creditworthiness", "churn", "overlap"]

MAX_ROWS = 1 << 30
ECDH_ROWS = 1 << 20
"""Up to here ``auto`` takes Diffie-Hellman: seconds, and no assumption beyond it."""
OPRF_ROWS = 1 << 14
OPRF_RATIO = 100
BUCKET_ROWS = 1 << 20
PARALLEL_ROWS = 1 << 18
"""Below this many rows a bucket's fixed cost outweighs a second core."""
MAX_BUCKETS = 1024
MAX_KEYS = 8

P = TypeVar("P", bound="PsiTerms | PsiSpec")


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the spec's parts: no field has a default, so that a spec has one encoding."""


class KeyTerms(_Part, frozen=True, kw_only=True):
    """How rows are matched: on all of these identifiers together, or on the first that matches."""

    kinds: tuple[IdentifierKind, ...]
    match: Literal["all", "first"]
    rules: str

    def __post_init__(self) -> None:
        """Refuse a key of no column, or of too many."""
        if not 1 <= len(self.kinds) <= MAX_KEYS:
            raise ValueError(f"a key has 1 to {MAX_KEYS} columns")
        check_reference("rules", self.rules)


class PsiTerms(_Part, frozen=True, kw_only=True):
    """What one party brings and wants; what both must want alike stands in ``common``."""

    party_id: str
    role: PsiRole
    public_key: str
    """Hex of the party's signature key."""
    certificate_digest: str
    """Hex digest of the party's TLS certificate; empty where there is no TLS (``--lab``)."""
    legal_basis: str
    minimum_cohort: int
    rows: int
    cores: int
    protocol: Literal["auto", "ecdh", "vole", "oprf"]
    cached: bool
    """Whether this party can take its part in ``oprf``: it keeps a cache between runs."""
    values: bool
    """Whether this party brings a column of numbers to be summed."""
    reveal: Reveal
    to: Recipient
    suite: Literal["gm", "intl"]
    purpose: PsiPurpose
    key: KeyTerms

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        check_id("party_id", self.party_id)
        check_reference("legal_basis", self.legal_basis)
        if not 1 <= self.minimum_cohort <= MAX_ROWS:
            raise ValueError(f"minimum_cohort must be between 1 and {MAX_ROWS}")
        if not 0 <= self.rows <= MAX_ROWS or not 1 <= self.cores <= MAX_BUCKETS:
            raise ValueError("rows or cores out of range")
        for name, value in (("key", self.public_key), ("digest", self.certificate_digest)):
            if len(value) > 512 or set(value) - set("0123456789abcdef"):
                raise ValueError(f"the {name} is not lower-case hex")


class PsiSpec(_Part, frozen=True, kw_only=True):
    """What both parties sign."""

    version: Literal["fedcrm-psi/1"]
    run_id: str
    created_at: str
    receiver: PsiTerms
    sender: PsiTerms
    protocol: PsiProtocol
    reason: str
    """Why this protocol, in words for the officer."""
    floor: int
    buckets: int

    def __post_init__(self) -> None:
        """Refuse a spec that its own terms do not give."""
        check_id("run_id", self.run_id)
        check_instant("created_at", self.created_at)
        expected = _derive(self.run_id, self.created_at, self.receiver, self.sender)
        if {f: getattr(self, f) for f in expected} != expected:
            raise ValueError("the spec does not follow from the parties' terms")

    @property
    def suite(self) -> str:
        """Name of the suite, the same at both."""
        return self.receiver.suite

    @property
    def reveal(self) -> Reveal:
        """What comes out: the shared rows, their number, or a sum over them."""
        return self.receiver.reveal

    @property
    def to(self) -> Recipient:
        """Who gets it."""
        return self.receiver.to

    @property
    def both(self) -> tuple[PsiTerms, PsiTerms]:
        """The receiver's terms and the sender's."""
        return self.receiver, self.sender

    def of(self, role: PsiRole) -> PsiTerms:
        """Return the terms of the party in ``role``."""
        return self.receiver if role == "receiver" else self.sender

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return _encode(self)

    def digest(self, suite: Suite) -> bytes:
        """Return the digest that is bound into every message and event."""
        return suite.hash(b"fedcrm/psi-spec/v1\x00", self.to_bytes())


def agree_on_spec(run_id: str, created_at: str, receiver: PsiTerms, sender: PsiTerms) -> PsiSpec:
    """Return the spec that the two parties' terms give; the same at both.

    Raises ``LocalProtocolError`` naming the first option on which they differ and both values.
    """
    return PsiSpec(
        version="fedcrm-psi/1",
        run_id=run_id,
        created_at=created_at,
        receiver=receiver,
        sender=sender,
        **_derive(run_id, created_at, receiver, sender),
    )


def encode_psi_terms(terms: PsiTerms) -> bytes:
    """Return the canonical bytes of a party's terms."""
    return _encode(terms)


def decode_psi_spec(data: bytes) -> PsiSpec:
    """Return the spec ``data`` encodes; raises :class:`DecodeError` and nothing else."""
    return _decode(data, PsiSpec)


def decode_psi_terms(data: bytes) -> PsiTerms:
    """Return the terms ``data`` encodes; raises :class:`DecodeError` and nothing else."""
    return _decode(data, PsiTerms)


def session_context(spec: PsiSpec, suite: Suite, *, attempt: int, part: str) -> bytes:
    """Return what every message, hash and signature of one part of one attempt is bound to."""
    return suite.hash(
        b"fedcrm/psi-session/v1\x00", spec.digest(suite), attempt.to_bytes(4, "big"), part.encode()
    )


def who_learns(spec: PsiSpec) -> list[str]:
    """Return, in words for the officer, what each party learns when all goes well."""
    receiver, sender = spec.receiver.party_id, spec.sender.party_id
    both = f"{receiver} and {sender}"
    told = {
        "list": "which of its own customers the other has too",
        "size": f"how many customers are shared, shown rounded down to {spec.floor}",
        "sum": f"how many customers are shared and the sum of {sender}'s numbers over them",
    }[spec.reveal]
    lines = [f"{both}: how many rows the other brings"]
    lines.append(f"{both if spec.to == 'both' else receiver}: {told}")
    if spec.protocol == "sum":
        lines.append(f"{sender}: how many customers are shared")
    elif spec.to == "receiver" and not (spec.protocol == "ecdh" and spec.reveal == "list"):
        lines.append(f"{sender}: whether the floor was reached")
    if spec.protocol == "ecdh" and spec.reveal == "list":
        lines.append(f"{both}: how many customers are shared, below the floor too")
    if spec.receiver.key.match == "first" and len(spec.receiver.key.kinds) > 1:
        lines.append(f"{both}: by which of the keys each shared customer was found")
    return lines


def what_enforces_the_floor(spec: PsiSpec) -> str:
    """Return, in words for the officer, who keeps a result below the floor from being seen."""
    receiver, sender = spec.receiver.party_id, spec.sender.party_id
    if spec.protocol == "ecdh" and spec.reveal == "list":
        return "both parties sign the size first; customers are opened only from the floor on"
    if spec.protocol == "sum":
        return f"{sender} decrypts the sum only from the floor on; {receiver} states the size"
    if spec.protocol == "oprf":
        return f"{sender} answers a limited number of queries; {receiver}'s own software the rest"
    if spec.reveal == "size" and spec.to == "both":
        return "each party's own software; both sign the size"
    return f"{receiver}'s own software alone: {sender} relies on it"


def choose_protocol(receiver: PsiTerms, sender: PsiTerms) -> tuple[PsiProtocol, str]:
    """Return the protocol both parties' terms give, and why.

    An explicit wish beats ``auto``; raises ``LocalProtocolError`` for two different ones and for
    one that cannot do what is asked.
    """
    wishes = {t.protocol for t in (receiver, sender)} - {"auto"}
    if len(wishes) > 1:
        raise LocalProtocolError(
            f"--protocol: {receiver.party_id} asks for {receiver.protocol}, "
            f"{sender.party_id} for {sender.protocol}"
        )
    if receiver.reveal == "sum":
        return _sum_protocol(receiver, sender, wishes)
    if sender.values or receiver.values:
        raise LocalProtocolError("--values: numbers are used with --reveal sum only")
    wish = next(iter(wishes), "auto")
    if wish == "auto":
        return _automatic(receiver, sender)
    if receiver.reveal == "size" and wish != "ecdh":
        raise LocalProtocolError(
            f"--protocol {wish} shows the receiver which rows match; --reveal size needs ecdh"
        )
    if wish == "oprf" and not (receiver.cached and sender.cached):
        raise LocalProtocolError("--protocol oprf: both sides need --cache DIR")
    if wish == "oprf" and receiver.key.match == "first":
        raise LocalProtocolError("--protocol oprf matches on one key, or on all of several")
    reasons: dict[str, tuple[PsiProtocol, str]] = {
        "ecdh": ("ecdh", "asked for: Diffie-Hellman, the oldest assumption"),
        "vole": ("vole", "asked for: fast; rests on a newer, heuristic assumption (LPN)"),
        "oprf": ("oprf", "asked for: few queries against a large, prepared set"),
    }
    return reasons[wish]


def _sum_protocol(
    receiver: PsiTerms, sender: PsiTerms, wishes: AbstractSet[str]
) -> tuple[PsiProtocol, str]:
    if wishes - {"ecdh"}:
        raise LocalProtocolError("--reveal sum has one protocol, on ecdh: leave --protocol out")
    if not sender.values or receiver.values:
        raise LocalProtocolError("--reveal sum: the sender, and only it, gives --values COLUMN")
    return "sum", "a sum needs encrypted numbers: Diffie-Hellman with ElGamal"


def _automatic(receiver: PsiTerms, sender: PsiTerms) -> tuple[PsiProtocol, str]:
    larger = max(receiver.rows, sender.rows)
    if receiver.reveal == "size":
        return "ecdh", "only ecdh can tell the size without showing which rows match"
    if (
        receiver.cached
        and sender.cached
        and receiver.key.match == "all"
        and receiver.rows <= OPRF_ROWS
        and sender.rows >= OPRF_RATIO * max(receiver.rows, 1)
    ):
        return "oprf", f"{receiver.rows:,} rows against {sender.rows:,}, with a cache on both sides"
    if larger <= ECDH_ROWS:
        return "ecdh", f"up to {ECDH_ROWS:,} rows a Diffie-Hellman match takes seconds"
    return "vole", f"more than {ECDH_ROWS:,} rows; rests on a newer, heuristic assumption (LPN)"


def _derive(run_id: str, created_at: str, receiver: PsiTerms, sender: PsiTerms) -> dict[str, Any]:
    """Return the fields of a spec that follow from the terms; raises LocalProtocolError."""
    if (receiver.role, sender.role) != ("receiver", "sender"):
        both = receiver.role
        other = "send" if both == "receiver" else "receive"
        raise LocalProtocolError(f"both sides are the {both}: one must run `fedcrm psi {other}`")
    if receiver.party_id == sender.party_id:
        raise LocalProtocolError(f"both parties call themselves {receiver.party_id}")
    if receiver.public_key == sender.public_key:
        raise LocalProtocolError("both parties have the same signature key")
    for name, option in (
        ("suite", "--suite"),
        ("reveal", "--reveal"),
        ("to", "--to"),
        ("purpose", "--purpose"),
        ("key", "--key, --kind and --match"),
    ):
        ours, theirs = getattr(receiver, name), getattr(sender, name)
        if ours != theirs:
            raise LocalProtocolError(
                f"{option}: {receiver.party_id} has {_shown(ours)}, "
                f"{sender.party_id} has {_shown(theirs)}"
            )
    protocol, reason = choose_protocol(receiver, sender)
    larger = max(receiver.rows, sender.rows)
    if protocol != "vole" and larger > MAX_ITEMS:
        raise LocalProtocolError(
            f"{larger:,} rows are more than {protocol} takes, {MAX_ITEMS:,}; "
            "--protocol vole with --reveal list takes them"
        )
    floor = max(receiver.minimum_cohort, sender.minimum_cohort)
    buckets = _buckets(receiver, sender) if protocol == "vole" else 1
    return {"protocol": protocol, "reason": reason, "floor": floor, "buckets": buckets}


def _buckets(receiver: PsiTerms, sender: PsiTerms) -> int:
    """Return how many parts both sets are split into, a power of two."""
    larger = max(receiver.rows, sender.rows)
    wanted = larger / BUCKET_ROWS
    if larger > PARALLEL_ROWS:
        wanted = max(wanted, min(receiver.cores, sender.cores))
    buckets = 1
    while buckets < wanted and buckets < MAX_BUCKETS:
        buckets *= 2
    return buckets


def _shown(value: object) -> str:
    if isinstance(value, KeyTerms):
        how = "all of" if value.match == "all" else "the first that matches of"
        return f"{how} {', '.join(value.kinds)} by rules {value.rules}"
    return str(value)


def _encode(part: PsiTerms | PsiSpec) -> bytes:
    return canonical.encode(msgspec.json.decode(msgspec.json.encode(part)))


def _decode(data: bytes, type_: type[P]) -> P:
    try:
        return msgspec.convert(canonical.decode(data), type_)
    except (canonical.CanonicalError, msgspec.ValidationError, LocalProtocolError) as error:
        raise DecodeError(f"not a valid {type_.__name__}: {shortened(str(error))}") from None
