"""The active party: it has the label, its own columns and the secret key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees.binning import BinnedTable
from models.boosted_trees.bitmaps import pack_rows, unpack_rows
from models.boosted_trees.blame import checking_message_of
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.gradients import (
    Gradients,
    RowEncoding,
    check_labels,
    logistic_gradients,
)
from models.boosted_trees.growth import ActiveTreeResult, GrowingTree, OpenNode
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
from models.boosted_trees.model import ActiveModel, OwnSplit, PeerSplit
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import Predictions, own_masks, tree_margins
from models.boosted_trees.split_search import (
    Best,
    PlainCandidates,
    Sums,
    best_of,
    plain_candidates,
)
from models.boosted_trees.table import ColumnTable, Floats, Mask
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.paillier import Packing, PrivateKey, generate_private_key
from protocols.roles import PartyId, Progress, Receive, ReceiveEach, Role, Send
from protocols.suite import Suite

DECRYPT_BATCH = 64
OWN = 0  # the active party's own candidates come first, then each passive party's


@dataclass(frozen=True, eq=False)
class _Search:
    """All candidates of one open node, and the best of them."""

    node: OpenNode
    own: PlainCandidates
    offers: dict[PartyId, Sums]
    best: Best | None

    def positions_won(self, source: int) -> tuple[int, ...]:
        """Return the tied positions if the best candidate is of the list ``source``."""
        return self.best.positions if self.best and self.best.source == source else ()


def make_keys(
    *, passives: tuple[PartyId, ...], suite: Suite, bits: int, seed: bytes
) -> Role[PrivateKey]:
    """Active party of the key step, SPEC.md §3.1: makes the key pair, sends the modulus.

    ``bits`` is 2048 or 3072. Learns nothing; reveals the public key. Keep the returned object
    for the whole training: it carries the tables of fast encryption.
    """
    yield Progress("make keys", 0, 1)
    private_key = generate_private_key(bits, suite.stream(seed, b"boosted-trees/1 key"), suite)
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
    private_key: PrivateKey,
    suite: Suite,
    seed: bytes,
) -> Role[ActiveTreeResult]:
    """Active party of one tree, SPEC.md §3.2 (SecureBoost, Cheng et al. 2021, algorithms 1-2).

    ``labels`` (0 and 1) and ``margins`` (float64) have one entry per row of ``binned``, in the
    row order all parties share; ``passives`` is the agreed party order.

    Learns, for every searched node and passive party, the gradient sums left of each candidate
    in shuffled order, and the rows left of each chosen one. Reveals to every passive party the
    tree's shape, the rows of its inner nodes, and which of its candidates won; gradients only
    under Paillier. Adversary: semi-honest (SPEC.md §5). Any message a role cannot have sent
    raises :class:`RemoteProtocolError`; arguments that do not fit together raise
    :class:`LocalProtocolError`.
    """
    _check_arguments(binned, labels, margins)
    gradients = logistic_gradients(labels, margins)
    peers = () if options.is_active_only(tree) else passives
    if peers:
        yield from _send_gradients(peers, gradients, private_key, suite, seed)

    growing = GrowingTree(tree, gradients, margins, options)
    while growing.open_nodes:
        searches = []
        for node in growing.open_nodes:
            own = plain_candidates(
                binned, node.rows, gradients, options.minimum_bin_count, protected=False
            )
            offers = yield from _receive_sums(peers, node, gradients, private_key)
            best = best_of([sums.gains(options.l2) for sums in (own.sums, *offers.values())])
            searches.append(_Search(node, own, offers, best))

        left = yield from _left_rows_of_peers(peers, searches, gradients, options)
        for search in searches:
            node, best = search.node, search.best
            if best is None:
                growing.close(node)
                continue
            by: OwnSplit | PeerSplit
            if best.source == OWN:
                column, test = search.own.splits[best.positions[0]]
                by = OwnSplit(node.number, column, *test, best.gain)
                bins, codes = binned.binning.columns[column], binned.codes[column]
                left[node.number] = goes_left(codes[node.rows], bins.kind, test)
            else:
                by = PeerSplit(node.number, peers[best.source - 1], best.gain)
            growing.split(node, by, left[node.number])
        growing.next_level()
        if growing.depth < options.depth:
            # Without it a passive party could not tell which nodes the next level has.
            bitmaps = tuple(
                pack_rows(left[s.node.number]) if s.best is not None else b"" for s in searches
            )
            for party in peers:
                yield Send(party, Membership(bitmaps))
    return growing.result()


def _check_arguments(binned: BinnedTable, labels: npt.NDArray[Any], margins: Floats) -> None:
    check_labels(labels, binned.rows)
    if margins.shape != (binned.rows,) or not np.isfinite(margins).all():
        raise LocalProtocolError("there must be one finite margin per row")


def _send_gradients(
    peers: tuple[PartyId, ...],
    gradients: Gradients,
    private_key: PrivateKey,
    suite: Suite,
    seed: bytes,
) -> Role[None]:
    """Send every row's gradients, both in one ciphertext, in frames of ``FRAME_ROWS``."""
    rows = len(gradients.first)
    plaintexts = RowEncoding(rows).encode(gradients)
    stream = suite.stream(seed, b"boosted-trees/1 encryption")
    for start in range(0, rows, FRAME_ROWS):
        yield Progress("encrypt gradients", start, rows)
        frame = private_key.encrypt_many(plaintexts[start : start + FRAME_ROWS], stream)
        message = EncryptedGradients(private_key.public_key.encode_ciphertexts(frame))
        for party in peers:
            yield Send(party, message)
    yield Progress("encrypt gradients", rows, rows)


