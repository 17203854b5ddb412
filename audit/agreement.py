"""Compares the bundles of several organisations, holds them against a trust file, and concludes.

What is compared: joint statements (each in every signer's log, with one text, under one key),
checkpoints that one party kept of another's log, and two bundles of one log (one must continue
the other). What a pass shows and does not show is part of the result, not of the manual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from audit.checkpoint import CheckpointError
from audit.countersign import kept_checkpoint
from audit.event import Event, from_hex
from audit.findings import Finding, Findings, Place
from audit.merkle import root_hashes
from audit.trust import Trust
from audit.verify import CheckedBundle, OnProgress, Signatures, no_progress, verify_bundle

NO_TRUST = "consistent with the keys inside; who holds them was not checked"


@dataclass
class Verification:
    """The result of checking one or several bundles."""

    bundles: list[CheckedBundle]
    trust: Trust | None
    across: Findings = field(default_factory=Findings)
    """Findings about how the bundles fit together, and whose keys they are."""
    joint_statements: int = 0
    """Distinct joint statements that stand, equal, in the logs of all their parties given."""
    kept: dict[str, dict[str, int]] = field(default_factory=dict)
    """Largest checkpoint of a log (outer key) that another log (inner key) kept, and that holds."""

    @property
    def findings(self) -> list[Finding]:
        """Every finding, bundle by bundle, then those across bundles."""
        return [f for bundle in self.bundles for f in bundle.findings] + list(self.across)

    @property
    def more_findings(self) -> int:
        """How many findings were counted but not kept."""
        return self.across.more + sum(bundle.findings.more for bundle in self.bundles)

    @property
    def exit_status(self) -> int:
        """0: all of it holds; 1: something does not; 2: not everything could be checked."""
        if self.across.any_failed or any(bundle.findings.any_failed for bundle in self.bundles):
            return 1
        unchecked = any(finding.severity == "unchecked" for finding in self.findings)
        return 2 if self.trust is None or unchecked else 0

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        if self.exit_status == 1:
            return "FAILED: this evidence does not hold; see the places named"
        if self.trust is None:
            return NO_TRUST
        if self.exit_status == 2:
            return "nothing wrong was found, but not everything could be checked"
        if len(self.bundles) == 1:
            return "passed: signed by the key you trust, and unchanged since"
        return "passed: signed by the keys you trust, unchanged since, and in agreement"

    @property
    def shown(self) -> list[str]:
        """What the evidence shows; empty if the verification failed."""
        if self.exit_status == 1:
            return []
        lines = []
        for bundle in self.bundles:
            assert bundle.checkpoint is not None
            lines.append(
                f"{bundle.origin}: nobody without this log's key changed, removed, added or "
                f"reordered any of its {bundle.checkpoint.tree_size} entries after they were "
                "signed"
            )
        if self.joint_statements:
            lines.append(
                f"{self.joint_statements} joint statements are signed by all their parties and "
                "stand with the same text in each of these logs that should have them"
            )
        lines.extend(
            f"{origin}: not even this log's owner rewrote its first {size} entries after {keeper} "
            "kept the checkpoint over them, unless the two act together"
            for origin, keepers in sorted(self.kept.items())
            for keeper, size in sorted(keepers.items())
        )
        return lines

    @property
    def not_shown(self) -> list[str]:
        """What no check of these bundles can show."""
        lines = [
            "that everything that happened was recorded, or that what was recorded is true",
            "that an owner, who holds the key, did not rewrite entries that no other party had "
            "signed or kept a checkpoint of",
            "anything against parties that act together",
            "what happened after these checkpoints: newer bundles may exist",
        ]
        given = {bundle.origin for bundle in self.bundles}
        lines.extend(
            f"whether {party}'s log agrees: its bundle was not given"
            for party in sorted(self._signers())
            if party not in given
        )
        withheld = sum(b.chain.withheld for b in self.bundles if b.chain)
        if withheld:
            lines.append(f"what the {withheld} entries say that these copies do not show")
        if any(b.identity and b.identity.source == "simulation" for b in self.bundles):
            lines.append(
                "who did what: these logs come from a simulation, where one machine holds every "
                "key and wrote every log"
            )
        if self.trust is None:
            lines.append(
                "whose keys these are: compare the fingerprints with the organisations and pass "
                "them with --trust"
            )
        return lines

    def _signers(self) -> set[str]:
        return {
            party
            for bundle in self.bundles
            if bundle.chain
            for _, event in bundle.chain.joint_events
            if event.joint
            for party in event.joint.body.parties
        }


def verify_bundles(
    archives: Sequence[tuple[str, bytes]],
    trust: Trust | None,
    *,
    on_progress: OnProgress = no_progress,
) -> Verification:
    """Check each (name, archive), then all of them together. Raises nothing."""
    signatures = Signatures()
    result = Verification(
        [
            verify_bundle(archive, source, signatures=signatures, on_progress=on_progress)
            for source, archive in archives
        ],
        trust,
    )
    logs = _one_per_log(result)
    if trust is not None:
        _check_trust(result, trust)
    _check_joint_statements(result, logs)
    _check_kept_checkpoints(result, logs)
    return result


def _one_per_log(result: Verification) -> dict[str, CheckedBundle]:
    """Return the longest bundle of each log; two bundles of one log must not contradict."""
    for one, other in combinations([b for b in result.bundles if b.chain], 2):
        if one.origin != other.origin or one.chain is None or other.chain is None:
            continue
        if one.identity != other.identity:
            result.across.failed(
                Place(source=other.source), f"{one.source} has the same origin and another key"
            )
        pairs = zip(one.chain.leaf_hashes, other.chain.leaf_hashes, strict=False)
        differing = next((seq for seq, (a, b) in enumerate(pairs) if a != b), None)
        if differing is not None:
            result.across.failed(
                Place(source=other.source, file="events.jsonl", line=differing + 1, seq=differing),
                f"from this entry on, {one.source} holds another history of the same log: if "
                "both are signed, the log's owner showed two histories (a fork)",
            )
    logs: dict[str, CheckedBundle] = {}
    for bundle in sorted((b for b in result.bundles if b.chain), key=_entries):
        if bundle.origin is not None:
            logs[bundle.origin] = bundle
    return logs


def _entries(bundle: CheckedBundle) -> int:
    return len(bundle.chain.leaf_hashes) if bundle.chain else 0


def _check_trust(result: Verification, trust: Trust) -> None:
    for bundle in result.bundles:
        identity = bundle.identity
        if identity is None:
            continue
        at = Place(source=bundle.source, file="key.json")
        if not trust.knows(identity.origin):
            result.across.failed(at, f"{identity.origin} is not in the trust file")
        elif not trust.expects(identity.suite, identity.origin, identity.public_key):
            result.across.failed(
                at,
                f"this log is signed by another key than the trust file has for {identity.origin}",
            )


def _check_joint_statements(result: Verification, logs: Mapping[str, CheckedBundle]) -> None:
    by_digest: dict[str, set[str]] = {}
    by_subject: dict[str, dict[tuple[object, ...], list[tuple[Place, str]]]] = {}
    for origin, bundle in logs.items():
        assert bundle.chain is not None
        for place, event in bundle.chain.joint_events:
            assert event.joint is not None
            digest = event.joint.digest
            by_digest.setdefault(digest, set()).add(origin)
            subjects = by_subject.setdefault(origin, {})
            subjects.setdefault(_subject(event), []).append((place, digest))
    agreed: set[str] = set()
    for origin, bundle in logs.items():
        assert bundle.chain is not None
        for place, event in bundle.chain.joint_events:
            assert event.joint is not None
            digest = event.joint.digest
            lacking = [
                party
                for party in event.joint.body.parties
                if party in logs and party not in by_digest[digest]
            ]
            for party in lacking:
                others = by_subject.get(party, {}).get(_subject(event), [])
                differing = [there for there, other in others if origin not in by_digest[other]]
                result.across.failed(
                    place,
                    f"{party}'s log has this {event.type} with another text, at {differing[0]}"
                    if differing
                    else f"{party} signed this {event.type} and its log does not have it: the "
                    "entry is missing there, or that bundle was exported before it",
                )
            _check_signers(result, logs, place, event)
            given = [party for party in event.joint.body.parties if party in logs]
            if not lacking and len(given) > 1:
                agreed.add(digest)
    result.joint_statements = len(agreed)


def _subject(event: Event) -> tuple[object, ...]:
    return event.type, event.job, event.attempt


def _check_signers(
    result: Verification, logs: Mapping[str, CheckedBundle], place: Place, event: Event
) -> None:
    """Hold each signer's key against that signer's own log, or else the trust file."""
    assert event.joint is not None
    for signature in event.joint.signatures:
        origin = signature.origin
        try:
            public_key = from_hex(signature.public_key)
        except ValueError:
            continue  # named already, by the bundle's own check
        counterpart = logs.get(origin)
        if counterpart is not None and counterpart.identity is not None:
            if public_key != counterpart.identity.public_key:
                result.across.failed(
                    place, f"the signature of {origin} is under another key than {origin}'s log has"
                )
        elif result.trust is not None:
            identity = logs[event.log_origin].identity if event.log_origin in logs else None
            if not result.trust.knows(origin):
                result.across.add("unchecked", place, f"{origin} signed and is not trusted here")
            elif identity and not result.trust.expects(identity.suite, origin, public_key):
                result.across.failed(
                    place, f"the signature of {origin} is under another key than you trust"
                )


def _check_kept_checkpoints(result: Verification, logs: Mapping[str, CheckedBundle]) -> None:
    """Compare each checkpoint that one log kept of another with what that log holds now."""
    for keeper, bundle in logs.items():
        assert bundle.chain is not None
        kept = [
            (place, event, logs[origin])
            for place, event in bundle.chain.kept_checkpoints
            if isinstance(origin := event.details.get("origin"), str) and origin in logs
        ]
        for log in {id(log): log for _, _, log in kept}.values():
            _check_kept(result, keeper, log, [(p, e) for p, e, of in kept if of is log])


def _check_kept(
    result: Verification, keeper: str, log: CheckedBundle, kept: list[tuple[Place, Event]]
) -> None:
    assert log.chain is not None
    assert log.identity is not None
    sizes = [event.counts.get("tree_size", 0) for _, event in kept]
    roots = root_hashes(log.chain.suite, log.chain.leaf_hashes, sizes)
    for place, event in kept:
        try:
            checkpoint = kept_checkpoint(
                event, suite=log.identity.suite, public_key=log.identity.public_key
            )
        except CheckpointError as error:
            result.across.failed(place, f"the kept checkpoint of {log.origin} is not: {error}")
            continue
        root = roots.get(checkpoint.tree_size)
        if root is None:
            result.across.failed(
                place,
                f"{log.origin} had signed {checkpoint.tree_size} entries when this was written, "
                f"and {log.source} has fewer: an older copy, or entries were withheld",
            )
        elif root != checkpoint.root_hash:
            result.across.failed(
                place,
                f"{log.origin} had signed another history of its first {checkpoint.tree_size} "
                f"entries than {log.source} holds: its owner showed two histories (a fork)",
            )
        elif keeper != log.origin and log.origin is not None:
            keepers = result.kept.setdefault(log.origin, {})
            keepers[keeper] = max(keepers.get(keeper, 0), checkpoint.tree_size)
