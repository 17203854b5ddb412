"""A party's node as one object: its home folder, keys, database, log, datasets and peers.

Everything is opened from the home folder and nothing is kept in a module: a process that serves
one party now may serve another next.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, Table, delete, insert, select

from audit.event import Actor, EventDraft, Source
from audit.identity import LogIdentity, log_origin
from audit.log import AuditLog, create_tables
from party_node.datasets import Registration
from party_node.errors import NodeError
from party_node.keys import NodeKeys, create_keys, load_keys
from party_node.purchases.registration import PurchaseRegistration
from party_node.store import datasets, open_database, purchase_files, transaction
from protocols.suite import get_suite


class _NodeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``node.toml`` in the home folder."""

    party_id: str
    suite: str
    mode: str


@dataclass(frozen=True)
class Node:
    """One opened node; :meth:`close` it when the work is done."""

    home: Path
    party_id: str
    simulated: bool
    keys: NodeKeys
    engine: Engine
    log: AuditLog

    @classmethod
    def create(cls, home: Path, party_id: str, suite_name: str, *, simulated: bool) -> Node:
        """Make a new home with keys, database and an empty log; refuses an existing one."""
        if (home / "node.toml").exists():
            raise NodeError(f"{home} is a node's home already")
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        suite = get_suite(suite_name)
        keys = create_keys(home / "keys", suite)
        (home / "peers").mkdir(mode=0o700)
        mode = "simulation" if simulated else "deployment"
        (home / "node.toml").write_text(
            f'party_id = "{party_id}"\nsuite = "{suite_name}"\nmode = "{mode}"\n'
        )
        source: Source = "simulation" if simulated else "party_node"
        identity = LogIdentity(
            origin=log_origin(party_id, source),
            suite=suite,
            public_key=keys.public_key,
            source=source,
        )
        engine = open_database(home / "node.sqlite")
        with transaction(engine) as connection:
            create_tables(connection)
            AuditLog.create(connection, identity, actor=_service(party_id))
        engine.dispose()
        return cls.open(home)

    @classmethod
    def open(cls, home: Path) -> Node:
        """Open the node whose home is ``home``."""
        try:
            settings = msgspec.convert(tomllib.loads((home / "node.toml").read_text()), _NodeFile)
        except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise NodeError(f"{home} is not a node's home ({type(error).__name__})") from None
        suite = get_suite(settings.suite)
        keys = load_keys(home / "keys", suite)
        engine = open_database(home / "node.sqlite")
        simulated = settings.mode == "simulation"
        with transaction(engine) as connection:
            log = AuditLog.open(connection)
        return cls(home, settings.party_id, simulated, keys, engine, log)

    def close(self) -> None:
        """Release the database."""
        self.engine.dispose()

    # -- peers -------------------------------------------------------------------------------

    def pin_peer(self, party_id: str, public_key: bytes) -> None:
        """Remember the key this node's operator accepts for ``party_id``; never replaced."""
        path = self.home / "peers" / f"{party_id}.pub"
        if path.exists() and path.read_text().strip() != public_key.hex():
            raise NodeError(f"another key is pinned for {party_id}", f"see {path}")
        path.write_text(public_key.hex() + "\n")

    def pinned_keys(self) -> dict[str, bytes]:
        """Return the pinned public keys by party id, this node's own among them."""
        keys = {
            path.stem: bytes.fromhex(path.read_text().strip())
            for path in sorted((self.home / "peers").glob("*.pub"))
        }
        return keys | {self.party_id: self.keys.public_key}

    # -- datasets ----------------------------------------------------------------------------

    def register_dataset(self, registration: Registration) -> None:
        """Add (or replace) a dataset in this node's catalogue; nothing is read yet."""
        self._register(datasets, registration)

    def dataset(self, name: str) -> Registration:
        """Return the registration called ``name``; raises :class:`NodeError`."""
        data = self._registered(datasets, name, "dataset")
        return msgspec.json.decode(data, type=Registration)

    def register_purchases(self, registration: PurchaseRegistration) -> None:
        """Add (or replace) a purchase file in this node's catalogue; nothing is read yet."""
        self._register(purchase_files, registration)

    def purchases(self, name: str) -> PurchaseRegistration:
        """Return the purchase file registered as ``name``; raises :class:`NodeError`."""
        data = self._registered(purchase_files, name, "purchase file")
        return msgspec.json.decode(data, type=PurchaseRegistration)

    def _register(self, table: Table, registration: Registration | PurchaseRegistration) -> None:
        row = {"name": registration.name, "registration": msgspec.json.encode(registration)}
        with transaction(self.engine) as connection:
            connection.execute(delete(table).filter_by(name=registration.name))
            connection.execute(insert(table).values(row))

    def _registered(self, table: Table, name: str, kind: str) -> bytes:
        with self.engine.connect() as connection:
            data: bytes | None = connection.execute(
                select(table.c.registration).filter_by(name=name)
            ).scalar_one_or_none()
        if data is None:
            raise NodeError(f"{self.party_id} has no {kind} {name!r}", "register it first")
        return data

    def outputs(self, job_id: str) -> Path:
        """Return (and make) the folder of this node's own results of a job."""
        folder = self.home / "outputs" / job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_output(self, job_id: str, name: str, data: bytes) -> None:
        """Write one of this node's results of a job, whole or not at all."""
        path = self.outputs(job_id) / name
        staged = path.with_suffix(".writing")
        staged.write_bytes(data)
        staged.replace(path)

    def write_json(self, job_id: str, name: str, value: object) -> None:
        """Write one of this node's results of a job as JSON."""
        self.write_output(job_id, name, json.dumps(value, indent=2, sort_keys=True).encode())

    # -- evidence ----------------------------------------------------------------------------

    def record(self, connection: Connection, draft: EventDraft) -> int:
        """Append an event in the caller's transaction; return its place in the log."""
        return self.log.append(connection, draft).seq

    def checkpoint(self, connection: Connection) -> None:
        """Sign the log's present size and root."""
        self.log.checkpoint(connection, self.keys.sign)

    def forget_deleted_pages(self) -> None:
        """Write the database's write-ahead log back and truncate it: it holds old pages."""
        with self.engine.connect() as connection:
            connection.rollback()
            connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                "PRAGMA wal_checkpoint(TRUNCATE)"
            )

    @staticmethod
    def days_from_now(days: int) -> str:
        """Return the UTC date ``days`` from today."""
        return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")

    def origin_of(self, party_id: str) -> str:
        """Return the name of ``party_id``'s log."""
        return log_origin(party_id, self.log.identity.source)

    @property
    def service(self) -> Actor:
        """The node's own software as the actor of an event."""
        return _service(self.party_id)


def _service(party_id: str) -> Actor:
    return Actor(kind="service", id=f"node:{party_id}", role="party-node", authn="local")
