"""Own vectors: what the script writes, and what a second implementation computes, agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.protocols.secure_aggregation.federation import Federation
from tests.protocols.secure_aggregation.plain_protocol import PlainParty, PlainRun
from tests.vectors.secure_aggregation import generate

VECTORS = Path(__file__).parents[2] / "vectors" / "secure_aggregation"


def load(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def test_every_stored_vector_has_its_case():
    assert {path.stem for path in VECTORS.glob("*.json")} == set(generate.CASES)


@pytest.mark.parametrize("name", generate.CASES)
def test_the_stored_vectors_are_what_the_script_writes(name):
    assert generate.build(name, Federation) == load(name)


@pytest.mark.parametrize("name", generate.CASES)
def test_a_second_implementation_computes_the_same(name):
    vector = load(name)
    run = PlainRun(
        {
            party_id: PlainParty(
                party_id,
                bytes.fromhex(party["private_key"]),
                {purpose: bytes.fromhex(seed) for purpose, seed in party["seeds"].items()},
                party["shares"],
                party["contributes"],
                party["words"],
            )
            for party_id, party in vector["parties"].items()
        },
        *(bytes.fromhex(vector["binding"]), vector["threshold"], vector["floor"]),
        *(vector["first"], vector["sums"], vector["number"]),
    )
    run.run()
    for party_id, party in vector["parties"].items():
        computed = {step: data.hex() for step, data in run.parties[party_id].messages.items()}
        assert computed == party["messages"]
    assert run.group_key.hex() == vector["group_key"]
    assert run.opening.hex() == vector["opening"]
    assert run.total == vector["sum"]
    contributed = [p["words"] for p in vector["parties"].values() if p["contributes"]]
    assert vector["sum"] == [sum(column) for column in zip(*contributed, strict=True)]
