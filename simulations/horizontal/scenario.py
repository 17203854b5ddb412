"""Scenario files of horizontal jobs, read strictly; ``kind = "horizontal"`` says it is one.

The parties' purchase files are a sample's or their own. Whether the law allows the job is asked
later, by ``compliance/``: here only the answer must be present.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from party_node.purchases.registration import LineColumns
from protocols.identifiers import IdentifierKind
from protocols.session.agreed_job import Jurisdiction, Purpose
from protocols.session.horizontal_terms import AggregationMethod, Strategy
from simulations.scenario_tables import OutputUse, RetentionTable, ScenarioError, SuiteName

BUILTIN = ("churn", "churn-online-retail")
KIND = "horizontal"
SampleName: TypeAlias = Literal["complete_journey", "online_retail", "made_purchases"]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the file's tables: an unknown key is an error."""


class SampleTable(_Strict, frozen=True, kw_only=True):
    """``[sample]``: a packaged sample that writes the parties' files."""

    name: SampleName
    parties: int = 5
    rows: int = 400
    """Customers of each party, for ``made_purchases``."""
    split: str = "home_store"
    """Which customer is whose: ``home_store``, ``country``, ``random`` or ``dirichlet:<alpha>``."""
    horizon_days: Literal[30, 90] = 90
    """Days without a purchase after which a customer has left, for ``online_retail``."""
    file: str = ""
    """The sample's source, relative to ``--data``, where it does not install with the product."""


class RetailerTable(_Strict, frozen=True, kw_only=True):
    """One ``[[parties]]`` entry: an organisation and the purchase lines it brings."""

    id: str
    file: str
    identifier: str
    identifier_kind: IdentifierKind = "opaque"
    columns: LineColumns
    cancelled_prefix: str | None = None
    complete_until: str | None = None
    consent_column: str | None = None
    jurisdiction: Jurisdiction
    legal_basis: str
    allowed_purposes: tuple[Purpose, ...]
    minimum_contributors: int = 3


class PurchasesTable(_Strict, frozen=True, kw_only=True):
    """``[purchases]``: how purchase lines become features and label; a sample brings its own."""

    cut: str
    horizon_days: int = 30
    active_days: int = 90
    history_days: int = 365
    categories: tuple[str, ...] = ()
    columns: tuple[str, ...]


class ChurnLabelTable(_Strict, frozen=True, kw_only=True):
    """``[label]``: what is predicted."""

    name: str = "left"
    meaning: str = "buys nothing in the horizon after the cut"


class LogisticTable(
    _Strict, frozen=True, kw_only=True, tag_field="kind", tag="logistic_regression"
):
    """``[model]`` of kind ``logistic_regression``."""

    l2: Decimal = Decimal("0.01")


class PerceptronTable(
    _Strict, frozen=True, kw_only=True, tag_field="kind", tag="multilayer_perceptron"
):
    """``[model]`` of kind ``multilayer_perceptron``."""

    hidden: tuple[int, ...] = (32,)
    l2: Decimal = Decimal("0.01")


HorizontalModelTable: TypeAlias = LogisticTable | PerceptronTable


class TrainingTable(_Strict, frozen=True, kw_only=True):
    """``[training]``: rounds of local training, and what is done with their mean."""

    strategy: Strategy = "fedavg"
    rounds: int = 10
    local_epochs: int = 2
    batch_rows: int = 64
    learning_rate: Decimal = Decimal("0.1")
    proximal: Decimal | None = None
    server_learning_rate: Decimal | None = None
    beta1: Decimal = Decimal("0.9")
    beta2: Decimal = Decimal("0.99")
    tau: Decimal = Decimal("0.001")


class AggregationTable(_Strict, frozen=True, kw_only=True):
    """``[aggregation]``: how updates are added so that nobody sees one party's."""

    method: AggregationMethod = "masked_he"
    update_bound: Decimal = Decimal("8")
    minimum_contributors: int = 3
    threshold: int | None = None
    """Default: two thirds of the parties, and one more."""
    key_rounds: int = 16
    paillier_bits: int = 2048
    round_deadline_s: int = 600


class PrivacyTable(_Strict, frozen=True, kw_only=True):
    """``[privacy]``: what each party's own noise keeps of one customer."""

    epsilon: Decimal
    delta: Decimal
    clip_norm: Decimal = Decimal("1")


class HorizontalEvaluationTable(_Strict, frozen=True, kw_only=True):
    """``[evaluation]``: the share of each party's customers kept back to measure on."""

    held_out_percent: int = 25
    minimum_held_out: int = 30
    repeats: int = 10
    threshold: Decimal = Decimal("0.5")


