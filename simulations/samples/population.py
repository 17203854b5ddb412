"""A made population of any size: for measuring how the federation grows, never for a finding.

Nobody in it exists. Every party has its own columns about people driven by hidden traits: two that
all parties' columns reflect, and one for each party that only its own columns reflect. The label
depends on all of them, so that every party adds something. Written column by column, a million
rows of a party take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from protocols.session.job_spec import ColumnKind
from protocols.suite import Suite
from simulations.samples.phones import (
    BANK_STYLES,
    MADE_NUMBERS,
    RETAILER_STYLES,
    UNREADABLE_NUMBERS,
    made_numbers_at,
    written_many,
)
from simulations.scenario_tables import (
    EvaluationTable,
    LabelTable,
    PartyTable,
    RetentionTable,
    ScenarioTables,
)

MIN_PARTIES, MAX_PARTIES = 2, 5
MIN_ROWS, MAX_ROWS = 500, 5_000_000
COLUMNS_PER_PARTY = 8
COMMON_PERCENT = 70
"""Of each party's rows: customers that every party has."""
CONSENT_PERCENT = 96
SPOILED_PER_MILLE = 1
"""Of each party's rows: customers entered twice, and as many numbers that are none."""

IDENTIFIER, CONSENT, LABEL = "phone", "consent", "made_label"

PROVENANCE = (
    "All data is made: a generator drew the people, their columns, the label and the phone "
    "numbers. Nobody in it exists, though a made number may by chance be somebody's.",
    f"About {COMMON_PERCENT} % of each party's rows are customers that every party has; "
    f"{CONSENT_PERCENT} % of the customers of a party are marked as having consented, and the "
    "others' rows are left out.",
    "Some numbers that are none and some customers entered twice were added to each party "
    "to show what is rejected.",
)
LIMITS = (
    "What joining is worth here was put in by the generator. The figures show that the software "
    "finds it and what that costs, and nothing about any market.",
)

_SHARED_TRAITS = 2
_KINDS: tuple[ColumnKind, ...] = (
    "numeric", "integer", "categorical", "boolean", "numeric", "date", "categorical", "numeric",
)  # fmt: skip
_NAMES: dict[ColumnKind, str] = {
    "numeric": "made_amount",
    "integer": "made_count",
    "boolean": "made_flag",
    "date": "made_date",
    "categorical": "made_group",
}
_LEVELS = (12, 400)
_FIRST_DAY = 18_262  # 2020-01-01
_MISSING_SHARE = 0.05

_Floats = npt.NDArray[np.float32]


def party_ids(parties: int) -> tuple[str, ...]:
    """Return the parties' names: the bank, which has the label, and its retailers."""
    return ("bank", *(f"retailer-{number}" for number in range(1, parties)))


def column_kinds(columns: int = COLUMNS_PER_PARTY) -> dict[str, ColumnKind]:
    """Return the feature columns every party has, by name; only the names are the same."""
    kinds = [_KINDS[index % len(_KINDS)] for index in range(columns)]
    return {f"{_NAMES[kind]}_{kinds[: at + 1].count(kind)}": kind for at, kind in enumerate(kinds)}


