"""The binning step: a passive party's bins weighed by labels it does not see (SPEC.md §3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.blame import checking_message_of
from models.scorecard.columns import (
    EvidenceColumn,
    JoinedColumn,
    LeftOut,
    WeighedColumns,
    after_floors,
    fine_columns,
    weigh,
)
from models.scorecard.evidence import Counts, implied_counts, weight_of_evidence
from models.scorecard.frames import encrypt_and_send, receive_frames
from models.scorecard.keys import Keys
from models.scorecard.messages import (
    MAX_BINS,
    BinEvidence,
    BinFloors,
    BinSums,
    ChosenColumns,
    EncryptedLabels,
)
from models.scorecard.options import ScorecardOptions
from models.scorecard.residuals import Labels
from models.scorecard.row_packing import RowPacking
from models.table import ColumnTable
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.paillier import Ciphertexts, PublicKey, Summands
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Indices, RandomStream, Suite

T = TypeVar("T")


def label_packing(rows: int, key_bits: int) -> RowPacking:
    """Return how labels are packed; a sum's slot holds a count of rows above it."""
    return RowPacking.filling(2 * rows.bit_length(), key_bits)


def weigh_for_peer(
    *,
    table: ColumnTable,
    labels: Labels,
    options: ScorecardOptions,
    peer: PartyId,
    keys: Keys,
    suite: Suite,
    seed: bytes,
) -> Role[WeighedColumns]:
    """Active party: lets the peer's bins be summed, and weighs its own columns."""
    check_labels(labels, table.rows, options)
    packing = label_packing(table.rows, keys.own.public_key.bits)
    stream = suite.stream(seed, b"scorecard/1 labels")
    plaintexts = packing.plaintexts(labels.astype(np.int64).tolist())
    progress = Progress("weigh columns", 0, 3)
    yield from encrypt_and_send(
        peer, EncryptedLabels, plaintexts, key=keys.own, stream=stream, progress=progress
    )
    chosen, left_out = weigh_own(table, labels, options)

    total = Counts(table.rows, int(labels.sum()))
    fine = yield from _receive_counts(peer, packing, total, keys, MAX_BINS)
    floor = options.minimum_class_count
    yield Send(peer, BinFloors(tuple(each.above(floor) for each in fine)))
    yield Progress("weigh columns", 1, 3)
    joined = yield from _receive_counts(peer, packing, total, keys, len(fine))
    with checking_message_of(peer):
        if not all(each.above(floor) for each in joined):
            raise RemoteProtocolError("a joined bin below the floor")
    yield Send(peer, BinEvidence(tuple(weight_of_evidence(each, total) for each in joined)))
    yield Progress("weigh columns", 2, 3)
    peer_columns = yield from _exchange_counts(peer, len(chosen))
    yield Progress("weigh columns", 3, 3)
    return WeighedColumns(chosen, left_out, peer_columns)


def weigh_with_peer(
    *,
    table: ColumnTable,
    options: ScorecardOptions,
    peer: PartyId,
    keys: Keys,
    suite: Suite,
    seed: bytes,
) -> Role[WeighedColumns]:
    """Passive party: sums the encrypted labels by bin, and learns its bins' evidence."""
    columns = fine_columns(table, options.bins)
    packing = label_packing(table.rows, keys.peer.bits)
    progress = Progress("weigh columns", 0, 3)
    count = packing.ciphertexts(table.rows)
    frames = yield from receive_frames(peer, EncryptedLabels, count, keys.peer, progress)
    labels = Summands(keys.peer)
    for frame in frames:
        labels.extend(frame)
    yield progress
    sums = _bin_sums(columns, labels, packing, keys.peer)

    hiding = _Hiding(
        packing,
        table.rows,
        suite.stream(seed, b"scorecard/1 shuffle"),
        suite.stream(seed, b"scorecard/1 masks"),
        suite.stream(seed, b"scorecard/1 re-randomisation"),
    )
    message, order = hiding.hide(sums, [each for column in columns for each in column.rows])
    yield Send(peer, message)
    floors = yield Receive(peer, BinFloors)
    with checking_message_of(peer):
        above = _unshuffled(floors.above, order)
    yield Progress("weigh columns", 1, 3)

    joined = after_floors(columns, _by_column(above, columns))
    joined_sums = _joined_sums(columns, joined, sums, keys.peer)
    # A column in one bin has nothing to weigh, and its bin may be below the floor.
    asked = [column for column in joined if len(column.joined) > 1]
    message, order = hiding.hide(joined_sums, [each for column in asked for each in column.rows])
    yield Send(peer, message)
    evidence = yield Receive(peer, BinEvidence)
    with checking_message_of(peer):
        weights = _unshuffled(evidence.weights, order)
        if not any(weights):  # every bin is like all rows: there is no evidence, and no column
            joined = [column.join([tuple(range(len(column.joined)))]) for column in joined]
            asked, weights = [], []
        known = iter(implied_counts([c.rows for c in asked], _by_column(weights, asked)))
    counts = [
        next(known) if len(column.joined) > 1 else [Counts(column.rows[0], 0)] for column in joined
    ]
    yield Progress("weigh columns", 2, 3)
    chosen, left_out = weigh(joined, counts, options)
    peer_columns = yield from _exchange_counts(peer, len(chosen))
    yield Progress("weigh columns", 3, 3)
    return WeighedColumns(chosen, left_out, peer_columns)


