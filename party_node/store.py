"""The node's own database: jobs, journal, sealed row maps, and (from ``audit``) the log of record.

One SQLite file per node. Everything that is not meant to be read without the node's key is sealed
before it gets here; an event is appended in the transaction that changes the state it speaks of.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from audit import database
from audit.database import transaction

__all__ = ["open_database", "transaction"]

metadata = MetaData()

datasets = Table(
    "datasets",
    metadata,
    Column("name", String, primary_key=True),
    Column("registration", LargeBinary, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("spec", LargeBinary, nullable=False),
    Column("approvals", LargeBinary, nullable=False),
    Column("status", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("journal_key", LargeBinary),
)

journal_steps = Table(
    "journal_steps",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("input_digest", LargeBinary, nullable=False),
    Column("seed", LargeBinary),
    Column("result", LargeBinary),
    Column("wall_ms", Integer),
)

journal_inbound = Table(
    "journal_inbound",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("peer", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("length", Integer, nullable=False),
)

journal_outbound = Table(
    "journal_outbound",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("peer", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("length", Integer, nullable=False),
    Column("sealed", LargeBinary),
)

journal_acknowledged = Table(
    "journal_acknowledged",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("peer", String, primary_key=True),
    Column("ordinal", Integer, nullable=False),
)

row_maps = Table(
    "row_maps",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("dataset_digest", LargeBinary, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

participations = Table(
    "participations",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("tag", LargeBinary, primary_key=True),
)

model_halves = Table(
    "model_halves",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)


def open_database(path: Path) -> Engine:
    """Open (and on first use create) the node's database at ``path``."""
    return database.open_database(path, metadata)
