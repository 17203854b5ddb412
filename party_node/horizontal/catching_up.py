"""A party that was away: another member of the epoch tells it what was learned meanwhile.

Any member can have sealed what it is told. A wrong one harms this party alone: its contributions
start from another model than the others', and no list takes them; and it releases nothing of it
before an opening, or as many parties as every sum needs, confirm it.
"""

from __future__ import annotations

import msgspec

from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.openings import keep_learned, learned, learned_digest, was_told
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.work import Learned
from party_node.store import transaction
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.secure_aggregation import open_for_group, seal_for_group
from protocols.session.phase_report import SignedReport, open_report

_STATE = "learned-state"
_FINISHED = "finished/"
"""How the names of other parties' reports of their end begin."""


def seal_learned(context: StepContext, epoch: KeyEpoch, known: Learned) -> bytes:
    """Return what this party has learned, sealed for the members of the epoch."""
    return seal_for_group(
        epoch.roster,
        epoch.shares.group_key,
        _STATE,
        known.to_bytes(),
        suite=context.suite,
        seed=context.state.seed(f"epoch/{epoch.record.epoch}/state/{known.opened}"),
    )


def catch_up(context: StepContext) -> None:
    """Take what another member says was learned meanwhile, if it was sent and is ahead."""
    sealed = context.inbox.get("state")
    if sealed is None:
        return
    known, epoch = learned(context), KeyEpoch.present(context)
    data = open_for_group(epoch.roster, epoch.shares.group_key, _STATE, sealed, suite=context.suite)
    try:
        told = Learned.from_bytes(data)
    except LocalProtocolError:
        raise RemoteProtocolError("what was learned meanwhile is unreadable") from None
    if told.opened > known.opened:
        with transaction(context.node.engine) as connection:
            keep_learned(context, connection, told, told=True)


def check_confirmed(context: StepContext, known: Learned) -> None:
    """Refuse to end with a model that is one member's word alone.

    The coordinator sends the reports with which the others ended; each is signed and says which
    model its party holds.
    """
    if not was_told(context):
        return
    expected, confirming = learned_digest(known, context.suite).hex(), set()
    for name, data in context.inbox.items():
        if not name.startswith(_FINISHED):
            continue
        try:
            report, payload = open_report(
                msgspec.msgpack.decode(data, type=SignedReport),
                spec_digest=context.spec.digest(context.suite),
                attempt=context.job.attempt,
                phase="finish",
                public_keys=context.public_keys,
                suite=context.suite,
            )
        except (RemoteProtocolError, msgspec.DecodeError):
            continue
        if report.status == "done" and payload.get("model") == expected:
            confirming.add(report.sender)
    need = KeyEpoch.present(context).terms.need
    if len(confirming) < need:
        raise RemoteProtocolError(
            f"{len(confirming)} parties confirm the model this party was told; {need} must",
            step=context.step,
        )
