"""Scenario files: what ``fedcrm simulate FILE.toml`` runs, read strictly.

A key that no scenario has is an error that names the key, the file and the keys there are; so is a
missing file, a column the file does not have, or a label that is also a feature. Whether the law
allows the job is asked later, by ``compliance/``: here only the answer must be present.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from protocols.suite import Suite
from simulations.samples import complete_journey_vertical, credit_data, population
from simulations.scenario_checks import KEY_HINTS, check_files, check_tables
from simulations.scenario_tables import (
    AlignmentTable,
    EvaluationTable,
    LabelTable,
    ModelTable,
    PartyTable,
    RetentionTable,
    Sample,
    SamplingTable,
    ScenarioError,
    ScenarioTables,
    ScorecardTable,
    SplitNetworkTable,
    SuiteName,
    TreeTable,
)

__all__ = [
    "BUILTIN",
    "LabelTable",
    "PartyTable",
    "Scenario",
    "ScenarioError",
    "changed",
    "load",
    "made_scenario",
    "prepare",
]

BUILTIN = ("credit-need", "credit-risk", "churn-vertical")
_SAID_OF: dict[Sample, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "credit_data": (credit_data.PROVENANCE, credit_data.LIMITS),
    "complete_journey_vertical": (
        complete_journey_vertical.PROVENANCE,
        complete_journey_vertical.LIMITS,
    ),
    "population": (population.PROVENANCE, population.LIMITS),
}
"""What a sample has to say: where its data comes from, and what it cannot show."""


class Scenario(ScenarioTables, frozen=True, kw_only=True):
    """A scenario that was read and checked, and the folder its files are relative to."""

    source: str
    """The scenario file's name, for messages; or what it is, where there is no file."""
    source_argument: str
    """What follows ``fedcrm simulate`` in a command that runs it again."""
    folder: Path

    @property
    def active_party(self) -> PartyTable:
        """The party with the label."""
        return next(party for party in self.parties if party.role == "active_party")

    @property
    def passive_parties(self) -> tuple[PartyTable, ...]:
        """The parties with features only."""
        return tuple(party for party in self.parties if party.role == "passive_party")

    @property
    def pooling_allowed(self) -> bool:
        """Whether the scenario lets this machine join all files in the clear."""
        return self.pooled_on_this_machine != "no"

    @property
    def provenance_sentences(self) -> tuple[str, ...]:
        """What a report has to say about where the data comes from."""
        return self.provenance if self.sample is None else _SAID_OF[self.sample][0]

    @property
    def limit_sentences(self) -> tuple[str, ...]:
        """What a report has to say about what the data cannot show."""
        return () if self.sample is None else _SAID_OF[self.sample][1]

    def placed(self, inputs: Path) -> Scenario:
        """Return this scenario with a sample's files where an earlier run wrote them."""
        return self if self.sample is None else msgspec.structs.replace(self, folder=inputs)

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
    scenario = _checked(tables, shown, str(source), folder)
    if scenario.sample is None:
        check_files(scenario, folder, shown)
    return scenario


def made_scenario(parties: int, rows: int, seed: int) -> Scenario:
    """Return a scenario of a made population: ``parties`` organisations with ``rows`` rows each.

    The first is the bank with the label; :func:`prepare` writes the files. Raises
    :class:`ScenarioError` for numbers outside the sample's limits.
    """
    if not population.MIN_PARTIES <= parties <= population.MAX_PARTIES:
        raise ScenarioError(
            f"a made population has {population.MIN_PARTIES} to {population.MAX_PARTIES} parties",
            f"not {parties}",
        )
    tables = population.scenario(parties=parties, rows=rows, seed=seed)
    again = f"--parties {parties} --rows {rows} --seed {seed}"
    return _checked(tables, "the made population", again, Path())


def _checked(tables: ScenarioTables, shown: str, again: str, folder: Path) -> Scenario:
    check_tables(tables, shown)
    fields = {name: getattr(tables, name) for name in tables.__struct_fields__}
    return Scenario(**fields, source=shown, source_argument=again, folder=folder)


