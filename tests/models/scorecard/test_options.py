"""Options: their ranges, and where they come from."""

from __future__ import annotations

import pytest

from models.scorecard.options import Scale, ScorecardOptions
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import ScorecardTerms
from tests.models.scorecard.training import options


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("bins", (1, 51)),
        ("minimum_class_count", (4, 1_000_001)),
        ("minimum_information_value", (-0.1, 1001)),
        ("maximum_correlation", (0, 1.1)),
        ("epochs", (0, 101)),
        ("batch_rows", (63, 1_000_001)),
        ("learning_rate", (0, 1.01)),
        ("l2", (-1, 1001)),
        ("sigmoid", ("exact",)),
    ],
)
def test_values_outside_their_ranges_must_be_refused(name, bad):
    for value in bad:
        with pytest.raises(LocalProtocolError, match=name):
            options(**{name: value})


def test_options_must_be_those_of_the_signed_terms():
    terms = ScorecardTerms(
        bins=10,
        minimum_class_count=20,
        monotone=True,
        minimum_information_value="0.02",
        maximum_correlation="0.9",
        epochs=4,
        batch_rows=4096,
        learning_rate="0.5",
        l2="1",
        sigmoid="cubic",
        base_points=600,
        base_odds=50,
        points_to_double=20,
        joint_table=True,
        paillier_bits=2048,
        paillier_randomness="exact",
    )
    assert ScorecardOptions.from_terms(terms) == ScorecardOptions(
        bins=10,
        minimum_class_count=20,
        monotone=True,
        minimum_information_value=0.02,
        maximum_correlation=0.9,
        epochs=4,
        batch_rows=4096,
        learning_rate=0.5,
        l2=1.0,
        sigmoid="cubic",
        scale=Scale(600, 50, 20),
        joint_table=True,
    )
