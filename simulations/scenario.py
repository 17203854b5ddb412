"""Scenario files: what ``fedcrm simulate FILE.toml`` runs, read strictly.

A key that no scenario has is an error that names the key, the file and the keys there are; so is a
missing file, a column the file does not have, or a label that is also a feature. Whether the law
allows the job is asked later, by ``compliance/``: here only the answer must be present.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec
import pyarrow.parquet as pq
from pyarrow import csv as pa_csv
from pyarrow import lib as pa_lib

from audit.detail_kinds import is_code, is_label
from protocols.session.job_spec import (
    ColumnKind,
    IdentifierKind,
    Jurisdiction,
    PartyRole,
    Purpose,
)
from protocols.suite import Suite
from simulations.samples import credit_data

OutputUse: TypeAlias = Literal["research_only", "marketing", "lending_decision"]
BUILTIN = ("credit-need", "credit-risk")
MAX_SEED = 2**53 - 1
_PARTY_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_AUTHORISED = re.compile(r"authorised: *\S.*")


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
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    jurisdiction: Jurisdiction
    legal_basis: str
    """A value of the party's own list, see ``compliance/catalogue.toml``."""
    allowed_purposes: tuple[Purpose, ...]
    """What the people in the table were told their data is used for, by the owner's record."""
    minimum_cohort: int = 1000

    @property
    def columns(self) -> tuple[tuple[str, ColumnKind], ...]:
        """Every feature column with its kind, numeric ones first."""
        numeric: list[tuple[str, ColumnKind]] = [(name, "numeric") for name in self.numeric]
        return (*numeric, *((name, "categorical") for name in self.categorical))


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


class AlignmentTable(_Strict, frozen=True, kw_only=True):
    """``[alignment]``: how the shared customers are found."""

    protocol: Literal["ecdh"] = "ecdh"


class ModelTable(_Strict, frozen=True, kw_only=True):
    """``[model]``: gradient-boosted trees over encrypted histograms."""

    trees: int = 20
    depth: int = 3
    bins: int = 32
    learning_rate: Decimal = Decimal("0.2")
    l2: Decimal = Decimal("1")
    minimum_bin_count: int = 10
    first_tree_active_only: bool = True
    paillier_bits: int = 2048


class EvaluationTable(_Strict, frozen=True, kw_only=True):
    """``[evaluation]``: the share of shared customers kept back to measure on."""

    held_out_percent: int = 20
    minimum_held_out: int = 100
    """Fewer held-out customers than this, and no result is released."""


class RetentionTable(_Strict, frozen=True, kw_only=True):
    """``[retention]``: days after the job's end until what it left behind is deleted."""

    days: int


class ScenarioTables(_Strict, frozen=True, kw_only=True):
    """A scenario file as written; the packaged ones are commented examples."""

    name: str
    title: str
    purpose: Purpose
    output_use: OutputUse
    agreement: str
    suite: Literal["gm"] = "gm"
    seed: int
    pooled_on_this_machine: str
    """Why both files may be read together here to compare: ``public``, ``synthetic``,
    ``authorised: <reference>``; or ``no``."""
    sample: Literal["credit_data"] | None = None
    """A packaged sample that writes the parties' files."""
    provenance: tuple[str, ...] = ()
    """Sentences for the report on where the data comes from; a sample brings its own."""
    parties: tuple[PartyTable, ...]
    label: LabelTable
    alignment: AlignmentTable = AlignmentTable()
    model: ModelTable = ModelTable()
    evaluation: EvaluationTable = EvaluationTable()
    retention: RetentionTable


