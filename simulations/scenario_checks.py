"""Contradictions in a scenario, and files that are not as it says: refused with the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
from pyarrow import csv as pa_csv
from pyarrow import lib as pa_lib

from audit.detail_kinds import is_code, is_label
from protocols.session.agreed_job import Purpose
from simulations.samples import population
from simulations.scenario_tables import (
    PartyTable,
    ScenarioError,
    ScenarioTables,
    ScorecardTable,
    TreeTable,
)

MAX_SEED = 2**53 - 1
MAX_PARTIES = 5
KEY_HINTS = {
    "legal_basis": (
        "every party states its own: CN13_1 (consent), EU6_1a ..., or synthetic_or_public_data"
    ),
    "allowed_purposes": "list what the people in the table were told their data is used for",
    "agreement": "give the reference of the contract the parties signed, for example A-2026/17",
    "purpose": f"one of: {', '.join(get_args(Purpose))}",
    "retention": "add a [retention] table with days = the days until left-overs are deleted",
    "days": "give the days after the job's end until what it left behind is deleted",
    "label": "add a [label] table with column, meaning, and positive or above",
    "parties": "add [[parties]] tables: one active_party, one to four passive_party",
    "sample": (
        "the packaged samples are credit_data, complete_journey_vertical and population; "
        "leave sample out to use your own files"
    ),
    "positive": 'quote the value as it stands in the file, for example: positive = "1"',
    "pooled_on_this_machine": 'one of: "public", "synthetic", "authorised: <reference>", "no"',
}
_PARTY_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_AUTHORISED = re.compile(r"authorised: *\S.*")


def check_tables(tables: ScenarioTables, shown: str) -> None:
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
            KEY_HINTS["pooled_on_this_machine"],
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
    _check_sample(tables, refuse)
    _check_parties(tables, refuse)
    _check_label(tables, refuse)


def _check_sample(tables: ScenarioTables, refuse: Any) -> None:
    rows = tables.sample_rows
    if (tables.sample == "population") != (rows is not None):
        refuse(
            'sample_rows goes with sample = "population", and only with it',
            "sample_rows = 10000 gives each party 10,000 made rows",
        )
    if rows is not None and not population.MIN_ROWS <= rows <= population.MAX_ROWS:
        refuse(
            f"sample_rows must be between {population.MIN_ROWS:,} and {population.MAX_ROWS:,}",
            "10000 is a good beginning",
        )


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
    if roles.count("active_party") != 1 or not 2 <= len(roles) <= MAX_PARTIES:
        refuse(
            "a scenario takes one active_party and one to four passive_party, "
            f"not {len(roles)} parties with roles {', '.join(roles) or 'none'}",
            "the active_party is the one with the label",
        )
    if isinstance(tables.model, ScorecardTable) and len(roles) > 2:
        refuse(
            f"a scorecard is trained by two parties, not {len(roles)}",
            'leave out a passive_party, or kind = "boosted_trees" in [model]',
        )
    for party in tables.parties:
        names = [name for name, _ in party.columns]
        if not names:
            refuse(
                f"{party.id} has no columns",
                "list them in numeric, integer, boolean, date or categorical = [...]",
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            refuse(f"{party.id} lists {twice[0]!r} twice", "list each column once")
        uses = {"identifier": party.identifier}
        if party.consent_column is not None:
            uses["consent column"] = party.consent_column
        for use, name in uses.items():
            if name in names:
                refuse(
                    f"{party.id}: the {use} {name!r} is also a feature",
                    "take it out of the column lists",
                )
        if len(set(uses.values())) != len(uses):
            refuse(f"{party.id}: the identifier is also the consent column", "they are two columns")
        for name in (*uses.values(), *names):
            _check_column_name(name, party.id, refuse)
        if not is_code(party.legal_basis):
            refuse(
                f"{party.id}: legal_basis = {party.legal_basis!r} is none",
                KEY_HINTS["legal_basis"],
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
    rules = (label.positive is not None, label.above is not None, bool(label.classes), label.number)
    if sum(rules) != 1:
        refuse(
            "[label] needs one of positive, above, classes and number",
            'positive = "the value that counts as yes", above = a number, classes = [the values '
            "to tell apart], or number = true",
        )
    if (label.number or label.classes) and not isinstance(tables.model, TreeTable):
        refuse(
            "[label] with classes or number is learned by boosted trees only",
            'kind = "boosted_trees" in [model], or positive = ... in [label]',
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
    if label.column == active.consent_column:
        refuse("the label is the consent column", "name the column that is predicted")


def check_files(tables: ScenarioTables, folder: Path, shown: str) -> None:
    """Refuse files in ``folder`` that are missing, unreadable, or lack a column that is named."""
    for party in tables.parties:
        there = _columns_of(folder / party.file, party, shown)
        wanted = [(party.identifier, "identifier"), *party.columns]
        if party.consent_column is not None:
            wanted.append((party.consent_column, "consent column"))
        if party.role == "active_party":
            wanted.append((tables.label.column, "label"))
        for name, use in wanted:
            if name not in there:
                close = get_close_matches(name, there, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise ScenarioError(
                    f"{shown}: {party.file} of {party.id} has no column {name!r} ({use})",
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
