"""What a run of ``fedcrm psi`` writes into this party's audit log, and what both parties sign.

The log is an ordinary one (``audit/``): ``fedcrm audit show``, ``export`` and ``verify`` read it.
It is opened before the table is read (``log_folder.py``); a folder that cannot be written stops
the run there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from audit.catalogue import DetailValue
from audit.checkpoint import CheckpointError
from audit.countersign import keep_checkpoint
from audit.database import transaction
from audit.event import (
    Actor,
    EventDraft,
    EventRefused,
    JointDraft,
    JointSignature,
    Outcome,
    joint_digest,
    joint_message,
)
from audit.identity import log_origin
from audit.log import AuditError, AuditLog, read_checkpoints
from audit.statements import approval_statement, job_statement
from audit.tables import entries
from party_node.errors import AttemptAbandoned, NodeError
from party_node.psi.log_folder import Signer, open_log, service_actor
from protocols.errors import RemoteProtocolError
from protocols.session.psi_spec import PsiSpec, PsiTerms
from protocols.suite import InvalidSignature

_SUCCESS = Outcome(status="success", code="ok")


class Evidence:
    """This party's log while one run lasts; :meth:`close` it."""

    def __init__(
        self, engine: Engine, log: AuditLog, signer: Signer, officer: str | None, folder: Path
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._officer = officer
        self._log = log
        self._signer = signer
        self._spec: PsiSpec | None = None
        self._attempt = 1
        self._peer_key = b""
        self._ended = True
        """Whether the log says how the last run it speaks of ended."""

    @classmethod
    def open(cls, folder: Path, signer: Signer, officer: str | None) -> Evidence:
        """Open, or on first use create, the log in ``folder``; raises :class:`NodeError`.

        ``officer`` is the pseudonymous id of the person who approves; None where a script's
        ``--yes`` does.
        """
        engine, log = open_log(folder, signer)
        return cls(engine, log, signer, officer, folder)

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    # -- the run's beginning -----------------------------------------------------------------

    def propose(self, spec: PsiSpec) -> None:
        """Record the spec both parties' terms gave, and that an unfinished run is given up."""
        if not self._ended:
            self.fail(AttemptAbandoned("the other side came back without the interrupted run"))
        self._spec, self._attempt, self._ended = spec, 1, False
        self._keep(spec)
        self._write(
            "job.proposed",
            bound_to_attempt=False,
            details={
                "spec_digest": self._digest(),
                "suite": spec.suite,
                "protocol": spec.protocol,
                "reveal": spec.reveal,
                "parties": self._parties(),
                "recipients": self._recipients(),
            },
            counts={"parties": 2, "floor": spec.floor},
        )

    def approval(self) -> bytes:
        """Return this party's signature over the approval of the spec."""
        return self._signer.sign(joint_message(self._approval_body()))

    def approve(self) -> None:
        """Record this party's approval, by its officer or by the ``--yes`` of a script."""
        officer = self._officer
        actor = (
            Actor(kind="service", id=self._signer.party, role="automatic-approver", authn="local")
            if officer is None
            else Actor(kind="human", id=officer, role="officer", authn="local")
        )
        self._write(
            "job.approved",
            actor=actor,
            bound_to_attempt=False,
            details={
                "spec_digest": self._digest(),
                "party": self._signer.party,
                "reason": "automatic-yes" if officer is None else "officer-decision",
            },
        )

    def refuse(self, reason: str) -> None:
        """Record that this party did not approve."""
        self._write(
            "job.refused",
            bound_to_attempt=False,
            details={
                "spec_digest": self._digest(),
                "party": self._signer.party,
                "reason": reason,
            },
        )
        self._checkpoint()
        self._ended = True

    def _keep(self, spec: PsiSpec) -> None:
        """Keep the spec's bytes beside the log, which holds their digest only."""
        specs = self._folder / "specs"
        try:
            specs.mkdir(mode=0o700, exist_ok=True)
            (specs / f"{spec.run_id}.json").write_bytes(spec.to_bytes())
        except OSError as error:
            raise NodeError(
                f"cannot write into {specs} ({error.strerror})", "nothing was compared"
            ) from None

    def agree(self, peer_key: bytes, own_signature: bytes, peer_signature: bytes) -> None:
        """Check the peer's approval and record, once a run, that both gave theirs."""
        self._peer_key = peer_key
        self._check(self._approval_body(), peer_signature, "approval")
        self._write_joint(
            "job.agreed",
            details={"spec_digest": self._digest()},
            joint=(self._approval_body(), self._both(own_signature, peer_signature)),
        )

    def resume(self, spec: PsiSpec, attempt: int) -> None:
        """Go on with a run approved before."""
        self._spec, self._attempt, self._ended = spec, attempt, False
        self._write("job.resumed", details={"reason": "interrupted"})

    # -- the match ---------------------------------------------------------------------------

    def start(self, counts: Mapping[str, int]) -> None:
        """Record, once a run, that the match begins, with the numbers of this party's own file."""
        if self._has("psi.started"):
            return
        spec = self._the_spec()
        self._write(
            "psi.started",
            phase="align",
            details={
                "protocol": spec.protocol,
                "reveal": spec.reveal,
                "identifier_kind": "+".join(spec.receiver.key.kinds),
                "identifier_rules": spec.receiver.key.rules,
                "parties": self._parties(),
                "recipients": self._recipients(),
            },
            counts={"floor": spec.floor, **counts},
        )

    def statement(self, *, refused: bool, shown_size: int | None) -> bytes:
        """Return the joint statement of how the match ended; both parties build the same.

        ``shown_size`` is None where not both know the size, and rounded where the size itself is
        what the run reveals. It is about the run and not about an attempt: when one party is
        killed after only the other has recorded it, the next attempt gives the very same
        statement, and both logs have it.
        """
        spec = self._the_spec()
        details: dict[str, DetailValue] = {"protocol": spec.protocol}
        counts = {"floor": spec.floor}
        if refused:
            details["reason"] = "below-floor"
        else:
            details["reveal"] = spec.reveal
            if shown_size is not None:
                counts["intersection"] = shown_size
        return job_statement(
            "psi.refused" if refused else "psi.completed",
            job=spec.run_id,
            origins=self._origins(),
            details=details,
            counts=counts,
        )

    def finish(
        self,
        statement: bytes,
        signatures: tuple[bytes, bytes],
        *,
        refused: bool,
        learned: list[str],
        counts: Mapping[str, int],
    ) -> None:
        """Record, once a run, how the match ended; ``signatures``: this party's, the peer's."""
        spec = self._the_spec()
        self._check(statement, signatures[1], "statement")
        details: dict[str, DetailValue] = {
            "protocol": spec.protocol,
            "parties": self._parties(),
            "statement_digest": self._signer.suite.hash(statement).hex(),
        }
        if refused:
            details["reason"] = "below-floor"
        else:
            details |= {
                "reveal": spec.reveal,
                "recipients": self._recipients(),
                "learned": list(learned),
            }
        self._write_joint(
            "psi.refused" if refused else "psi.completed",
            phase="align",
            outcome=Outcome(status="denied", code="below-floor") if refused else _SUCCESS,
            details=details,
            counts={"floor": spec.floor, **counts},
            joint=(statement, self._both(*signatures)),
        )

    def refuse_by_guard(self, own_rows: int) -> None:
        """Record that the guard against comparing nearly equal sets stopped the run."""
        spec = self._the_spec()
        self._write(
            "psi.refused",
            phase="align",
            outcome=Outcome(status="denied", code="guard"),
            details={
                "protocol": spec.protocol,
                "reason": "set-changed-too-little",
                "parties": self._parties(),
            },
            counts={"own_set": own_rows, "floor": spec.floor},
        )
        self._checkpoint()
        self._ended = True

    def sign_statement(self, statement: bytes) -> bytes:
        """Return this party's signature over a joint statement."""
        return self._signer.sign(joint_message(statement))

    # -- release and end ---------------------------------------------------------------------

    def intend_release(self, rows: int) -> int:
        """Record that the matching rows are about to be written; return the intent's place."""
        return self._write(
            "release.intended",
            phase="align",
            details={
                "output": "matching-rows",
                "form": "file",
                "recipient": self._signer.party,
                "parties": self._parties(),
            },
            counts={"rows": rows, "floor": self._the_spec().floor},
        )

    def released(self, intent: int, rows: int, file_digest: bytes) -> None:
        """Record that the matching rows were written."""
        self._write(
            "release.done",
            phase="align",
            intent=intent,
            details={
                "output": "matching-rows",
                "form": "file",
                "recipient": self._signer.party,
                "file_digest": file_digest.hex(),
                "parties": self._parties(),
            },
            counts={"rows": rows},
        )

    def release_failed(self, intent: int, error: BaseException) -> None:
        """Record that the matching rows could not be written."""
        self._write(
            "release.failed",
            phase="align",
            outcome=Outcome(status="failed", code="error"),
            intent=intent,
            details={
                "output": "matching-rows",
                "form": "file",
                "reason": "error",
                "error": type(error).__name__,
            },
        )

    def fail(self, error: Exception) -> None:
        """Record why the run failed, if it does not say yet: the kind of error, never its text."""
        if self._ended:
            return
        self._write(
            # The same command can go on with a match that has begun: that is no end of the job.
            "phase.failed" if self._has("job.agreed") else "job.failed",
            phase="align",
            outcome=Outcome(status="failed", code="error"),
            details={"reason": "error", "error": type(error).__name__},
        )
        self._checkpoint()
        self._ended = True

    def checkpoint_note(self) -> bytes:
        """Sign the log's present state and return the note for the peer."""
        self._checkpoint()
        with self._transaction() as connection:
            return list(read_checkpoints(connection))[-1]

    def keep_peers_note(self, peer: str, note: bytes) -> None:
        """Keep the peer's signed checkpoint in this log."""
        try:
            draft = keep_checkpoint(
                note,
                suite=self._signer.suite,
                origin=log_origin(peer, "party_node"),
                public_key=self._peer_key,
                actor=service_actor(self._signer.party),
                job=self._the_spec().run_id,
            )
        except CheckpointError as error:
            raise RemoteProtocolError(f"CheckpointNote: {error}", party=peer) from None
        with self._transaction() as connection:
            self._log.append(connection, draft)

    def end(self) -> None:
        """Record that the run is over, and sign the log."""
        self._write("job.closed", details={"reason": "completed"})
        self._checkpoint()
        self._ended = True

    # -- inside ------------------------------------------------------------------------------

    def _write(
        self,
        type_: str,
        *,
        phase: str | None = None,
        actor: Actor | None = None,
        outcome: Outcome = _SUCCESS,
        bound_to_attempt: bool = True,
        details: dict[str, DetailValue] | None = None,
        counts: Mapping[str, int] | None = None,
        joint: tuple[bytes, Mapping[str, bytes]] | None = None,
        intent: int | None = None,
    ) -> int:
        spec = self._the_spec()
        terms = self._own_terms()
        draft = EventDraft(
            type=type_,
            actor=actor or service_actor(self._signer.party),
            outcome=outcome,
            job=spec.run_id,
            attempt=self._attempt if bound_to_attempt else None,
            phase=phase,
            purpose=spec.receiver.purpose,
            legal_basis=(terms.legal_basis,),
            contract_digest=self._digest(),
            details=details or {},
            counts=dict(counts or {}),
            intent=intent,
            joint=None if joint is None else self._joint(*joint),
        )
        with self._transaction() as connection:
            return self._log.append(connection, draft).seq

    def _write_joint(
        self, type_: str, *, joint: tuple[bytes, Mapping[str, bytes]], **fields: Any
    ) -> None:
        """Write an event with a joint statement, unless the log has that statement already."""
        digest = joint_digest(self._signer.suite, joint[0])
        with self._transaction() as connection:
            there = select(entries.c.seq).where(entries.c.joint_digest == digest)
            if connection.execute(there).first() is not None:
                return
        self._write(type_, bound_to_attempt=False, joint=joint, **fields)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with transaction(self._engine) as connection:
                yield connection
        except (OSError, SQLAlchemyError, AuditError, EventRefused) as error:
            raise NodeError(
                f"the audit log cannot be written ({type(error).__name__})",
                "nothing goes on without it: see whether its disk is full, and run "
                "`fedcrm audit fsck`",
            ) from None

    def _has(self, type_: str) -> bool:
        """Return whether the log has an event of this type about the run."""
        run_id = self._the_spec().run_id
        there = select(entries.c.seq).where(entries.c.type == type_, entries.c.job == run_id)
        with self._transaction() as connection:
            return connection.execute(there).first() is not None

    def _joint(self, body: bytes, signatures: Mapping[str, bytes]) -> JointDraft:
        keys = {
            t.party_id: t.public_key for t in (self._the_spec().receiver, self._the_spec().sender)
        }
        return JointDraft(
            body=body,
            signatures=tuple(
                JointSignature(
                    origin=log_origin(party, "party_node"),
                    public_key=keys[party],
                    signature=signature.hex(),
                )
                for party, signature in sorted(signatures.items())
            ),
        )

    def _check(self, body: bytes, signature: bytes, what: str) -> None:
        try:
            self._signer.suite.verify(self._peer_key, joint_message(body), signature)
        except InvalidSignature:
            raise RemoteProtocolError(
                f"the signature of the {what} does not verify", party=self._peer()
            ) from None

    def _both(self, own: bytes, peers: bytes) -> dict[str, bytes]:
        return {self._signer.party: own, self._peer(): peers}

    def _peer(self) -> str:
        return next(p for p in self._parties() if p != self._signer.party)

    def _approval_body(self) -> bytes:
        return approval_statement(self._the_spec().run_id, self._origins(), self._digest())

    def _the_spec(self) -> PsiSpec:
        assert self._spec is not None, "propose or resume comes first"
        return self._spec

    def _own_terms(self) -> PsiTerms:
        spec = self._the_spec()
        return spec.receiver if spec.receiver.party_id == self._signer.party else spec.sender

    def _digest(self) -> str:
        return self._the_spec().digest(self._signer.suite).hex()

    def _parties(self) -> list[str]:
        spec = self._the_spec()
        return [spec.receiver.party_id, spec.sender.party_id]

    def _recipients(self) -> list[str]:
        return self._parties() if self._the_spec().to == "both" else self._parties()[:1]

    def _origins(self) -> list[str]:
        return [log_origin(party, "party_node") for party in self._parties()]

    def _checkpoint(self) -> None:
        with self._transaction() as connection:
            self._log.checkpoint(connection, self._signer.sign)
