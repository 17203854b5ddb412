"""What the parties of a job agree to train, or to score: the model's part of the JobSpec.

Data only. A parameter below the floor its protocol states is refused here, in code; decimals are
strings, because what is signed is its canonical bytes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Objective: TypeAlias = Literal["binary", "regression", "multiclass"]
ModelKind: TypeAlias = Literal["boosted_trees", "scorecard", "split_network"]
Randomness: TypeAlias = Literal["exact", "short"]
"""Exponents of Paillier's randomness; ``protocols/paillier/SPEC.md`` §4."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the spec's parts: immutable, and an unknown field is an error.

    No field has a default: bytes without it would decode to a spec with another digest.
    """


class _ModelTerms(Terms, frozen=True, kw_only=True, tag_field="kind"):
    """Base of what a job can do with a model; ``kind`` says which."""

    @property
    def kind(self) -> str:
        """What the job does, as it stands in the spec."""
        return str(self.__struct_config__.tag)


class OneSideSampling(Terms, frozen=True, kw_only=True):
    """Rows a tree learns from: all with large gradients, and some of the others.

    Which rows those are is known to every passive party, and rows with large gradients are mostly
    those of the rarer label: ``models/boosted_trees/SPEC.md`` §5.
    """

    top: str
    """Share of the rows taken for their large gradients; a decimal in (0, 1)."""
    other: str
    """Share of all rows drawn from the rest; a decimal in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing to draw from."""
        top, other = decimal("top", self.top), decimal("other", self.other)
        if not (top > 0 and other > 0 and top + other <= 1):
            raise ValueError("top and other must be positive shares of at most 1 together")


class TreeTerms(_ModelTerms, frozen=True, kw_only=True, tag="boosted_trees"):
    """Gradient-boosted trees over encrypted histograms."""

    objective: Objective
    classes: int
    """Number of classes of a multi-class label; 1 for the other objectives."""
    trees: int
    depth: int
    bins: int
    learning_rate: str
    l2: str
    minimum_bin_count: int
    first_tree_active_only: bool
    class_weights: Literal["none", "balanced"]
    row_sample: str
    """Share of the training rows each tree uses, drawn by public hash; ``1`` is all of them."""
    one_side_sampling: OneSideSampling | None
    early_stopping_rounds: int
    """Trees without a better loss on the validation rows before growing stops; 0 never stops."""
    validation_percent: int
    """Training rows set aside to decide that, by public hash; 0 if growing never stops early."""
    paillier_bits: int
    paillier_randomness: Randomness

    def __post_init__(self) -> None:
        """Refuse parameters below the protocol's floors (``models/boosted_trees/SPEC.md`` §4)."""
        within("trees", self.trees, 1, 500)
        within("depth", self.depth, 1, 8)
        within("bins", self.bins, 2, 256)
        within("minimum_bin_count", self.minimum_bin_count, 5, 1_000_000)
        _check_paillier(self.paillier_bits)
        _check_share("learning_rate", self.learning_rate)
        _check_share("row_sample", self.row_sample)
        _check_l2(self.l2)
        within("early_stopping_rounds", self.early_stopping_rounds, 0, 100)
        low, high = (5, 50) if self.early_stopping_rounds else (0, 0)
        within("validation_percent", self.validation_percent, low, high)
        low, high = (3, 20) if self.objective == "multiclass" else (1, 1)
        within("classes", self.classes, low, high)
        if self.class_weights != "none" and self.objective == "regression":
            raise ValueError("class_weights need classes; a regression has none")
        if self.one_side_sampling is not None and Decimal(self.row_sample) != 1:
            raise ValueError("either row_sample or one_side_sampling, not both")


class ScorecardTerms(_ModelTerms, frozen=True, kw_only=True, tag="scorecard"):
    """A points table: logistic regression over the weight of evidence of each party's bins."""

    bins: int
    """Most bins of a column before they are merged."""
    minimum_class_count: int
    """Rows of either class a bin must hold; smaller ones are merged or withheld."""
    monotone: bool
    """Whether the weight of evidence of a numeric column's bins must rise or fall throughout."""
    minimum_information_value: str
    maximum_correlation: str
    epochs: int
    batch_rows: int
    learning_rate: str
    l2: str
    sigmoid: Literal["linear", "cubic"]
    """How the logistic function is approximated on secret shares."""
    base_points: int
    base_odds: int
    """Good to bad, to one: a customer with ``base_points`` has these odds."""
    points_to_double: int
    joint_table: bool
    """Whether the active party also gets every party's points, as one table; all approve it."""
    paillier_bits: int
    paillier_randomness: Randomness

    def __post_init__(self) -> None:
        """Refuse parameters below the protocol's floors (``models/scorecard/SPEC.md`` §4)."""
        within("bins", self.bins, 2, 50)
        within("minimum_class_count", self.minimum_class_count, 5, 1_000_000)
        _check_l2(self.minimum_information_value, "minimum_information_value")
        _check_share("maximum_correlation", self.maximum_correlation)
        within("epochs", self.epochs, 1, 100)
        within("batch_rows", self.batch_rows, 64, 1_000_000)
        _check_share("learning_rate", self.learning_rate)
        _check_l2(self.l2)
        within("base_points", self.base_points, 0, 10_000)
        within("base_odds", self.base_odds, 1, 10_000)
        within("points_to_double", self.points_to_double, 1, 1_000)
        _check_paillier(self.paillier_bits)