def weigh_own(
    table: ColumnTable, labels: Labels, options: ScorecardOptions
) -> tuple[tuple[EvidenceColumn, ...], tuple[LeftOut, ...]]:
    """Return the columns of a table whose labels are known: those chosen, and those left out."""
    columns = fine_columns(table, options.bins)
    fine = [_counts(column, labels) for column in columns]
    floor = options.minimum_class_count
    joined = after_floors(columns, [[c.above(floor) for c in counts] for counts in fine])
    return weigh(joined, [_counts(column, labels) for column in joined], options)


def check_labels(labels: Labels, rows: int, options: ScorecardOptions) -> None:
    """Raise :class:`LocalProtocolError` unless there are enough labels 0 and 1, one per row."""
    if labels.shape != (rows,) or not np.isin(labels, (0, 1)).all():
        raise LocalProtocolError("there must be one label per row, 0 or 1")
    if not Counts(rows, int(labels.sum())).above(2 * options.minimum_class_count):
        raise LocalProtocolError(
            "the training rows hold too few of one label for two bins of "
            f"{options.minimum_class_count} each: lower minimum_class_count or bring more rows"
        )


def _counts(column: JoinedColumn, labels: Labels) -> list[Counts]:
    bins = len(column.joined)
    positives = np.bincount(column.codes[labels == 1], minlength=bins)
    return [Counts(*pair) for pair in zip(column.rows, positives.tolist(), strict=True)]


def _rest(total: Counts, part: Counts) -> Counts:
    """Return the counts of the rows outside a bin."""
    return Counts(total.rows - part.rows, total.positives - part.positives)


def _receive_counts(
    peer: PartyId, packing: RowPacking, total: Counts, keys: Keys, most: int
) -> Role[list[Counts]]:
    """Return the class counts of the peer's bins, in its shuffled order."""
    message = yield Receive(peer, BinSums)
    bits = total.rows.bit_length()
    with checking_message_of(peer):
        ciphertexts = keys.own.public_key.decode(message.ciphertexts)
        if len(ciphertexts) > most:
            raise RemoteProtocolError("sums of more bins than there can be")
        counts = []
        for value in packing.shown(keys.own.decrypt(ciphertexts)):
            each = Counts(value >> bits, value & ((1 << bits) - 1))
            outside = _rest(total, each)
            if each.rows < 1 or min(each.positives, each.negatives, outside.positives) < 0:
                raise RemoteProtocolError("sums that no bin has")
            if outside.negatives < 0:
                raise RemoteProtocolError("sums that no bin has")
            counts.append(each)
    return counts


def _bin_sums(
    columns: Sequence[JoinedColumn], labels: Summands, packing: RowPacking, key: PublicKey
) -> Ciphertexts:
    """Return the labels' sum in every bin, each in its wanted slot beside unwanted ones."""
    parts = [key.zeros(0)]
    for column in columns:
        positions, offsets = packing.segments(column.codes, len(column.joined))
        parts.append(labels.sums(positions, offsets))
    return packing.align(Ciphertexts.join(parts), key)


def _joined_sums(
    columns: Sequence[JoinedColumn],
    joined: Sequence[JoinedColumn],
    sums: Ciphertexts,
    key: PublicKey,
) -> Ciphertexts:
    """Return the sums of the joined bins of every column that has two or more."""
    positions: list[int] = []
    offsets = [0]
    first = 0
    for column, result in zip(columns, joined, strict=True):
        if len(result.joined) > 1:
            for members in result.joined:
                positions += [first + at for at in members]
                offsets.append(len(positions))
        first += len(column.joined)
    summands = Summands(key)
    summands.extend(sums)
    return summands.sums(np.array(positions, np.int64), np.array(offsets, np.int64))


@dataclass(frozen=True, eq=False)
class _Hiding:
    """How bin sums leave the passive party: shuffled, fresh, and without unwanted slots."""

    packing: RowPacking
    all_rows: int
    shuffle: RandomStream
    masks: RandomStream
    rerandomisation: RandomStream

    def hide(self, sums: Ciphertexts, rows: Sequence[int]) -> tuple[BinSums, Indices]:
        """Return the message of ``sums``, with the bins' own ``rows``, and their order in it."""
        key, packing = sums.public_key, self.packing
        order = self.shuffle.permutation(len(rows))
        shuffled = sums.take(order)
        plaintexts, _ = packing.hide(shuffled, self.masks, target=False)
        size_shift = self.all_rows.bit_length() + packing.target_shift
        added = [
            plaintext + (rows[at] << size_shift)
            for plaintext, at in zip(plaintexts, order.tolist(), strict=True)
        ]
        fresh = key.rerandomise(key.add_plaintexts(shuffled, added), self.rerandomisation)
        return BinSums(key.encode(fresh)), order


def _unshuffled(answers: Sequence[T], order: Indices) -> list[T]:
    if len(answers) != len(order):
        raise RemoteProtocolError("answers for another number of bins")
    return [answers[at] for at in np.argsort(order).tolist()]


def _by_column(values: Sequence[T], columns: Sequence[JoinedColumn]) -> list[Sequence[T]]:
    found, first = [], 0
    for column in columns:
        found.append(values[first : first + len(column.joined)])
        first += len(column.joined)
    return found


def _exchange_counts(peer: PartyId, own: int) -> Role[int]:
    yield Send(peer, ChosenColumns(own))
    message = yield Receive(peer, ChosenColumns)
    count: int = message.count
    return count
