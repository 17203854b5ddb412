"""The active party: it has the label, columns of its own, and the intercept."""

from __future__ import annotations

import numpy as np

from models.blame import checking_message_of
from models.predictions import Predictions
from models.scorecard.binning import weigh_for_peer
from models.scorecard.columns import WeighedColumns
from models.scorecard.fixed_point import FixedPoint, batch_count
from models.scorecard.keys import Keys, exchange_keys
from models.scorecard.messages import (
    Calibration,
    OpenedShares,
    PartialScores,
    PointsTable,
    TableRow,
    TrainingPredictors,
)
from models.scorecard.model import ActiveScorecard, CardColumn
from models.scorecard.options import ScorecardOptions, only_passive
from models.scorecard.points import (
    bin_points,
    calibrated,
    intercept_points,
    linear_part,
    opened_coefficients,
    partial_from_bytes,
    points_from_bytes,
)
from models.scorecard.regression import (
    TrainingState,
    run_epoch,
    shares_from_bytes,
    shares_to_bytes,
)
from models.scorecard.residuals import Labels
from models.table import ColumnTable
from protocols.errors import LocalProtocolError
from protocols.paillier.private_key import Randomness
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Suite


def make_keys(
    *,
    passives: tuple[PartyId, ...],
    suite: Suite,
    bits: int,
    randomness: Randomness = "exact",
    seed: bytes,
) -> Role[Keys]:
    """Active party of the key step, SPEC.md §3.1: makes a key pair, exchanges public keys.

    ``bits`` is 2048 or 3072 and agreed; another size, and a modulus that can be seen not to be
    one, raises :class:`RemoteProtocolError`. Learns the peer's public key; reveals its own.
    """
    peer = only_passive(passives)
    keys = yield from exchange_keys(peer, suite=suite, bits=bits, randomness=randomness, seed=seed)
    return keys


def weigh_columns(
    *,
    table: ColumnTable,
    labels: Labels,
    options: ScorecardOptions,
    passives: tuple[PartyId, ...],
    keys: Keys,
    suite: Suite,
    seed: bytes,
) -> Role[WeighedColumns]:
    """Active party of the binning step, SPEC.md §3.2.

    ``labels`` (0 and 1) has one entry per row of ``table``, in the row order both parties share.
    Learns, of every bin of the passive party, rows and label 1 rows, in shuffled order, before and
    after joining, and how many columns it chose. Reveals, to the passive party, which of its bins
    are above the floor, the weight of evidence of its joined bins, and how many columns were
    chosen. Adversary: semi-honest (SPEC.md §5). Any message a role cannot have sent raises
    :class:`RemoteProtocolError`; labels of too few of one class, :class:`LocalProtocolError`.
    """
    weighed = yield from weigh_for_peer(
        table=table,
        labels=labels,
        options=options,
        peer=only_passive(passives),
        keys=keys,
        suite=suite,
        seed=seed,
    )
    return weighed


def train_epoch(
    *,
    epoch: int,
    table: ColumnTable,
    labels: Labels,
    weighed: WeighedColumns,
    state: TrainingState | None,
    options: ScorecardOptions,
    passives: tuple[PartyId, ...],
    keys: Keys,
    suite: Suite,
    public_seed: bytes,
    seed: bytes,
) -> Role[TrainingState]:
    """Active party of one epoch, SPEC.md §3.3 (CAESAR, Chen et al. 2021, algorithm 1).

    ``state`` is what the epoch before returned, None for epoch 0; ``public_seed`` is public and
    alike at both parties. Learns nothing: every number it receives is masked. Reveals nothing.
    Adversary: semi-honest (SPEC.md §5).
    """
    if labels.shape != (table.rows,):
        raise LocalProtocolError("there must be one label per row")
    result = yield from run_epoch(
        epoch=epoch,
        design=weighed.design(table, intercept=True),
        labels=labels,
        weighed=weighed,
        state=state,
        options=options,
        peer=only_passive(passives),
        keys=keys,
        suite=suite,
        public_seed=public_seed,
        seed=seed,
    )
    return result


