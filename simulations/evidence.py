"""What every kind of run leaves: each node's outputs, its decisions, its log as a bundle."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from audit.bundle import export
from audit.checkpoint import parse_checkpoint
from audit.log import log_identity, read_checkpoints
from audit.trust import write_trust
from coordinator.coordinator import Coordinator
from party_node.node import Node
from party_node.primitive_trace import EXEMPTIONS
from protocols.session.decoded_spec import Spec
from simulations.report.model import AuditReport, GateReport
from simulations.workspace import Workspace

_PACKAGES = ("flwr", "ray", "cryptography", "gmssl", "gmpy2", "numpy", "pandas", "pyarrow")
TRUST_FILE = "trust.toml"
_TRUST_HEAD = (
    "# Keys of this simulation's logs, written by the simulation itself. Between organisations\n"
    "# fingerprints are compared by voice or on paper, never taken from what they are to check.\n"
)


class CollectError(Exception):
    """Results of a finished job that are not there; the text says which."""


@dataclass(frozen=True)
class PartyOutputs:
    """What one party's node left in its outputs folder."""

    folder: Path

    def json(self, name: str) -> Any:
        """Return what the node wrote as JSON; raises :class:`CollectError`."""
        try:
            return json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise CollectError(f"{self.folder / name}: {type(error).__name__}") from None

    def has(self, name: str) -> bool:
        """Whether the node wrote this file; not every run asks for every one."""
        return (self.folder / name).exists()

    def decisions(self, party: str) -> list[GateReport]:
        """Every decision in words, without the digests that bind it in the log."""
        lines = (self.folder / "gates.jsonl").read_bytes().splitlines()
        decisions = []
        for line in lines:
            told = msgspec.json.decode(line)
            del told["bundle_digest"], told["inputs_digest"]
            decisions.append(msgspec.convert({"party": party, **told}, GateReport))
        return list(dict.fromkeys(decisions))


def primitives_of(
    outputs: Mapping[str, PartyOutputs],
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return what any party used, by primitive, and why those outside the suite are there."""
    used: dict[str, set[str]] = {}
    for party in outputs.values():
        for primitive, modules in party.json("primitives.json").items():
            used.setdefault(primitive, set()).update(modules)
    reasons = {e.primitive: e.reason for e in EXEMPTIONS if e.primitive in used}
    return {name: tuple(sorted(used[name])) for name in sorted(used)}, reasons


def spec_digest(workspace: Workspace, spec: Spec) -> str:
    """Return the digest of the spec all parties signed, in hex."""
    coordinator = Coordinator.open(workspace.coordinator)
    try:
        return spec.digest(coordinator.suite).hex()
    finally:
        coordinator.close()


def export_bundles(workspace: Workspace, spec: Spec) -> dict[str, AuditReport]:
    """Write one bundle per log and the trust file that names their keys."""
    reports = {}
    identities = []
    coordinator = Coordinator.open(workspace.coordinator)
    opened: dict[str, Coordinator | Node] = {"coordinator": coordinator}
    opened |= {p.party_id: Node.open(workspace.party(p.party_id)) for p in spec.participants}
    try:
        for name, node in opened.items():
            bundle = f"{name}.zip"
            with node.engine.connect() as connection:
                identity = log_identity(connection)
                (workspace.root / bundle).write_bytes(export(connection))
                note = read_checkpoints(connection)[-1]
            checkpoint, _ = parse_checkpoint(note, digest_bytes=identity.suite.digest_bytes)
            reports[name] = AuditReport(
                events=checkpoint.tree_size, root=checkpoint.root_hash.hex(), bundle=bundle
            )
            identities.append(identity)
    finally:
        for node in opened.values():
            node.close()
    (workspace.root / TRUST_FILE).write_text(_TRUST_HEAD + write_trust(identities))
    return reports


def write_json(path: Path, value: object) -> None:
    """Write one of a run's results for machines."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def versions() -> dict[str, str]:
    """Return the versions of what the run was computed with."""
    return {
        "fedcrm": version("fedcrm"),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }
