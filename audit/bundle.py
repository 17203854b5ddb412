"""The bundle: one log up to its latest checkpoint, as one canonical archive for an auditor.

Everything in it follows from the entries and the signed notes, so that two exports of one state
are the same bytes and a verifier rebuilds every file and compares. ``SPEC.md`` §4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

from sqlalchemy import Connection, select

from audit.archive import ArchiveTooLarge, read_archive, write_archive
from audit.chain import lines_of, withheld_line
from audit.checkpoint import CheckpointError, parse_checkpoint, verifier_key
from audit.event import EventError, decode_event
from audit.findings import Findings, Place
from audit.identity import LogIdentity
from audit.log import AuditError, log_identity, read_checkpoints
from audit.readme import README
from audit.tables import entries
from protocols.suite import Suite, canonical

FORMAT = "fedcrm-audit-bundle/1"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """An archive whose members can be told apart; their contents are not checked yet."""

    source: str
    archive: bytes
    spans: Mapping[str, tuple[int, int]]

    def content(self, name: str) -> bytes:
        """Return a member's bytes."""
        start, end = self.spans[name]
        return self.archive[start:end]

    def lines(self, name: str) -> Iterator[tuple[Place, bytes]]:
        """Yield each line of a member and where it stands; in events.jsonl a line is an entry."""
        start, end = self.spans[name]
        for at, (offset, line) in enumerate(lines_of(self.archive, start, end)):
            seq = at if name == "events.jsonl" else None
            yield Place(source=self.source, file=name, line=at + 1, seq=seq, offset=offset), line

    def place(self, name: str, at: int = 0) -> Place:
        """Return the place of byte ``at`` of a member."""
        return Place(source=self.source, file=name, offset=self.spans[name][0] + at)


def open_bundle(archive: bytes, source: str, findings: Findings) -> Bundle | None:
    """Return the archive's members, or None if they cannot be told apart; say what is wrong."""
    spans = read_archive(archive, source, findings)
    return None if spans is None else Bundle(source, archive, spans)


def export(connection: Connection, *, joint_only: bool = False) -> bytes:
    """Return the bundle of the log in the database, up to its latest checkpoint.

    With ``joint_only``, entries that are this party's own business are replaced by their leaf
    hashes: the bundle still verifies, and may be given to the other parties.
    Raises :class:`~audit.log.AuditError` if there is nothing signed to export.
    """
    identity = log_identity(connection)
    notes = read_checkpoints(connection)
    if not notes:
        raise AuditError("the log has no checkpoint yet; let the node sign one, then export")
    try:
        latest, _ = parse_checkpoint(notes[-1], digest_bytes=identity.suite.digest_bytes)
    except CheckpointError as error:
        raise AuditError(f"the latest checkpoint cannot be read: {error}; run fsck") from None
    events = BytesIO()
    withheld = 0
    query = select(entries.c.seq, entries.c.leaf_hash, entries.c.entry).order_by(entries.c.seq)
    for row in connection.execute(query.where(entries.c.seq < latest.tree_size)):
        if joint_only and not _is_joint(row.seq, row.entry):
            events.write(withheld_line(row.leaf_hash) + b"\n")
            withheld += 1
        else:
            events.write(row.entry + b"\n")
    contents = {
        "README.txt": README.encode(),
        "key.json": key_file(identity),
        "events.jsonl": events.getvalue(),
        "checkpoints.jsonl": b"".join(checkpoint_line(note) for note in notes[:-1]),
        "checkpoint": notes[-1],
    }
    summary = {"tree_size": latest.tree_size, "withheld": withheld}
    contents[_MANIFEST] = manifest_file(
        identity, summary | {"root_hash": latest.root_hash.hex()}, contents
    )
    try:
        return write_archive(contents)
    except ArchiveTooLarge as error:
        raise AuditError(f"the log is too large for one bundle: {error}") from None


def _is_joint(seq: int, entry: bytes) -> bool:
    try:
        return decode_event(entry).visibility == "joint"
    except EventError as error:
        raise AuditError(f"entry {seq}: {error}; run fsck") from None


def key_file(identity: LogIdentity) -> bytes:
    """Return key.json: whose log it is, and its key in plain and in signed-note form."""
    return _json_line(
        {
            "fingerprint": identity.fingerprint,
            "format": FORMAT,
            "origin": identity.origin,
            "public_key": identity.public_key.hex(),
            "source": identity.source,
            "suite": identity.suite.name,
            "verifier_key": verifier_key(identity.suite, identity.origin, identity.public_key),
        }
    )


def manifest_file(
    identity: LogIdentity,
    summary: Mapping[str, int | str],
    contents: Mapping[str, bytes | memoryview],
) -> bytes:
    """Return manifest.json: what the checkpoint covers, and length and digest of each file."""
    files: dict[str, canonical.Json] = {
        name: {"bytes": len(data), "digest": _digest(identity.suite, data)}
        for name, data in contents.items()
        if name != _MANIFEST
    }
    return _json_line(
        {
            "files": files,
            "format": FORMAT,
            "origin": identity.origin,
            "suite": identity.suite.name,
            **summary,
        }
    )


def checkpoint_line(note: bytes) -> bytes:
    """Return the line of checkpoints.jsonl that holds ``note``."""
    return _json_line({"note": note.decode("utf-8")})


def _json_line(value: dict[str, canonical.Json]) -> bytes:
    return canonical.encode(value) + b"\n"


def _digest(suite: Suite, data: bytes | memoryview) -> str:
    return suite.hash(bytes(data)).hex()
