"""What this node knows for its gates: its own catalogue, its own ledger, nothing a peer said."""

from __future__ import annotations

from sqlalchemy import Connection

from audit.catalogue import DetailValue
from audit.event import Outcome
from compliance.facts import DatasetFacts, Facts, PrivacyFacts
from party_node.node import Node
from party_node.privacy_ledger import PrivacyLedger
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec


def facts_of(
    node: Node,
    spec: Spec,
    *,
    intersection: int | None = None,
    contributors: int | None = None,
    privacy: PrivacyFacts | None = None,
) -> Facts:
    """Return the facts by which this node judges ``spec`` now.

    ``intersection`` is of a job on shared customers, once it is known; ``contributors`` (in the
    smallest sum opened so far) and ``privacy`` are of a horizontal one.
    """
    name = spec.participant(node.party_id).dataset_name
    if isinstance(spec, JobSpec):
        table = node.dataset(name)
        return Facts(
            dataset=DatasetFacts(
                party_id=node.party_id,
                name=table.name,
                allowed_purposes=table.allowed_purposes,
                label_purpose=table.label_purpose,
            ),
            minimum_cohort=table.minimum_cohort,
            intersection_size=intersection,
            automatic_approval=node.simulated,
        )
    file = node.purchases(name)
    return Facts(
        dataset=DatasetFacts(
            party_id=node.party_id,
            name=file.name,
            allowed_purposes=file.allowed_purposes,
            label_purpose=file.label_purpose,
        ),
        minimum_contributors=file.minimum_contributors,
        contributors=contributors,
        privacy=privacy,
        automatic_approval=node.simulated,
    )


def facts_at_proposal(node: Node, connection: Connection, spec: Spec) -> Facts:
    """Return the facts by which ``spec`` is judged before anything of it is known."""
    if isinstance(spec, HorizontalSpec) and spec.privacy is not None:
        ledger = PrivacyLedger.of(spec, node.party_id, 1, no_event)
        return facts_of(node, spec, privacy=ledger.facts(connection))
    return facts_of(node, spec)


def no_event(
    connection: Connection,
    type_: str,
    *,
    outcome: Outcome | None = None,
    details: dict[str, DetailValue] | None = None,
    counts: dict[str, int] | None = None,
) -> None:
    """Record nothing: asking for facts writes nothing either."""