def finish(
    *,
    table: ColumnTable,
    labels: Labels,
    weighed: WeighedColumns,
    state: TrainingState,
    options: ScorecardOptions,
    passives: tuple[PartyId, ...],
) -> Role[ActiveScorecard]:
    """Active party of the last step, SPEC.md §3.4: its coefficients, the calibration, its points.

    Learns its own coefficients and the passive columns' part of every training row's predictor,
    to 2^-6. Reveals the passive party's coefficients to it, and the slope of the calibration.
    Shares that open to no coefficients raise :class:`RemoteProtocolError`.
    """
    peer = only_passive(passives)
    own, of_peer = state.totals
    yield Send(peer, OpenedShares(shares_to_bytes(of_peer)))
    opened = yield Receive(peer, OpenedShares)
    ring = FixedPoint.of(table.rows, options).predictor_ring
    steps = batch_count(table.rows, options)
    with checking_message_of(peer):
        shares = shares_from_bytes(opened.shares)
        # The intercept comes from the calibration.
        *coefficients, _ = opened_coefficients(own, shares, ring, steps)

    design = weighed.design(table, intercept=False)
    message = yield Receive(peer, TrainingPredictors)
    with checking_message_of(peer):
        partial = partial_from_bytes(message.rows, table.rows)
    own_part = linear_part(design, coefficients)
    slope, intercept = calibrated(own_part + partial, labels.astype(np.float64))
    yield Send(peer, Calibration(slope))
    cards = tuple(
        CardColumn(column, slope * each, bin_points(column, slope * each, options.scale))
        for column, each in zip(weighed.columns, coefficients, strict=True)
    )
    start = intercept_points(intercept, options.scale)
    return ActiveScorecard(options.scale, cards, weighed.left_out, peer, intercept, start)


def score(
    *, half: ActiveScorecard, table: ColumnTable, passives: tuple[PartyId, ...]
) -> Role[Predictions]:
    """Active party of scoring, SPEC.md §3.5: log odds of label 1 for each row of ``table``.

    Both parties hold the same rows in the same order. Contributions are log odds too: an own
    column's, and the passive party's columns together; they and the starting points' log odds add
    up to the margin. Learns the passive columns' points together, for each row. Reveals nothing.
    Adversary: semi-honest. Raises :class:`LocalProtocolError` naming every column that is missing,
    and for a half trained with another party.
    """
    peer = only_passive(passives)
    if half.passive != peer:
        raise LocalProtocolError(f"this scorecard was trained with {half.passive}, not {peer}")
    own = half.points(table)
    message = yield Receive(peer, PartialScores)
    with checking_message_of(peer):
        partial = points_from_bytes(message.rows, table.rows)
    start = np.full(table.rows, half.intercept_points)
    total = sum([*own, partial], start)
    factor = half.scale.factor * half.scale.units
    return Predictions(
        half.scale.margins(total),
        {
            card.evidence.name: -points / factor
            for card, points in zip(half.columns, own, strict=True)
        },
        {peer: -partial / factor},
    )


def join_tables(
    *, half: ActiveScorecard, options: ScorecardOptions, passives: tuple[PartyId, ...]
) -> Role[list[tuple[PartyId, TableRow]]]:
    """Active party of the joint table, SPEC.md §3.6: the passive party's rows, with its name.

    Only where the spec, which every party signed, asks for it. Learns the passive party's whole
    half: columns, bins, weights of evidence, coefficients, points. Reveals nothing.
    """
    if not options.joint_table:
        raise LocalProtocolError("the spec does not ask for a joint table")
    peer = only_passive(passives)
    message = yield Receive(peer, PointsTable)
    return [(peer, row) for row in message.rows]
