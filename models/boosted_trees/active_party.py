"""The active party: it has the label, its own columns and the secret key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.binning import BinnedTable
from models.blame import checking_message_of
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.gradients import Gradients, RowEncoding
from models.boosted_trees.growth import GrowingTree, OpenNode
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
from models.boosted_trees.model import ActiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import Scoring, own_masks
from models.boosted_trees.results import ActiveTreeResult, says_when_to_stop, trees_kept
from models.boosted_trees.row_packing import RowPacking, choose
from models.boosted_trees.sampling import (
    TreeRows,
    one_side_bag,
    public_bag,
    sampled_gradients,
    training_mask,
)
from models.boosted_trees.split_search import Best, Offer, PlainSearch, Sums, best_of
from models.boosted_trees.target import Target
from models.boosted_trees.tree import OwnSplit, PeerSplit
from models.predictions import Predictions
from models.table import ColumnTable, Floats, Mask
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.paillier import PrivateKey, generate_private_key
from protocols.roles import PartyId, Progress, Receive, ReceiveEach, Role, Send
from protocols.session.model_terms import Randomness
from protocols.suite import Suite

DECRYPT_BATCH = 128
OWN = 0  # the active party's own candidates come first, then each passive party's


@dataclass(frozen=True, eq=False)
class _Search:
    """All candidates of one open node, and the best of them."""

    node: OpenNode
    own: Offer
    offers: dict[PartyId, Sums]
    best: Best | None

    def positions_won(self, source: int) -> tuple[int, ...]:
        """Return the tied positions if the best candidate is of the list ``source``."""
        return self.best.positions if self.best and self.best.source == source else ()


@dataclass(frozen=True, eq=False)
class _Left:
    """Which rows of a split's node go left, and which of the rows the tree does not learn from."""

    node: Mask
    others: Mask


def make_keys(
    *,
    passives: tuple[PartyId, ...],
    suite: Suite,
    bits: int,
    seed: bytes,
    randomness: Randomness = "exact",
) -> Role[PrivateKey]:
    """Active party of the key step, SPEC.md §3.1: makes the key pair, sends the modulus.

    ``bits`` is 2048 or 3072; ``randomness`` as in ``protocols/paillier/SPEC.md`` §4. Learns
    nothing; reveals the public key. Keep the returned object for the whole training: it carries
    the tables of fast encryption.
    """
    yield Progress("make keys", 0, 1)
    stream = suite.stream(seed, b"boosted-trees/2 key")
    private_key = generate_private_key(bits, stream, suite, randomness=randomness)
    yield Progress("make keys", 1, 1)
    for party in passives:
        yield Send(party, PaillierKey(private_key.public_key.to_bytes()))
    return private_key


