"""Scores in the one form the parties agreed, and the file their owner gets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.predictions import Predictions
from models.scoring.reasons import strongest_reasons
from models.table import Floats, Rows
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.session.model_terms import Objective, ScoringTerms

SCORE_DIGITS = 6
"""Decimals of a score. Bands and labels are those of the rounded score, so that all forms agree."""

Values: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredCustomers:
    """What may leave of each customer, in the order of the rows that were scored.

    ``headings`` are the value columns' names: ``score``, ``band`` or ``label``; the scores of a
    multi-class model are ``score_0``, ``score_1`` and so on. ``values`` has shape (rows, headings):
    bands from 1 (the lowest probabilities), labels 0 and 1 or the class, and scores in units of
    the last of :data:`SCORE_DIGITS` decimals. Nothing else of the prediction is kept.
    """

    headings: tuple[str, ...]
    values: Values = field(repr=False)
    reasons: tuple[tuple[str, ...], ...] = field(repr=False)
    """Names of columns and groups, the strongest first; a customer can have fewer than asked."""
    reason_columns: int
    """How many reasons were asked for."""

    def __len__(self) -> int:
        return len(self.values)

    def to_csv(self, row_numbers: Rows) -> bytes:
        """Return the owner's file: its own row numbers, values and reasons, by row number.

        ``row_numbers`` has the owner's number of each scored row, all different; raises
        :class:`LocalProtocolError` otherwise.
        """
        if len(row_numbers) != len(self) or len(np.unique(row_numbers)) != len(self):
            raise LocalProtocolError("each scored customer needs a row number of its own")
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        reason_headings = [f"reason_{i + 1}" for i in range(self.reason_columns)]
        writer.writerow(["row", *self.headings, *reason_headings])
        is_score = self.headings[0].startswith("score")
        for i in np.argsort(row_numbers):
            values = [_decimal(v) if is_score else str(v) for v in self.values[i].tolist()]
            reasons = self.reasons[i]
            blanks = [""] * (self.reason_columns - len(reasons))
            writer.writerow([int(row_numbers[i]), *values, *reasons, *blanks])
        return text.getvalue().encode()


def score_customers(
    terms: ScoringTerms,
    predictions: Predictions,
    *,
    objective: Objective,
    group_names: Mapping[PartyId, str],
) -> ScoredCustomers:
    """Return what may leave of ``predictions``: form, cuts and number of reasons by ``terms``.

    A binary model's score is the probability of the label, a multi-class model's the probability
    of each class, a regression's the number it predicts. A cut or the threshold itself belongs to
    the band or label above it. ``group_names`` names all columns of each other party together.
    Raises :class:`LocalProtocolError` for a form the objective does not have.
    """
    scores = predictions.margins if objective == "regression" else predictions.probabilities
    if scores.ndim != (2 if objective == "multiclass" else 1):
        raise LocalProtocolError(f"the predictions are not those of a {objective} model")
    units = _rounded(scores)
    of_class = units.argmax(axis=1) if objective == "multiclass" else None
    values: Values
    headings: tuple[str, ...]
    if terms.form == "score":
        values = units.reshape(len(units), -1)
        classes = range(values.shape[1])
        headings = ("score",) if of_class is None else tuple(f"score_{c}" for c in classes)
    elif terms.form == "band" and objective == "binary":
        cuts = np.array([_units(cut) for cut in terms.bands], np.int64)
        values = 1 + np.searchsorted(cuts, units, side="right")[:, None]
        headings = ("band",)
    elif terms.form == "label" and objective != "regression":
        is_yes = units >= _units(terms.threshold)
        values = (is_yes.astype(np.int64) if of_class is None else of_class)[:, None]
        headings = ("label",)
    else:
        raise LocalProtocolError(f"a {objective} model gives no {terms.form}")
    reasons = strongest_reasons(
        _of_class(predictions.contributions, of_class),
        _of_class(predictions.peer_contributions, of_class),
        group_names,
        rows=len(units),
        count=terms.reasons,
    )
    return ScoredCustomers(headings, values, reasons, terms.reasons)


def _rounded(scores: Floats) -> Values:
    """Return the scores as whole numbers of their last decimal's unit, half to even."""
    scaled = np.rint(scores * 10**SCORE_DIGITS)
    if not (np.abs(scaled) < 2**62).all():  # NaN fails it too
        raise LocalProtocolError("a prediction is too large to be written as a score")
    units: Values = scaled.astype(np.int64)
    return units


def _units(cut: str) -> int:
    """Return the smallest rounded score that is not below ``cut``."""
    return int(Decimal(cut).scaleb(SCORE_DIGITS).to_integral_value(ROUND_CEILING))


def _decimal(units: int) -> str:
    whole, part = divmod(abs(units), 10**SCORE_DIGITS)
    return f"{'-' if units < 0 else ''}{whole}.{part:0{SCORE_DIGITS}d}"


def _of_class(
    contributions: Mapping[Any, Floats], of_class: npt.NDArray[Any] | None
) -> dict[Any, Floats]:
    """Return what each column adds to the score of the class each customer gets."""
    if of_class is None:
        return dict(contributions)
    rows = np.arange(len(of_class))
    return {
        name: push[rows, of_class] if push.ndim == 2 else push
        for name, push in contributions.items()
    }
