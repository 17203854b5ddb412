"""The steps of a horizontal job at one party, each one Flower message and its answer.

``protocols/secure_aggregation/SPEC.md`` §3 has them in order. What was answered is kept before it
is sent: the same message again gets the same answer, another one for the same step is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compliance.check import blocking
from party_node.errors import JobRefused
from party_node.gate_facts import facts_of
from party_node.horizontal.catching_up import catch_up
from party_node.horizontal.finish import finish, log_completed
from party_node.horizontal.key_epoch import SUM_KEY, KeyEpoch, log_keys_destroyed
from party_node.horizontal.openings import learned, take_openings
from party_node.horizontal.state import Answered, forget_pieces
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.sums import consist, contribute, unmask
from party_node.horizontal.table import ledger_of, prepare_table, work_of
from party_node.jobs import Job, refuse, run_gates
from party_node.node import Node
from party_node.phases.close import close
from party_node.phases.log_states import keep_notes
from party_node.privacy_ledger import BudgetExhausted
from party_node.progress import ProgressFile
from party_node.reporting import Letters
from party_node.store import transaction
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import SealedBundles, SignedRoster
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.phase_report import Phase
from protocols.suite import canonical
from protocols.wire import decode, encode

_NOTE = "checkpoint/"
_COMPLETED = "completed/"


def run_step(
    node: Node,
    job: Job[HorizontalSpec],
    step: Phase,
    inbox: Letters,
    *,
    outbox: Letters,
    chunks: Mapping[str, Sequence[bytes]],
) -> tuple[dict[str, Any], list[bytes]]:
    """Do ``step``, or give the answer that was given before.

    Fills ``outbox``; returns the report's payload and the ciphertexts that go with it.
    """
    with ProgressFile(node.home / "progress.json", step) as progress:
        context = StepContext(node, job, step, inbox, chunks, outbox, progress)
        if step == "close":
            return _close(context), []
        started = time.monotonic()
        place, request = _place(context)
        before = context.state.answered(place, request)
        if before is not None:
            outbox |= before.letters
            payload: dict[str, Any] = canonical.decode(before.payload)  # type: ignore[assignment]
            return payload, context.state.pieces(place) if before.pieces else []
        _open_epoch(context)
        catch_up(context)
        take_openings(context)
        payload = _STEPS[step](context)
        payload["work_ms"] = round((time.monotonic() - started) * 1000)
        if not payload.get("behind"):
            answer = Answered(request, canonical.encode(payload), dict(outbox), len(context.pieces))
            with transaction(node.engine) as connection:
                context.state.keep_answer(connection, place, answer)
        return payload, context.pieces


def _place(context: StepContext) -> tuple[str, bytes]:
    """Return where in the job a request belongs, and the digest of what may be asked there once."""
    suite = context.suite
    match context.step:
        case "advertise":
            epoch = context.number("epoch")
            return f"advertise/{epoch}", suite.hash(context.letter("first"))
        case "share":
            epoch = KeyEpoch.present(context).record.epoch
            return f"share/{epoch}", suite.hash(context.letter("roster"))
        case "contribute":
            return f"contribute/{context.number('number')}", suite.hash(context.letter("opened"))
        case "consist":
            return f"consist/{context.number('number')}", suite.hash(context.letter("list"))
        case "unmask":
            return f"unmask/{context.number('number')}", suite.hash(context.letter("signed"))
        case _:
            # After a crash of the coordinator the job may end a second time, under other keys.
            return f"{context.step}/{KeyEpoch.present(context).record.epoch}", b""


def _advertise(context: StepContext) -> dict[str, Any]:
    """Make keys for the next sums; before the first, ask this node's own gates again."""
    known = learned(context)
    if known.opened == 0:
        prepare_table(context)
        _ask_gates(context)
    signed = KeyEpoch.begin(context, context.number("epoch"), context.number("first"))
    context.outbox["advertisement"] = encode(signed)
    return {"opened": known.opened}


def _ask_gates(context: StepContext) -> None:
    """Ask this node's own gates again, and set aside what the job will spend of a budget."""
    plan, ledger = work_of(context).private, ledger_of(context)
    with transaction(context.node.engine) as connection:
        privacy = None
        if plan is not None and ledger is not None:
            privacy = ledger.facts(connection, plan.events)
        facts = facts_of(context.node, context.spec, privacy=privacy)
        stops = blocking(run_gates(context.node, connection, context.job, "start", facts))
    if stops:
        raise refuse(context.node, context.job, stops)
    if plan is not None and ledger is not None:
        try:
            with transaction(context.node.engine) as connection:
                ledger.reserve(connection, plan.events)
        except BudgetExhausted as error:
            with transaction(context.node.engine) as connection:
                error.record(connection)
            raise JobRefused(error.message, error.hint) from None


def _share(context: StepContext) -> dict[str, Any]:
    """Verify everybody's keys and share this party's secrets among them."""
    epoch = KeyEpoch.present(context)
    context.outbox.update(epoch.share(decode(context.letter("roster"), SignedRoster)))
    return {}


def _open_epoch(context: StepContext) -> None:
    """Open what the others sealed for this party, when it first comes."""
    if "bundles" in context.inbox:
        epoch = KeyEpoch.present(context)
        if not epoch.is_open:
            bundles = decode(context.letter("bundles"), SealedBundles)
            epoch.open(bundles, context.inbox.get(SUM_KEY))


def _told_by_others(context: StepContext, kind: str) -> dict[str, bytes]:
    """Return what the other parties told of one kind, by party; refuses strangers."""
    told = {
        name.removeprefix(kind): data
        for name, data in context.inbox.items()
        if name.startswith(kind) and name != kind + context.party
    }
    if set(told) - {party.party_id for party in context.spec.parties}:
        raise RemoteProtocolError("letters of a stranger", party="coordinator", step="close")
    return told


def _close(context: StepContext) -> dict[str, Any]:
    """Keep the peers' log states, then destroy what is left of the job."""
    notes, signatures = _told_by_others(context, _NOTE), _told_by_others(context, _COMPLETED)
    if context.job.status == "released" and notes:
        with transaction(context.node.engine) as connection:
            own = {context.party: context.letter(_COMPLETED + context.party)}
            log_completed(context, connection, signatures | own)
            keep_notes(context.node, context.job, connection, notes)
    ledger = ledger_of(context)
    if ledger is not None:
        with transaction(context.node.engine) as connection:
            ledger.settle(connection, "job-closed")
    forget_pieces(context.node, context.spec.job_id)
    return close(context.node, context.job, log_destroyed=lambda c: log_keys_destroyed(context, c))


_STEPS: Mapping[Phase, Callable[[StepContext], dict[str, Any]]] = {
    "advertise": _advertise,
    "share": _share,
    "contribute": contribute,
    "consist": consist,
    "unmask": unmask,
    "finish": finish,
}