def grow_tree(
    *,
    tree: int,
    binned: BinnedTable,
    labels: npt.NDArray[Any],
    margins: Floats,
    options: TreeOptions,
    passives: tuple[PartyId, ...],
    passive_columns: int,
    private_key: PrivateKey,
    suite: Suite,
    seed: bytes,
    sampling_seed: bytes = b"",
    validation: Mask | None = None,
    losses: tuple[float, ...] = (),
) -> Role[ActiveTreeResult]:
    """Active party of one tree, SPEC.md §3.2 (SecureBoost, Cheng et al. 2021, algorithms 1-2).

    ``labels`` and ``margins`` (float64, shape (rows, outputs), as ``results.initial_margins`` or
    the tree before gave them) have one entry per row of ``binned``, in the row order all parties
    share. ``validation`` marks the rows no tree learns from, ``losses`` are the tree before's.
    ``passives`` is the agreed party order, ``passive_columns`` the largest number of columns of
    one of them, ``sampling_seed`` public and alike at all parties.

    Learns, for every searched node and passive party, the gradient sums left of each candidate
    in shuffled order, and the rows left of each chosen one. Reveals to every passive party the
    tree's shape, the rows of its inner nodes, and which of its candidates won, with one-side
    sampling the tree's rows, with early stopping when growing ends; gradients only under Paillier.
    Adversary: semi-honest (SPEC.md §5). Any message a role cannot have sent raises
    :class:`RemoteProtocolError`; arguments that do not fit together raise
    :class:`LocalProtocolError`.
    """
    training = training_mask(validation, binned.rows)
    if labels.shape != (binned.rows,):
        raise LocalProtocolError("there must be one label per row")
    if margins.shape != (binned.rows, options.outputs) or not np.isfinite(margins).all():
        raise LocalProtocolError("there must be finite margins for each row, one per output")
    target = Target.of(labels, training, options)
    peers = () if options.is_active_only(tree) else passives

    weights: Floats | None = None
    if options.one_side_sampling is None:
        bag = public_bag(tree, training, options, suite, sampling_seed)
    else:
        stream = suite.stream(seed, b"boosted-trees/2 one-side sampling")
        bag, weights = one_side_bag(target, margins, training, options.one_side_sampling, stream)
        chosen = np.isin(np.flatnonzero(training), bag)
        for party in peers:
            yield Send(party, SampledRows(pack_rows(chosen)))
    rows = TreeRows.of(bag, binned.rows)
    gradients = sampled_gradients(target, margins, bag, weights, options)

    growing = GrowingTree(tree, gradients, options)
    encoding = RowEncoding.of(len(bag), options)
    packing = choose(
        encoding,
        options,
        passive_columns=passive_columns,
        key_bits=private_key.public_key.bits,
    )
    if peers and growing.open_nodes:
        plaintexts = packing.plaintexts(encoding.encode(gradients))
        yield from _send_gradients(peers, plaintexts, private_key, suite, seed)

    searching = PlainSearch(binned.bag(bag), gradients, options.minimum_bin_count, protected=False)
    left_of_others: dict[int, Mask] = {}
    while growing.open_nodes:
        searches = []
        for node in growing.open_nodes:
            own, own_sums = searching.at(node.rows)
            offers = yield from _receive_sums(
                peers,
                node,
                gradients,
                encoding=encoding,
                packing=packing,
                private_key=private_key,
            )
            gains = [sums.gains(gradients, options.l2) for sums in (own_sums, *offers.values())]
            searches.append(_Search(node, own, offers, best_of(gains)))

        left = yield from _left_rows_of_peers(peers, searches, gradients, rows, options)
        for search in searches:
            node, best = search.node, search.best
            if best is None:
                growing.close(node)
                continue
            by: OwnSplit | PeerSplit
            if best.source == OWN:
                column, test = search.own.candidates[best.positions[0]]
                by = OwnSplit(node.number, column, *test, best.gain)
                bins, codes = binned.binning.columns[column], binned.codes[column]
                left[node.number] = _Left(
                    goes_left(codes[bag[node.rows]], bins.kind, test),
                    goes_left(codes[rows.others], bins.kind, test),
                )
            else:
                by = PeerSplit(node.number, peers[best.source - 1], best.gain)
            growing.split(node, by, left[node.number].node)
        left_of_others |= {number: masks.others for number, masks in left.items()}
        growing.next_level()
        if growing.depth < options.depth:
            # Without it a passive party could not tell which nodes the next level has.
            bitmaps = tuple(
                pack_rows(left[s.node.number].node) if s.best is not None else b"" for s in searches
            )
            for party in peers:
                yield Send(party, Membership(bitmaps))

    half, after = growing.result(margins, rows, left_of_others, training)
    kept = 0
    if options.early_stopping_rounds:
        losses = (*losses, target.loss(after, np.flatnonzero(~training)))
    if says_when_to_stop(tree, options):
        kept = trees_kept(losses, options)
        for party in peers:
            yield Send(party, TreesKept(kept))
    return ActiveTreeResult(half, after, losses, kept)


def _send_gradients(
    peers: tuple[PartyId, ...],
    plaintexts: Sequence[int],
    private_key: PrivateKey,
    suite: Suite,
    seed: bytes,
) -> Role[None]:
    """Send the encrypted rows in frames, each as soon as it is encrypted."""
    stream = suite.stream(seed, b"boosted-trees/2 encryption")
    for start in range(0, len(plaintexts), FRAME_CIPHERTEXTS):
        yield Progress("encrypt gradients", start, len(plaintexts))
        frame = private_key.encrypt(plaintexts[start : start + FRAME_CIPHERTEXTS], stream)
        message = EncryptedGradients(private_key.public_key.encode(frame))
        for party in peers:
            yield Send(party, message)
    yield Progress("encrypt gradients", len(plaintexts), len(plaintexts))