class HorizontalTables(_Strict, frozen=True, kw_only=True):
    """A scenario file as written."""

    kind: Literal["horizontal"]
    name: str
    title: str
    purpose: Purpose = "churn"
    output_use: OutputUse
    agreement: str
    suite: SuiteName = "gm"
    seed: int
    pooled_on_this_machine: str
    """Why the files may be read together here to compare: ``public``, ``synthetic``,
    ``authorised: <reference>``; or ``no``."""
    provenance: tuple[str, ...] = ()
    sample: SampleTable | None = None
    parties: tuple[RetailerTable, ...] = ()
    purchases: PurchasesTable | None = None
    label: ChurnLabelTable = ChurnLabelTable()
    model: HorizontalModelTable = LogisticTable()
    training: TrainingTable = TrainingTable()
    aggregation: AggregationTable = AggregationTable()
    privacy: PrivacyTable | None = None
    evaluation: HorizontalEvaluationTable = HorizontalEvaluationTable()
    retention: RetentionTable


class HorizontalScenario(HorizontalTables, frozen=True, kw_only=True):
    """A scenario that was read and checked, and the folder its files are relative to."""

    source: str
    """The scenario file's name, for messages."""
    source_argument: str
    """What follows ``fedcrm simulate`` in a command that runs it again."""
    folder: Path

    @property
    def pooling_allowed(self) -> bool:
        """Whether the scenario lets this machine join all files in the clear."""
        return self.pooled_on_this_machine != "no"


def is_horizontal(source: str) -> bool:
    """Whether ``source`` names, or is the file of, a horizontal scenario."""
    if source in BUILTIN:
        return True
    try:
        raw = tomllib.loads(Path(source).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return raw.get("kind") == KIND


def load(source: str, changes: Mapping[str, Any], data: Path | None = None) -> HorizontalScenario:
    """Return the packaged scenario ``source``, or the one in that file, with ``changes``.

    ``changes`` are dotted keys as in the file, for example ``aggregation.method``; ``data`` is the
    folder files are relative to, by default the scenario's own. Raises :class:`ScenarioError`.
    """
    if source in BUILTIN:
        packaged = resources.files("simulations.scenarios") / f"{source}.toml"
        text, shown, folder = packaged.read_text(encoding="utf-8"), f"{source}.toml", Path()
    else:
        path = Path(source)
        text, shown = path.read_text(encoding="utf-8"), path.name
        folder = path.resolve().parent
    raw = _parsed(text, shown)
    for dotted, value in changes.items():
        _put(raw, dotted, value)
    tables = _converted(raw, shown, changes)
    _check(tables, shown)
    fields = {name: getattr(tables, name) for name in tables.__struct_fields__}
    return HorizontalScenario(**fields, source=shown, source_argument=source, folder=data or folder)


def _parsed(text: str, shown: str) -> dict[str, Any]:
    try:
        # Decimals keep the digits that were written; a float would change what is signed.
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{shown} is not TOML: {error}", "correct the line it names") from None


def _put(raw: dict[str, Any], dotted: str, value: object) -> None:
    table, _, key = dotted.rpartition(".")
    if dotted == "model.kind":  # another kind of model has other keys
        raw["model"] = {"kind": value}
    elif table:
        raw.setdefault(table, {})[key] = value
    else:
        raw[key] = value


def _converted(raw: dict[str, Any], shown: str, changes: Mapping[str, Any]) -> HorizontalTables:
    if isinstance(model := raw.get("model"), dict):
        model.setdefault("kind", "logistic_regression")
    try:
        return msgspec.convert(raw, HorizontalTables)
    except msgspec.ValidationError as error:
        where = f"{shown} with {', '.join(changes)}" if changes else shown
        raise ScenarioError(
            f"{where}: {error}",
            "correct this key; the packaged scenarios are commented examples",
        ) from None


def _check(tables: HorizontalTables, shown: str) -> None:
    if (tables.sample is None) != bool(tables.parties):
        raise ScenarioError(
            f"{shown}: a scenario has either a sample or parties of its own",
            "take out [sample], or the [[parties]]",
        )
    if tables.parties and tables.purchases is None:
        raise ScenarioError(
            f"{shown}: missing [purchases]", "say where to cut, and which features to use"
        )
    ids = [party.id for party in tables.parties]
    if len(set(ids)) != len(ids):
        raise ScenarioError(f"{shown}: party ids must differ", "give each party its own id")
