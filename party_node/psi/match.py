"""The match over all rounds, by the protocol of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from party_node.psi.rounds import Round, Rounds
from party_node.psi.table import Found, Table

if TYPE_CHECKING:
    from party_node.psi.oprf_cache import PreparedSet


def match_all_rounds(table: Table, rounds: Rounds, prepared: PreparedSet | None) -> Found:
    """Match every round; a row matched in one takes part in no later one.

    With one key that is one round. With several, tried in order, each round is a match of its
    own, the floor applied to each; below it a round gives nothing, and the next begins.
    ``prepared`` is the sender's set for ``oprf``.
    """
    matched = np.empty(0, np.int64)
    found: list[Found] = []
    for index, part in enumerate(rounds.rounds):
        first_part = index * table.spec.buckets
        if table.spec.protocol == "sum":
            outcome = _sum(table, first_part, part, rounds)
        else:
            outcome = _match_one(table, first_part, part.without(matched), prepared)
        found.append(outcome)
        if outcome.rows is not None:
            matched = np.concatenate([matched, outcome.rows])
    if len(found) == 1:
        return found[0]
    opened = any(part.opened for part in found)
    return Found(
        peer_rows=found[0].peer_rows,
        opened=opened,
        size=len(matched) if opened else None,
        rows=matched if opened else None,
    )


def _match_one(table: Table, first_part: int, part: Round, prepared: PreparedSet | None) -> Found:
    # Imported where it runs: a run loads its own protocol only.
    match table.spec.protocol:
        case "ecdh":
            from party_node.psi.match_ecdh import match_by_ecdh  # noqa: PLC0415

            return match_by_ecdh(table, first_part, *part.whole())
        case "vole":
            from party_node.psi.match_vole import match_by_vole  # noqa: PLC0415

            return match_by_vole(table, first_part, part.in_buckets(table.spec.buckets))
        case "oprf":
            from party_node.psi.match_oprf import match_by_oprf  # noqa: PLC0415

            return match_by_oprf(table, first_part, part, prepared)
        case other:
            raise AssertionError(f"{other} finds no rows")


def _sum(table: Table, first_part: int, part: Round, rounds: Rounds) -> Found:
    from party_node.psi.match_sum import match_by_sum  # noqa: PLC0415

    return match_by_sum(table, first_part, part.whole()[0], rounds.values)
