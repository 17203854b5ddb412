"""What a dataset is like, in numbers: for its owner to read before and after a job.

Counts, shares, and for numbers and dates the extremes and the median. Never an identifier, and
never a level of a categorical column. The profile stays on the node, in its own outputs.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from models.evaluation.ranking import auc
from models.table import Column, Floats, Mask
from party_node.datasets import Dataset, Registration
from protocols.identifiers import IdentifierKind
from protocols.session.job_spec import ColumnKind

MOSTLY_MISSING = 0.5
LIKE_AN_IDENTIFIER = 0.9
IDENTIFIER_SIZE = 10**6
"""Whole numbers of seven digits or more may be telephone, card or account numbers."""
RARE_CLASS = 0.01
DISGUISE_AUC = 0.98
"""A single honest column hardly ever ranks customers this well; a copy of the label does."""
MISSINGNESS_AUC = 0.9
"""Whether a field is filled in says this much where it is filled in after the outcome is known."""
ENOUGH_OF_A_CLASS = 10
"""With fewer of one class among the values, chance alone reaches the limits above."""

Labels: TypeAlias = npt.NDArray[np.uint8]
ColumnWarning: TypeAlias = Literal[
    "all_missing",
    "constant",
    "duplicate",
    "mostly_missing",
    "like_an_identifier",
    "looks_like_the_label",
    "missingness_predicts_the_label",
]
LabelWarning: TypeAlias = Literal["one_class", "rare_class", "too_few_to_look_for_disguises"]


class ColumnQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One registered column over the usable rows."""

    name: str
    kind: ColumnKind
    missing: int
    distinct: int
    """Different values, the missing one not counted."""
    minimum: float | str | None = None
    """Of numbers; dates as in 2026-11-21. None for other kinds, where all is missing, and where
    the numbers are like identifiers: an extreme would be one."""
    median: float | str | None = None
    maximum: float | str | None = None
    most_frequent_share: float | None = None
    """Of booleans and categories: share of the values present that the commonest level has."""
    used: bool
    """Whether training and prediction use the column."""
    constant: bool
    """Whether all rows have one value, or none has any: no split can use the column."""
    duplicate_of: str | None
    """The earlier column with exactly the same values, which is used instead."""
    warnings: tuple[ColumnWarning, ...]


class LabelQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The label over the usable rows."""

    name: str
    positives: int
    negatives: int
    positive_share: float
    warnings: tuple[LabelWarning, ...]


class QualityProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as it was read for one job."""

    dataset: str
    rows_in_file: int
    usable: int
    rejected: dict[str, int]
    """Rows by reason."""
    identifier_kind: IdentifierKind
    respelled: int
    """Usable rows whose identifier the file writes otherwise than its normal form."""
    label: LabelQuality | None
    columns: tuple[ColumnQuality, ...]

    def to_json(self) -> bytes:
        """Return the profile as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def _yes_or_no(registration: Registration, dataset: Dataset) -> Labels | None:
    """Return a label of 0 and 1 to look for disguises of: of several classes the commonest
    against the others, of a number above the median or not.
    """
    labels = dataset.labels
    if registration.label is None or labels is None or registration.label.is_binary:
        return labels
    if registration.label.number:
        told = labels > np.median(labels) if len(labels) else labels
    else:
        told = labels == np.bincount(labels).argmax() if len(labels) else labels
    return told.astype(np.uint8)


def profile(registration: Registration, dataset: Dataset) -> QualityProfile:
    """Return the profile of what ``read_dataset`` read as ``registration`` says."""
    labels = _yes_or_no(registration, dataset)
    return QualityProfile(
        dataset=registration.name,
        rows_in_file=dataset.rows_in_file,
        usable=dataset.registered.rows,
        rejected=dataset.rejects,
        identifier_kind=registration.identifier_kind,
        respelled=dataset.respelled,
        label=_label_quality(registration, dataset),
        columns=tuple(
            _column_quality(column, terms.kind, dataset, labels)
            for terms, column in zip(registration.columns, dataset.registered.columns, strict=True)
        ),
    )


def _label_quality(registration: Registration, dataset: Dataset) -> LabelQuality | None:
    if registration.label is None or dataset.labels is None or not registration.label.is_binary:
        return None
    rows, positives = len(dataset.labels), int(dataset.labels.sum())
    fewer = min(positives, rows - positives)
    warnings: list[LabelWarning] = []
    if fewer == 0:
        warnings.append("one_class")
    elif fewer < RARE_CLASS * rows:
        warnings.append("rare_class")
    if fewer < ENOUGH_OF_A_CLASS:
        warnings.append("too_few_to_look_for_disguises")
    return LabelQuality(
        name=registration.label.column,
        positives=positives,
        negatives=rows - positives,
        positive_share=positives / rows,
        warnings=tuple(warnings),
    )


def _column_quality(
    column: Column, kind: ColumnKind, dataset: Dataset, labels: Labels | None
) -> ColumnQuality:
    codes, distinct = _coded(column)
    missing = codes < 0
    present = len(codes) - int(missing.sum())
    like_an_identifier = _like_an_identifier(column, kind, missing, distinct)
    minimum = median = maximum = share = None
    if present and column.kind == "numeric" and not like_an_identifier:
        values = column.values[~missing]
        ends = (values.min(), np.median(values), values.max())
        minimum, median, maximum = (_shown(float(value), kind) for value in ends)
    elif present and column.kind == "categorical":
        share = int(np.bincount(codes[~missing]).max()) / present
    left_out = column.name in dataset.left_out
    duplicate_of = dataset.left_out.get(column.name)
    warnings: list[ColumnWarning] = []
    if not present:
        warnings.append("all_missing")
    elif left_out:
        warnings.append("duplicate" if duplicate_of else "constant")
    if 0 < present <= (1 - MOSTLY_MISSING) * len(codes):
        warnings.append("mostly_missing")
    if like_an_identifier:
        warnings.append("like_an_identifier")
    if labels is not None:
        if _looks_like(labels, column, codes, distinct):
            warnings.append("looks_like_the_label")
        if _tells_by_missing(labels, missing):
            warnings.append("missingness_predicts_the_label")
    return ColumnQuality(
        name=column.name,
        kind=kind,
        missing=len(codes) - present,
        distinct=distinct,
        minimum=minimum,
        median=median,
        maximum=maximum,
        most_frequent_share=share,
        used=not left_out,
        constant=left_out and duplicate_of is None,
        duplicate_of=duplicate_of,
        warnings=tuple(warnings),
    )


def _coded(column: Column) -> tuple[npt.NDArray[np.int64], int]:
    """Return each value as the number of a distinct one, -1 for missing, and how many there are."""
    values: npt.NDArray[Any] = column.values
    codes, distinct = pd.factorize(values)
    return codes.astype(np.int64), len(distinct)


def _like_an_identifier(column: Column, kind: ColumnKind, missing: Mask, distinct: int) -> bool:
    """Tell whether nearly every row has a text of its own, or a long whole number of its own."""
    present = len(missing) - int(missing.sum())
    if distinct == 0 or distinct <= LIKE_AN_IDENTIFIER * present:
        return False
    if kind == "categorical":
        return distinct > 1
    values = column.values[~missing]
    return kind in ("numeric", "integer") and bool(
        (values == np.trunc(values)).all() and np.median(np.abs(values)) >= IDENTIFIER_SIZE
    )


def _shown(value: float, kind: ColumnKind) -> float | str:
    if kind != "date":
        return value
    text = str(np.datetime64(round(value * 86_400), "s"))
    return text.removesuffix("T00:00:00")


def _looks_like(
    labels: Labels, column: Column, codes: npt.NDArray[np.int64], distinct: int
) -> bool:
    """Tell whether the column's values alone tell the label, by order or by level."""
    present = codes >= 0
    told = labels[present]
    if not _enough(told):
        return False
    if column.kind == "numeric":
        by_order = auc(told, column.values[present])
        if max(by_order, 1 - by_order) >= DISGUISE_AUC:
            return True
    # Where most levels are seen once, none of them can tell anything about another row.
    return 2 * distinct <= len(told) and _auc_by_level(told, codes[present]) >= DISGUISE_AUC


def _auc_by_level(labels: Labels, codes: npt.NDArray[np.int64]) -> float:
    """Return how well a row's level tells its label: the AUC of the level's share of positives.

    Each half of the rows is scored by the shares in the other half. Shares that counted the row
    itself would make any column of many small levels look like the label.
    """
    every_other = np.arange(len(labels)) % 2 == 0
    scores: Floats = np.empty(len(labels), dtype=np.float64)
    for learn in (every_other, ~every_other):
        rows = np.bincount(codes[learn], minlength=codes.max() + 1)
        positives = np.bincount(codes[learn], labels[learn], minlength=len(rows))
        unseen = np.full(len(rows), labels[learn].mean())
        shares = np.divide(positives, rows, out=unseen, where=rows > 0)
        scores[~learn] = shares[codes[~learn]]
    return auc(labels, scores)


def _tells_by_missing(labels: Labels, missing: Mask) -> bool:
    if not _enough(labels) or not missing.any():
        return False
    by_missing = auc(labels, missing.astype(np.float64))
    return max(by_missing, 1 - by_missing) >= MISSINGNESS_AUC


def _enough(labels: Labels) -> bool:
    positives = int(labels.sum())
    return min(positives, len(labels) - positives) >= ENOUGH_OF_A_CLASS
