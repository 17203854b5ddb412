"""The halves' bytes: what is not one must be refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import model_file
from models.model_file import ModelFile
from models.split_network.model import ActiveModel, PassiveModel
from protocols.errors import DecodeError
from tests.models.split_network.training import (
    ACTIVE,
    PASSIVES,
    made_case,
    options,
    train_federated,
)

TYPES = {ACTIVE: ActiveModel, PASSIVES[0]: PassiveModel}


@cache
def _halves():
    tables, labels = made_case(40, passives=PASSIVES)
    return train_federated(tables, labels, options(epochs=1)).halves


def test_halves_must_state_their_columns():
    for party, type_ in TYPES.items():
        half = _halves()[party]
        file = model_file.read(half.to_bytes())
        assert (file.kind, file.role) == (
            "split_network",
            "active_party" if type_ is ActiveModel else "passive_party",
        )
        assert file.facts["columns"] == [
            {"name": f"{party} amount", "kind": "numeric"},
            {"name": f"{party} age", "kind": "numeric"},
            {"name": f"{party} kind", "kind": "categorical"},
        ]


def test_a_half_of_the_other_role_must_be_refused():
    with pytest.raises(DecodeError, match="passive party"):
        ActiveModel.from_bytes(_halves()["retailer"].to_bytes())
    with pytest.raises(DecodeError, match="active party"):
        PassiveModel.from_bytes(_halves()[ACTIVE].to_bytes())


CHANGES = {
    "no facts": lambda facts, arrays: facts.clear(),
    "a fact more": lambda facts, arrays: facts.update(more=1),
    "cut units": lambda facts, arrays: facts.update(cut_units=4),
    "no cut units": lambda facts, arrays: facts.update(cut_units=0),
    "huge layers": lambda facts, arrays: facts.update(hidden_units=2**40),
    "a text for a number": lambda facts, arrays: facts.update(hidden_units="8"),
    "columns twice": lambda facts, arrays: facts.update(columns=[facts["columns"][0]] * 3),
    "a column less": lambda facts, arrays: facts.update(columns=facts["columns"][:2]),
    "another kind": lambda facts, arrays: facts["columns"][2].update(kind="numeric"),
    "no kind": lambda facts, arrays: facts["columns"][2].update(kind="date"),
    "levels out of order": lambda facts, arrays: facts["inputs"][2].update(levels=["b", "a"]),
    "too many levels": lambda facts, arrays: facts["inputs"][2].update(
        levels=[f"{i:03}" for i in range(40)]
    ),
    "weights short": lambda facts, arrays: arrays.update(weights=arrays["weights"][:-1]),
    "weights wide": lambda facts, arrays: arrays.update(
        weights=arrays["weights"].astype(np.float64)
    ),
    "means short": lambda facts, arrays: arrays.update(input_means=arrays["input_means"][1:]),
    "no scale": lambda facts, arrays: arrays.update(numbers=arrays["numbers"] * 0),
    "an array more": lambda facts, arrays: arrays.update(more=arrays["numbers"]),
    "an array less": lambda facts, arrays: arrays.pop("numbers"),
}


@pytest.mark.parametrize("party", TYPES)
@pytest.mark.parametrize("name", CHANGES)
def test_halves_that_do_not_fit_together_must_be_refused(name, party):
    file = model_file.read(_halves()[party].to_bytes())
    facts, arrays = dict(file.facts), dict(file.arrays)
    CHANGES[name](facts, arrays)
    data = model_file.encode(ModelFile(file.kind, file.role, facts, arrays))
    with pytest.raises(DecodeError):
        TYPES[party].from_bytes(data)


def test_peers_that_do_not_fit_must_be_refused():
    file = model_file.read(_halves()[ACTIVE].to_bytes())
    for passives in (["retailer"], ["retailer", "retailer"], ["a", "b", "c"], "ab"):
        facts = {**file.facts, "passives": passives}
        data = model_file.encode(ModelFile(file.kind, file.role, facts, file.arrays))
        with pytest.raises(DecodeError):
            ActiveModel.from_bytes(data)
    file = model_file.read(_halves()["retailer"].to_bytes())
    facts = {**file.facts, "passives": ["telecom"]}
    data = model_file.encode(ModelFile(file.kind, file.role, facts, file.arrays))
    with pytest.raises(DecodeError, match="names passive parties"):
        PassiveModel.from_bytes(data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_must_decode_or_be_refused(party, at, change):
    data = bytearray(_halves()[party].to_bytes())
    data[at % len(data)] ^= change
    try:
        half = TYPES[party].from_bytes(bytes(data))
    except DecodeError:
        return
    assert half.to_bytes() == bytes(data)
