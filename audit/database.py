"""The SQLite database a log lives in, together with the state its events speak of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

_WRITE = "fedcrm_write"


def open_database(path: Path, tables: MetaData) -> Engine:
    """Open (and on first use create, with ``tables``) a database that only its owner reads."""
    if not path.exists():
        path.touch(mode=0o600)
    # Not as text: a "?" or "#" in the path would end it there.
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # SQLAlchemy's begin event below starts every transaction, not the driver.
        connection.isolation_level = None
        # WAL: a reader (progress, resend) never blocks the journal; secure_delete: a pruned
        # message is overwritten, not only unlinked.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads and then writes must own the write lock from its start: a
        # lock taken later fails at once when another thread has written in between.
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    tables.create_all(engine)
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One write transaction: all of it happens, or none."""
    with (
        engine.connect().execution_options(**{_WRITE: True}) as connection,
        connection.begin(),
    ):
        yield connection
