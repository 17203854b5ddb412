"""Scores customers no model has seen with the model of a finished run: a second job of its nodes.

The parties align the new tables, predict together, and the active party's node writes the scores
for its own customers. Everything is refused before it runs where a file lacks a column, or a node's
half is not the one the job names.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from party_node.datasets import Registration
from party_node.model_store import find
from party_node.node import Node
from party_node.peer_channel.link import Deadlines
from party_node.phases.score import SCORES_FILE
from protocols.session.agreed_job import OutputTerms
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import HalfDigest, ModelKind, ScoringTerms
from simulations import engine
from simulations.federation import Engine, Federation, SimulationFailed
from simulations.job_times import job_times
from simulations.scenario_tables import ScenarioError
from simulations.workspace import Workspace


@dataclass(frozen=True)
class ScoringRequest:
    """What is scored, and what comes back."""

    files: Mapping[str, Path]
    """By party, its table: the identifier and the columns of its training table."""
    form: Literal["score", "band", "label"]
    bands: tuple[str, ...]
    threshold: str
    reasons: int


@dataclass(frozen=True)
class Scored:
    """A finished scoring."""

    path: Path
    """The active party's CSV: one row for each of its customers that all parties share."""
    customers: int
    spec: JobSpec


def score(
    workspace: Workspace,
    request: ScoringRequest,
    out: Path | None,
    *,
    run_engine: Engine = engine.run,
    deadlines: Deadlines | None = None,
    at_yield: Callable[[str], None] = lambda party: None,
) -> Scored:
    """Run a scoring job in the federation of ``workspace``; the scores go to ``out``.

    ``out`` is ``scored.csv`` in the run's folder unless given. Raises :class:`ScenarioError` for
    a request that makes no sense, :class:`SimulationFailed` when a party refused or failed.
    """
    workspace.must_exist("train a model first, for example: fedcrm simulate credit-need")
    federation = Federation.of(workspace)
    trained = federation.latest()
    if trained.status != "closed":
        raise SimulationFailed(
            f"the run in {workspace.root} is not finished", "finish it with --resume"
        )
    with federation.nodes() as nodes:
        registered = _registrations(nodes, trained.spec, request)
        spec = _spec(nodes, trained.spec, request, registered)
        for party, node in nodes.items():
            node.register_dataset(registered[party])
        federation.agree(spec, nodes)
    record = federation.latest(scoring=True)
    federation.drive(record, run_engine, deadlines, at_yield=at_yield)
    record = federation.latest(scoring=True)
    if record.status != "closed":
        raise federation.failure(record, "run fedcrm score again")
    active = spec.active_party.party_id
    scores = workspace.party(active) / "outputs" / spec.job_id / SCORES_FILE
    path = out or workspace.root / "scored.csv"
    shutil.copyfile(scores, path)
    with path.open() as file:
        customers = sum(1 for _ in file) - 1
    return Scored(path, customers, spec)


def _registrations(
    nodes: Mapping[str, Node], trained: JobSpec, request: ScoringRequest
) -> dict[str, Registration]:
    """Return each node's registration of its new table: the training table's, without the label."""
    if set(request.files) != set(nodes):
        missing = sorted(set(nodes) - set(request.files))
        strange = sorted(set(request.files) - set(nodes))
        what = f"no file for {', '.join(missing)}" if missing else f"no party {', '.join(strange)}"
        raise ScenarioError(what, f"--file PARTY=PATH for each of {', '.join(sorted(nodes))}")
    registered = {}
    for party, node in nodes.items():
        before = node.dataset(trained.party(party).dataset.name)
        registered[party] = msgspec.structs.replace(
            before,
            name=f"{party}-to-score",
            path=str(request.files[party].resolve()),
            label=None,
        )
    return registered


def _spec(
    nodes: Mapping[str, Node],
    trained: JobSpec,
    request: ScoringRequest,
    registered: Mapping[str, Registration],
) -> JobSpec:
    now = datetime.now(UTC).replace(microsecond=0)
    halves = tuple(
        HalfDigest(party_id=party, digest=find(node, trained.job_id).digest)
        for party, node in nodes.items()
    )
    active = trained.active_party.party_id
    created_at, expires_at = job_times(now)
    parties = tuple(
        msgspec.structs.replace(
            party,
            dataset=msgspec.structs.replace(party.dataset, name=registered[party.party_id].name),
        )
        for party in trained.parties
    )
    try:
        return msgspec.structs.replace(
            trained,
            job_id=f"{trained.job_id}-score-{now:%Y%m%dT%H%M%SZ}",
            title=f"Scoring: {trained.title}",
            parties=parties,
            model=ScoringTerms(
                model_id=trained.job_id,
                trained=msgspec.convert(trained.training.kind, ModelKind),
                halves=halves,
                form=request.form,
                bands=request.bands,
                threshold=request.threshold,
                reasons=request.reasons,
            ),
            evaluation=None,
            outputs=(OutputTerms(name="scores", recipient=active, form=request.form),),
            created_at=created_at,
            expires_at=expires_at,
        )
    except ValueError as error:
        raise ScenarioError(str(error), "see fedcrm score --help") from None