def scenario(*, parties: int, rows: int, seed: int) -> ScenarioTables:
    """Return the scenario that learns from what :func:`write` writes."""
    return ScenarioTables(
        name=f"made-{parties}-parties-{rows}-rows",
        title=f"Made population: {parties} parties with {rows:,} rows each",
        purpose="credit_need",
        output_use="research_only",
        agreement="sample-made-population",
        seed=seed,
        pooled_on_this_machine="synthetic",
        sample="population",
        sample_rows=rows,
        parties=tuple(_party_table(party, rows) for party in party_ids(parties)),
        label=LabelTable(
            column=LABEL,
            meaning="made label: drawn from traits that all parties' columns reflect",
            purpose="credit_need",
            positive="yes",
        ),
        # A small population still has to pass the floors it is measured with.
        evaluation=EvaluationTable(minimum_held_out=max(10, min(100, rows // 20))),
        retention=RetentionTable(days=30),
    )


def write(
    folder: Path,
    *,
    parties: int,
    rows: int,
    seed: int,
    suite: Suite,
    columns_per_party: int = COLUMNS_PER_PARTY,
) -> None:
    """Write ``<party>.parquet`` for each of :func:`party_ids`, ``rows`` rows each.

    The same files for the same arguments and releases of numpy and pyarrow. Raises ``ValueError``
    for numbers outside the limits above.
    """
    if not MIN_PARTIES <= parties <= MAX_PARTIES or not MIN_ROWS <= rows <= MAX_ROWS:
        raise ValueError("parties or rows outside what a made population can have")
    key = suite.hash(b"fedcrm/sample/population/v1\x00", seed.to_bytes(8, "big"))
    spoiled = max(1, rows * SPOILED_PER_MILLE // 1000)
    common = rows * COMMON_PERCENT // 100
    own = rows - spoiled - common
    traits = _SHARED_TRAITS + parties
    numbers = _numbers(common + parties * own, _generator(suite, key, b"numbers"))
    everyones = _traits(common, traits, _generator(suite, key, b"common"))
    folder.mkdir(parents=True, exist_ok=True)
    for index, party in enumerate(party_ids(parties)):
        draw = _generator(suite, key, party.encode())
        its_own = common + index * own
        held = np.concatenate([numbers[:common], numbers[its_own : its_own + own]])
        people = np.concatenate([everyones, _traits(own, traits, draw)])
        features = people[:, [*range(_SHARED_TRAITS), _SHARED_TRAITS + index]]
        columns = {CONSENT: pa.array(draw.random(len(held)) * 100 < CONSENT_PERCENT)}
        if index == 0:
            columns[LABEL] = _labels(people, draw)
        columns |= dict(_columns(features, columns_per_party, draw))
        styles = BANK_STYLES if index == 0 else RETAILER_STYLES
        table = _as_held(held, styles, pa.table(columns), spoiled, draw)
        pq.write_table(table, folder / f"{party}.parquet")


def _party_table(party: str, rows: int) -> PartyTable:
    kinds = column_kinds()
    named = {kind: tuple(name for name, k in kinds.items() if k == kind) for kind in _NAMES}
    return PartyTable(
        id=party,
        role="active_party" if party == "bank" else "passive_party",
        file=f"{party}.parquet",
        identifier=IDENTIFIER,
        identifier_kind="phone",
        consent_column=CONSENT,
        numeric=named["numeric"],
        integer=named["integer"],
        boolean=named["boolean"],
        date=named["date"],
        categorical=named["categorical"],
        jurisdiction="CN",
        legal_basis="synthetic_or_public_data",
        allowed_purposes=("credit_need",),
        minimum_cohort=min(1000, rows // 4),
    )


def _generator(suite: Suite, key: bytes, purpose: bytes) -> np.random.Generator:  # noqa: TID251
    # Made data, not a secret: numpy's generator is a thousand times faster than a suite's stream.
    seed = int.from_bytes(suite.stream(key, purpose).bytes(32), "big")
    return np.random.Generator(np.random.PCG64(seed))  # noqa: TID251


def _numbers(count: int, draw: np.random.Generator) -> npt.NDArray[np.int64]:  # noqa: TID251
    """Return ``count`` different made phone numbers in no order."""
    places = np.empty(0, dtype=np.int64)
    while len(places) < count:
        more = draw.integers(MADE_NUMBERS, size=count - len(places) + 1000)
        places = np.unique(np.concatenate([places, more]))
    return made_numbers_at(draw.permutation(places)[:count])


def _traits(people: int, traits: int, draw: np.random.Generator) -> _Floats:  # noqa: TID251
    return draw.standard_normal((people, traits), dtype=np.float32)


def _labels(people: _Floats, draw: np.random.Generator) -> pa.Array:  # noqa: TID251
    """Return yes for about one in five; every party's own trait moves it, the bank's the least."""
    weights = np.full(people.shape[1], 0.9, dtype=np.float32)
    weights[: _SHARED_TRAITS + 1] = 0.5
    inclined = 1 / (1 + np.exp(2.0 - people @ weights))
    return pa.array(np.where(draw.random(len(people)) < inclined, "yes", "no").astype(object))


def _columns(
    traits: _Floats,
    columns: int,
    draw: np.random.Generator,  # noqa: TID251
) -> Iterator[tuple[str, pa.Array]]:
    """Yield the feature columns of people with ``traits``, each a mix of them and of noise."""
    groups = 0
    for name, kind in column_kinds(columns).items():
        mix = draw.uniform(-1, 1, size=(traits.shape[1],)).astype(np.float32)
        mix[-1] = 1.0 if mix[-1] > 0 else -1.0  # what only this party knows shows in each column
        signal = traits @ mix + 0.5 * _traits(len(traits), 1, draw)[:, 0]
        signal /= np.sqrt(float(mix @ mix) + 0.25)
        missing = None
        if kind in ("numeric", "categorical"):
            missing = draw.random(len(traits)) < _MISSING_SHARE
        if kind == "categorical":
            levels = _LEVELS[groups % len(_LEVELS)]
            groups += 1
            yield name, _grouped(signal, draw.permutation(levels), missing)
        else:
            yield name, _measured(signal, kind, missing)


def _measured(signal: _Floats, kind: ColumnKind, missing: npt.NDArray[np.bool_] | None) -> pa.Array:
    if kind == "boolean":
        return pa.array(signal > 0.3)
    if kind == "integer":
        return pa.array(np.exp(0.6 * signal + 1.5).astype(np.int64))
    if kind == "date":
        days = _FIRST_DAY + np.clip(1000 + 400 * signal, 0, 2000)
        return pa.array(days.astype(np.int32)).cast(pa.date32())
    amounts = np.round(1000 * np.exp(0.5 * signal.astype(np.float64)), 2)
    return pa.array(amounts, mask=missing)


def _grouped(
    signal: _Floats, names: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_] | None
) -> pa.Array:
    """Return the level each signal falls in; names do not follow the order of the levels."""
    share = np.reciprocal(1 + np.exp(-1.7 * signal))  # close to the share of people below
    levels = (share * len(names)).astype(np.int32).clip(max=len(names) - 1)
    texts = pa.array([f"group {number}" for number in names])
    return pa.DictionaryArray.from_arrays(pa.array(levels, mask=missing), texts).dictionary_decode()


def _as_held(
    numbers: npt.NDArray[np.int64],
    styles: tuple[str, ...],
    columns: pa.Table,
    spoiled: int,
    draw: np.random.Generator,  # noqa: TID251
) -> pa.Table:
    """Return the rows as a party's systems hold them: its spelling and order, and its mistakes."""
    customers = len(numbers)
    # The customers without a number are the last ones, whom no other party has.
    readable = customers - spoiled
    rows = np.concatenate([np.arange(customers), draw.choice(readable, spoiled, replace=False)])
    phones = written_many(numbers[rows], styles, draw.integers(len(styles), size=len(rows)))
    phone_of = np.arange(len(rows))
    phone_of[readable:customers] = len(rows) + np.arange(spoiled) % len(UNREADABLE_NUMBERS)
    order = draw.permutation(len(rows))
    phones = pa.concat_arrays([phones, pa.array(UNREADABLE_NUMBERS)])
    phones = phones.take(pa.array(phone_of[order]))
    return columns.take(pa.array(rows[order])).add_column(0, IDENTIFIER, phones)
