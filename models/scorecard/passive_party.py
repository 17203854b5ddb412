"""The passive party: it has columns and no label."""

from __future__ import annotations

import numpy as np

from models.blame import checking_message_of
from models.scorecard.binning import weigh_with_peer
from models.scorecard.columns import WeighedColumns
from models.scorecard.fixed_point import FixedPoint, batch_count
from models.scorecard.keys import Keys, exchange_keys
from models.scorecard.messages import (
    Calibration,
    OpenedShares,
    PartialScores,
    PointsTable,
    TrainingPredictors,
)
from models.scorecard.model import CardColumn, PassiveScorecard
from models.scorecard.options import ScorecardOptions
from models.scorecard.points import (
    bin_points,
    linear_part,
    opened_coefficients,
    partial_to_bytes,
    points_to_bytes,
)
from models.scorecard.regression import (
    TrainingState,
    run_epoch,
    shares_from_bytes,
    shares_to_bytes,
)
from models.table import ColumnTable
from protocols.errors import LocalProtocolError
from protocols.paillier.private_key import Randomness
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Suite


def make_keys(
    *, active: PartyId, suite: Suite, bits: int, randomness: Randomness = "exact", seed: bytes
) -> Role[Keys]:
    """Passive party of the key step, SPEC.md §3.1: makes a key pair, exchanges public keys.

    As the active party's.
    """
    keys = yield from exchange_keys(
        active, suite=suite, bits=bits, randomness=randomness, seed=seed
    )
    return keys


def weigh_columns(
    *,
    table: ColumnTable,
    options: ScorecardOptions,
    active: PartyId,
    keys: Keys,
    suite: Suite,
    seed: bytes,
) -> Role[WeighedColumns]:
    """Passive party of the binning step, SPEC.md §3.2.

    Learns which of its bins are above the floor on both classes, the weight of evidence of its
    joined bins, all of which are, and how many columns the active party chose; labels only under
    Paillier. With its bins' own sizes the weights imply their class counts (SPEC.md §5). Reveals
    rows and label 1 rows of its bins in shuffled order, before and after joining, and how many
    columns it chose. Adversary: semi-honest. Weights that no counts have raise
    :class:`RemoteProtocolError`.
    """
    weighed = yield from weigh_with_peer(
        table=table, options=options, peer=active, keys=keys, suite=suite, seed=seed
    )
    return weighed


def train_epoch(
    *,
    epoch: int,
    table: ColumnTable,
    weighed: WeighedColumns,
    state: TrainingState | None,
    options: ScorecardOptions,
    active: PartyId,
    keys: Keys,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> Role[TrainingState]:
    """Passive party of one epoch, SPEC.md §3.3 (CAESAR, Chen et al. 2021, algorithm 1).

    As the active party's: learns nothing, reveals nothing.
    """
    result = yield from run_epoch(
        epoch=epoch,
        design=weighed.design(table, intercept=False),
        labels=None,
        weighed=weighed,
        state=state,
        options=options,
        peer=active,
        keys=keys,
        suite=suite,
        public_seed=public_seed,
        seed=seed,
    )
    return result


def finish(
    *,
    table: ColumnTable,
    weighed: WeighedColumns,
    state: TrainingState,
    options: ScorecardOptions,
    active: PartyId,
) -> Role[PassiveScorecard]:
    """Passive party of the last step, SPEC.md §3.4: its coefficients and points.

    Learns its own coefficients and the slope of the calibration. Reveals its columns' part of
    every training row's predictor, to 2^-6, and to the active party that party's coefficients.
    """
    design = weighed.design(table, intercept=False)
    own, of_peer = state.totals
    yield Send(active, OpenedShares(shares_to_bytes(of_peer)))
    opened = yield Receive(active, OpenedShares)
    ring = FixedPoint.of(table.rows, options).predictor_ring
    with checking_message_of(active):
        shares = shares_from_bytes(opened.shares)
        coefficients = opened_coefficients(own, shares, ring, batch_count(table.rows, options))
    yield Send(active, TrainingPredictors(partial_to_bytes(linear_part(design, coefficients))))
    calibration = yield Receive(active, Calibration)
    slope: float = calibration.slope
    cards = tuple(
        CardColumn(column, slope * each, bin_points(column, slope * each, options.scale))
        for column, each in zip(weighed.columns, coefficients, strict=True)
    )
    return PassiveScorecard(options.scale, cards, weighed.left_out)


def score(*, half: PassiveScorecard, table: ColumnTable, active: PartyId) -> Role[None]:
    """Passive party of scoring, SPEC.md §3.5.

    Both parties hold the same rows in the same order. Learns nothing. Reveals the points of all
    its columns together, for each row. Adversary: semi-honest. Raises
    :class:`LocalProtocolError` naming every column that is missing.
    """
    total = sum(half.points(table), np.zeros(table.rows, np.int64))
    yield Send(active, PartialScores(points_to_bytes(total)))


def join_tables(
    *, half: PassiveScorecard, options: ScorecardOptions, active: PartyId
) -> Role[None]:
    """Passive party of the joint table, SPEC.md §3.6: sends its half of the table.

    Refuses unless the spec, which every party signed, asks for it.
    """
    if not options.joint_table:
        raise LocalProtocolError("the spec does not ask for a joint table")
    yield Send(active, PointsTable(tuple(half.table())))
