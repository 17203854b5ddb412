"""A job as this node knows it: proposed, judged by the node's own gates, approved, run, closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec
from sqlalchemy import Connection, insert, select, update

from audit.catalogue import DetailValue
from audit.event import (
    Actor,
    EventDraft,
    JointDraft,
    JointSignature,
    Outcome,
    Policy,
    joint_message,
)
from audit.statements import approval_statement
from compliance.check import blocking, evaluate
from compliance.decision import Decision, Verdict
from compliance.facts import Facts, Stage
from party_node.agreed_half import check_half
from party_node.clock import utc_now
from party_node.errors import JobRefused, NodeError
from party_node.gate_facts import facts_at_proposal
from party_node.journal import forget_attempts, new_job_key
from party_node.node import Node
from party_node.store import jobs, transaction
from protocols.errors import RemoteProtocolError
from protocols.identifiers import RULES_VERSION
from protocols.session.approval import encode_approvals, verify_approvals
from protocols.session.decoded_spec import Spec, decode_spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import Phase

POLICY_VERDICTS: dict[Verdict, Literal["allow", "conditions", "needs_approval", "deny"]] = {
    Verdict.ALLOW: "allow",
    Verdict.CONDITIONS: "conditions",
    Verdict.NEEDS_APPROVAL: "needs_approval",
    Verdict.DENY: "deny",
}
SUCCESS = Outcome(status="success", code="ok")


S_co = TypeVar("S_co", bound=Spec, covariant=True)
K = TypeVar("K", JobSpec, HorizontalSpec)


@dataclass(frozen=True)
class Job(Generic[S_co]):
    """A job this node approved, at its present attempt."""

    spec: S_co
    status: str
    attempt: int

    def of(self, kind: type[K]) -> Job[K]:
        """Return this job as one whose spec is a ``kind``; raises :class:`JobRefused`."""
        if not isinstance(self.spec, kind):
            raise JobRefused(f"job {self.spec.job_id} is of another kind: {self.spec.version}")
        return Job(self.spec, self.status, self.attempt)

    def origins(self, node: Node) -> tuple[str, ...]:
        """Return the names of all parties' logs, this node's among them."""
        return tuple(node.origin_of(party.party_id) for party in self.spec.participants)

    def event(
        self,
        node: Node,
        connection: Connection,
        type_: str,
        *,
        phase: str | None = None,
        bound_to_attempt: bool = True,
        actor: Actor | None = None,
        outcome: Outcome = SUCCESS,
        details: dict[str, DetailValue] | None = None,
        counts: dict[str, int] | None = None,
        policy: Policy | None = None,
        joint: tuple[bytes, Mapping[str, bytes]] | None = None,
        intent: int | None = None,
    ) -> int:
        """Append an event bound to this job in the caller's transaction; return its seq."""
        terms = self.spec.participant(node.party_id)
        draft = EventDraft(
            type=type_,
            actor=actor or node.service,
            outcome=outcome,
            job=self.spec.job_id,
            attempt=self.attempt if bound_to_attempt else None,
            phase=phase,
            purpose=self.spec.purpose,
            legal_basis=(terms.legal_basis,),
            contract_digest=self.spec.digest(node.keys.suite).hex(),
            details=details or {},
            counts=counts or {},
            policy=policy,
            intent=intent,
            joint=None if joint is None else self._joint(node, *joint),
        )
        return node.record(connection, draft)

    def approval(self, node: Node) -> bytes:
        """Return the joint statement whose signature is a party's approval."""
        return approval_statement(
            self.spec.job_id, self.origins(node), self.spec.digest(node.keys.suite).hex()
        )

    def _joint(self, node: Node, body: bytes, signatures: Mapping[str, bytes]) -> JointDraft:
        keys = node.pinned_keys()
        return JointDraft(
            body=body,
            signatures=tuple(
                JointSignature(
                    origin=node.origin_of(party),
                    public_key=keys[party].hex(),
                    signature=signature.hex(),
                )
                for party, signature in sorted(signatures.items())
            ),
        )


