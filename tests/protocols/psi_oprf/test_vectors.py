"""Own vectors: what the script writes, and what a second implementation computes, agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols import psi_oprf, wire
from tests.drive import drive
from tests.protocols.plain_suites import PLAIN
from tests.protocols.psi_oprf import plain_protocol
from tests.vectors.psi_oprf import generate

VECTORS = Path(__file__).parents[2] / "vectors" / "psi_oprf"
TYPES = (
    psi_oprf.QueryTerms,
    psi_oprf.AnswerTerms,
    psi_oprf.TermsSignature,
    psi_oprf.TagChunk,
    psi_oprf.BlindedQueries,
    psi_oprf.EvaluatedQueries,
    psi_oprf.Matches,
    psi_oprf.MatchedTags,
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
        )
        for role in ("receiver", "sender")
        for party in [vector["parties"][vector[role]]]
    ]
    run = plain_protocol.run(
        PLAIN[vector["suite"]],
        *parties,
        epoch_seed=bytes.fromhex(vector["epoch"]["seed"]),
        quota=vector["quota"],
        quota_left=vector["quota_left"],
        context=bytes.fromhex(vector["context"]),
        cached=vector["cached"],
    )
    assert run.key_id.hex() == vector["epoch"]["id"]
    assert f"{run.scalar:064x}" == vector["epoch"]["scalar"]
    assert [tag.hex() for tag in run.tags] == vector["tags"]
    assert run.order == vector["order"]
    assert run.digest.hex() == vector["tag_set"]
    assert run.statement.decode() == vector["statement"]
    for party_id, party in vector["parties"].items():
        assert [data.hex() for data in run.outbound[party_id]] == party["outbound"]
        assert run.positions[party_id] == party["positions"]
        assert run.signatures[party_id].hex() == party["signature"]


@pytest.mark.parametrize("name", generate.CASES)
def test_every_stored_message_decodes_to_itself(name):
    types = {type_.__name__: type_ for type_ in TYPES}
    for party in load(name)["parties"].values():
        for data in map(bytes.fromhex, party["outbound"]):
            message = wire.decode(data, types[data[2 : 2 + data[1] - 0xA0].decode()])
            assert wire.encode(message) == data
