"""Reads a log's entries in order and finds where they stop being one log.

Used by the offline verifier on a bundle's lines and by ``fsck`` on a database's rows. What an
entry claims of its own place (``seq``, ``prev_hash``, ``log_origin``) is compared with where it
stands, so that a change is named at the entry even before any checkpoint is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from audit.catalogue import CATALOGUE, INTENTS
from audit.event import Event, EventError, decode_event, encode_body, joint_digest
from audit.findings import Findings, Place
from audit.identity import LogIdentity
from audit.merkle import leaf_hash
from protocols.suite import Suite

WITHHELD_PREFIX = b'{"leaf_hash":"'
_WITHHELD = re.compile(rb'\{"leaf_hash":"([0-9a-f]{2,256})"\}')

Placer = Callable[[int], Place]
"""Says where the entry at a position stands."""


def withheld_line(leaf: bytes) -> bytes:
    """Return what stands in a bundle for an entry that its reader may not see."""
    return WITHHELD_PREFIX + leaf.hex().encode() + b'"}'


@dataclass
class Chain:
    """What the entries read so far amount to."""

    suite: Suite
    findings: Findings
    identity: LogIdentity | None = None
    leaf_hashes: list[bytes] = field(default_factory=list)
    withheld: int = 0
    joint_events: list[tuple[Place, Event]] = field(default_factory=list)
    kept_checkpoints: list[tuple[Place, Event]] = field(default_factory=list)
    open_intents: dict[int, tuple[Place, Event]] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    last_time: str = ""

    _intents: dict[int, Event] = field(default_factory=dict)
    _hidden: set[int] = field(default_factory=set)
    _joint_digests: dict[str, int] = field(default_factory=dict)
    _shift: int = 0
    _malformed: bool = False
    _last_place: Place | None = None
    _in_doubt: tuple[Place, Place] | None = None

    def read(self, entry: bytes, place: Place) -> Event | None:
        """Take the next entry; return its event unless it is withheld or malformed."""
        position = len(self.leaf_hashes)
        withheld = _WITHHELD.fullmatch(entry)
        if withheld and len(withheld[1]) == 2 * self.suite.digest_bytes:
            self._settle(None)
            self.leaf_hashes.append(bytes.fromhex(withheld[1].decode()))
            self.withheld += 1
            self._hidden.add(position)
            self._malformed, self._last_place = False, place
            return None
        previous = self.leaf_hashes[-1] if position else bytes(self.suite.digest_bytes)
        self.leaf_hashes.append(leaf_hash(self.suite, entry))
        try:
            event = decode_event(entry)
        except EventError as error:
            self._settle(None)
            self.findings.failed(place, str(error))
            self._malformed, self._last_place = True, place
            return None
        self._check_place(event, position, previous, place)
        self._check_contents(event, place)
        self._malformed, self._last_place = False, place
        return event

    def finish(self) -> None:
        """Report what only the end of the log could have cleared up."""
        self._settle(None)

    def _check_place(self, event: Event, position: int, previous: bytes, place: Place) -> None:
        expected = position + self._shift
        follows = event.prev_hash == previous.hex()
        if event.seq != expected:
            # The entries after a gap follow each other again: name the gap, not all of them.
            self._shift = event.seq - position
            self._settle(None)
            self.findings.failed(
                place,
                f"entry {expected} should stand here, not entry {event.seq}: an entry was "
                "dropped, inserted or moved",
            )
        elif self._in_doubt:
            self._settle(follows)
        elif not follows and not self._malformed:
            self._in_doubt = (self._last_place or place, place)
        if self.identity is not None and (event.log_origin, event.source) != (
            self.identity.origin,
            self.identity.source,
        ):
            self.findings.failed(place, "this entry is of another log")

    def _settle(self, next_follows: bool | None) -> None:
        """Say which of two entries that do not fit was changed, as the one after them tells.

        If it follows the second, the second is as it was written and the first was changed; if
        not, the second was. None: nothing follows that could tell.
        """
        if self._in_doubt is None:
            return
        first, second = self._in_doubt
        self._in_doubt = None
        if next_follows is None:
            self.findings.failed(first, "this entry or the one after it was changed")
        else:
            changed = first if next_follows else second
            self.findings.failed(changed, "this entry was changed after it was written")

    def _check_contents(self, event: Event, place: Place) -> None:
        row = CATALOGUE.get(event.type)
        if row is None:
            self.findings.add(
                "unchecked", place, "this event type is unknown here; use a newer verifier"
            )
        elif not (row.details >= event.details.keys() and row.counts >= event.counts.keys()):
            self.findings.add(
                "unchecked", place, f"{event.type} has fields unknown here; use a newer verifier"
            )
        if event.time < self.last_time:
            self.findings.add("note", place, "the clock ran backwards before this entry")
        self.last_time = max(self.last_time, event.time)
        if event.job is not None:
            self.jobs.add(event.job)
        if event.type == "log.checkpoint":
            self.kept_checkpoints.append((place, event))
        self._check_intent(event, place)
        if event.joint is not None:
            self._check_joint(event, place)

    def _check_intent(self, event: Event, place: Place) -> None:
        if event.type in INTENTS:
            self._intents[event.seq] = event
            self.open_intents[event.seq] = (place, event)
        row = CATALOGUE.get(event.type)
        if event.intent is None:
            if row is not None and row.end_required:
                self.findings.failed(place, f"{event.type} ends no {row.ends} event")
            return
        if event.intent in self._hidden:
            return
        begun = self._intents.get(event.intent)
        if begun is None or row is None or (begun.type, begun.job) != (row.ends, event.job):
            self.findings.failed(place, f"no event of this job at seq {event.intent} to end")
        elif self.open_intents.pop(event.intent, None) is None:
            self.findings.failed(place, f"the intent at seq {event.intent} was ended before")

    def _check_joint(self, event: Event, place: Place) -> None:
        """Check the statement against its own event; its signatures are the verifier's."""
        joint = event.joint
        assert joint is not None
        self.joint_events.append((place, event))
        body = joint.body
        if joint.digest != joint_digest(self.suite, encode_body(body)):
            self.findings.failed(place, "the joint statement's digest is not of its text")
        if (body.type, body.job, body.attempt) != (event.type, event.job, event.attempt):
            self.findings.failed(place, "the joint statement is about another event")
        if body.parties != tuple(signature.origin for signature in joint.signatures):
            self.findings.failed(place, "the joint statement is not signed by exactly its parties")
        if event.log_origin not in body.parties:
            self.findings.failed(place, "the joint statement is not this party's")
        first = self._joint_digests.setdefault(joint.digest, event.seq)
        if first != event.seq:
            self.findings.failed(place, f"the same joint statement stands at seq {first}")


def lines_of(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset, line without its newline) of ``data[start:end]``."""
    while start < end:
        newline = data.find(b"\n", start, end)
        stop = end if newline < 0 else newline
        yield start, data[start:stop]
        start = stop + 1
