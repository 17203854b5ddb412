"""Own vectors: what the script writes, and what a second implementation computes, agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols import wire
from protocols.psi_server_aided import (
    KeyAnswer,
    KeyConfirmation,
    KeyOffer,
    MatchAnswer,
    MatchesMac,
    MatchTerms,
    TokenList,
)
from protocols.session.countersign import StatementSignature
from tests.drive import drive
from tests.protocols.psi_server_aided import plain_protocol
from tests.vectors.psi_server_aided import generate

VECTORS = Path(__file__).parents[2] / "vectors" / "psi_server_aided"
TYPES = (
    KeyOffer,
    KeyAnswer,
    KeyConfirmation,
    TokenList,
    MatchAnswer,
    MatchTerms,
    MatchesMac,
    StatementSignature,
)


def load(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def test_every_stored_vector_has_its_case():
    assert {path.stem for path in VECTORS.glob("*.json")} == set(generate.CASES)


@pytest.mark.parametrize("name", generate.CASES)
def test_the_stored_vectors_are_what_the_script_writes(name):
    assert generate.build(name, drive) == load(name)


@pytest.mark.parametrize("name", generate.CASES)
def test_a_second_implementation_computes_the_same(name):
    vector = load(name)
    parties = [
        plain_protocol.PlainParty(
            name=party_id,
            private_key=bytes.fromhex(party["private_key"]),
            key_seed=bytes.fromhex(party["seeds"]["keys"]),
            seed=bytes.fromhex(party["seeds"]["matches"]),
            items=[bytes.fromhex(item) for item in party["items"]],
        )
        for party_id, party in sorted(vector["parties"].items())
    ]
    run = plain_protocol.run(parties, bytes.fromhex(vector["context"]), vector["floor"])
    assert run.statement.decode() == vector["statement"]
    assert {name: key.hex() for name, key in run.keys.items()} == vector["keys"]
    for party_id, party in vector["parties"].items():
        assert [data.hex() for data in run.key_messages[party_id]] == party["key_messages"]
        assert run.token_lists[party_id].hex() == party["token_list"]
        assert run.answers[party_id].hex() == party["answer"]
        assert [data.hex() for data in run.messages[party_id]] == party["messages"]
        assert run.positions[party_id] == party["positions"]
        assert run.signatures[party_id].hex() == party["signature"]


@pytest.mark.parametrize("name", generate.CASES)
def test_every_stored_message_decodes_to_itself(name):
    types = {type_.__name__: type_ for type_ in TYPES}
    seen = set()
    for party in load(name)["parties"].values():
        stored = [*party["key_messages"], party["token_list"], party["answer"], *party["messages"]]
        for data in map(bytes.fromhex, stored):
            type_name = data[2 : 2 + data[1] - 0xA0].decode()
            assert wire.encode(wire.decode(data, types[type_name])) == data
            seen.add(type_name)
    assert seen == set(types)
