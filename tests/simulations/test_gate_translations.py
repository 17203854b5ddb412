"""What the gates say of jobs that add up contributions can be read in Chinese."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from compliance.catalogue import load_catalogue
from compliance.check import GATES, evaluate
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import get_suite
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.translations import chinese_of
from tests.compliance.horizontal_specs import (
    PRIVACY,
    balance,
    horizontal,
    made_up,
    pair,
    shop_facts,
)

HAN = re.compile(r"[\u4e00-\u9fff]")
BASES = [basis.id for basis in load_catalogue().legal_bases]


def said_of(spec: HorizontalSpec, **facts: Any) -> list[str]:
    """Return every reason and condition of the gates that let the job pass."""
    texts = []
    for stage in ("proposal", "start", "release"):
        told = shop_facts(contributors=None if stage != "release" else 3, **facts)
        for decision in evaluate(spec, stage=stage, facts=told, suite=get_suite("gm")):
            if not decision.stops:
                texts += [decision.reason, *decision.conditions]
    return texts


def test_every_gate_must_have_a_name_and_a_question() -> None:
    for gate in GATES:
        for prefix in ("gate_", "gate_asks_"):
            assert ENGLISH[prefix + gate] != CHINESE[prefix + gate]


@pytest.mark.parametrize("basis", BASES)
def test_every_legal_basis_must_be_told_in_chinese(basis: str) -> None:
    european = {"jurisdiction": "EU"} if basis.startswith("EU") else {}
    texts = said_of(horizontal(party={"legal_basis": basis, **european}))
    assert texts
    for text in texts:
        assert HAN.search(chinese_of(text) or ""), text


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        (made_up(), {"automatic_approval": True}),
        (made_up(aggregation={"method": "ckks"}), {"automatic_approval": True}),
        (horizontal(aggregation={"method": "paillier"}), {}),
        (horizontal(privacy=PRIVACY), {"privacy": balance("1.5", "3.25")}),
        (horizontal(privacy=PRIVACY), {"privacy": balance("1.5", None)}),
        (pair(), {"privacy": balance()}),
        (
            pair(privacy=msgspec.structs.replace(PRIVACY, epsilon="4.5")),
            {"privacy": balance("0", "4.5")},
        ),
        (
            made_up(  # two findings of one gate
                parties=2,
                party={"minimum_contributors": 2},
                aggregation={"method": "paillier", "minimum_contributors": 2, "threshold": 2},
                privacy=msgspec.structs.replace(PRIVACY, epsilon="4.5"),
            ),
            {"privacy": balance("0", "4.5")},
        ),
    ],
)
def test_what_lets_a_job_pass_must_be_told_in_chinese(
    spec: HorizontalSpec, facts: dict[str, Any]
) -> None:
    texts = said_of(spec, **facts)
    assert len(texts) >= 3 * len(GATES) - 3
    for text in texts:
        chinese = chinese_of(text) or ""
        assert HAN.search(chinese), text
        for number in re.findall(r"\d+\.\d+", text):
            assert number in chinese