def propose(node: Node, spec: Spec) -> tuple[Decision, ...]:
    """Record a proposed job and run this node's gates on it; return their decisions.

    Raises :class:`JobRefused`, with the refusal recorded, when a gate stops it.
    """
    suite = node.keys.suite
    job = Job[Spec](spec, "proposed", 1)
    own = spec.participant(node.party_id)
    if own.public_key != node.keys.public_key.hex():
        raise NodeError("the spec names another key for this node", "check node and coordinator")
    if isinstance(spec, JobSpec):
        _check_shared_customers(node, spec)
    with transaction(node.engine) as connection:
        connection.execute(
            insert(jobs).values(
                job_id=spec.job_id,
                spec=spec.to_bytes(),
                approvals=b"{}",
                status="proposed",
                attempt=1,
                journal_key=new_job_key(node.keys, spec.job_id),
            )
        )
        job.event(
            node,
            connection,
            "job.proposed",
            details={
                "spec_digest": spec.digest(suite).hex(),
                "suite": spec.suite,
                "protocol": spec.protocol,
                "algorithm": spec.algorithm,
                "reveal": spec.reveal,
                "agreement": spec.agreement,
                "output_use": spec.output_use,
                "expires_at": spec.expires_at,
                "parties": [p.party_id for p in spec.participants],
                "outputs": sorted({o.name for o in spec.outputs}),
                "recipients": sorted({o.recipient for o in spec.outputs}),
            },
            counts={"parties": len(spec.participants), "floor": spec.floor},
        )
        decisions = run_gates(
            node, connection, job, "proposal", facts_at_proposal(node, connection, spec)
        )
        stops = blocking(decisions)
        if stops:
            _refuse(node, connection, job, stops)
    if stops:
        raise _refusal(node, stops)
    return decisions


def _check_shared_customers(node: Node, spec: JobSpec) -> None:
    if spec.alignment.identifier_rules != RULES_VERSION:
        raise JobRefused(
            f"{node.party_id} normalises identifiers by {RULES_VERSION}, the job by other rules",
            "both sides must run releases with the same rules",
        )
    if spec.is_scoring:
        check_half(node, spec)


def run_gates(
    node: Node,
    connection: Connection,
    job: Job[Spec],
    stage: Stage,
    facts: Facts,
) -> tuple[Decision, ...]:
    """Evaluate every gate with this node's own ``facts`` and log each decision."""
    decisions = evaluate(job.spec, stage=stage, facts=facts, suite=node.keys.suite)
    _keep_reasons(node, job, stage, decisions)
    for decision in decisions:
        job.event(
            node,
            connection,
            "policy.evaluated",
            details={
                "gate": decision.gate,
                "step": stage,
                "articles": list(decision.articles),
                "inputs_digest": decision.inputs_digest,
            },
            policy=Policy(
                decision=decision.gate,
                rules_digest=decision.bundle_digest,
                verdict=POLICY_VERDICTS[decision.verdict],
            ),
            outcome=Outcome(status="denied", code="gate") if decision.stops else SUCCESS,
        )
    return decisions


def _keep_reasons(
    node: Node, job: Job[Spec], stage: Stage, decisions: tuple[Decision, ...]
) -> None:
    """Write the decisions in words beside the job's outputs; the log holds codes only."""
    folder = node.outputs(job.spec.job_id)
    with (folder / "gates.jsonl").open("ab") as file:
        for decision in decisions:
            line = {"stage": stage, **msgspec.to_builtins(decision)}
            file.write(msgspec.json.encode(line) + b"\n")


def approve(node: Node, job_id: str, approver: str) -> bytes:
    """Sign the spec's digest for ``approver`` and record it; return the signature.

    In a simulation the approval is given by software, and recorded as that.
    """
    job = load(node, job_id)
    expected = job.spec.participant(node.party_id).approver
    if approver != expected:
        raise JobRefused(f"{approver} may not approve this job for {node.party_id}")
    signature = node.keys.sign(joint_message(job.approval(node)))
    actor = (
        Actor(kind="service", id=approver, role="automatic-approver", authn="simulation")
        if node.simulated
        else Actor(kind="human", id=approver, role="officer", authn="local")
    )
    with transaction(node.engine) as connection:
        connection.execute(update(jobs).filter_by(job_id=job_id).values(status="approved"))
        job.event(
            node,
            connection,
            "job.approved",
            actor=actor,
            details={
                "spec_digest": job.spec.digest(node.keys.suite).hex(),
                "party": node.party_id,
                "reason": "automatic-in-simulation" if node.simulated else "officer-decision",
            },
        )
        node.checkpoint(connection)
    return signature


