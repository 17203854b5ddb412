"""Customers two parties share, as their models get them: read by the parties' own reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from models.table import ColumnTable, Rows
from party_node.datasets import read_dataset
from protocols.roles import PartyId
from protocols.suite import RandomStream, Suite, get_suite
from simulations.job import registration
from simulations.scenario import Scenario, load, made_scenario, prepare

ACTIVE: PartyId = "bank"
PASSIVE: PartyId = "retailer"
REAL = "credit_data"
MADE = "made population"
DATA = (REAL, MADE)
SUITE = get_suite("intl")
_COMMON_OF_MADE = 0.62
"""A made population's shared, consenting customers per row of a party; a little under."""


@dataclass(frozen=True, eq=False)
class SharedCustomers:
    """Both parties' columns about the same customers in one order, and the label."""

    data: str
    tables: Mapping[PartyId, ColumnTable] = field(repr=False)
    labels: npt.NDArray[Any] = field(repr=False)

    @property
    def count(self) -> int:
        """How many customers."""
        return len(self.labels)

    def take(self, rows: Rows) -> SharedCustomers:
        """Return the customers at these positions."""
        tables = {party: table.take(rows) for party, table in self.tables.items()}
        return SharedCustomers(self.data, tables, self.labels[rows])


def parted(customers: SharedCustomers, count: int) -> tuple[SharedCustomers, SharedCustomers]:
    """Return the first ``count`` customers, and the others."""
    rows = np.arange(customers.count)
    return customers.take(rows[:count]), customers.take(rows[count:])


def stream_of(seed: int, purpose: str) -> RandomStream:
    """Return the randomness of run number ``seed`` for one purpose."""
    return SUITE.stream(SUITE.hash(b"fedcrm attacks/1", seed.to_bytes(8, "big")), purpose.encode())


def draw(data: str, count: int, seed: int) -> SharedCustomers:
    """Return ``count`` customers for run number ``seed``.

    ``credit_data``: drawn from one real table without replacement, so runs overlap. ``made
    population``: people made anew for each seed. Raises ``ValueError`` for more customers than
    the real table's shared ones, and ``ScenarioError`` where the sample is not installed.
    """
    everybody = _credit_risk() if data == REAL else _made(count, seed)
    if count > everybody.count:
        raise ValueError(f"{data} has {everybody.count} shared customers, not {count}")
    return everybody.take(stream_of(seed, f"draw of {data}").permutation(everybody.count)[:count])


def describe(data: str, count: int) -> str:
    """Return what the customers under attack are, for a table."""
    drawn = "drawn anew from one real table" if data == REAL else "made anew"
    return f"{data}, {count:,} customers {drawn} for each seed"


@cache
def _credit_risk() -> SharedCustomers:
    return _read(load("credit-risk"), REAL, SUITE)


@cache
def _made(count: int, seed: int) -> SharedCustomers:
    rows = max(800, int(count / _COMMON_OF_MADE) + 100)
    return _read(made_scenario(2, rows, seed), MADE, SUITE)


def _read(scenario: Scenario, data: str, suite: Suite) -> SharedCustomers:
    """Return the customers both files have, in the active party's file order."""
    with TemporaryDirectory(prefix="fedcrm-attacks-") as name:
        folder = Path(name)
        placed = prepare(scenario, folder, suite)
        sides = [
            read_dataset(registration(placed, party.id), suite, folder / f"{party.id}-rejects.csv")
            for party in (placed.active_party, *placed.passive_parties)
        ]
    places = [{item.tobytes(): at for at, item in enumerate(s.protocol_inputs)} for s in sides]
    shared = [item for item in places[0] if item in places[1]]
    mine, theirs = (np.array([place[item] for item in shared], np.int64) for place in places)
    assert sides[0].labels is not None  # the registration of the active party has a label rule
    tables = {ACTIVE: sides[0].table.take(mine), PASSIVE: sides[1].table.take(theirs)}
    return SharedCustomers(data, tables, sides[0].labels[mine])