class Scenario(ScenarioTables, frozen=True, kw_only=True):
    """A scenario that was read and checked, and the folder its files are relative to."""

    source: str
    """The scenario file's name, for messages."""
    source_argument: str
    """What :func:`load` was given, for a command that runs it again."""
    folder: Path

    @property
    def active_party(self) -> PartyTable:
        """The party with the label."""
        return next(party for party in self.parties if party.role == "active_party")

    @property
    def passive_party(self) -> PartyTable:
        """The party with features only."""
        return next(party for party in self.parties if party.role == "passive_party")

    @property
    def pooling_allowed(self) -> bool:
        """Whether the scenario lets this machine join both files in the clear."""
        return self.pooled_on_this_machine != "no"

    @property
    def provenance_sentences(self) -> tuple[str, ...]:
        """What a report has to say about where the data comes from."""
        return self.provenance if self.sample is None else credit_data.PROVENANCE

    @property
    def limit_sentences(self) -> tuple[str, ...]:
        """What a report has to say about what the data cannot show."""
        return () if self.sample is None else credit_data.LIMITS

    def file(self, party_id: str) -> Path:
        """Return the path of the table ``party_id`` brings; raises ``KeyError``."""
        for party in self.parties:
            if party.id == party_id:
                return self.folder / party.file
        raise KeyError(party_id)


def load(source: str | Path) -> Scenario:
    """Return the packaged scenario called ``source``, or the one in the file ``source``.

    A scenario with its own files has them checked here; one that names a sample has them written
    and checked by :func:`prepare`. Raises :class:`ScenarioError`.
    """
    if str(source) in BUILTIN:
        packaged = resources.files("simulations.scenarios") / f"{source}.toml"
        text, shown, folder = packaged.read_text(encoding="utf-8"), f"{source}.toml", Path()
    else:
        path = Path(source)
        text, shown, folder = _read(path), path.name, path.resolve().parent
    tables = _decode(text, shown)
    _check_tables(tables, shown)
    fields = {name: getattr(tables, name) for name in tables.__struct_fields__}
    scenario = Scenario(**fields, source=shown, source_argument=str(source), folder=folder)
    if scenario.sample is None:
        _check_files(scenario)
    return scenario


