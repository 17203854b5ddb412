"""Who learned what names every party, every intersection, and the counts of this very run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import (
    OneSideSampling,
    ScorecardTerms,
    SplitNetworkTerms,
    TrainingTerms,
)
from simulations.learned import what_each_learned
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.model import Learned, PsiReport
from simulations.report.worth import HeldOut
from tests.compliance.specs import bank, job, retailer

HELD_OUT = HeldOut(customers=600, positives=200, trained_on=2400)


SCORECARD = ScorecardTerms(
    bins=10,
    minimum_class_count=10,
    monotone=True,
    minimum_information_value="0.02",
    maximum_correlation="0.9",
    epochs=5,
    batch_rows=1024,
    learning_rate="0.5",
    l2="0.001",
    sigmoid="linear",
    base_points=600,
    base_odds=50,
    points_to_double=20,
    joint_table=False,
    paillier_bits=2048,
    paillier_randomness="exact",
)
NETWORK = SplitNetworkTerms(
    cut_units=8,
    hidden_units=32,
    epochs=20,
    batch_rows=128,
    learning_rate="0.01",
    weight_decay="0.0001",
    label_epsilon="2",
)
SAMPLED = msgspec.structs.replace(
    job().training, one_side_sampling=OneSideSampling(top="0.2", other="0.1")
)


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


def repeated(model: TrainingTerms, repeats: int = 5) -> JobSpec:
    evaluation = msgspec.structs.replace(job().measurement, repeats=repeats)
    return job(model=model, evaluation=evaluation)


def test_scorecard_must_have_told_bins_and_coefficients() -> None:
    found = said(job(model=SCORECARD), psi("ecdh", {"retailer": 3000}, 3000))
    for expected in (
        "for the bins of the columns of retailer, in shuffled order: how many of 2,400 training",
        "how many columns of retailer the scorecard uses",
        "for 2,400 training and 600 held-out customers: what the columns of retailer add",
    ):
        assert expected in found["bank"], expected
    for expected in (
        "the weight of evidence of those that do; from this and its own counts",
        "of the 2,400 training customers in such a bin have the label",
        "how many columns of bank the scorecard uses",
    ):
        assert expected in found["retailer"], expected
    assert "points table" not in found["bank"]
    assert not any(word in "".join(found.values()) for word in ("tree", "gradients over", "sides"))
    joint = msgspec.structs.replace(SCORECARD, joint_table=True)
    told = said(job(model=joint), psi("ecdh", {"retailer": 3000}, 3000))
    assert "the points table of retailer, which every organisation approved" in told["bank"]
    assert "points table" not in told["retailer"]


def test_network_must_have_told_outputs_and_bounded_gradients() -> None:
    found = said(job(model=NETWORK), psi("ecdh", {"retailer": 3000}, 3000))
    assert "of 600 held-out customers once: 8 numbers that the network of retailer" in found["bank"]
    assert "columns can be partly rebuilt from them" in found["bank"]
    assert "what it can infer about any one label is bounded by epsilon = 2" in found["retailer"]
    assert not any(word in "".join(found.values()) for word in ("tree", "sides", "sums"))


def test_sampled_trees_must_have_told_whose_gradients_are_large() -> None:
    found = said(job(model=SAMPLED), psi("ecdh", {"retailer": 3000}, 3000))
    assert "which of the training customers each tree learned from" in found["retailer"]
    plain = said(job(), psi("ecdh", {"retailer": 3000}, 3000))
    assert "each tree learned from" not in plain["retailer"]


def test_repeated_splits_must_tell_what_they_tell_of_each_model() -> None:
    shared = psi("ecdh", {"retailer": 3000}, 3000)
    card = said(repeated(SCORECARD), shared)
    assert "the same for each of 5 splits of the customers" in card["bank"]
    assert "counts of sets that differ by few customers" in card["retailer"]
    network = said(repeated(NETWORK), shared)
    assert "so the bound holds for all of them together" in network["retailer"]
    once = said(repeated(NETWORK, 1), shared)
    assert "splits of the customers" not in "".join(once.values())


@pytest.mark.parametrize("t", [ENGLISH, CHINESE])
@pytest.mark.parametrize("protocol", ["ecdh", "server_aided"])
@pytest.mark.parametrize("model", [job().training, SAMPLED, SCORECARD, NETWORK])
def test_every_sentence_must_be_whole_in_every_language(
    t: Any, protocol: str, model: TrainingTerms
) -> None:
    base = several()
    spec = several(
        model=model,
        evaluation=msgspec.structs.replace(base.measurement, repeats=2),
        alignment=msgspec.structs.replace(base.alignment, protocol=protocol),
    )
    found = said(spec, psi(protocol, {"retailer": 3000, "telco": 2500}, 2000), t)
    assert set(found) == {"bank", "retailer", "telco", "coordinator"}
    assert all("{" not in text and "}" not in text for text in found.values())


def test_a_sentence_no_language_has_must_be_refused() -> None:
    with pytest.raises(ValueError, match="no sentence"):
        Learned(key="everything")
