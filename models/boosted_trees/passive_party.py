"""A passive party: it has columns, no label, and only the public key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.binning import BinnedTable
from models.blame import checking_message_of
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.encrypted_histogram import Histograms
from models.boosted_trees.gradients import RowEncoding
from models.boosted_trees.growth import OpenNode, is_open, root
from models.boosted_trees.messages import (
    FRAME_CIPHERTEXTS,
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
    GoLeft,
    LeftRows,
    Membership,
    PaillierKey,
    SampledRows,
    TreesKept,
)
from models.boosted_trees.model import PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import held_masks
from models.boosted_trees.results import PassiveTreeResult, check_trees_kept, says_when_to_stop
from models.boosted_trees.row_packing import RowPacking, choose
from models.boosted_trees.sampling import TreeRows, bag_from_peer, public_bag, training_mask
from models.boosted_trees.split_search import Offer, offer_of
from models.boosted_trees.tree import HeldSplit, PassiveTreeHalf
from models.table import ColumnTable, Mask, Rows
from protocols.errors import RemoteProtocolError
from protocols.paillier import PublicKey, Summands
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Suite


def receive_key(*, active: PartyId, suite: Suite, bits: int) -> Role[PublicKey]:
    """Passive party of the key step, SPEC.md §3.1: returns the active party's public key.

    ``bits`` is the size the parties agreed; any other, and any modulus that can be seen not to
    be one, raises :class:`RemoteProtocolError`. Learns the public key; reveals nothing.
    """
    message = yield Receive(active, PaillierKey)
    with checking_message_of(active):
        public_key = PublicKey.from_bytes(message.modulus, suite)
        if public_key.bits != bits:
            raise RemoteProtocolError(f"a key of {public_key.bits} bits; {bits} were agreed")
    return public_key


def grow_tree(
    *,
    tree: int,
    binned: BinnedTable,
    options: TreeOptions,
    active: PartyId,
    passive_columns: int,
    public_key: PublicKey,
    suite: Suite,
    seed: bytes,
    sampling_seed: bytes = b"",
    validation: Mask | None = None,
) -> Role[PassiveTreeResult]:
    """Passive party of one tree, SPEC.md §3.2 (SecureBoost, Cheng et al. 2021, algorithm 1).

    ``validation``, ``passive_columns`` and ``sampling_seed`` are the active party's.

    Learns the tree's shape above its last level, the rows of its inner nodes, and which of its
    own candidates won (several, where their gains are equal), with one-side sampling the tree's
    rows, with early stopping when growing ends; gradients only under Paillier. Reveals, for every
    searched node, the gradient sums left of each of its candidates, shuffled and coarsened to
    ``options.minimum_bin_count`` rows, and the left rows of each of its chosen splits. Adversary:
    semi-honest (SPEC.md §5). Returns the splits that are its own; columns and thresholds are in
    no message.
    """
    splits: list[HeldSplit] = []
    training = training_mask(validation, binned.rows)
    if options.is_active_only(tree):
        return PassiveTreeResult(PassiveTreeHalf(tree, ()), 0)
    if options.one_side_sampling is None:
        bag = public_bag(tree, training, options, suite, sampling_seed)
    else:
        bag = yield from _receive_rows(active, training, options)
    rows = TreeRows.of(bag, binned.rows)
    bagged = binned.bag(bag)
    packing = choose(
        RowEncoding.of(len(bag), options),
        options,
        passive_columns=passive_columns,
        key_bits=public_key.bits,
    )
    histograms = Histograms(bagged, Summands(public_key), packing.rows)
    shuffle = suite.stream(seed, b"boosted-trees/2 shuffle")
    randomness = suite.stream(seed, b"boosted-trees/2 re-randomisation")

    nodes = [node for node in (root(len(bag)),) if is_open(node, 0, options)]
    if nodes:
        yield from _receive_gradients(active, len(bag), public_key, histograms, packing)
    for depth in range(1, options.depth + 1):
        if not nodes:
            break
        yield from histograms.sum_level(nodes)
        offers = []
        for done, node in enumerate(nodes):
            progress = Progress("pack sums", done, len(nodes))
            counts = histograms.counts(node.rows)
            offer = offer_of(bagged, counts, options.minimum_bin_count, protected=True)
            offer = offer.take(shuffle.permutation(len(offer.candidates)))
            offers.append(offer)
            sums = histograms.left_sums(node, offer)
            packed = yield from packing.pack(sums, public_key, progress)
            yield progress
            hidden = packing.hide(packed, public_key, randomness)
            yield Send(active, CandidateSums(public_key.encode(hidden)))
        yield Progress("pack sums", len(nodes), len(nodes))

        chosen = yield Receive(active, ChosenSplits)
        with checking_message_of(active):
            won = _won_splits(chosen, nodes, offers)
        if won:
            of_nodes = [_left(split, binned, bag[node.rows]) for split, node in won]
            of_others = [_left(split, binned, rows.others) for split, _ in won]
            yield Send(active, LeftRows(tuple(of_nodes), tuple(of_others)))
            splits += [split for split, _ in won]
        if depth < options.depth:
            membership = yield Receive(active, Membership)
            with checking_message_of(active):
                children = _children(membership, nodes, options)
            nodes = [node for node in children if is_open(node, depth, options)]

    kept = 0
    if says_when_to_stop(tree, options):
        verdict = yield Receive(active, TreesKept)
        kept = verdict.trees
        with checking_message_of(active):
            check_trees_kept(kept, tree, options)
    return PassiveTreeResult(PassiveTreeHalf(tree, tuple(splits)), kept)


def _receive_rows(active: PartyId, training: Mask, options: TreeOptions) -> Role[Rows]:
    message = yield Receive(active, SampledRows)
    with checking_message_of(active):
        chosen = unpack_rows(message.rows, int(training.sum()))
        return bag_from_peer(chosen, training, options)


def _receive_gradients(
    active: PartyId,
    rows: int,
    public_key: PublicKey,
    histograms: Histograms,
    packing: RowPacking,
) -> Role[None]:
    """Receive the bag's rows, and add each frame into the root's histograms as it comes."""
    expected, received = packing.ciphertexts(rows), 0
    while received < expected:
        yield Progress("receive gradients", received, expected)
        message = yield Receive(active, EncryptedGradients)
        with checking_message_of(active):
            frame = public_key.decode(message.ciphertexts)
            if len(frame) != min(FRAME_CIPHERTEXTS, expected - received):
                raise RemoteProtocolError("a frame of gradients has another number of rows")
        first, received = received, received + len(frame)
        last = min(received * packing.rows, rows)
        yield from histograms.extend(frame, np.arange(first * packing.rows, last))
    yield Progress("receive gradients", expected, expected)


def _won_splits(
    chosen: ChosenSplits, nodes: Sequence[OpenNode], offers: Sequence[Offer]
) -> list[tuple[HeldSplit, OpenNode]]:
    """Return this party's split of each node it was chosen for: of tied ones the first."""
    if len(chosen.positions) != len(nodes):
        raise RemoteProtocolError("choices for another number of nodes")
    won = []
    for positions, node, offer in zip(chosen.positions, nodes, offers, strict=True):
        if not positions:
            continue
        if positions[-1] >= len(offer.candidates):
            raise RemoteProtocolError("a chosen position was not offered")
        column, test = min(offer.candidates[position] for position in positions)
        won.append((HeldSplit(node.number, column, *test, len(node.rows)), node))
    return won


