"""The node's own database: jobs, journal, sealed row maps, and (from ``audit``) the log of record.

One SQLite file per node. Everything that is not meant to be read without the node's key is sealed
before it gets here; an event is appended in the transaction that changes the state it speaks of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
    text,
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

purchase_files = Table(
    "purchase_files",
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

horizontal_state = Table(
    "horizontal_state",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
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

privacy_accounts = Table(
    "privacy_accounts",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("dataset", String, nullable=False),
    Column("purpose", String, nullable=False),
)
"""Against whose budget the entries of a job's attempt count."""

privacy_entries = Table(
    "privacy_entries",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("rate", Float, nullable=False),
    Column("noise_multiplier", Float, nullable=False),
    Column("steps", Integer, nullable=False),
)
"""What an attempt reserved, spent and gave back; ``privacy_ledger`` writes it."""


_APPEND_ONLY = {
    "no_update": "BEFORE UPDATE ON {table}",
    "no_delete": "BEFORE DELETE ON {table}",
    # INSERT OR REPLACE deletes a row without firing a DELETE trigger.
    "no_replace": "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})",
}
_TRIGGER = "CREATE TRIGGER {table}_{name} {when} BEGIN SELECT RAISE(ABORT, '{why}'); END"


@event.listens_for(privacy_accounts, "after_create")
@event.listens_for(privacy_entries, "after_create")
def _keep_append_only(table: Table, connection: Connection, **_: Any) -> None:
    # The triggers stop a program's mistake, not the database's owner.
    same = " AND ".join(f"{key.name} = NEW.{key.name}" for key in table.primary_key)
    for name, when in _APPEND_ONLY.items():
        sql = _TRIGGER.format(
            table=table.name,
            name=name,
            when=when.format(table=table.name, same=same),
            why=f"{table.name} is append-only",
        )
        connection.execute(text(sql))


def open_database(path: Path) -> Engine:
    """Open (and on first use create) the node's database at ``path``."""
    return database.open_database(path, metadata)
