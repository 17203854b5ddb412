"""Reason codes: which columns push a customer's score up most.

The party that owns a column names it; all columns of another party together are one group, under
a name the caller gives, because their owner's column names never leave it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.table import Floats
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId

CONTRIBUTION_DIGITS = 9
"""Contributions are compared after rounding to this many decimals.

Sums taken in another order differ in their last bits; what is equal but for these is a tie.
"""


def strongest_reasons(
    contributions: Mapping[str, Floats],
    peer_contributions: Mapping[PartyId, Floats],
    group_names: Mapping[PartyId, str],
    *,
    rows: int,
    count: int,
) -> tuple[tuple[str, ...], ...]:
    """Return for each customer at most ``count`` names, the strongest push first.

    Both mappings hold float64 arrays of shape (rows,): what an own column, and all columns of a
    peer, add to each customer's score; of a scorecard, the points the customer lost by them. Only
    what is above zero is a reason. Ties go to the column that comes first, own columns before
    peers. Raises :class:`LocalProtocolError` for arrays of another shape, a peer without a group
    name, and a group that is named as an own column or another group is.
    """
    unnamed = [party for party in peer_contributions if party not in group_names]
    if unnamed:
        raise LocalProtocolError(f"no group name for the columns of {unnamed[0]}")
    names = [*contributions, *(group_names[party] for party in peer_contributions)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LocalProtocolError(f"two reasons have the name {twice[0]!r}; rename the group")
    pushes = [*contributions.values(), *peer_contributions.values()]
    if any(push.shape != (rows,) for push in pushes):
        raise LocalProtocolError("there must be one contribution of a column for each customer")
    if not names or not count:
        return ((),) * rows

    table = np.round(np.column_stack(pushes), CONTRIBUTION_DIGITS)
    order = np.argsort(-table, axis=1, kind="stable")[:, :count]
    reasons = (np.take_along_axis(table, order, axis=1) > 0).sum(axis=1)
    return tuple(
        tuple(names[column] for column in columns[:length])
        for columns, length in zip(order.tolist(), reasons.tolist(), strict=True)
    )
