"""Own vectors: what the script writes, and what a second implementation computes, agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols import wire
from protocols.gm_channel import ChannelAnswer, ChannelConfirmation, ChannelOffer
from tests.drive import drive
from tests.protocols.gm_channel import plain_channel
from tests.vectors.gm_channel import generate

VECTORS = Path(__file__).parents[2] / "vectors" / "gm_channel"
OFFICIAL = Path(__file__).parents[2] / "vectors" / "suite" / "sm4_gcm.json"


def load(name: str) -> dict:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def test_the_second_implementation_of_gcm_computes_rfc_8998s_vector():
    vector = json.loads(OFFICIAL.read_text("utf-8"))
    sealed = plain_channel.PlainGcm(bytes.fromhex(vector["key"])).seal(
        *(bytes.fromhex(vector[name]) for name in ("nonce", "plaintext", "associated"))
    )
    assert sealed.hex() == vector["ciphertext"] + vector["tag"]


def test_every_stored_vector_has_its_case():
    assert {path.stem for path in VECTORS.glob("*.json")} == set(generate.CASES)


@pytest.mark.parametrize("name", generate.CASES)
def test_the_stored_vectors_are_what_the_script_writes(name):
    assert generate.build(name, drive) == load(name)


@pytest.mark.parametrize("name", generate.CASES)
def test_a_second_implementation_computes_the_same(name):
    vector = load(name)
    parties = [
        plain_channel.PlainParty(
            name=party_id,
            private_key=bytes.fromhex(party["private_key"]),
            certificate_digest=bytes.fromhex(party["certificate_digest"]),
            seed=bytes.fromhex(party["seed"]),
        )
        for party_id, party in sorted(vector["parties"].items())
    ]
    run = plain_channel.run(*parties, bytes.fromhex(vector["spec_digest"]), vector["attempt"])
    for party_id, party in vector["parties"].items():
        assert [data.hex() for data in run.messages[party_id]] == party["messages"]
        assert run.sending[party_id].hex() == party["sending"]
        contents = [(1, bytes.fromhex(payload)) for payload in vector["payloads"]] + [(2, b"")]
        assert party["records"] == [
            plain_channel.record(run.sending[party_id], number, *content).hex()
            for number, content in enumerate(contents)
        ]


@pytest.mark.parametrize("name", generate.CASES)
def test_every_stored_message_decodes_to_itself(name):
    parties = load(name)["parties"]
    offer, confirmation = map(bytes.fromhex, parties["bank"]["messages"])
    (answer,) = map(bytes.fromhex, parties["retailer"]["messages"])
    for data, type_ in (
        (offer, ChannelOffer),
        (answer, ChannelAnswer),
        (confirmation, ChannelConfirmation),
    ):
        assert wire.encode(wire.decode(data, type_)) == data
