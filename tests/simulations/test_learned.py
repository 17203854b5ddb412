"""Who learned what names every party, every intersection, and the counts of this very run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocols.session.job_spec import JobSpec
from simulations.learned import what_each_learned
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.model import HeldOut, Learned, PsiReport
from tests.compliance.specs import bank, job, retailer

HELD_OUT = HeldOut(customers=600, positives=200, trained_on=2400)


def psi(protocol: str, pairwise: dict[str, int], common: int) -> PsiReport:
    sizes = {"bank": 4000} | {party: 5000 + number for number, party in enumerate(pairwise)}
    return PsiReport(
        protocol=protocol,
        sizes=sizes,
        intersection=common,
        pairwise=pairwise,
        floor=1000,
        wall_s=1.0,
        bytes=1,
    )


def several(**changes: Any) -> JobSpec:
    telco = retailer(party_id="telco", public_key="04" + "33" * 64, approver="staff-t3")
    return job(**changes, parties=(bank(), retailer(), telco))


def said(spec: JobSpec, report: PsiReport, t: Any = ENGLISH) -> dict[str, str]:
    learned = what_each_learned(spec, report, HELD_OUT)
    return {party: "\n".join(s.said(t) for s in found) for party, found in learned.items()}


def test_two_parties_must_learn_each_others_customers_and_nobody_all() -> None:
    found = said(job(), psi("ecdh", {"retailer": 3000}, 3000))
    assert set(found) == {"bank", "retailer", "coordinator"}
    assert "which 3,000 of its 4,000 customers are also customers of retailer" in found["bank"]
    assert "retailer brought 5,000" in found["bank"]
    assert "which 3,000 of its 5,000 customers are also customers of bank" in found["retailer"]
    assert "for 2,400 training customers: sums of their gradients" in found["bank"]
    assert "for 600 held-out customers" in found["bank"]
    assert "which of the 2,400 training customers reach each node" in found["retailer"]
    assert "nothing about the held-out customers' scores" in found["retailer"]
    assert "name and meaning of the label" in found["retailer"]
    assert "name and meaning of the label" not in found["bank"]
    assert "common to all" not in "".join(found.values())
    assert "splits of the customers" not in "".join(found.values())
    assert "do not pass through it" in found["coordinator"]


def test_active_party_of_several_must_have_learned_each_pairwise_intersection() -> None:
    found = said(several(), psi("ecdh", {"retailer": 3000, "telco": 2500}, 2000))
    assert "which 3,000 of its 4,000 customers are also customers of retailer" in found["bank"]
    assert "which 2,500 of its 4,000 customers are also customers of telco" in found["bank"]
    assert "every one of these intersections, although only the 2,000" in found["bank"]
    assert "candidate splits of retailer and telco" in found["bank"]
    assert "which 2,500 of its 5,001 customers are also customers of bank" in found["telco"]
    assert (
        "which 2,000 of them are common to all, and so also customers of retailer"
        in (found["telco"])
    )
    assert "customers of telco" in found["retailer"]
    assert "columns of bank and retailer" in found["telco"]


def test_server_aided_coordinator_must_have_learned_which_tokens_match() -> None:
    alignment = msgspec.structs.replace(job().alignment, protocol="server_aided")
    found = said(job(alignment=alignment), psi("server_aided", {"retailer": 3000}, 3000))
    assert "how many customers each organisation brought" in found["coordinator"]
    assert "which keyed tokens of two lists match" in found["coordinator"]
    assert "mean nothing without their keys" in found["coordinator"]
    assert "do not pass through it" not in found["coordinator"]


def test_repeated_splits_must_be_told_for_they_tell_more() -> None:
    evaluation = msgspec.structs.replace(job().evaluation, repeats=5)
    found = said(job(evaluation=evaluation), psi("ecdh", {"retailer": 3000}, 3000))
    assert "each of 5 splits of the customers: over all of them" in found["bank"]
    assert "makes guessing labels easier" in found["retailer"]


def test_a_single_tree_of_the_active_party_must_have_told_nobody_anything() -> None:
    model = msgspec.structs.replace(job().model, trees=1)
    found = said(job(model=model), psi("ecdh", {"retailer": 3000}, 3000))
    assert "nothing from training: the only tree splits on its own columns" in found["bank"]
    assert "nothing from training: the only tree splits on columns of bank" in found["retailer"]
    assert "gradients" not in found["bank"]
    assert "node" not in found["retailer"]
    open_model = msgspec.structs.replace(model, first_tree_active_only=False)
    told = said(job(model=open_model), psi("ecdh", {"retailer": 3000}, 3000))
    assert "gradients" in told["bank"]


@pytest.mark.parametrize("t", [ENGLISH, CHINESE])
@pytest.mark.parametrize("protocol", ["ecdh", "server_aided"])
def test_every_sentence_must_be_whole_in_every_language(t: Any, protocol: str) -> None:
    base = several()
    spec = several(
        evaluation=msgspec.structs.replace(base.evaluation, repeats=2),
        alignment=msgspec.structs.replace(base.alignment, protocol=protocol),
    )
    found = said(spec, psi(protocol, {"retailer": 3000, "telco": 2500}, 2000), t)
    assert set(found) == {"bank", "retailer", "telco", "coordinator"}
    assert all("{" not in text and "}" not in text for text in found.values())


def test_a_sentence_no_language_has_must_be_refused() -> None:
    with pytest.raises(ValueError, match="no sentence"):
        Learned(key="everything")
