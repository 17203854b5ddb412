"""Openings: what the parties alone read, applied in order to what this party has learned."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from audit.catalogue import DetailValue
from models.horizontal.plan import words_of
from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.state import forget_pieces
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.work import NOTHING, Learned, apply
from party_node.store import transaction
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import (
    ContributorList,
    Opening,
    list_digest,
    open_sum,
)
from protocols.suite import Suite

_LEARNED = "learned"
_TOLD = "told"
_FEWEST = "fewest-contributors"
_MODEL_DOMAIN = b"fedcrm/horizontal-learned/v1\x00"
OPENING = "opening/"
"""How the names of openings' letters and chunks begin; their number follows."""


def learned(context: StepContext) -> Learned:
    """Return what this party has learned so far."""
    data = context.state.get(_LEARNED)
    return NOTHING if data is None else Learned.from_bytes(data)


def learned_digest(known: Learned, suite: Suite) -> bytes:
    """Return the digest by which parties compare what they have learned."""
    return suite.hash(_MODEL_DOMAIN, known.to_bytes())


def keep_learned(
    context: StepContext, connection: Connection, known: Learned, *, told: bool
) -> None:
    """Keep what this party has learned; ``told`` by a member, or read in an opening itself."""
    context.state.put(connection, _LEARNED, known.to_bytes())
    context.state.put(connection, _TOLD, b"1" if told else b"")


def was_told(context: StepContext) -> bool:
    """Whether what this party has learned is a member's word, and no opening has confirmed it."""
    return context.state.get(_TOLD) == b"1"


def fewest_contributors(context: StepContext) -> int:
    """Return how many contributed to the smallest sum this party opened."""
    data = context.state.get(_FEWEST)
    return len(context.spec.parties) if data is None else int.from_bytes(data, "big")


def take_openings(context: StepContext) -> None:
    """Open every sum that was sent, follows on what was opened, and is of the present keys.

    A coordinator that started again sends all there are, because it does not know who has which.
    What this party cannot read it has to be told by a member: see :mod:`.catching_up`.
    """
    numbers = sorted(
        int(name.removeprefix(OPENING))
        for name in context.inbox
        if name.startswith(OPENING) and name.removeprefix(OPENING).isdecimal()
    )
    if not numbers:
        return
    epoch = KeyEpoch.if_open(context)
    if epoch is None:
        return
    terms = epoch.terms.digest(context.suite)
    for number in numbers:
        known = learned(context)
        name = f"{OPENING}{number}"
        opening = Opening.read(context.inbox[name], context.chunks.get(name, ()))
        contributors = opening.contributors
        if contributors.terms == terms and contributors.opened == known.opened:
            _open(context, epoch, opening, known)


def _open(context: StepContext, epoch: KeyEpoch, opening: Opening, known: Learned) -> None:
    suite, spec = context.suite, context.spec
    contributors = opening.contributors
    if contributors.model != learned_digest(known, suite):
        if was_told(context):
            # What a member said is forgotten, so that another one may tell it.
            with transaction(context.node.engine) as connection:
                keep_learned(context, connection, NOTHING, told=False)
        raise RemoteProtocolError(
            f"sum {contributors.number} was made from another model than this party was told",
            step=context.step,
        )
    started = time.monotonic()
    cipher = epoch.cipher
    if epoch.key_id:
        _log_use(context, epoch, opening)
    opened = open_sum(
        epoch.terms,
        epoch.roster,
        epoch.shares,
        opening,
        cipher=cipher,
        length=words_of(spec, known.opened),
        party=context.party,
        public_keys=context.public_keys,
        suite=suite,
        lists=epoch.bound_lists,
    )
    new = apply(
        known,
        opened.words,
        spec=spec,
        contributions=len(opened.contributors),
        value_bits=cipher.value_bits(len(spec.parties)),
        suite=suite,
    )
    fewest = min(fewest_contributors(context), len(opened.contributors))
    with transaction(context.node.engine) as connection:
        keep_learned(context, connection, new, told=False)
        context.state.put(connection, _FEWEST, fewest.to_bytes(4, "big"))
        context.event(
            connection,
            "sum.opened",
            details=details_of(context, contributors)
            | {
                "scheme": spec.aggregation.method,
                "model_digest": learned_digest(new, suite).hex(),
                "parties": list(opened.contributors),
            },
            counts=counts_of(context, epoch, contributors)
            | {
                "signatures": len(opening.signatures),
                "bytes": sum(map(len, opening.chunks)),
                "duration_ms": round((time.monotonic() - started) * 1000),
            },
        )
        for party in sorted({revealer for _, revealer in opened.wrong_shares}):
            context.event(
                connection,
                "message.refused",
                details={"party": party, "step": "unmask", "error": "WrongShare"},
            )
    forget_pieces(context.node, context.spec.job_id)


def _log_use(context: StepContext, epoch: KeyEpoch, opening: Opening) -> None:
    """Log that the homomorphic key is used, before it is."""
    with transaction(context.node.engine) as connection:
        context.event(
            connection,
            "he.key_used",
            details={
                "key_id": epoch.key_id,
                "scheme": epoch.scheme,
                "operation": "decrypt",
                "step": context.step,
                "contributors_digest": list_digest(opening.contributors, context.suite).hex(),
                "sum_digest": opening.contributors.total.hex(),
            },
            counts={
                "sum_number": opening.contributors.number,
                "ciphertexts": len(opening.chunks),
                "contributors": len(opening.contributors.contributors),
            },
        )


def details_of(context: StepContext, contributors: ContributorList) -> dict[str, DetailValue]:
    """Return what every event about a signed list says of it."""
    return {
        "step": context.step,
        "contributors_digest": list_digest(contributors, context.suite).hex(),
        "sum_digest": contributors.total.hex(),
    }


def counts_of(
    context: StepContext, epoch: KeyEpoch, contributors: ContributorList
) -> dict[str, int]:
    """Return what every event about a signed list counts."""
    del context
    present = len(contributors.contributors)
    return {
        "sum_number": contributors.number,
        "epoch": epoch.record.epoch,
        "contributors": present,
        "missing": len(epoch.roster.members) - present,
    }