class SplitNetworkTerms(_ModelTerms, frozen=True, kw_only=True, tag="split_network"):
    """A neural network cut between the parties, trained on labels made differentially private."""

    cut_units: int
    """Numbers each party sends for one customer."""
    hidden_units: int
    epochs: int
    batch_rows: int
    learning_rate: str
    weight_decay: str
    label_epsilon: str
    """Epsilon of the labels' differential privacy; a decimal in [0.01, 20]."""

    def __post_init__(self) -> None:
        """Refuse parameters outside their ranges (``models/split_network/SPEC.md`` §4)."""
        within("cut_units", self.cut_units, 1, 64)
        within("hidden_units", self.hidden_units, 1, 1024)
        within("epochs", self.epochs, 1, 500)
        within("batch_rows", self.batch_rows, 16, 100_000)
        _check_share("learning_rate", self.learning_rate)
        _check_share("weight_decay", self.weight_decay, zero=True)
        if not Decimal("0.01") <= decimal("label_epsilon", self.label_epsilon) <= 20:
            raise ValueError("label_epsilon must be in [0.01, 20]")


class HalfDigest(Terms, frozen=True, kw_only=True):
    """Which half of a trained model a party brings to a scoring job."""

    party_id: str
    digest: str
    """Hex of the suite's hash of the half's bytes."""

    def __post_init__(self) -> None:
        """Refuse what is no digest."""
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError("digest must be 64 hexadecimal digits")


class ScoringTerms(_ModelTerms, frozen=True, kw_only=True, tag="scoring"):
    """Scores of newly aligned customers from a model the same parties trained."""

    model_id: str
    """The job that trained it."""
    trained: ModelKind
    halves: tuple[HalfDigest, ...]
    form: Literal["score", "band", "label"]
    bands: tuple[str, ...]
    """Ascending probabilities that part the bands; for form ``band`` only."""
    threshold: str
    """Probability from which the label is yes; a decimal in (0, 1)."""
    reasons: int
    """Reason codes for each customer."""

    def __post_init__(self) -> None:
        """Refuse bands that do not ascend and halves of one party twice."""
        cuts = [decimal("bands", cut) for cut in self.bands]
        if any(not 0 < cut < 1 for cut in cuts) or sorted(set(cuts)) != cuts:
            raise ValueError("bands must be ascending decimals between 0 and 1")
        if bool(cuts) != (self.form == "band"):
            raise ValueError("bands belong to form `band`, and it needs them")
        if not 0 < decimal("threshold", self.threshold) < 1:
            raise ValueError("threshold must be between 0 and 1")
        within("reasons", self.reasons, 0, 10)
        if len({half.party_id for half in self.halves}) != len(self.halves):
            raise ValueError("each party has one half of a model")


TrainingTerms: TypeAlias = TreeTerms | ScorecardTerms | SplitNetworkTerms
ModelTerms: TypeAlias = TrainingTerms | ScoringTerms


def within(name: str, value: int, low: int, high: int) -> None:
    """Refuse a number outside [low, high]; raises ``ValueError``."""
    if not low <= value <= high:
        between = f"between {low} and {high}" if low < high else f"{low}"
        raise ValueError(f"{name} must be {between}")


def decimal(name: str, text: str) -> Decimal:
    """Return the number ``text`` states in plain digits; raises ``ValueError``."""
    # Plain digits only, as the audit catalogue takes them: Decimal() also reads exponents,
    # underscores, surrounding spaces and other scripts' digits.
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{name} must be a decimal number such as 0.25")
    return Decimal(text)


def _check_share(name: str, text: str, *, zero: bool = False) -> None:
    value = decimal(name, text)
    if not (0 < value <= 1 or (zero and value == 0)):
        raise ValueError(f"{name} must be in {'[' if zero else '('}0, 1]")


def _check_l2(text: str, name: str = "l2") -> None:
    if not Decimal(0) <= decimal(name, text) <= 1000:
        raise ValueError(f"{name} must be in [0, 1000]")


def _check_paillier(bits: int) -> None:
    if bits not in (2048, 3072):
        raise ValueError("paillier_bits must be 2048 or 3072")
