"""One file for each gate; ``compliance/check.py`` lists them in the order they run.

A gate is a function ``decide(spec, stage, facts, rules)`` that returns one
:class:`~compliance.decision.Decision`. It reads its arguments and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from compliance.catalogue import MADE_OR_PUBLIC, Catalogue
from compliance.decision import Decision
from compliance.facts import Facts, Stage
from protocols.session.agreed_job import AgreedJob
from protocols.session.decoded_spec import Spec

Gate: TypeAlias = Callable[[Spec, Stage, Facts, Catalogue], Decision]


def cite(spec: AgreedJob, *, cn: tuple[str, ...] = (), eu: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the clause ids that bind this job: those of its parties' jurisdictions."""
    present = {party.jurisdiction for party in spec.participants}
    return (cn if "CN" in present else ()) + (eu if "EU" in present else ())


def about_nobody(spec: AgreedJob) -> bool:
    """Whether every party declares made-up or public data and results serve research only.

    Declared, not established: no code can tell whether a table describes real people.
    """
    return spec.output_use == "research_only" and all(
        party.legal_basis == MADE_OR_PUBLIC for party in spec.participants
    )
