"""Own vectors: what the script writes, and what a second implementation computes, agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols import psi_sum, wire
from tests.drive import drive
from tests.protocols.plain_suites import PLAIN
from tests.protocols.psi_sum import plain_protocol
from tests.vectors.psi_sum import generate

VECTORS = Path(__file__).parents[2] / "vectors" / "psi_sum"
TYPES = (
    psi_sum.Terms,
    psi_sum.EncryptionKey,
    psi_sum.BlindedItems,
    psi_sum.ValuedItems,
    psi_sum.EvaluatedItems,
    psi_sum.Cardinality,
    psi_sum.SizeStatement,
    psi_sum.EncryptedSum,
    psi_sum.DecryptionShare,
    psi_sum.SumStatement,
)


def load(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def test_every_stored_vector_has_its_case():
    assert {path.stem for path in VECTORS.glob("*.json")} == set(generate.CASES)


@pytest.mark.parametrize("name", generate.CASES)
def test_the_stored_vectors_are_what_the_script_writes(name):
    assert generate.build(name, drive) == load(name)


@pytest.mark.parametrize("name", generate.CASES)
def test_a_second_implementation_computes_the_same_transcript(name):
    vector = load(name)
    parties = [
        plain_protocol.PlainParty(
            name=vector[role],
            role=role,
            private_key=bytes.fromhex(party["private_key"]),
            seed=bytes.fromhex(party["seed"]),
            items=[bytes.fromhex(item) for item in party["items"]],
            values=party["values"],
        )
        for role in ("receiver", "sender")
        for party in [vector["parties"][vector[role]]]
    ]
    run = plain_protocol.run(
        PLAIN[vector["suite"]],
        *parties,
        context=bytes.fromhex(vector["context"]),
        floor=vector["floor"],
        to=vector["to"],
    )
    assert run.statement.decode() == vector["statement"]
    for party_id, party in vector["parties"].items():
        assert [data.hex() for data in run.outbound[party_id]] == party["outbound"]
        assert run.sizes[party_id] == party["size"]
        assert run.totals[party_id] == party["total"]
        assert run.signatures[party_id].hex() == party["signature"]


@pytest.mark.parametrize("name", generate.CASES)
def test_every_stored_message_decodes_to_itself(name):
    types = {type_.__name__: type_ for type_ in TYPES}
    for party in load(name)["parties"].values():
        for data in map(bytes.fromhex, party["outbound"]):
            message = wire.decode(data, types[data[2 : 2 + data[1] - 0xA0].decode()])
            assert wire.encode(message) == data
