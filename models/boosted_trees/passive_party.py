"""A passive party: it has columns, no label, and only the public key."""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import mpz

from models.boosted_trees.binning import BinnedTable
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.blame import checking_message_of
from models.boosted_trees.candidates import Candidate, bin_counts, goes_left, node_candidates
from models.boosted_trees.encrypted_histogram import Histogram, left_sums, level_histograms
from models.boosted_trees.gradients import RowEncoding
from models.boosted_trees.growth import OpenNode, is_open, root
from models.boosted_trees.messages import (
    FRAME_ROWS,
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
    GoLeft,
    LeftRows,
    Membership,
    PaillierKey,
)
from models.boosted_trees.model import HeldSplit, PassiveModel, PassiveTreeHalf
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import held_masks
from models.boosted_trees.table import ColumnTable, Mask
from protocols.errors import RemoteProtocolError
from protocols.paillier import Packing, PublicKey, Summands
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import RandomStream, Suite

PACK_BATCH = 16


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
    public_key: PublicKey,
    suite: Suite,
    seed: bytes,
) -> Role[PassiveTreeHalf]:
    """Passive party of one tree, SPEC.md §3.2 (SecureBoost, Cheng et al. 2021, algorithm 1).

    Learns the tree's shape above its last level, the rows of its inner nodes, and which of its
    own candidates won (several, where their gains are equal); gradients only under Paillier.
    Reveals, for every searched node, the gradient sums left of each of its candidates, shuffled
    and coarsened to ``options.minimum_bin_count`` rows, and the left rows of each of its chosen
    splits. Adversary: semi-honest (SPEC.md §5). Returns the splits that are its own; columns and
    thresholds are in no message.
    """
    splits: list[HeldSplit] = []
    if options.is_active_only(tree):
        return PassiveTreeHalf(tree, ())
    summands = yield from _receive_gradients(active, binned.rows, public_key)
    shuffle = suite.stream(seed, b"boosted-trees/1 shuffle")
    randomness = suite.stream(seed, b"boosted-trees/1 re-randomisation")
    packing = Packing.for_magnitude(RowEncoding(binned.rows).largest_sum, public_key)

    nodes = [node for node in (root(binned.rows),) if is_open(node, 0, options)]
    histograms: dict[int, Histogram] = {}
    for depth in range(1, options.depth + 1):
        if not nodes:
            break
        histograms = yield from level_histograms(nodes, histograms, binned, summands)
        offers = []
        for done, node in enumerate(nodes):
            progress = Progress("pack sums", done, len(nodes))
            offer, sums = _candidates(node, histograms[node.number], binned, options, public_key)
            order = shuffle.permutation(len(offer))
            offers.append([offer[at] for at in order])
            shuffled = [sums[at] for at in order]
            packed = yield from _pack(shuffled, packing, public_key, randomness, progress)
            yield Send(active, CandidateSums(public_key.encode_ciphertexts(packed)))
        yield Progress("pack sums", len(nodes), len(nodes))

        chosen = yield Receive(active, ChosenSplits)
        with checking_message_of(active):
            won = _won_splits(chosen, nodes, offers)
        if won:
            bitmaps = [pack_rows(_left(split, node, binned)) for split, node in won]
            yield Send(active, LeftRows(tuple(bitmaps)))
            splits += [split for split, _ in won]
        if depth < options.depth:
            membership = yield Receive(active, Membership)
            with checking_message_of(active):
                children = _children(membership, nodes, options)
            nodes = [node for node in children if is_open(node, depth, options)]
    return PassiveTreeHalf(tree, tuple(splits))


def _receive_gradients(active: PartyId, rows: int, public_key: PublicKey) -> Role[Summands]:
    summands = Summands(public_key)
    while len(summands) < rows:
        yield Progress("receive gradients", len(summands), rows)
        message = yield Receive(active, EncryptedGradients)
        with checking_message_of(active):
            ciphertexts = public_key.decode_ciphertexts(message.ciphertexts)
            if len(ciphertexts) != min(FRAME_ROWS, rows - len(summands)):
                raise RemoteProtocolError("a frame of gradients has another number of rows")
        summands.extend(ciphertexts)
    yield Progress("receive gradients", rows, rows)
    return summands


def _candidates(
    node: OpenNode,
    histogram: Histogram,
    binned: BinnedTable,
    options: TreeOptions,
    public_key: PublicKey,
) -> tuple[list[tuple[int, Candidate]], list[mpz]]:
    """Return what this party offers at ``node`` in canonical order, and the left sums."""
    offer: list[tuple[int, Candidate]] = []
    sums: list[mpz] = []
    for index, (bins, codes) in enumerate(zip(binned.binning.columns, binned.codes, strict=True)):
        counts = bin_counts(codes, node.rows, bins)
        candidates = node_candidates(bins, counts, options.minimum_bin_count, protected=True)
        offer += [(index, candidate) for candidate in candidates]
        sums += left_sums(histogram[index], bins, candidates, public_key)
    return offer, sums


def _pack(
    sums: Sequence[mpz],
    packing: Packing,
    public_key: PublicKey,
    randomness: RandomStream,
    progress: Progress,
) -> Role[list[mpz]]:
    """Return re-randomised ciphertexts of ``packing.slots`` sums each."""
    packed: list[mpz] = []
    batch = PACK_BATCH * packing.slots
    for start in range(0, len(sums), batch):
        yield progress
        full = packing.pack_many(sums[start : start + batch], public_key)
        packed += public_key.rerandomise_many(full, randomness)
    return packed


def _won_splits(
    chosen: ChosenSplits, nodes: Sequence[OpenNode], offers: Sequence[list[tuple[int, Candidate]]]
) -> list[tuple[HeldSplit, OpenNode]]:
    """Return this party's split of each node it was chosen for: of tied ones the first."""
    if len(chosen.positions) != len(nodes):
        raise RemoteProtocolError("choices for another number of nodes")
    won = []
    for positions, node, offer in zip(chosen.positions, nodes, offers, strict=True):
        if not positions:
            continue
        if positions[-1] >= len(offer):
            raise RemoteProtocolError("a chosen position was not offered")
        column, test = min(offer[position] for position in positions)
        won.append((HeldSplit(node.number, column, *test, len(node.rows)), node))
    return won


def _left(split: HeldSplit, node: OpenNode, binned: BinnedTable) -> Mask:
    bins, codes = binned.binning.columns[split.column], binned.codes[split.column]
    return goes_left(codes[node.rows], bins.kind, split.test)


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
    semi-honest.
    """
    binned = model.binning.apply(table)
    for half in model.trees:
        yield Progress("predict", half.tree, len(model.trees))
        masks = held_masks(half, binned)
        yield Send(active, GoLeft(tuple(pack_rows(masks[split.node]) for split in half.splits)))
    yield Progress("predict", len(model.trees), len(model.trees))
