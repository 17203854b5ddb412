"""What a node writes down when it is offered code that is not installed on it."""

from __future__ import annotations

import sys
from pathlib import Path

from audit.catalogue import DetailValue
from audit.detail_kinds import is_digest
from audit.event import EventDraft, Outcome
from party_node.node import Node
from party_node.store import transaction

_MAX_EVENTS = 256


class Refusals:
    """Records each refused app once per process; a coordinator cannot fill the log with them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: set[str] = set()

    def record(self, digest: str) -> None:
        """Log that the app the coordinator calls ``digest`` was refused."""
        named = digest if is_digest(digest) else ""
        if named in self._seen or len(self._seen) >= _MAX_EVENTS:
            return
        self._seen.add(named)
        sys.stderr.write(
            f"error: refused code the coordinator sent (SHA-256 {named or 'unreadable'}): only the "
            "installed FedCRM runs here\n"
            "hint: if nobody tried anything, the coordinator's release is another; compare "
            "`pip show fedcrm` on both sides\n"
        )
        details: dict[str, DetailValue] = {"reason": "not-installed", "party": "coordinator"}
        if named:
            details["code_digest"] = named
        node = Node.open(self._home)
        try:
            with transaction(node.engine) as connection:
                node.record(
                    connection,
                    EventDraft(
                        type="code.refused",
                        actor=node.service,
                        outcome=Outcome(status="denied", code="not-installed"),
                        details=details,
                    ),
                )
                node.checkpoint(connection)
        finally:
            node.close()
