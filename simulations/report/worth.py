"""What joining was worth, as typed data: for a label that is yes or no, a number, or a class.

Shares and measures are fractions, RMSE and MAE in the label's own unit; intervals are of 95 %.
``simulations.report.measures`` makes these from labels and scores of held-out customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias

import msgspec

from protocols.session.model_terms import Objective

Which: TypeAlias = Literal["alone", "joint", "pooled"]
WHICH: tuple[Which, ...] = ("alone", "joint", "pooled")
"""The three models, in the order they are shown: alone, joint, and joined in the clear."""
Sign: TypeAlias = Literal["more", "less", "unclear"]
Points: TypeAlias = tuple[tuple[float, float], ...]
MEASURES: Mapping[Objective, tuple[str, ...]] = {
    "binary": ("auc", "ks"),
    "regression": ("rmse", "mae", "r2"),
    "multiclass": ("accuracy", "log_loss", "auc"),
}
"""What is measured of each kind of label; the first is what models are compared by."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the report's parts: immutable, and an unknown field is an error."""


class Metrics(Part, frozen=True, kw_only=True):
    """How well one model ranks the held-out customers."""

    auc: float
    auc_low: float
    auc_high: float
    ks: float
    ks_low: float
    ks_high: float


class NumberMetrics(Part, frozen=True, kw_only=True):
    """How close one model's numbers are to the held-out customers'."""

    rmse: float
    rmse_low: float
    rmse_high: float
    mae: float
    r2: float


class ClassMetrics(Part, frozen=True, kw_only=True):
    """How often one model names the held-out customers' class, and how well it ranks each."""

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    log_loss: float
    auc: float
    """Mean of every class's against all others."""


class Difference(Part, frozen=True, kw_only=True):
    """A difference of two models' first measure on the same customers, with its interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> Sign:
        """Whether the interval leaves out zero, and on which side."""
        if self.low > 0:
            return "more"
        return "less" if self.high < 0 else "unclear"


class Differences(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What joining was worth, and what learning apart cost against pooling in the clear."""

    joint_minus_alone: Difference
    joint_minus_pooled: Difference | None = None
    """None where the scenario did not allow the tables to be pooled."""


