"""Contributing to a sum, agreeing on who is in it, and helping the parties to open it."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection

from party_node.horizontal.catching_up import seal_learned
from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.openings import (
    counts_of,
    details_of,
    learned,
    learned_digest,
)
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.table import ledger_of, work_of
from party_node.horizontal.work import Learned, Work
from party_node.privacy_ledger import BudgetExhausted
from party_node.store import transaction
from protocols.secure_aggregation import (
    Contribution,
    ContributorList,
    SignedContribution,
    SignedList,
    check_list,
    chunks_digest,
    mask,
    reveal,
    sign_contribution,
    sign_list,
)
from protocols.wire import decode, encode


def contribute(context: StepContext) -> dict[str, Any]:
    """Make this party's part of a sum, or say that it is behind and cannot."""
    epoch = KeyEpoch.present(context)
    number, expected = context.number("number"), context.number("opened")
    known = learned(context)
    if known.opened != expected:
        return {"behind": True, "opened": known.opened}
    payload = {"behind": False, "opened": known.opened}
    if "want-state" in context.inbox:
        context.outbox["state"] = seal_learned(context, epoch, known)
    note = context.state.get(_note(number))
    if note is None:
        note = encode(_contribute(context, epoch, number, known))
    context.outbox["note"] = note
    context.pieces = context.state.pieces(f"contribute/{number}")
    return payload


def _contribute(
    context: StepContext, epoch: KeyEpoch, number: int, known: Learned
) -> SignedContribution:
    suite, spec = context.suite, context.spec
    cipher = epoch.cipher
    work = work_of(context)
    value_bits = cipher.value_bits(len(spec.parties))
    words = work.words(
        known,
        value_bits,
        lambda done, total: context.progress.update(f"sum {number}", done, total),
    )
    if context.is_masked:
        words = mask(
            epoch.terms,
            epoch.roster,
            epoch.keys,
            epoch.shares,
            number,
            words,
            party=context.party,
            modulus=cipher.modulus,
            suite=suite,
        )
    pieces = cipher.encrypt(words, seed=context.state.seed(f"contribution/{number}"))
    note = Contribution(
        terms=epoch.terms.digest(suite),
        number=number,
        party=context.party,
        roster=epoch.roster.digest,
        sharers=epoch.shares.sharers_digest,
        chunks=chunks_digest(pieces, suite),
        opened=known.opened,
        model=learned_digest(known, suite),
    )
    signed = sign_contribution(
        epoch.terms,
        note,
        private_key=context.node.keys.signing_key,
        suite=suite,
        entropy=context.state.seed(f"contribution/{number}/signature"),
    )
    context.state.keep_pieces(number, pieces)
    try:
        _keep_contribution(context, epoch, known, note, signed=signed, pieces=pieces, work=work)
    except BudgetExhausted as error:
        with transaction(context.node.engine) as connection:
            error.record(connection)
        raise
    return signed


def _keep_contribution(
    context: StepContext,
    epoch: KeyEpoch,
    known: Learned,
    note: Contribution,
    *,
    signed: SignedContribution,
    pieces: list[bytes],
    work: Work,
) -> None:
    """Keep a contribution, and what it spends of a budget, before it leaves."""
    ledger = ledger_of(context)
    with transaction(context.node.engine) as connection:
        context.state.put(connection, _note(note.number), encode(signed))
        if ledger is not None and work.private is not None:
            # Before the contribution leaves, and once, however often it has to be sent.
            ledger.spend(
                connection,
                _release_number(context, connection, known, note.number),
                [work.private.release(known.opened)],
            )
        context.event(
            connection,
            "sum.contributed",
            details={
                "step": work.name(known),
                "scheme": context.spec.aggregation.method,
                "roster_digest": note.roster.hex(),
                "chunks_digest": note.chunks.hex(),
                "model_digest": note.model.hex(),
                "dp_used": context.spec.privacy is not None,
            },
            counts={
                "sum_number": note.number,
                "epoch": epoch.record.epoch,
                "opened": known.opened,
                "ciphertexts": len(pieces),
                "bytes": sum(map(len, pieces)),
            },
        )


