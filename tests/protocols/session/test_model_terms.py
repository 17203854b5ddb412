"""What a job may train or score: floors, ranges, and what goes together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocols.errors import DecodeError
from protocols.session.decoded_spec import decode_spec
from protocols.session.model_terms import (
    HalfDigest,
    ModelTerms,
    ScorecardTerms,
    ScoringTerms,
    SplitNetworkTerms,
    TreeTerms,
)
from protocols.suite import canonical
from tests.protocols.session.specs import plain_spec

TREES: dict[str, Any] = {
    **plain_spec()["model"],
    "one_side_sampling": None,
    "early_stopping_rounds": 0,
    "validation_percent": 0,
}
SCORECARD: dict[str, Any] = {
    "kind": "scorecard",
    "bins": 10,
    "minimum_class_count": 10,
    "monotone": True,
    "minimum_information_value": "0.02",
    "maximum_correlation": "0.9",
    "epochs": 5,
    "batch_rows": 1024,
    "learning_rate": "0.5",
    "l2": "0.001",
    "sigmoid": "linear",
    "base_points": 600,
    "base_odds": 50,
    "points_to_double": 20,
    "joint_table": False,
    "paillier_bits": 2048,
    "paillier_randomness": "exact",
}
NETWORK: dict[str, Any] = {
    "kind": "split_network",
    "cut_units": 8,
    "hidden_units": 32,
    "epochs": 20,
    "batch_rows": 128,
    "learning_rate": "0.01",
    "weight_decay": "0",
    "label_epsilon": "2",
}
SCORING: dict[str, Any] = {
    "kind": "scoring",
    "model_id": "credit-need-1",
    "trained": "scorecard",
    "halves": [
        {"party_id": "bank", "digest": "ab" * 32},
        {"party_id": "retailer", "digest": "cd" * 32},
    ],
    "form": "band",
    "bands": ["0.1", "0.5"],
    "threshold": "0.5",
    "reasons": 3,
}


def terms(plain: dict[str, Any], **changes: Any) -> Any:
    return msgspec.convert({**plain, **changes}, ModelTerms)


@pytest.mark.parametrize(
    ("plain", "type_"),
    [
        (TREES, TreeTerms),
        (SCORECARD, ScorecardTerms),
        (NETWORK, SplitNetworkTerms),
        (SCORING, ScoringTerms),
    ],
)
def test_the_kind_must_say_which_terms_they_are(plain: dict[str, Any], type_: type) -> None:
    found = terms(plain)
    assert type(found) is type_
    assert found.kind == plain["kind"]
    assert msgspec.json.decode(msgspec.json.encode(found)) == plain


@pytest.mark.parametrize(
    ("plain", "changes", "reason"),
    [
        (TREES, {"objective": "multiclass"}, "classes must be between 3 and 20"),
        (TREES, {"classes": 2}, "classes must be 1"),
        (TREES, {"objective": "regression", "class_weights": "balanced"}, "need classes"),
        (TREES, {"early_stopping_rounds": 3}, "validation_percent must be between 5 and 50"),
        (TREES, {"validation_percent": 20}, "validation_percent must be 0"),
        (TREES, {"row_sample": "0"}, r"row_sample must be in \(0, 1\]"),
        (
            TREES,
            {"one_side_sampling": {"top": "0.9", "other": "0.2"}},
            "at most 1 together",
        ),
        (
            TREES,
            {"one_side_sampling": {"top": "0.2", "other": "0.1"}, "row_sample": "0.5"},
            "not both",
        ),
        (TREES, {"paillier_bits": 1024}, "2048 or 3072"),
        (SCORECARD, {"minimum_class_count": 4}, "minimum_class_count must be between 5"),
        (SCORECARD, {"paillier_bits": 1024}, "2048 or 3072"),
        (SCORECARD, {"maximum_correlation": "0"}, "maximum_correlation must be in"),
        (NETWORK, {"label_epsilon": "0"}, "label_epsilon must be in"),
        (NETWORK, {"label_epsilon": "21"}, "label_epsilon must be in"),
        (NETWORK, {"cut_units": 65}, "cut_units must be between 1 and 64"),
        (SCORING, {"bands": ["0.5", "0.1"]}, "ascending"),
        (SCORING, {"bands": []}, "bands belong to form"),
        (SCORING, {"form": "label"}, "bands belong to form"),
        (SCORING, {"threshold": "1"}, "threshold must be between 0 and 1"),
        (SCORING, {"reasons": 11}, "reasons must be between 0 and 10"),
        (SCORING, {"halves": [SCORING["halves"][0]] * 2}, "one half of a model"),
    ],
)
def test_terms_below_a_floor_must_be_refused(
    plain: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        terms(plain, **changes)


def test_a_digest_must_be_one() -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        HalfDigest(party_id="bank", digest="AB" * 32)


def test_a_scoring_job_must_name_a_half_of_every_party_and_measure_nothing() -> None:
    spec = plain_spec() | {"model": SCORING, "evaluation": None}
    found = decode_spec(canonical.encode(spec))
    assert found.is_scoring
    assert found.scoring.model_id == "credit-need-1"
    with pytest.raises(ValueError, match="trains nothing"):
        _ = found.training
    with pytest.raises(ValueError, match="measures nothing"):
        _ = found.measurement
    one_half = {**SCORING, "halves": SCORING["halves"][:1]}
    for wrong in (
        spec | {"evaluation": plain_spec()["evaluation"]},
        spec | {"model": one_half},
        plain_spec() | {"evaluation": None},
    ):
        with pytest.raises(DecodeError, match="not a valid JobSpec"):
            decode_spec(canonical.encode(wrong))