class HeldOut(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The customers the metrics were measured on, and those the models learned from."""

    customers: int
    positives: int | None = None
    """Of a label that is yes or no."""
    trained_on: int


class Curve(Part, frozen=True, kw_only=True):
    """The points of one model's charts; ``simulations.report.measures.curve`` makes them."""

    roc: Points
    """(false-positive rate, true-positive rate), from (0, 0) to (1, 1)."""
    gain: Points
    """(share of customers contacted, best score first; share of all positives among them)."""
    calibration: tuple[tuple[float, float, int], ...]
    """(mean score, share of positives, customers) of each tenth, lowest scores first."""


class NumberCurve(Part, frozen=True, kw_only=True):
    """The points of one model's charts where the label is a number."""

    calibration: tuple[tuple[float, float, int], ...]
    """(mean prediction, mean label, customers) of each tenth, lowest predictions first."""
    gain: Points = ()
    """(share of customers, highest prediction first; their share of the labels' total)."""


class Reach(Part, frozen=True, kw_only=True):
    """What the best-scored ``share`` of customers contains."""

    share: float
    customers: int
    gain: float
    """Share of all positives that are among them."""
    precision: float
    """Share of positives among them."""
    lift: float
    """Precision over the share of positives among everybody."""


class NumberReach(Part, frozen=True, kw_only=True):
    """What the ``share`` of customers with the highest predictions brings, of labels from 0 up."""

    share: float
    customers: int
    gain: float
    """Their share of the labels' total."""
    lift: float
    """The mean of their labels over everybody's."""


class Decisions(Part, frozen=True, kw_only=True):
    """Yes from the threshold on, counted against what happened."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    precision: float | None
    """Share of positives among those answered yes; None where nobody was."""
    recall: float
    accuracy: float


class OneClass(Part, frozen=True, kw_only=True):
    """How one model does on one class of the label."""

    recall: float | None
    """Share of the class's customers whose class it names; None where there are none."""
    precision: float | None
    """Share of the customers it puts in this class who are in it; None where it puts nobody."""
    auc: float | None
    """The class against all others; None where the class has no customer."""
    mistaken_for: int | None
    """The other class it names most often for customers of this one; None where it never errs."""


class Ranking(Part, frozen=True, kw_only=True, tag_field="objective", tag="binary"):
    """What scores of a yes-or-no label are worth; every part is by model."""

    objective: ClassVar[Objective] = "binary"
    metrics: dict[Which, Metrics]
    differences: Differences
    curves: dict[Which, Curve]
    reach: dict[Which, tuple[Reach, ...]]
    threshold: str
    """Scores from here on are counted as yes; a decimal."""
    decisions: dict[Which, Decisions]

    def __post_init__(self) -> None:
        """Refuse parts that are of different models."""
        _same_models(self.metrics, self.differences)
        for name in ("curves", "reach", "decisions"):
            _of_models(name, getattr(self, name), self.metrics)


class Numbers(Part, frozen=True, kw_only=True, tag_field="objective", tag="regression"):
    """What predicted numbers are worth; every part is by model."""

    objective: ClassVar[Objective] = "regression"
    metrics: dict[Which, NumberMetrics]
    differences: Differences
    usual_rmse: float
    """What saying the held-out customers' mean to everybody would give."""
    curves: dict[Which, NumberCurve]
    reach: dict[Which, tuple[NumberReach, ...]] = {}
    """Empty where a label is below 0, or all are 0: then there is no share of a total."""

    def __post_init__(self) -> None:
        """Refuse parts that are of different models."""
        _same_models(self.metrics, self.differences)
        _of_models("curves", self.curves, self.metrics)
        if self.reach:
            _of_models("reach", self.reach, self.metrics)


class Classes(Part, frozen=True, kw_only=True, tag_field="objective", tag="multiclass"):
    """What probabilities of several classes are worth; every part is by model."""

    objective: ClassVar[Objective] = "multiclass"
    metrics: dict[Which, ClassMetrics]
    differences: Differences
    names: tuple[str, ...]
    """The classes, as the label's column has them."""
    customers: tuple[int, ...]
    """Held-out customers of each class."""
    by_class: dict[Which, tuple[OneClass, ...]]

    def __post_init__(self) -> None:
        """Refuse parts that are of different models or classes."""
        _same_models(self.metrics, self.differences)
        _of_models("by_class", self.by_class, self.metrics)
        counts = {len(self.names), len(self.customers), *map(len, self.by_class.values())}
        if len(counts) != 1:
            raise ValueError("names, customers and by_class must be of the same classes")

    @property
    def commonest(self) -> int:
        """The class most held-out customers are of."""
        return max(range(len(self.customers)), key=lambda k: (self.customers[k], -k))


Worth: TypeAlias = Ranking | Numbers | Classes


class Repeat(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One split of the shared customers, with models trained and measured anew."""

    split_seed: int
    trained_on: int
    customers: int
    positives: int | None = None
    """Of a label that is yes or no."""
    alone: dict[str, float]
    """By measure, without intervals."""
    joint: dict[str, float]


class Mean(Part, frozen=True, kw_only=True):
    """A mean over the repeated splits, with its corrected interval."""

    mean: float
    low: float
    high: float


class OverRepeats(Part, frozen=True, kw_only=True):
    """What the repeated splits say together; ``measures.over_repeats`` makes it."""

    alone: dict[str, Mean]
    """By measure."""
    joint: dict[str, Mean]
    joint_minus_alone: Difference
    """Of the first measure."""


def _same_models(metrics: Mapping[Which, object], differences: Differences) -> None:
    if not {"alone", "joint"} <= set(metrics):
        raise ValueError("metrics must be of alone and joint, and may be of pooled")
    if ("pooled" in metrics) != (differences.joint_minus_pooled is not None):
        raise ValueError("joint_minus_pooled belongs to a pooled model, and to no other report")


def _of_models(
    name: str, by_model: Mapping[Which, object], metrics: Mapping[Which, object]
) -> None:
    if set(by_model) != set(metrics):
        raise ValueError(f"{name} must be of {', '.join(sorted(metrics))}")
