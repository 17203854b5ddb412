"""What every job's spec has in common: who takes part, what for, and until when.

Its digest is bound into every message and every audit event. It is data only: nothing in it is
executed, and a parameter below the floor its protocol states is refused here, in code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from protocols.session.model_terms import Terms
from protocols.suite import Suite, canonical

# What an event can hold (audit/catalogue.py): nothing shaped like a phone number or an ID.
_REFERENCE = re.compile(r"(?!\d{7,}$)(?!\d{17}[Xx]$)[A-Za-z0-9][A-Za-z0-9._:/+-]{0,127}")
# Job and party ids name files and logs as well: no separator, and at least one letter.
_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_MISLEADING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

Purpose: TypeAlias = Literal["credit_need", "creditworthiness", "churn"]
Jurisdiction: TypeAlias = Literal["CN", "EU"]


class Participant(Terms, frozen=True, kw_only=True):
    """One organisation in a job, whatever its part in it."""

    party_id: str
    public_key: str
    """Hex of the party's signature key."""
    jurisdiction: Jurisdiction
    legal_basis: str
    """A value of the party's own enumeration, for example ``CN13_1``; see ``compliance/``."""
    approver: str
    """Pseudonymous staff id of who may approve for this party."""

    @property
    def dataset_name(self) -> str:
        """The dataset the party brings, by the name its own node knows it under."""
        raise NotImplementedError


class OutputTerms(Terms, frozen=True, kw_only=True):
    """One thing that leaves the job, and the only party that gets it."""

    name: Literal["scores", "metrics", "model_half", "aligned_rows", "joint_table", "model"]
    recipient: str
    form: Literal["score", "band", "label", "aggregate", "local"]


class RetentionTerms(Terms, frozen=True, kw_only=True):
    """Days after which each kind of left-over is deleted, counted from the job's end."""

    row_map_days: int
    intermediate_days: int
    model_days: int
    scores_days: int


class AgreedJob(Terms, frozen=True, kw_only=True, tag_field="version"):
    """Base of the specs all parties sign; ``version`` says which one."""

    job_id: str
    title: str
    purpose: Purpose
    output_use: str
    """How results are used: ``research_only``, ``marketing`` or ``lending_decision``."""
    agreement: str
    """Reference of the contract the parties signed outside this system."""
    suite: Literal["gm", "intl"]
    outputs: tuple[OutputTerms, ...]
    retention: RetentionTerms | None
    proposed_by: str
    """Pseudonymous staff id of who proposed the job."""
    created_at: str
    """UTC, RFC 3339 with seconds, ending in ``Z``."""
    expires_at: str

    @property
    def version(self) -> str:
        """Which spec this is, as it stands in the signed bytes."""
        return str(self.__struct_config__.tag)

    @property
    def participants(self) -> Sequence[Participant]:
        """Every organisation of the job, in the spec's order."""
        raise NotImplementedError

    @property
    def protocol(self) -> str:
        """How the parties' data meets, as an event names it."""
        raise NotImplementedError

    @property
    def algorithm(self) -> str:
        """What is trained or computed, as an event names it."""
        raise NotImplementedError

    @property
    def reveal(self) -> str:
        """What the parties learn of each other's customers, as an event names it."""
        raise NotImplementedError

    @property
    def floor(self) -> int:
        """The smallest group anything is opened for: customers, or contributions to a sum."""
        raise NotImplementedError

    def participant(self, party_id: str) -> Participant:
        """Return the terms of ``party_id``; raises ``KeyError``."""
        for party in self.participants:
            if party.party_id == party_id:
                return party
        raise KeyError(party_id)

    def check_agreed(self) -> None:
        """Refuse what no spec may say; raises ``ValueError``."""
        check_id("job_id", self.job_id)
        check_reference("agreement", self.agreement)
        if self.proposed_by:  # that nobody is named is gate G22's to refuse, and to record
            check_reference("proposed_by", self.proposed_by)
        ids = [party.party_id for party in self.participants]
        for party_id in ids:
            check_id("party_id", party_id)
        if len(set(ids)) != len(ids):
            raise ValueError("party ids must differ")
        if len({party.public_key for party in self.participants}) != len(ids):
            raise ValueError("the parties' public keys must differ")
        created = check_instant("created_at", self.created_at)
        if check_instant("expires_at", self.expires_at) <= created:
            raise ValueError("expires_at must be later than created_at")
        if any(unicodedata.category(c) in _MISLEADING for t in _texts(self) for c in t):
            # An officer approves what is shown: control and format characters can hide or
            # reorder text.
            raise ValueError("a text holds a control or format character")

    def check_recipients(self) -> None:
        """Refuse an output for somebody else than a party; raises ``ValueError``."""
        ids = {party.party_id for party in self.participants}
        if not {output.recipient for output in self.outputs} <= ids:
            raise ValueError("an output's recipient is not a party of the job")

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(msgspec.json.decode(msgspec.json.encode(self)))

    def digest(self, suite: Suite) -> bytes:
        """Return the digest that is bound into every message and event."""
        return suite.hash(b"fedcrm/job-spec/v1\x00", self.to_bytes())


def session_binding(spec: AgreedJob, attempt: int, suite: Suite) -> bytes:
    """Return what every message, hash and signature of one attempt of a job is bound to."""
    return spec.digest(suite) + attempt.to_bytes(4, "big")


def check_id(name: str, value: str) -> None:
    """Refuse what is no job or party id; raises ``ValueError``."""
    if not _ID.fullmatch(value):
        raise ValueError(f"{name} must be 1 to 100 ASCII letters (at least one), digits, . _ or -")


def check_reference(name: str, value: str) -> None:
    """Refuse what is no short reference; raises ``ValueError``."""
    if not _REFERENCE.fullmatch(value):
        raise ValueError(f"{name} must be a short reference without spaces, not shaped like an ID")


def check_instant(name: str, text: str) -> datetime:
    """Return the time ``text`` states; raises ``ValueError``."""
    try:
        when = datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)
    except ValueError:
        when = None
    if when is None or when.strftime(_INSTANT) != text:
        raise ValueError(f"{name} must be a UTC time such as 2026-11-21T08:00:00Z")
    return when


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a part of a spec."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for element in value:
            yield from _texts(element)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name))


def shortened(text: str) -> str:
    """Return the reason as it may stand in a log: the proposer's words in it are bounded."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= 200 else shown[:197] + "..."