def accept_start(
    node: Node, spec_bytes: bytes, approvals: Mapping[str, bytes], attempt: int, phase: Phase
) -> Job[Spec]:
    """Return the job a phase start speaks of, if this node may run it.

    The coordinator is not believed: the spec must be the one this node approved, approved by every
    party under the keys pinned here. A higher attempt number abandons the present attempt.
    """
    spec = decode_spec(spec_bytes)
    job = load(node, spec.job_id)
    if job.spec.to_bytes() != spec_bytes:
        raise JobRefused("this is not the spec that was approved here")
    statement = job.approval(node)
    if not _verified_before(node, spec.job_id, approvals):
        verify_approvals(
            spec, joint_message(statement), approvals, node.pinned_keys(), node.keys.suite
        )
    if phase == "close":
        if attempt != job.attempt:
            raise JobRefused(f"attempt {attempt} is not the one to close")
        return job
    if job.status == "refused":
        raise JobRefused(f"job {spec.job_id} was refused here")
    if job.status == "closed":
        raise JobRefused(f"job {spec.job_id} is closed")
    if utc_now() > spec.expires_at:
        raise JobRefused(f"job {spec.job_id} expired at {spec.expires_at}", "propose it anew")
    if attempt < job.attempt:
        raise JobRefused(f"attempt {attempt} was abandoned here; this node is at {job.attempt}")
    if attempt > job.attempt:
        with transaction(node.engine) as connection:
            abandoned = job
            job = Job(spec, job.status, attempt)
            forget_attempts(connection, spec.job_id)
            connection.execute(
                update(jobs)
                .filter_by(job_id=spec.job_id)
                .values(attempt=attempt, journal_key=new_job_key(node.keys, spec.job_id))
            )
            abandoned.event(
                node,
                connection,
                "attempt.abandoned",
                details={"reason": "journals-did-not-match"},
                counts={"next_attempt": attempt},
            )
    if job.status == "approved":
        with transaction(node.engine) as connection:
            set_status(connection, spec.job_id, "running")
            connection.execute(
                update(jobs)
                .filter_by(job_id=spec.job_id)
                .values(approvals=encode_approvals(approvals))
            )
            job.event(
                node,
                connection,
                "job.agreed",
                bound_to_attempt=False,
                details={"spec_digest": spec.digest(node.keys.suite).hex()},
                joint=(statement, approvals),
            )
    return job


def _verified_before(node: Node, job_id: str, approvals: Mapping[str, bytes]) -> bool:
    """Whether these very approvals were verified here when the job began to run."""
    with node.engine.connect() as connection:
        kept = connection.execute(
            select(jobs.c.approvals).filter_by(job_id=job_id)
        ).scalar_one_or_none()
    return bool(approvals) and kept == encode_approvals(approvals)


def set_status(connection: Connection, job_id: str, status: str) -> None:
    """Move the job to ``status`` in the caller's transaction."""
    connection.execute(update(jobs).filter_by(job_id=job_id).values(status=status))


def load(node: Node, job_id: str) -> Job[Spec]:
    """Return the job; raises :class:`JobRefused` when this node never heard of it."""
    with node.engine.connect() as connection:
        row = connection.execute(
            select(jobs.c.spec, jobs.c.status, jobs.c.attempt).filter_by(job_id=job_id)
        ).one_or_none()
    if row is None:
        raise JobRefused(f"{node.party_id} has no job {job_id}")
    try:
        return Job(decode_spec(row.spec), row.status, row.attempt)
    except RemoteProtocolError:
        raise NodeError(f"the stored spec of job {job_id} is damaged") from None


def refuse(node: Node, job: Job[Spec], stops: tuple[Decision, ...]) -> JobRefused:
    """Record that a gate stopped a running job; return the error to raise."""
    with transaction(node.engine) as connection:
        _refuse(node, connection, job, stops)
    return _refusal(node, stops)


def _refuse(
    node: Node, connection: Connection, job: Job[Spec], stops: tuple[Decision, ...]
) -> None:
    set_status(connection, job.spec.job_id, "refused")
    job.event(
        node,
        connection,
        "job.refused",
        details={
            "spec_digest": job.spec.digest(node.keys.suite).hex(),
            "party": node.party_id,
            "gates": [decision.gate for decision in stops],
            "articles": sorted({a for decision in stops for a in decision.articles}),
        },
    )
    node.checkpoint(connection)


def _refusal(node: Node, stops: tuple[Decision, ...]) -> JobRefused:
    first = stops[0]
    return JobRefused(
        f"{node.party_id}: gate {first.gate} says {first.verdict.value}: {first.reason} "
        f"({', '.join(first.articles)})",
        "change the job, not the gate; all decisions are in the audit log",
    )
