"""The catalogue is closed, consistent, and cannot carry an identifier by accident."""

from __future__ import annotations

import pytest

from audit.catalogue import (
    CATALOGUE,
    INTENTS,
    RETENTION_MEANING,
    VISIBILITY_MEANING,
    EventType,
    outcomes_of,
)
from audit.detail_kinds import DETAIL_KINDS, is_code, is_digest, is_label
from audit.event import MAX_ENTRY_BYTES, Actor, EventDraft, Outcome, check_draft
from audit.sum_events import SUM_EVENTS


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_every_type_is_complete(row: EventType) -> None:
    assert row.details <= DETAIL_KINDS.keys()
    assert row.meaning[0].isupper()
    assert row.meaning.endswith(".")
    assert "\n" not in row.meaning
    assert row.visibility in VISIBILITY_MEANING
    assert row.retention in RETENTION_MEANING
    assert row.ends is None or row.ends in CATALOGUE
    assert row.ends is not None or not row.end_required


def test_every_intent_can_end_well_and_badly() -> None:
    assert {name for name in CATALOGUE if name.endswith(".intended")} == INTENTS
    for intent in INTENTS:
        ends = outcomes_of(intent)
        assert any(name.endswith(".failed") for name in ends)
        assert len(ends) >= 2


def test_every_detail_kind_is_used() -> None:
    assert DETAIL_KINDS.keys() == {key for row in CATALOGUE.values() for key in row.details}


@pytest.mark.parametrize(
    "value",
    [
        "13800138000",
        "+8613800138000",
        "11010519491231002X",
        "110105194912310021",
        "someone@example.org",
        "two words",
        "名",
        "",
        "x" * 129,
        7,
    ],
)
def test_codes_refuse_identifiers(value: object) -> None:
    assert not is_code(value)


@pytest.mark.parametrize(
    "value",
    [
        "13800138000",
        "138 0013 8000",
        "+86 138-0013-8000",
        "11010519491231002X",
        "a@b",
        'quote"',
        "back\\slash",
        "line\nbreak",
        "bidi\u202eoverride",
        " leading",
        "",
        None,
    ],
)
def test_labels_refuse_identifiers_and_control_characters(value: object) -> None:
    assert not is_label(value)


def test_what_is_needed_is_accepted() -> None:
    assert is_code("job-01JD2K/ecdh:v1+x")
    assert is_label("年收入 (annual income)")
    assert is_digest("ab" * 32)
    assert not is_digest("AB" * 32)
    assert not is_digest("ab" * 8)


@pytest.mark.parametrize("row", SUM_EVENTS, ids=[row.name for row in SUM_EVENTS])
def test_what_parties_see_of_sums_tells_no_customer_count(row: EventType) -> None:
    """Steps and epsilons follow from how many customers a party has, so they stay with it."""
    assert CATALOGUE[row.name] is row
    telling = {"rows", "customers", "train", "held_out", "positives", "accepted", "dp_steps"}
    if row.visibility == "joint":
        assert not telling & row.counts
        assert not {"epsilon", "delta", "balance"} & row.details


def test_every_step_of_a_sum_can_be_recorded() -> None:
    party = {"epoch.begun", "sum.contributed", "sum.list_signed", "sum.shares_revealed"}
    party |= {"sum.opened", "sum.parties_missing", "sum.lost", "epoch.keys_destroyed"}
    coordinator = {"sum.added", "sum.contribution_refused"}
    keys = {f"he.key_{what}" for what in ("generated", "received", "used", "destroyed")}
    budget = {f"privacy.budget_{what}" for what in ("reserved", "spent", "settled", "exhausted")}
    assert party | coordinator | keys | budget <= CATALOGUE.keys()
    for name in party - {"epoch.begun", "epoch.keys_destroyed"} | {"sum.added", "he.key_used"}:
        assert "sum_number" in CATALOGUE[name].counts, name
    assert {"contributors_digest", "operation", "key_id", "scheme"} <= CATALOGUE[
        "he.key_used"
    ].details
    assert all(CATALOGUE[name].visibility == "local" for name in keys | budget)
    assert all(CATALOGUE[name].retention == "JOINT" for name in party | coordinator | budget)


def test_the_largest_job_fits_one_event() -> None:
    parties = [f"{number:03}" + "p" * 97 for number in range(100)]
    draft = EventDraft(
        type="sum.opened",
        actor=Actor(kind="service", id="node:a", role="party-node", authn="local"),
        outcome=Outcome(status="success", code="ok"),
        details={"step": "train", "parties": parties, "contributors_digest": "ab" * 32},
        counts={"sum_number": 599, "contributors": 100},
    )
    assert check_draft(draft).name == "sum.opened"
    assert len(str(draft.details)) < MAX_ENTRY_BYTES // 2
