"""Whose log it is: what the first entry of every log says."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.checkpoint import SIGNATURE_TYPES, check_origin
from audit.event import Event, EventError, Source, from_hex
from protocols.suite import Suite, get_suite

OPENED = "log.opened"


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """One log, the key that signs its checkpoints, and whether a simulation wrote it."""

    origin: str
    suite: Suite = field(compare=False)
    """Suites hold no state and do not compare; a key tells them apart."""
    public_key: bytes
    source: Source

    def __post_init__(self) -> None:
        """Refuse an origin or suite that cannot stand in a checkpoint."""
        check_origin(self.origin)
        if self.suite.name not in SIGNATURE_TYPES:
            raise ValueError(f"no checkpoint signature is defined for suite {self.suite.name!r}")

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint as people compare it."""
        return self.suite.fingerprint(self.public_key)


def log_origin(owner: str, source: Source) -> str:
    """Return the name of ``owner``'s log; a simulation's can never be taken for a real one's."""
    return f"fedcrm/{'simulation' if source == 'simulation' else 'node'}/{owner}"


def identity_of(first: Event) -> LogIdentity:
    """Return whose log begins with ``first``; raises :class:`EventError`."""
    if first.type != OPENED or first.seq != 0:
        raise EventError("a log begins with its log.opened event, seq 0")
    suite, public_key = first.details.get("suite"), first.details.get("public_key")
    if not isinstance(suite, str) or not isinstance(public_key, str):
        raise EventError("the log.opened event lacks the suite or the public key")
    try:
        return LogIdentity(
            origin=first.log_origin,
            suite=get_suite(suite),
            public_key=from_hex(public_key),
            source=first.source,
        )
    except ValueError as error:
        raise EventError(f"the log.opened event does not identify a log: {error}") from None