def _left(split: HeldSplit, binned: BinnedTable, rows: Rows) -> bytes:
    bins, codes = binned.binning.columns[split.column], binned.codes[split.column]
    return pack_rows(goes_left(codes[rows], bins.kind, split.test))


def _children(
    membership: Membership, nodes: Sequence[OpenNode], options: TreeOptions
) -> list[OpenNode]:
    if len(membership.nodes) != len(nodes):
        raise RemoteProtocolError("rows for another number of nodes")
    children: list[OpenNode] = []
    for data, node in zip(membership.nodes, nodes, strict=True):
        if data:
            pair = node.children(unpack_rows(data, len(node.rows)))
            if any(len(child.rows) < options.minimum_bin_count for child in pair):
                raise RemoteProtocolError("a child has too few rows")
            children += pair
    return children


def evaluate(*, model: PassiveModel, table: ColumnTable, active: PartyId) -> Role[None]:
    """Passive party of prediction, SPEC.md §3.3.

    All parties hold the same rows in the same order. Learns nothing. Reveals to the active
    party, for every row and every one of its splits, whether the row goes left. Adversary:
    semi-honest. Raises :class:`LocalProtocolError` if ``table`` lacks a column.
    """
    binned = model.binning.apply(table)
    for half in model.trees:
        yield Progress("predict", half.tree, len(model.trees))
        masks = held_masks(half, binned)
        yield Send(active, GoLeft(tuple(pack_rows(masks[split.node]) for split in half.splits)))
    yield Progress("predict", len(model.trees), len(model.trees))
