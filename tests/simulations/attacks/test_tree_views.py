"""What the attackers of trees are given must be what the real roles send, message by message."""

from __future__ import annotations

import numpy as np
import pytest

from models.binning import learn_binning
from models.boosted_trees import active_party, passive_party
from models.boosted_trees.bitmaps import unpack_rows
from models.boosted_trees.messages import GoLeft, LeftRows, Membership
from models.boosted_trees.results import initial_margins
from models.boosted_trees.split_search import PlainSearch
from protocols.session.model_terms import OneSideSampling
from simulations.attacks.candidate_sums import binned_passive, left_sets
from simulations.attacks.crafted_sums import attackers_key
from simulations.attacks.customers import ACTIVE, MADE, PASSIVE, SUITE, draw, stream_of
from simulations.attacks.recorder import record
from simulations.attacks.tree_views import (
    SAMPLING_SEED,
    left_bits_in_scoring,
    left_bits_in_training,
    nodes_seen_by_passive,
    private_seed,
    trained,
    tree_options,
    tree_starts,
)

CHANGES = [
    {"trees": 3, "minimum_bin_count": 5},
    {
        "trees": 2,
        "depth": 2,
        "first_tree_active_only": False,
        "one_side_sampling": OneSideSampling(top="0.3", other="0.3"),
    },
]


def _recorded(customers, options):
    """Run the real roles tree by tree; return the recording of each."""
    binned = {
        party: learn_binning(table, options.bins).apply(table)
        for party, table in customers.tables.items()
    }
    key, columns = attackers_key(), len(binned[PASSIVE].codes)
    margins, losses = initial_margins(customers.labels, options), ()
    recordings = []
    for tree in range(options.trees):
        shared = {
            "tree": tree,
            "options": options,
            "passive_columns": columns,
            "suite": SUITE,
            "sampling_seed": SAMPLING_SEED,
        }
        recording = record(
            {
                ACTIVE: active_party.grow_tree(
                    binned=binned[ACTIVE],
                    labels=customers.labels,
                    margins=margins,
                    losses=losses,
                    passives=(PASSIVE,),
                    private_key=key,
                    seed=private_seed(tree),
                    **shared,
                ),
                PASSIVE: passive_party.grow_tree(
                    binned=binned[PASSIVE],
                    active=ACTIVE,
                    public_key=key.public_key,
                    seed=stream_of(tree, "passive").bytes(32),
                    **shared,
                ),
            }
        )
        margins, losses = recording.results[ACTIVE].margins, recording.results[ACTIVE].losses
        recordings.append(recording)
    return recordings


def _nodes_from_messages(recording, start, customers, options):
    """Follow the bag down the memberships, as the passive party does; -1 outside the bag."""
    nodes = [(0, start.bag)]
    known = np.full((customers.count, options.depth + 1), -1)
    known[start.bag] = 0
    for depth, message in enumerate(recording.received(PASSIVE, Membership)):
        children = []
        searched = [n for n in nodes if len(n[1]) >= 2 * options.minimum_bin_count]
        for (number, rows), data in zip(searched, message.nodes, strict=True):
            if data:
                left = unpack_rows(data, len(rows))
                for child, part in ((2 * number + 1, rows[left]), (2 * number + 2, rows[~left])):
                    known[part, depth + 1 :] = child
                    children.append((child, part))
        nodes = children
    return known


@pytest.mark.parametrize("changes", CHANGES, ids=["all rows", "one-side sampling"])
def test_views_must_be_what_the_roles_send(changes):
    customers, options = draw(MADE, 240, 1), tree_options(**changes)
    recordings = _recorded(customers, options)
    model = trained(customers, options)
    starts = list(tree_starts(model, customers, options))
    seen = iter(nodes_seen_by_passive(model, customers, options))
    bits = iter(left_bits_in_training(model, customers, options))
    compared = 0
    for tree, (recording, start) in enumerate(zip(recordings, starts, strict=True)):
        half = recording.results[PASSIVE].half
        assert half == model.passive_halves[PASSIVE].trees[tree]
        if options.is_active_only(tree):
            assert recording.views[PASSIVE] == []
            continue
        told, given = next(seen), _nodes_from_messages(recording, start, customers, options)
        assert np.array_equal(told[:, :-1], given[:, :-1])
        # At the last depth the passive party adds what it knows of its own splits.
        changed = told[:, -1] != given[:, -1]
        assert set((told[changed, -1] - 1) // 2) <= {split.node for split in half.splits}

        replies = recording.received(ACTIVE, LeftRows)
        of_nodes = [data for message in replies for data in message.nodes]
        of_others = [data for message in replies for data in message.others]
        others = np.setdiff1d(np.arange(customers.count), start.bag)
        for split, node, rest in zip(half.splits, of_nodes, of_others, strict=True):
            bit = next(bits)
            rows = np.flatnonzero((told == split.node).any(axis=1) & (told[:, 0] == 0))
            assert np.array_equal(unpack_rows(node, len(rows)), bit[rows] == 1.0)
            assert np.array_equal(unpack_rows(rest, len(others)), bit[others] == 1.0)
            assert (~np.isnan(bit)).sum() == len(rows) + len(others)
            compared += len(rows)
    assert compared > 100


def test_scoring_must_send_the_bits_the_attacker_is_given():
    customers, options = draw(MADE, 240, 1), tree_options(trees=3)
    model = trained(customers, options)
    half = model.passive_halves[PASSIVE]
    recording = record(
        {
            ACTIVE: active_party.evaluate(
                model=model.active_half, table=customers.tables[ACTIVE], passives=(PASSIVE,)
            ),
            PASSIVE: passive_party.evaluate(
                model=half, table=customers.tables[PASSIVE], active=ACTIVE
            ),
        }
    )
    sent = [data for message in recording.received(ACTIVE, GoLeft) for data in message.splits]
    given = left_bits_in_scoring(model, customers)
    assert len(sent) == len(given) > 0
    for data, bit in zip(sent, given, strict=True):
        assert np.array_equal(unpack_rows(data, customers.count), bit == 1.0)


def test_the_attackers_sums_must_be_those_the_active_party_decrypts():
    customers, options = draw(MADE, 240, 1), tree_options(trees=2, depth=1)
    start = list(tree_starts(trained(customers, options), customers, options))[1]
    binned = binned_passive(customers, options)
    offer, sums = PlainSearch(
        binned, start.gradients, options.minimum_bin_count, protected=True
    ).at(np.arange(customers.count))
    sets = left_sets(binned, np.arange(customers.count), options.minimum_bin_count)
    assert [column for column, _ in sets] == [column for column, _ in offer.candidates]
    for at, (_, left) in enumerate(sets):
        assert start.gradients.first[left].sum() == sums.first[at, 0]
        assert start.gradients.second[left].sum() == sums.second[at, 0]
