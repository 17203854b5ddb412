"""Checks one bundle offline: is this one log, unchanged since the key's owner signed it?

Pure functions of the archive's bytes. ``agreement.py`` compares several bundles and holds them
against a trust file; what a pass shows, and what it does not, is said there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from audit.archive import MEMBERS
from audit.bundle import Bundle, checkpoint_line, key_file, manifest_file, open_bundle
from audit.chain import Chain
from audit.checkpoint import (
    MAX_NOTE_BYTES,
    Checkpoint,
    CheckpointError,
    parse_checkpoint,
    render_note,
    verify_checkpoint,
)
from audit.event import EventError, decode_event, encode_body, from_hex, joint_message
from audit.findings import Findings, Place
from audit.identity import LogIdentity, identity_of
from audit.merkle import root_hashes
from audit.readme import README
from protocols.suite import InvalidSignature, Suite, canonical

PROGRESS_EVERY = 8192

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""Told the step, and how many of how many bytes or signatures are done."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Watch nothing."""


@dataclass
class Signatures:
    """Verifies signatures, each different one once: both logs of a pair carry the same."""

    _known: dict[tuple[str, bytes, bytes, bytes], bool] = field(default_factory=dict)

    def valid(self, suite: Suite, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` verifies."""
        what = (suite.name, public_key, message, signature)
        if what not in self._known:
            try:
                suite.verify(public_key, message, signature)
                self._known[what] = True
            except InvalidSignature:
                self._known[what] = False
        return self._known[what]


@dataclass
class CheckedBundle:
    """One bundle after :func:`verify_bundle`: what it says, and what is wrong with it."""

    source: str
    findings: Findings
    identity: LogIdentity | None = None
    chain: Chain | None = None
    checkpoint: Checkpoint | None = None
    checkpoints: int = 0

    @property
    def origin(self) -> str | None:
        """The log's origin, if the bundle says."""
        return self.identity.origin if self.identity else None


def verify_bundle(
    archive: bytes,
    source: str,
    *,
    signatures: Signatures | None = None,
    on_progress: OnProgress = no_progress,
) -> CheckedBundle:
    """Check a bundle against itself: every byte is either signed for or follows from what is.

    ``source`` names the bundle in findings. Raises nothing: whatever is in ``archive`` becomes a
    finding with its place.
    """
    checked = CheckedBundle(source, Findings())
    bundle = open_bundle(archive, source, checked.findings)
    if bundle is None:
        return checked
    checked.identity = _read_identity(bundle, checked.findings)
    if checked.identity is None:
        return checked
    signatures = signatures or Signatures()
    checked.chain = _read_entries(bundle, checked.identity, checked.findings, on_progress)
    _check_checkpoints(bundle, checked, on_progress)
    check_joint_signatures(checked.chain, checked.identity, signatures, on_progress)
    _check_rebuilt(bundle, checked)
    for place, event in checked.chain.open_intents.values():
        checked.findings.add("note", place, f"{event.type} has no end in this log yet")
    return checked


def check_roots(
    chain: Chain, signed: Iterable[tuple[Place, Checkpoint]], findings: Findings
) -> None:
    """Compare signed root hashes with those of the entries; name the first that disagrees."""
    signed = list(signed)
    roots = root_hashes(chain.suite, chain.leaf_hashes, [c.tree_size for _, c in signed])
    agreed = 0
    for place, checkpoint in signed:
        root = roots.get(checkpoint.tree_size)
        if root is None:
            findings.failed(
                place,
                f"{checkpoint.tree_size} entries were signed; entry {len(chain.leaf_hashes)} and "
                "those after it are missing",
            )
            return
        if root != checkpoint.root_hash:
            last = checkpoint.tree_size - 1
            findings.failed(
                place,
                f"entry {last} is not the one that was signed"
                if agreed == last
                else f"entries {agreed} to {last} are not those that were signed: at least one "
                "of them was changed",
            )
            return
        agreed = checkpoint.tree_size


def check_joint_signatures(
    chain: Chain, identity: LogIdentity, signatures: Signatures, on_progress: OnProgress
) -> None:
    """Verify every signature under every joint statement, with the key that stands beside it."""
    for at, (place, event) in enumerate(chain.joint_events):
        on_progress(f"{place.source}: joint statements", at + 1, len(chain.joint_events))
        assert event.joint is not None
        message = joint_message(encode_body(event.joint.body))
        for signature in event.joint.signatures:
            try:
                public_key = from_hex(signature.public_key)
                value = from_hex(signature.signature)
            except ValueError:
                chain.findings.failed(place, "a joint signature or its key is not hex")
                continue
            who = signature.origin
            if who == identity.origin and public_key != identity.public_key:
                chain.findings.failed(place, f"{who} signed with another key than its log's")
            if not signatures.valid(identity.suite, public_key, message, value):
                chain.findings.failed(place, f"the signature of {who} does not verify")


def _read_identity(bundle: Bundle, findings: Findings) -> LogIdentity | None:
    """Return whose log it is, from its first entry."""
    place, first = next(bundle.lines("events.jsonl"), (bundle.place("events.jsonl"), b""))
    try:
        return identity_of(decode_event(first))
    except EventError as error:
        findings.failed(place, f"{error}; without it nothing else can be checked")
        return None


def _read_entries(
    bundle: Bundle, identity: LogIdentity, findings: Findings, on_progress: OnProgress
) -> Chain:
    chain = Chain(identity.suite, findings, identity)
    start, end = bundle.spans["events.jsonl"]
    for at, (place, line) in enumerate(bundle.lines("events.jsonl")):
        chain.read(line, place)
        if at % PROGRESS_EVERY == 0:
            on_progress(f"{bundle.source}: entries", (place.offset or start) - start, end - start)
    chain.finish()
    on_progress(f"{bundle.source}: entries", end - start, end - start)
    if bundle.archive[end - 1 : end] != b"\n":
        findings.failed(bundle.place("events.jsonl", end - start), "the last line has no end")
    return chain


def _check_checkpoints(bundle: Bundle, checked: CheckedBundle, on_progress: OnProgress) -> None:
    """Verify every signed note, that they grow, and that the entries are those signed."""
    identity, findings, chain = checked.identity, checked.findings, checked.chain
    assert identity is not None
    assert chain is not None
    notes = [*_earlier_notes(bundle, findings), (bundle.place("checkpoint"), None)]
    signed: list[tuple[Place, Checkpoint]] = []
    for at, (place, earlier) in enumerate(notes):
        on_progress(f"{bundle.source}: checkpoints", at, len(notes))
        note = bundle.content("checkpoint") if earlier is None else earlier
        try:
            checkpoint = verify_checkpoint(
                note,
                suite=identity.suite,
                origin=identity.origin,
                public_key=identity.public_key,
            )
            _, lines = parse_checkpoint(note, digest_bytes=identity.suite.digest_bytes)
            only = render_note(
                checkpoint,
                suite=identity.suite,
                public_key=identity.public_key,
                signature=lines[0].signature,
            )
        except CheckpointError as error:
            findings.failed(place, str(error))
            continue
        if only != note:
            findings.failed(place, "a checkpoint here carries the log's own signature, no other")
        if signed and checkpoint.tree_size <= signed[-1][1].tree_size:
            findings.failed(place, "checkpoints must grow from one to the next")
        signed.append((place, checkpoint))
        if earlier is None:
            checked.checkpoint = checkpoint
    on_progress(f"{bundle.source}: checkpoints", len(notes), len(notes))
    checked.checkpoints = len(signed)
    check_roots(chain, signed, findings)
    latest, entries = checked.checkpoint, len(chain.leaf_hashes)
    if latest is not None and entries > latest.tree_size:
        start = bundle.place("events.jsonl")
        findings.failed(
            Place(
                source=start.source,
                file=start.file,
                line=latest.tree_size + 1,
                seq=latest.tree_size,
            ),
            f"{entries - latest.tree_size} entries stand after the last one signed",
        )


def _earlier_notes(bundle: Bundle, findings: Findings) -> list[tuple[Place, bytes | None]]:
    notes: list[tuple[Place, bytes | None]] = []
    for place, line in bundle.lines("checkpoints.jsonl"):
        try:
            # Every escape of a note is shorter than twice its character: a longer line is none.
            value = canonical.decode(line) if len(line) <= 2 * MAX_NOTE_BYTES else None
        except canonical.CanonicalError:
            value = None
        note = value.get("note") if isinstance(value, dict) else None
        if not isinstance(note, str) or checkpoint_line(note.encode()) != line + b"\n":
            findings.failed(place, "this line does not hold a checkpoint")
            continue
        notes.append((place, note.encode()))
    return notes


def _check_rebuilt(bundle: Bundle, checked: CheckedBundle) -> None:
    """Rebuild the files that follow from the others and compare them byte by byte."""
    identity, chain = checked.identity, checked.chain
    assert identity is not None
    assert chain is not None
    expected = {"README.txt": README.encode(), "key.json": key_file(identity)}
    if checked.checkpoint is not None:
        expected["manifest.json"] = manifest_file(
            identity,
            {
                "root_hash": checked.checkpoint.root_hash.hex(),
                "tree_size": checked.checkpoint.tree_size,
                "withheld": chain.withheld,
            },
            {name: bundle.content(name) for name in MEMBERS},
        )
    for name, rebuilt in expected.items():
        found = bundle.content(name)
        if found != rebuilt:
            pairs = zip(found, rebuilt, strict=False)
            same = min(len(found), len(rebuilt))
            at = next((i for i, (have, want) in enumerate(pairs) if have != want), same)
            checked.findings.failed(
                bundle.place(name, at), "this file is not the one that the log's contents give"
            )