def _release_number(
    context: StepContext, connection: Connection, known: Learned, number: int
) -> int:
    """Return the first sum these noisy values were made for; sent again they cost nothing."""
    name = f"release/{known.opened}"
    data = context.state.get(name)
    if data is not None:
        return int.from_bytes(data, "big")
    context.state.put(connection, name, number.to_bytes(4, "big"))
    return number


class _StoodBy(msgspec.Struct, frozen=True):
    """Lists this party signed, by the number of sums that were opened before each."""

    lists: dict[int, tuple[bytes, ...]]


def consist(context: StepContext) -> dict[str, Any]:
    """Check who is said to be in a sum, and sign that list and no other for it."""
    suite, node = context.suite, context.node
    epoch = KeyEpoch.present(context)
    contributors = decode(context.letter("list"), ContributorList)
    note = context.state.get(_note(contributors.number))
    before = _stood_by(context)
    check_list(
        epoch.terms,
        contributors,
        roster=epoch.roster,
        shares=epoch.shares,
        party=context.party,
        own=None if note is None else decode(note, SignedContribution),
        suite=suite,
        before=[
            earlier
            for data in before.get(contributors.opened, ())
            if (earlier := decode(data, ContributorList)).number != contributors.number
        ],
    )
    bound = epoch.bound_lists.bind(contributors, suite)
    signature = sign_list(
        epoch.terms,
        contributors,
        lists=bound,
        party=context.party,
        private_key=node.keys.signing_key,
        suite=suite,
        entropy=context.state.seed(f"list/{contributors.number}/signature"),
    )

    def keep(connection: Connection) -> None:
        context.state.put(connection, "bound-lists", bound.to_bytes())
        same_work = {*before.get(contributors.opened, ()), encode(contributors)}
        lists = before | {contributors.opened: tuple(sorted(same_work))}
        context.state.put(connection, "lists", msgspec.msgpack.encode(_StoodBy(lists)))
        context.event(
            connection,
            "sum.list_signed",
            details=details_of(context, contributors)
            | {"roster_digest": contributors.roster.hex()},
            counts=counts_of(context, epoch, contributors),
        )
        missing = sorted(set(epoch.roster.members) - set(contributors.contributors))
        if missing:
            context.event(
                connection,
                "sum.parties_missing",
                details={
                    "step": context.step,
                    "reason": "no-contribution",
                    "contributors_digest": details_of(context, contributors)["contributors_digest"],
                    "parties": missing,
                },
                counts=counts_of(context, epoch, contributors),
            )

    with transaction(node.engine) as connection:
        keep(connection)
    context.outbox["signature"] = encode(signature)
    return {"number": contributors.number}


def unmask(context: StepContext) -> dict[str, Any]:
    """Give the parties this party's shares of what hides a sum that enough signed for."""
    epoch = KeyEpoch.present(context)
    signed = decode(context.letter("signed"), SignedList)
    contributors = decode(signed.body, ContributorList)
    bound = epoch.bound_lists.bind(contributors, context.suite)
    revelation = reveal(
        epoch.terms,
        epoch.roster,
        epoch.keys,
        epoch.shares,
        contributors,
        signed.signatures,
        lists=bound,
        party=context.party,
        public_keys=context.public_keys,
        suite=context.suite,
        seed=context.state.seed(f"revelation/{contributors.number}"),
    )
    with transaction(context.node.engine) as connection:
        # Kept before the shares leave, and only once the list's signatures were found right.
        context.state.put(connection, "bound-lists", bound.to_bytes())
        details = details_of(context, contributors)
        del details["sum_digest"]
        context.event(
            connection,
            "sum.shares_revealed",
            details=details,
            counts=counts_of(context, epoch, contributors) | {"signatures": len(signed.signatures)},
        )
    context.outbox["revelation"] = encode(revelation)
    return {"number": contributors.number}


def _note(number: int) -> str:
    return f"note/{number}"


def _stood_by(context: StepContext) -> dict[int, tuple[bytes, ...]]:
    data = context.state.get("lists")
    if data is None:
        return {}
    return msgspec.msgpack.decode(data, type=_StoodBy).lists
