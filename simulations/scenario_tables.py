"""The tables of a scenario file as typed data; the packaged files are commented examples."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from protocols.identifiers import IdentifierKind
from protocols.session.agreed_job import Jurisdiction, Purpose
from protocols.session.job_spec import ColumnKind, PartyRole
from protocols.session.model_terms import Randomness

OutputUse: TypeAlias = Literal["research_only", "marketing", "lending_decision"]
SuiteName: TypeAlias = Literal["gm", "intl"]
Sample: TypeAlias = Literal["credit_data", "complete_journey_vertical", "population"]


class ScenarioError(Exception):
    """A scenario that cannot run. ``hint`` says what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the file's tables: an unknown key is an error."""


class PartyTable(_Strict, frozen=True, kw_only=True):
    """One ``[[parties]]`` entry: an organisation and the file it brings."""

    id: str
    role: PartyRole
    file: str
    """CSV or Parquet, relative to the scenario file (or to where the sample is written)."""
    identifier: str
    """The column that identifies a customer."""
    identifier_kind: IdentifierKind
    consent_column: str | None = None
    """A column that says yes or no; rows that do not say yes are left out by the party's node."""
    numeric: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()
    boolean: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    jurisdiction: Jurisdiction
    legal_basis: str
    """A value of the party's own list, see ``compliance/catalogue.toml``."""
    allowed_purposes: tuple[Purpose, ...]
    """What the people in the table were told their data is used for, by the owner's record."""
    minimum_cohort: int = 1000

    @property
    def columns(self) -> tuple[tuple[str, ColumnKind], ...]:
        """Every feature column with its kind, in the order of the lists above."""
        by_kind: tuple[tuple[ColumnKind, tuple[str, ...]], ...] = (
            ("numeric", self.numeric),
            ("integer", self.integer),
            ("boolean", self.boolean),
            ("date", self.date),
            ("categorical", self.categorical),
        )
        return tuple((name, kind) for kind, names in by_kind for name in names)


class LabelTable(_Strict, frozen=True, kw_only=True):
    """``[label]``: the active party's column that is predicted, and which rows count as yes."""

    column: str
    meaning: str
    purpose: Purpose
    """The purpose the label serves: a default label serves creditworthiness, whatever the job."""
    positive: str | None = None
    """The value that counts as yes; or ``above``."""
    above: Decimal | None = None
    """A number: every value greater than it counts as yes; or ``positive``."""
    classes: tuple[str, ...] = ()
    """The values of a label with several classes, of which the model predicts one."""
    number: bool = False
    """Whether the label is a number that the model predicts as such."""


class AlignmentTable(_Strict, frozen=True, kw_only=True):
    """``[alignment]``: how the shared customers are found."""

    protocol: Literal["ecdh", "server_aided"] = "ecdh"


class SamplingTable(_Strict, frozen=True, kw_only=True):
    """``[model.one_side_sampling]``: learn from all rows with large gradients, and some others."""

    top: Decimal
    other: Decimal


class TreeTable(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="boosted_trees"):
    """``[model]`` of kind ``boosted_trees``: trees over encrypted histograms."""

    trees: int = 20
    depth: int = 3
    bins: int = 32
    learning_rate: Decimal = Decimal("0.2")
    l2: Decimal = Decimal("1")
    minimum_bin_count: int = 20
    first_tree_active_only: bool = True
    class_weights: Literal["none", "balanced"] = "none"
    row_sample: Decimal = Decimal("1")
    one_side_sampling: SamplingTable | None = None
    early_stopping_rounds: int = 0
    validation_percent: int = 20
    """Of the training customers, where growing may stop early."""
    paillier_bits: int = 2048
    paillier_randomness: Randomness = "exact"


class ScorecardTable(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="scorecard"):
    """``[model]`` of kind ``scorecard``: points for bins, by logistic regression on shares."""

    bins: int = 10
    minimum_class_count: int = 20
    monotone: bool = True
    minimum_information_value: Decimal = Decimal("0.02")
    maximum_correlation: Decimal = Decimal("0.9")
    epochs: int = 4
    batch_rows: int = 8192
    learning_rate: Decimal = Decimal("0.5")
    l2: Decimal = Decimal("0.001")
    sigmoid: Literal["linear", "cubic"] = "linear"
    base_points: int = 600
    base_odds: int = 50
    points_to_double: int = 20
    joint_table: bool = False
    paillier_bits: int = 2048
    paillier_randomness: Randomness = "exact"


class SplitNetworkTable(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="split_network"):
    """``[model]`` of kind ``split_network``: a network cut between the parties, labels private."""

    cut_units: int = 2
    hidden_units: int = 32
    epochs: int = 20
    batch_rows: int = 128
    learning_rate: Decimal = Decimal("0.01")
    weight_decay: Decimal = Decimal("0.0001")
    label_epsilon: Decimal = Decimal("1")


ModelTable: TypeAlias = TreeTable | ScorecardTable | SplitNetworkTable


class EvaluationTable(_Strict, frozen=True, kw_only=True):
    """``[evaluation]``: the share of shared customers kept back to measure on."""

    held_out_percent: int = 20
    minimum_held_out: int = 100
    """Fewer held-out customers than this, and no result is released."""
    repeats: int = 1
    """How many times the customers are split anew, and a model trained and measured."""
    threshold: Decimal = Decimal("0.5")
    """Scores from here on count as yes in the confusion table."""


class RetentionTable(_Strict, frozen=True, kw_only=True):
    """``[retention]``: days after the job's end until what it left behind is deleted."""

    days: int


class ScenarioTables(_Strict, frozen=True, kw_only=True):
    """A scenario file as written."""

    name: str
    title: str
    purpose: Purpose
    output_use: OutputUse
    agreement: str
    suite: SuiteName = "gm"
    seed: int
    pooled_on_this_machine: str
    """Why the files may be read together here to compare: ``public``, ``synthetic``,
    ``authorised: <reference>``; or ``no``."""
    sample: Sample | None = None
    """A packaged sample that writes the parties' files."""
    sample_rows: int | None = None
    """Rows of each party's file, for the sample ``population``."""
    provenance: tuple[str, ...] = ()
    """Sentences for the report on where the data comes from; a sample brings its own."""
    parties: tuple[PartyTable, ...]
    label: LabelTable
    alignment: AlignmentTable = AlignmentTable()
    model: ModelTable = TreeTable()
    evaluation: EvaluationTable = EvaluationTable()
    retention: RetentionTable