def changed(scenario: Scenario, changes: Mapping[str, str | int]) -> Scenario:
    """Return ``scenario`` with what the command line replaces, checked as in a file.

    Raises :class:`ScenarioError`.
    """
    tables: dict[str, Any] = {n: getattr(scenario, n) for n in ScenarioTables.__struct_fields__}
    at = {
        "model": "model",
        "suite": "suite",
        "protocol": "alignment.protocol",
        "repeats": "evaluation.repeats",
        "trees": "model.trees",
    }
    for name, value in changes.items():
        table, _, key = at[name].rpartition(".")
        try:
            if name == "model":
                kind = {"kind": value}
                tables["model"] = msgspec.convert(kind, ModelTable)
            elif table:
                plain = msgspec.structs.asdict(tables[table]) | {key: value}
                tables[table] = msgspec.convert(plain, type(tables[table]))
            else:
                tables[key] = msgspec.convert(value, SuiteName)
        except msgspec.ValidationError as error:
            raise ScenarioError(
                f"--{name}: {str(error)[:1].lower()}{str(error)[1:]}", "see fedcrm simulate --help"
            ) from None
    return _checked(
        ScenarioTables(**tables), scenario.source, scenario.source_argument, scenario.folder
    )


def prepare(scenario: Scenario, folder: Path, suite: Suite) -> Scenario:
    """Return ``scenario`` with its files in place, a sample's written into ``folder``.

    Raises :class:`ScenarioError`.
    """
    if scenario.sample is None:
        return scenario
    if scenario.sample_rows is not None:
        population.write(
            folder,
            parties=len(scenario.parties),
            rows=scenario.sample_rows,
            seed=scenario.seed,
            suite=suite,
        )
    else:
        shipped = {
            "credit_data": credit_data.write,
            "complete_journey_vertical": complete_journey_vertical.write,
        }
        try:
            shipped[scenario.sample](folder, seed=scenario.seed, suite=suite)
        except credit_data.SampleUnavailable as error:
            raise ScenarioError(str(error), error.hint) from None
    placed = msgspec.structs.replace(scenario, folder=folder)
    check_files(placed, folder, scenario.source)
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
    if isinstance(model := raw.get("model"), dict):
        model.setdefault("kind", "boosted_trees")
    try:
        return msgspec.convert(raw, ScenarioTables)
    except msgspec.ValidationError as error:
        raise _explained(str(error), shown, raw) from None


_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def _explained(text: str, shown: str, raw: dict[str, Any]) -> ScenarioError:
    """Turn the decoder's message into one that names the key, the table and the way out."""
    where = _WHERE.search(text)
    path = where["path"] if where else ""
    at = f" in {_table_name(path)}" if path else ""
    unknown, missing = _UNKNOWN.match(text), _MISSING.match(text)
    if unknown:
        known = _keys_at(path, raw)
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
            KEY_HINTS.get(key, f"add {key} = ... to the scenario file"),
        )
    key = path.rsplit(".", 1)[-1]
    reason = text[: where.start()] if where else text
    return ScenarioError(
        f"{shown}: {path or 'the file'}: {reason[:1].lower()}{reason[1:]}",
        KEY_HINTS.get(key, "correct this key; the packaged scenarios are commented examples"),
    )


def _table_name(path: str) -> str:
    name = re.sub(r"\[[^]]*\]", "", path)
    return f"[[{name}]]" if name == "parties" else f"[{name}]"


_MODELS: dict[str, type[msgspec.Struct]] = {
    "boosted_trees": TreeTable,
    "scorecard": ScorecardTable,
    "split_network": SplitNetworkTable,
}


def _keys_at(path: str, raw: dict[str, Any]) -> list[str]:
    """Return the keys of the table at ``path``, in the order the structs declare them."""
    tables: dict[str, type[msgspec.Struct]] = {
        "": ScenarioTables,
        "parties": PartyTable,
        "label": LabelTable,
        "alignment": AlignmentTable,
        "model": _MODELS[raw["model"]["kind"]] if path.startswith("model") else TreeTable,
        "model.one_side_sampling": SamplingTable,
        "evaluation": EvaluationTable,
        "retention": RetentionTable,
    }
    return [field.name for field in msgspec.structs.fields(tables[re.sub(r"\[[^]]*\]", "", path)])]