def _receive_sums(
    peers: tuple[PartyId, ...], node: OpenNode, gradients: Gradients, private_key: PrivateKey
) -> Role[dict[PartyId, Sums]]:
    """Return each passive party's candidate sums for ``node``, in the order of ``peers``."""
    public_key = private_key.public_key
    encoding = RowEncoding(len(gradients.first))
    packing = Packing.for_magnitude(encoding.largest_sum, public_key)
    node_first, node_second = gradients.totals(node.rows)
    # A left sum and the right sum it implies must both be possible for rows of this node.
    largest = int(np.abs(gradients.first[node.rows]).sum())
    replies = yield ReceiveEach(peers, CandidateSums)
    offers = {}
    for party in peers:
        with checking_message_of(party):
            ciphertexts = public_key.decode_ciphertexts(replies[party].ciphertexts)
        first: list[int] = []
        second: list[int] = []
        for start in range(0, len(ciphertexts), DECRYPT_BATCH):
            yield Progress("decrypt sums", start, len(ciphertexts))
            plaintexts = private_key.decrypt_many(ciphertexts[start : start + DECRYPT_BATCH])
            with checking_message_of(party):
                totals = [total for each in plaintexts for total in packing.unpack(each)]
                for first_sum, second_sum in map(encoding.decode, totals):
                    if abs(first_sum) > largest or second_sum > node_second:
                        raise RemoteProtocolError("sums that no rows of the node have")
                    first.append(first_sum)
                    second.append(second_sum)
        offers[party] = Sums(
            np.array(first, np.int64), np.array(second, np.int64), node_first, node_second
        )
    return offers


def _left_rows_of_peers(
    peers: tuple[PartyId, ...],
    searches: Sequence[_Search],
    gradients: Gradients,
    options: TreeOptions,
) -> Role[dict[int, Mask]]:
    """Tell every passive party what it won; return the left rows of those nodes, by number."""
    won = {
        party: [search.positions_won(source) for search in searches]
        for source, party in enumerate(peers, start=OWN + 1)
    }
    for party in peers:
        yield Send(party, ChosenSplits(tuple(won[party])))

    left: dict[int, Mask] = {}
    for party in peers:
        asked = [s for s, positions in zip(searches, won[party], strict=True) if positions]
        if not asked:
            continue
        reply = yield Receive(party, LeftRows)
        with checking_message_of(party):
            masks = _checked_left_rows(reply, party, asked, gradients, options)
        left.update({s.node.number: mask for s, mask in zip(asked, masks, strict=True)})
    return left


def _checked_left_rows(
    reply: LeftRows,
    party: PartyId,
    asked: Sequence[_Search],
    gradients: Gradients,
    options: TreeOptions,
) -> list[Mask]:
    """Return the left rows of each node, which must have the very sums that won."""
    if len(reply.nodes) != len(asked):
        raise RemoteProtocolError("rows for another number of nodes")
    minimum = options.minimum_bin_count
    masks = []
    for search, data in zip(asked, reply.nodes, strict=True):
        rows, sums = search.node.rows, search.offers[party]
        mask = unpack_rows(data, len(rows))
        if not minimum <= mask.sum() <= len(rows) - minimum:
            raise RemoteProtocolError("a child has too few rows")
        positions = search.best.positions if search.best else ()
        claimed = {(int(sums.first[at]), int(sums.second[at])) for at in positions}
        if gradients.totals(rows[mask]) not in claimed:
            raise RemoteProtocolError("rows that do not have the sums claimed for them")
        masks.append(mask)
    return masks


def evaluate(
    *, model: ActiveModel, table: ColumnTable, passives: tuple[PartyId, ...]
) -> Role[Predictions]:
    """Active party of prediction, SPEC.md §3.3: returns a margin for each row of ``table``.

    All parties hold the same rows in the same order. Learns, for every row and every split of
    every passive party, whether the row goes left. Reveals nothing. Adversary: semi-honest.
    Raises :class:`LocalProtocolError` if the model has splits of a party not in ``passives``.
    """
    binned = model.binning.apply(table)
    if not set(model.peer_importance()) <= set(passives):
        raise LocalProtocolError("the model has splits of a party that takes no part")
    margins = np.full(table.rows, model.base_score)
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
        margins += tree_margins(half, left, table.rows)
    yield Progress("predict", len(model.trees), len(model.trees))
    return Predictions(margins)
