"""What a gate answers, and how several answers become one."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec


class Verdict(enum.Enum):
    """The four answers, from the mildest to the strictest."""

    ALLOW = "ALLOW"
    CONDITIONS = "CONDITIONS"
    """Allowed, provided people see to what is listed; this code does not check that they did."""
    NEEDS_APPROVAL = "NEEDS_APPROVAL"
    """A question only people can answer."""
    DENY = "DENY"

    @property
    def severity(self) -> int:
        """0 for the mildest; verdicts have no order of their own, so nobody compares strings."""
        return _SEVERITY[self]


_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One gate's answer about one job at one stage.

    ``hard`` says that a verdict above CONDITIONS stops the job and nobody overrides it here. A
    soft NEEDS_APPROVAL stays visible in reports and stops nothing. A DENY always stops.
    """

    gate: str
    verdict: Verdict
    hard: bool
    reason: str
    """One plain English sentence, without identifiers of people and without row values."""
    articles: tuple[str, ...]
    """Clause ids of ``catalogue.toml``."""
    conditions: tuple[str, ...] = ()
    bundle_digest: str = ""
    """Hex digest of the rules that decided; filled in by ``evaluate``."""
    inputs_digest: str = ""
    """Hex digest of spec, stage and local facts; filled in by ``evaluate``.

    Local facts take few values, so a peer could find them by trying: this digest belongs in the
    party's own log, not in a joint event.
    """

    @property
    def stops(self) -> bool:
        """Whether the job may not go on."""
        if self.verdict is Verdict.NEEDS_APPROVAL:
            return self.hard
        return self.verdict is Verdict.DENY


def strictest(decisions: Iterable[Decision]) -> Decision:
    """Return the decision that counts where several were taken: the strictest one.

    Parties run their own rules on the same job; nobody's milder answer softens another's. Of equal
    verdicts a hard one counts before a soft one, then the first. Conditions and articles of all of
    them are kept, because all of them bind. Raises ``ValueError`` for no decisions at all: silence
    is not permission.
    """
    given = tuple(decisions)
    if not given:
        raise ValueError("no decision was taken; that is not a permission")
    winner = max(given, key=lambda d: (d.verdict.severity, d.hard))
    return msgspec.structs.replace(
        winner,
        articles=_distinct(article for d in given for article in d.articles),
        conditions=_distinct(condition for d in given for condition in d.conditions),
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
