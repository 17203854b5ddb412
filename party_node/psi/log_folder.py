"""The folder of one party's audit log: opened before anything else of a run, or created.

The log is an ordinary one (``audit/``): ``fedcrm audit show``, ``export`` and ``verify`` read it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, inspect
from sqlalchemy.exc import SQLAlchemyError

from audit.database import open_database, transaction
from audit.event import Actor, EventDraft, Outcome
from audit.identity import LogIdentity, log_origin
from audit.log import AuditError, AuditLog, create_tables, open_intents
from party_node.errors import NodeError
from protocols.suite import Suite

DATABASE = "log.sqlite"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: this party's name, suite and signature key pair."""

    party: str
    suite: Suite
    public_key: bytes
    private_key: bytes = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return a signature with fresh entropy."""
        return self.suite.sign(self.private_key, message, secrets.token_bytes(32))


def open_log(folder: Path, signer: Signer) -> tuple[Engine, AuditLog]:
    """Open, or on first use create, the log in ``folder``; raises :class:`NodeError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = open_database(folder / DATABASE, MetaData())
    except (OSError, SQLAlchemyError) as error:
        raise _unwritable(folder, error) from None
    try:
        with transaction(engine) as connection:
            return engine, _open_or_create(connection, folder, signer)
    except NodeError:
        engine.dispose()
        raise
    except (OSError, SQLAlchemyError, AuditError) as error:
        engine.dispose()
        raise _unwritable(folder, error) from None


def _open_or_create(connection: Connection, folder: Path, signer: Signer) -> AuditLog:
    actor = service_actor(signer.party)
    if not inspect(connection).get_table_names():
        create_tables(connection)
        identity = LogIdentity(
            origin=log_origin(signer.party, "party_node"),
            suite=signer.suite,
            public_key=signer.public_key,
            source="party_node",
        )
        return AuditLog.create(connection, identity, actor=actor)
    log = AuditLog.open(connection)
    if log.identity.public_key != signer.public_key:
        raise NodeError(
            f"the audit log in {folder} belongs to another key",
            "use the folder this identity's log is in, or a new one",
        )
    _settle_open_releases(connection, log, actor)
    return log


def _unwritable(folder: Path, error: Exception) -> NodeError:
    return NodeError(
        f"the audit log in {folder} cannot be written ({type(error).__name__})",
        "without a log nothing starts: name a folder you can write with --log",
    )


def service_actor(party: str) -> Actor:
    """Return this program as the actor of an event."""
    return Actor(kind="service", id=f"psi:{party}", role="party-node", authn="local")


def _settle_open_releases(connection: Connection, log: AuditLog, actor: Actor) -> None:
    """End what an interrupted run announced: whether its file was written is not known any more."""
    for event in open_intents(connection):
        log.append(
            connection,
            EventDraft(
                type="release.failed",
                actor=actor,
                outcome=Outcome(status="failed", code="interrupted"),
                job=event.job,
                intent=event.seq,
                details={
                    "output": "matching-rows",
                    "form": "file",
                    "reason": "interrupted",
                },
            ),
        )