def prepare(scenario: Scenario, folder: Path, suite: Suite) -> Scenario:
    """Return ``scenario`` with its files in place, a sample's written into ``folder``.

    Raises :class:`ScenarioError`.
    """
    if scenario.sample is None:
        return scenario
    try:
        credit_data.write(folder, seed=scenario.seed, suite=suite)
    except credit_data.SampleUnavailable as error:
        raise ScenarioError(str(error), error.hint) from None
    placed = msgspec.structs.replace(scenario, folder=folder)
    _check_files(placed)
    return placed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioError(
            f"no scenario {str(path)!r}",
            f"give a packaged name ({', '.join(BUILTIN)}) or the path of a TOML file",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(
            f"cannot read {path.name}: {reason}", "give the path of a readable TOML file"
        ) from None


def _decode(text: str, shown: str) -> ScenarioTables:
    try:
        # Decimals keep the digits that were written; a float would change what is signed.
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{shown} is not TOML: {error}", "correct the line it names") from None
    try:
        return msgspec.convert(raw, ScenarioTables)
    except msgspec.ValidationError as error:
        raise _explained(str(error), shown) from None


_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_KEY_HINTS = {
    "legal_basis": (
        "every party states its own: CN13_1 (consent), EU6_1a ..., or synthetic_or_public_data"
    ),
    "allowed_purposes": "list what the people in the table were told their data is used for",
    "agreement": "give the reference of the contract the parties signed, for example A-2026/17",
    "purpose": f"one of: {', '.join(get_args(Purpose))}",
    "retention": "add a [retention] table with days = the days until left-overs are deleted",
    "days": "give the days after the job's end until what it left behind is deleted",
    "label": "add a [label] table with column, meaning, and positive or above",
    "parties": "add two [[parties]] tables, one active_party and one passive_party",
    "sample": "the packaged sample is credit_data; leave sample out to use your own files",
    "positive": 'quote the value as it stands in the file, for example: positive = "1"',
    "pooled_on_this_machine": 'one of: "public", "synthetic", "authorised: <reference>", "no"',
}


def _explained(text: str, shown: str) -> ScenarioError:
    """Turn the decoder's message into one that names the key, the table and the way out."""
    where = _WHERE.search(text)
    path = where["path"] if where else ""
    at = f" in {_table_name(path)}" if path else ""
    unknown, missing = _UNKNOWN.match(text), _MISSING.match(text)
    if unknown:
        known = _keys_at(path)
        close = get_close_matches(unknown["key"], known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return ScenarioError(
            f"{shown}: unknown key {unknown['key']!r}{at}",
            f"{hint}the keys are: {', '.join(known)}",
        )
    if missing:
        key = missing["key"]
        return ScenarioError(
            f"{shown}: missing key {key!r}{at}",
            _KEY_HINTS.get(key, f"add {key} = ... to the scenario file"),
        )
    key = path.rsplit(".", 1)[-1]
    reason = text[: where.start()] if where else text
    return ScenarioError(
        f"{shown}: {path or 'the file'}: {reason[:1].lower()}{reason[1:]}",
        _KEY_HINTS.get(key, "correct this key; the packaged scenarios are commented examples"),
    )


def _table_name(path: str) -> str:
    name = re.sub(r"\[[^]]*\]", "", path)
    return f"[[{name}]]" if name == "parties" else f"[{name}]"


def _keys_at(path: str) -> list[str]:
    """Return the keys of the table at ``path``, in the order the structs declare them."""
    tables: dict[str, type[msgspec.Struct]] = {
        "": ScenarioTables,
        "parties": PartyTable,
        "label": LabelTable,
        "alignment": AlignmentTable,
        "model": ModelTable,
        "evaluation": EvaluationTable,
        "retention": RetentionTable,
    }
    return [field.name for field in msgspec.structs.fields(tables[re.sub(r"\[[^]]*\]", "", path)])]


def _check_tables(tables: ScenarioTables, shown: str) -> None:
    """Refuse what the tables' types cannot: contradictions between keys."""

    def refuse(message: str, hint: str) -> None:
        raise ScenarioError(f"{shown}: {message}", hint)

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", tables.name):
        refuse("name must be lower-case letters, digits and dashes", "for example: credit-need")
    if not 0 <= tables.seed <= MAX_SEED:
        refuse(f"seed must be between 0 and {MAX_SEED}", "any whole number will do")
    pooled = tables.pooled_on_this_machine
    if pooled not in ("public", "synthetic", "no") and not _AUTHORISED.fullmatch(pooled):
        refuse(
            f"pooled_on_this_machine = {pooled!r} is not an answer",
            _KEY_HINTS["pooled_on_this_machine"],
        )
    if tables.retention.days < 0:
        refuse("retention days must not be negative", "0 deletes at the job's end")
    if not tables.title.strip():
        refuse("title is empty", "give the title, in words")
    # What goes into the audit log is checked here, where the file can be named.
    if not is_code(tables.agreement):
        refuse(
            f"agreement = {tables.agreement!r} is not a reference",
            "the contract's reference in letters, digits and . _ : / + -, for example A-2026/17",
        )
    _check_parties(tables, refuse)
    _check_label(tables, refuse)


def _check_parties(tables: ScenarioTables, refuse: Any) -> None:
    ids = [party.id for party in tables.parties]
    for party_id in ids:
        if not _PARTY_ID.fullmatch(party_id):
            refuse(
                f"party id {party_id!r} is not usable",
                "a lower-case letter, then letters, digits or dashes, at most 32",
            )
        if party_id == "coordinator":
            refuse("no party can be called 'coordinator'", "the coordinator has that name")
        if ids.count(party_id) > 1:
            refuse(f"two parties are called {party_id!r}", "give each party its own id")
    roles = [party.role for party in tables.parties]
    if sorted(roles) != ["active_party", "passive_party"]:
        refuse(
            "this release takes one active_party and one passive_party, "
            f"not {len(roles)} parties with roles {', '.join(roles) or 'none'}",
            "the active_party is the one with the label",
        )
    for party in tables.parties:
        names = [name for name, _ in party.columns]
        if not names:
            refuse(
                f"{party.id} has no columns", "list them in numeric = [...], categorical = [...]"
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            refuse(f"{party.id} lists {twice[0]!r} twice", "list each column once")
        if party.identifier in names:
            refuse(
                f"{party.id}: the identifier {party.identifier!r} is also a feature",
                "take it out of numeric or categorical",
            )
        for name in (party.identifier, *names):
            _check_column_name(name, party.id, refuse)
        if not is_code(party.legal_basis):
            refuse(
                f"{party.id}: legal_basis = {party.legal_basis!r} is none",
                _KEY_HINTS["legal_basis"],
            )
        if party.minimum_cohort < 1:
            refuse(f"{party.id}: minimum_cohort must be at least 1", "1000 is the default")


def _check_column_name(name: str, party_id: str, refuse: Any) -> None:
    if not is_label(name):
        refuse(
            f"{party_id}: the column name {name!r} cannot be logged",
            "rename the column: printable, at most 128 characters, no quotes, no @, not a number",
        )


def _check_label(tables: ScenarioTables, refuse: Any) -> None:
    label = tables.label
    active = next(party for party in tables.parties if party.role == "active_party")
    if (label.positive is None) == (label.above is None):
        refuse(
            "[label] needs either positive or above",
            'positive = "the value that counts as yes", or above = a number',
        )
    if label.above is not None and not label.above.is_finite():
        refuse("[label] above must be a finite number", "for example: above = 1000")
    if label.column in [name for name, _ in active.columns]:
        refuse(
            f"the label {label.column!r} is also a feature of {active.id}",
            "a model would read the answer off it: take it out of the columns",
        )
    _check_column_name(label.column, active.id, refuse)
    if label.column == active.identifier:
        refuse("the label is the identifier column", "name the column that is predicted")


def _check_files(scenario: Scenario) -> None:
    """Refuse files that are missing, unreadable, or lack a column the scenario names."""
    for party in scenario.parties:
        there = _columns_of(scenario.folder / party.file, party, scenario.source)
        wanted = [(party.identifier, "identifier"), *party.columns]
        if party.role == "active_party":
            wanted.append((scenario.label.column, "label"))
        for name, use in wanted:
            if name not in there:
                close = get_close_matches(name, there, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise ScenarioError(
                    f"{scenario.source}: {party.file} of {party.id} has no column {name!r} ({use})",
                    f"{hint}its columns are: {', '.join(there)}",
                )


def _columns_of(path: Path, party: PartyTable, shown: str) -> Sequence[str]:
    if not path.is_file():
        raise ScenarioError(
            f"{shown}: the file of {party.id}, {party.file!r}, does not exist",
            f"it was looked for in {path.parent}",
        )
    try:
        if path.suffix == ".parquet":
            return [str(name) for name in pq.read_schema(path).names]
        if path.suffix == ".csv":
            # Broken rows are the node's to reject, one by one; only the header is asked here.
            lenient = pa_csv.ParseOptions(invalid_row_handler=lambda row: "skip")
            with pa_csv.open_csv(path, parse_options=lenient) as reader:
                return [str(name) for name in reader.schema.names]
    except (OSError, pa_lib.ArrowException):
        # The reader's text can quote a row.
        raise ScenarioError(
            f"{shown}: {party.file} of {party.id} cannot be read as {path.suffix[1:]}",
            "check that it is a table with a header row",
        ) from None
    raise ScenarioError(
        f"{shown}: {party.file} of {party.id} is neither .csv nor .parquet",
        "export the table as CSV with a header row, or as Parquet",
    )
