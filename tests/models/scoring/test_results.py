"""What leaves of a prediction: one form, stated digits, reasons, and the owner's row numbers."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.predictions import Predictions
from models.scoring import SCORE_DIGITS, score_customers
from protocols.errors import LocalProtocolError
from tests.models.scoring.made import GROUPS, predictions, terms

PROBABILITIES = [0.05, 0.2, 0.5, 0.9]


def scored(terms_, predictions_, objective="binary"):
    return score_customers(terms_, predictions_, objective=objective, group_names=GROUPS)


def lines(data):
    return list(csv.reader(io.StringIO(data.decode())))


def rows(count):
    return np.arange(1, count + 1, dtype=np.int64)


def test_a_score_is_the_probability_with_six_decimals():
    found = scored(terms(), predictions([0.05, 1 / 3, 0.999999999]))
    assert found.headings == ("score",)
    assert lines(found.to_csv(rows(3))) == [
        ["row", "score"],
        ["1", "0.050000"],
        ["2", "0.333333"],
        ["3", "1.000000"],
    ]


def test_a_cut_belongs_to_the_band_above_it():
    found = scored(terms(form="band", bands=("0.2", "0.5", "0.95")), predictions(PROBABILITIES))
    assert found.headings == ("band",)
    assert found.values[:, 0].tolist() == [1, 2, 3, 3]


def test_the_threshold_itself_is_a_yes():
    found = scored(terms(form="label", threshold="0.5"), predictions(PROBABILITIES))
    assert found.headings == ("label",)
    assert found.values[:, 0].tolist() == [0, 0, 1, 1]


def test_a_cut_between_two_scores_belongs_to_the_upper():
    made = predictions([0.5, 0.500001])
    for cut in ("0.5000001", "0.5000005", "0.500001"):
        assert scored(terms(form="label", threshold=cut), made).values[:, 0].tolist() == [0, 1]
        found = scored(terms(form="band", bands=(cut,)), made)
        assert found.values[:, 0].tolist() == [1, 2]


@given(
    st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=20),
    st.integers(1, 10**9 - 1).map(lambda n: f"{Decimal(n).scaleb(-9):.9f}"),
)
def test_all_forms_agree(probabilities, cut):
    made = predictions(probabilities)
    scores = [
        Decimal(line[1])
        for line in lines(scored(terms(), made).to_csv(rows(len(made.margins))))[1:]
    ]
    bands = scored(terms(form="band", bands=(cut,)), made).values[:, 0].tolist()
    labels = scored(terms(form="label", threshold=cut), made).values[:, 0].tolist()
    assert bands == [1 + (score >= Decimal(cut)) for score in scores]
    assert labels == [int(score >= Decimal(cut)) for score in scores]
    for score, probability in zip(scores, made.probabilities, strict=True):
        assert abs(score - Decimal(float(probability))) <= Decimal(1).scaleb(-SCORE_DIGITS) / 2


def test_a_regression_gives_the_number_it_predicts():
    made = Predictions(np.array([-0.5, 0.0, -1234.5678915, 1e9]))
    found = lines(scored(terms(), made, "regression").to_csv(rows(4)))
    assert [line[1] for line in found[1:]] == [
        "-0.500000",
        "0.000000",
        "-1234.567892",
        "1000000000.000000",
    ]


def test_a_multi_class_model_gives_every_score_or_the_class():
    made = Predictions(np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 1.0]]))
    found = scored(terms(), made, "multiclass")
    assert found.headings == ("score_0", "score_1", "score_2")
    assert lines(found.to_csv(rows(2)))[1] == ["1", "0.333333", "0.333333", "0.333333"]
    labels = scored(terms(form="label"), made, "multiclass")
    assert labels.headings == ("label",)
    assert labels.values[:, 0].tolist() == [0, 1]


def test_reasons_of_a_multi_class_model_are_those_of_the_class_given():
    push = np.array([[0.0, 9.0], [0.0, 9.0]])
    made = Predictions(np.array([[1.0, 0.0], [0.0, 1.0]]), {"income": push}, {})
    found = scored(terms(form="label", reasons=1), made, "multiclass")
    assert found.reasons == ((), ("income",))


@pytest.mark.parametrize(
    ("form", "objective", "margins"),
    [
        ("band", "regression", np.zeros(2)),
        ("label", "regression", np.zeros(2)),
        ("band", "multiclass", np.zeros((2, 3))),
        ("score", "binary", np.zeros((2, 3))),
        ("score", "multiclass", np.zeros(2)),
        ("score", "regression", np.array([1e13, 0.0])),
        ("score", "regression", np.array([np.nan, 0.0])),
    ],
)
def test_a_form_the_predictions_do_not_have_is_refused(form, objective, margins):
    with pytest.raises(LocalProtocolError):
        scored(
            terms(form=form, bands=("0.5",) if form == "band" else ()),
            Predictions(margins),
            objective,
        )


def test_the_file_is_in_the_order_of_the_owners_rows():
    contributions = {"income": np.array([0.5, -1.0, 0.0, 0.25])}
    peers = {"retailer": np.array([0.75, 2.0, -1.0, 0.25])}
    made = predictions(PROBABILITIES, contributions, peers)
    found = scored(terms(form="label", reasons=2), made)
    assert lines(found.to_csv(np.array([40, 7, 8, 1]))) == [
        ["row", "label", "reason_1", "reason_2"],
        ["1", "1", "income", "the retailer's columns"],
        ["7", "0", "the retailer's columns", ""],
        ["8", "1", "", ""],
        ["40", "0", "the retailer's columns", "income"],
    ]


def test_a_band_gives_away_no_score():
    found = scored(terms(form="band", bands=("0.3",)), predictions(PROBABILITIES))
    assert b"0." not in found.to_csv(rows(4))
    assert "0.9" not in repr(found)


def test_row_numbers_must_be_the_customers():
    found = scored(terms(), predictions(PROBABILITIES))
    for numbers in (np.array([1, 2, 3]), np.array([1, 2, 3, 3])):
        with pytest.raises(LocalProtocolError, match="row number"):
            found.to_csv(numbers)
