"""A node's gates are told what its own catalogue and ledger hold; asking writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.log import read_events
from compliance.facts import PrivacyFacts
from party_node.datasets import Registration
from party_node.errors import NodeError
from party_node.gate_facts import facts_at_proposal, facts_of
from party_node.node import Node
from party_node.purchases.registration import LineColumns, PurchaseRegistration
from party_node.store import transaction
from tests.compliance.horizontal_specs import PRIVACY, horizontal
from tests.compliance.specs import job

MakeNode = Callable[..., Node]


@pytest.fixture
def make_node(tmp_path: Path) -> MakeNode:
    def make(party: str, *, simulated: bool = True) -> Node:
        return Node.create(tmp_path / party, party, "gm", simulated=simulated)

    return make


def with_purchases(node: Node) -> Node:
    node.register_purchases(
        PurchaseRegistration(
            name="east_purchases",
            path="never read",
            identifier_column="customer",
            identifier_kind="opaque",
            columns=LineColumns(time="day", amount="paid"),
            allowed_purposes=("churn",),
            label_purpose="churn",
            minimum_contributors=4,
        )
    )
    return node


def with_table(node: Node, spec_dataset: str) -> Node:
    node.register_dataset(
        Registration(
            name=spec_dataset,
            path="never read",
            identifier_column="phone",
            identifier_kind="phone",
            columns=(),
            allowed_purposes=("credit_need", "churn"),
            label_purpose="credit_need",
            minimum_cohort=700,
        )
    )
    return node


def contents(node: Node) -> tuple[int, dict[str, int]]:
    """Return how many events and rows there are."""
    with node.engine.connect() as connection:
        names = connection.execute(text("select name from sqlite_master where type = 'table'"))
        rows = {
            name: connection.execute(text(f"select count(*) from {name}")).scalar_one()
            for name in names.scalars().all()
        }
        return len(list(read_events(connection))), rows


def test_of_shared_customers_the_nodes_own_floor_counts(make_node: MakeNode) -> None:
    spec = job()
    party = spec.active_party.party_id
    node = with_table(make_node(party), spec.active_party.dataset_name)
    facts = facts_of(node, spec, intersection=812)
    assert (facts.dataset.party_id, facts.dataset.name) == (party, spec.active_party.dataset_name)
    assert facts.dataset.allowed_purposes == ("credit_need", "churn")
    assert facts.dataset.label_purpose == "credit_need"
    assert (facts.minimum_cohort, facts.intersection_size) == (700, 812)
    assert facts.automatic_approval
    assert (facts.contributors, facts.privacy) == (None, None)


def test_of_a_horizontal_job_the_sums_count(make_node: MakeNode) -> None:
    node = with_purchases(make_node("east", simulated=False))
    balance = PrivacyFacts(recipient="north", delta="0.00001", spent_epsilon="1", after_epsilon="2")
    facts = facts_of(node, horizontal(), contributors=4, privacy=balance)
    assert (facts.dataset.party_id, facts.dataset.name) == ("east", "east_purchases")
    assert facts.dataset.allowed_purposes == ("churn",)
    assert (facts.minimum_contributors, facts.contributors) == (4, 4)
    assert facts.privacy == balance
    assert facts.intersection_size is None
    assert not facts.automatic_approval


def test_a_dataset_this_node_never_registered_is_an_error(make_node: MakeNode) -> None:
    node = make_node("east")
    with pytest.raises(NodeError, match="east_purchases"):
        facts_of(node, horizontal())


def test_at_proposal_the_ledger_is_asked_where_there_is_a_budget(make_node: MakeNode) -> None:
    node = with_purchases(make_node("east"))
    before = contents(node)
    with transaction(node.engine) as connection:
        none = facts_at_proposal(node, connection, horizontal())
        facts = facts_at_proposal(node, connection, horizontal(privacy=PRIVACY))
    assert none.privacy is None
    assert facts.privacy is not None
    assert facts.privacy.recipient in ("north", "south", "west", "centre")
    assert float(facts.privacy.spent_epsilon) == 0
    assert facts.privacy.after_epsilon is None  # nothing is planned yet
    assert contents(node) == before
