"""Both parties' logs as an auditor gets them: bundles and a trust file, checked by the verifier."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import MetaData

from audit.agreement import Verification, verify_bundles
from audit.bundle import export
from audit.database import open_database
from audit.event import Event
from audit.log import log_identity, read_events
from audit.trust import read_trust, write_trust
from party_node.psi.log_folder import DATABASE


def events_of(folder: Path) -> list[Event]:
    """Return the events of the log in ``folder``."""
    engine = open_database(folder / DATABASE, MetaData())
    try:
        with engine.connect() as connection:
            return list(read_events(connection))
    finally:
        engine.dispose()


def types_of(folder: Path) -> list[str]:
    return [event.type for event in events_of(folder)]


def verified(*folders: Path, trust: str = "") -> Verification:
    """Export every log, and verify the bundles together under the keys of ``trust``, or theirs."""
    bundles, identities = [], []
    for folder in folders:
        engine = open_database(folder / DATABASE, MetaData())
        with engine.connect() as connection:
            bundles.append((folder.name, export(connection)))
            identities.append(log_identity(connection))
        engine.dispose()
    return verify_bundles(bundles, read_trust((trust or write_trust(identities)).encode()))
