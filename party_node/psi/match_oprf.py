"""One round by OPRF: a few queries against a set that was prepared before."""

from __future__ import annotations

import secrets

import numpy as np

from party_node.psi.oprf_cache import PreparedSet, find_received, keep_received
from party_node.psi.rounds import Round
from party_node.psi.table import Found, Table
from protocols.psi_oprf import hear_matches, receiver, sender, tell_matches


def match_by_oprf(table: Table, part: int, own: Round, prepared: PreparedSet | None) -> Found:
    """Query the sender's prepared set as the receiver, or answer about it as the sender."""
    if table.role == "sender":
        assert prepared is not None
        return _answer(table, part, prepared)
    return _query(table, part, own)


def _query(table: Table, part: int, own: Round) -> Found:
    assert table.cache is not None
    items, rows = own.whole()
    role = receiver(
        items,
        party=table.party,
        peer=table.peer,
        suite=table.suite,
        context=table.context(f"oprf/{part}"),
        cached=find_received(table.cache, table.peer_public_key),
        private_key=table.private_key,
        peer_public_key=table.peer_public_key,
        seed=secrets.token_bytes(32),
    )
    matched = table.run(role, part=part, step="oprf", items=table.peer_rows)
    table.check_size(part, matched.peer_size, table.peer_rows)
    if matched.received:
        keep_received(table.cache, table.peer_public_key, matched.tag_set)
    size = len(matched.positions)
    opened = table.agree_on_outcome(part, size >= table.spec.floor)
    if not opened:
        return Found(matched.peer_size, False, None, None)
    if table.spec.to == "both":
        table.run(tell_matches(matched.places, peer=table.peer), part=part, step="answer")
    return Found(matched.peer_size, True, size, rows[matched.positions])


def _answer(table: Table, part: int, prepared: PreparedSet) -> Found:
    left = prepared.set_aside(table.peer_public_key)
    role = sender(
        prepared.tag_set,
        party=table.party,
        peer=table.peer,
        suite=table.suite,
        context=table.context(f"oprf/{part}"),
        key=prepared.key,
        quota_left=left,
        private_key=table.private_key,
        peer_public_key=table.peer_public_key,
        seed=secrets.token_bytes(32),
    )
    answered = table.run(role, part=part, step="oprf", items=table.peer_rows)
    prepared.give_back(table.peer_public_key, left - answered.queries)
    table.check_size(part, answered.queries, table.peer_rows)
    opened = table.agree_on_outcome(part, False)
    if not opened or table.spec.to == "receiver":
        return Found(answered.queries, opened, None, None)
    hears = hear_matches(len(prepared.rows), answered.queries, peer=table.peer)
    places = table.run(hears, part=part, step="answer")
    return Found(answered.queries, True, len(places), np.asarray(prepared.rows[places], np.int64))