def _receive_sums(
    peers: tuple[PartyId, ...],
    node: OpenNode,
    gradients: Gradients,
    *,
    encoding: RowEncoding,
    packing: RowPacking,
    private_key: PrivateKey,
) -> Role[dict[PartyId, Sums]]:
    """Return each passive party's candidate sums for ``node``, in the order of ``peers``."""
    if not peers:
        return {}
    node_first, node_second = gradients.totals(node.rows)
    # A left sum and the right sum it implies must both be possible for rows of this node.
    largest = np.abs(gradients.first[node.rows]).sum(axis=0)
    replies = yield ReceiveEach(peers, CandidateSums)
    offers = {}
    for party in peers:
        with checking_message_of(party):
            ciphertexts = private_key.public_key.decode(replies[party].ciphertexts)
        totals: list[int] = []
        for start in range(0, len(ciphertexts), DECRYPT_BATCH):
            yield Progress("decrypt sums", start, len(ciphertexts))
            plaintexts = private_key.decrypt(ciphertexts[start : start + DECRYPT_BATCH])
            with checking_message_of(party):
                totals += [total for each in plaintexts for total in packing.unpack(each)]
        with checking_message_of(party):
            if any(abs(total) > encoding.largest_sum for total in totals):
                raise RemoteProtocolError("sums that no rows of the node have")
            first, second = encoding.decode(totals)
            if (np.abs(first) > largest).any() or (second > node_second).any():
                raise RemoteProtocolError("sums that no rows of the node have")
        offers[party] = Sums(first, second, node_first, node_second)
    return offers


def _left_rows_of_peers(
    peers: tuple[PartyId, ...],
    searches: Sequence[_Search],
    gradients: Gradients,
    rows: TreeRows,
    options: TreeOptions,
) -> Role[dict[int, _Left]]:
    """Tell every passive party what it won; return the left rows of those nodes, by number."""
    won = {
        party: [search.positions_won(source) for search in searches]
        for source, party in enumerate(peers, start=OWN + 1)
    }
    for party in peers:
        yield Send(party, ChosenSplits(tuple(won[party])))

    left: dict[int, _Left] = {}
    for party in peers:
        asked = [s for s, positions in zip(searches, won[party], strict=True) if positions]
        if not asked:
            continue
        reply = yield Receive(party, LeftRows)
        with checking_message_of(party):
            masks = _checked_left_rows(
                reply,
                party,
                asked,
                gradients=gradients,
                others=len(rows.others),
                minimum=options.minimum_bin_count,
            )
        left.update({s.node.number: mask for s, mask in zip(asked, masks, strict=True)})
    return left


def _checked_left_rows(
    reply: LeftRows,
    party: PartyId,
    asked: Sequence[_Search],
    *,
    gradients: Gradients,
    others: int,
    minimum: int,
) -> list[_Left]:
    """Return the left rows of each node, which must have the very sums that won."""
    if not len(reply.nodes) == len(reply.others) == len(asked):
        raise RemoteProtocolError("rows for another number of nodes")
    masks = []
    for search, data, rest in zip(asked, reply.nodes, reply.others, strict=True):
        rows, sums = search.node.rows, search.offers[party]
        mask = unpack_rows(data, len(rows))
        if not minimum <= mask.sum() <= len(rows) - minimum:
            raise RemoteProtocolError("a child has too few rows")
        first, second = gradients.totals(rows[mask])
        positions = list(search.best.positions) if search.best else []
        agree = (sums.first[positions] == first) & (sums.second[positions] == second)
        if not agree.all(axis=1).any():
            raise RemoteProtocolError("rows that do not have the sums claimed for them")
        masks.append(_Left(mask, unpack_rows(rest, others)))
    return masks


def evaluate(
    *, model: ActiveModel, table: ColumnTable, passives: tuple[PartyId, ...]
) -> Role[Predictions]:
    """Active party of prediction, SPEC.md §3.3: returns the margins of each row of ``table``.

    All parties hold the same rows in the same order. The margins are log odds, scores before the
    softmax, or the predicted number in the label's unit; with them what each own column, and each
    passive party's columns together, moved them by. Learns, for every row and every split of
    every passive party, whether the row goes left. Reveals nothing. Adversary: semi-honest.
    Raises :class:`LocalProtocolError` if the model has splits of a party not in ``passives``, or
    ``table`` lacks a column.
    """
    binned = model.binning.apply(table)
    if not set(model.peer_importance()) <= set(passives):
        raise LocalProtocolError("the model has splits of a party that takes no part")
    scoring = Scoring(model, table.rows)
    for half in model.trees:
        yield Progress("predict", half.tree, len(model.trees))
        left = own_masks(half, binned)
        replies = yield ReceiveEach(passives, GoLeft)
        for party in passives:
            nodes, bitmaps = half.peer_nodes(party), replies[party].splits
            with checking_message_of(party):
                if len(nodes) != len(bitmaps):
                    raise RemoteProtocolError("rows for another number of splits")
                masks = [unpack_rows(data, table.rows) for data in bitmaps]
            left.update(zip(nodes, masks, strict=True))
        scoring.add(half, left)
    yield Progress("predict", len(model.trees), len(model.trees))
    return scoring.predictions()
