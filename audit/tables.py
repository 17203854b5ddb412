"""The log's two tables: insert-only, in whatever database the node keeps its state in.

On SQLite, triggers refuse every UPDATE and DELETE, and every INSERT that is not the next entry
(``INSERT OR REPLACE`` deletes rows without firing a DELETE trigger). They stop a program's
mistake, not the database's owner, who can drop them: what shows his changes is the checkpoint.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    event,
    text,
)

metadata = MetaData()
"""Create with ``metadata.create_all`` or :func:`create_tables`, in the node's own database."""


class UnsupportedDatabase(Exception):
    """A database in which nothing would keep the log append-only."""


_Position = BigInteger().with_variant(Integer(), "sqlite")


class _StoredBytes(TypeDecorator[bytes]):
    """Bytes, whatever the database holds.

    SQLite keeps a value of any type in any column. A forged row must be judged by its bytes and
    not stop the reader.
    """

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, _: Dialect) -> bytes:
        """Return the stored value as bytes."""
        return value if isinstance(value, bytes) else str(value).encode()


entries = Table(
    "audit_entries",
    metadata,
    Column("seq", _Position, primary_key=True, autoincrement=False),
    Column("type", String(64), nullable=False),
    Column("job", String(128), index=True),
    Column("intent", _Position, unique=True),
    Column("joint_digest", String(128), unique=True),
    Column("leaf_hash", _StoredBytes, nullable=False),
    Column("entry", _StoredBytes, nullable=False),
)
"""The canonical bytes of each event; the other columns are copies for look-ups."""

checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("tree_size", _Position, primary_key=True, autoincrement=False),
    Column("note", _StoredBytes, nullable=False),
    Column("frontier", _StoredBytes, nullable=False),
)
"""Every signed checkpoint, with the tree's right edge at its size."""

_REFUSE = "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
_NEXT_ENTRY = (
    "NEW.seq IS NOT (SELECT COALESCE(MAX(seq) + 1, 0) FROM audit_entries) "
    "OR EXISTS (SELECT 1 FROM audit_entries WHERE intent = NEW.intent) "
    "OR EXISTS (SELECT 1 FROM audit_entries WHERE joint_digest = NEW.joint_digest)"
)
_LARGER = "NEW.tree_size <= (SELECT MAX(tree_size) FROM audit_checkpoints)"


def _triggers(table: str, next_row: str) -> dict[str, str]:
    refuse = _REFUSE.format(table=table)
    return {
        f"{table}_no_update": f"BEFORE UPDATE ON {table} {refuse}",
        f"{table}_no_delete": f"BEFORE DELETE ON {table} {refuse}",
        f"{table}_in_order": f"BEFORE INSERT ON {table} WHEN {next_row} {refuse}",
    }


SQLITE_TRIGGERS: Final[dict[str, str]] = {
    name: f"CREATE TRIGGER {name} {body}"
    for name, body in (
        _triggers("audit_entries", _NEXT_ENTRY) | _triggers("audit_checkpoints", _LARGER)
    ).items()
}


def create_tables(connection: Connection) -> None:
    """Create the log's tables and triggers where they do not exist yet."""
    metadata.create_all(connection)


def missing_triggers(connection: Connection) -> list[str]:
    """Return the names of append-only triggers that are absent or were changed."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    found = {row.name: row.sql for row in rows}
    return [name for name, sql in SQLITE_TRIGGERS.items() if found.get(name) != sql]


@event.listens_for(entries, "after_create")
@event.listens_for(checkpoints, "after_create")
def _create_triggers(table: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name != "sqlite":
        raise UnsupportedDatabase(
            "this release keeps the audit log in SQLite only: without its append-only triggers "
            "the log is not created"
        )
    for name, sql in SQLITE_TRIGGERS.items():
        if name.startswith(table.name):
            connection.execute(text(sql))
