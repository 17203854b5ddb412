"""Each attack works where nothing is protected, and its figures are in range where something is."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.attacks import (
    crafted_sums,
    feature_reconstruction,
    label_inference,
    membership,
    scorecard,
    split_labels,
    sum_matching,
)
from simulations.attacks.chains import best_correlation
from simulations.attacks.customers import DATA, MADE, PASSIVE, REAL, draw
from simulations.attacks.label_inference import PROTECTED, WITHOUT, Attacker
from simulations.attacks.split_training import network_options, train
from simulations.attacks.tree_views import nodes_seen_by_passive, trained, tree_options


def _mean(values):
    return float(np.mean(list(values)))


def _seen(customers, view):
    options = tree_options(**view.options)
    model = trained(customers, options)
    return nodes_seen_by_passive(model, customers, options, last_level=view.last_level)


def test_labels_must_show_in_nodes_where_nothing_is_protected():
    found = {"own": [], "all off": [], "sampled": [], "protected": []}
    for seed in (1, 2):
        customers = draw(MADE, 500, seed)
        attacker = Attacker(customers, seed)
        found["own"].append(attacker.with_few_labels([]))
        for name, view in (
            ("all off", WITHOUT["all of these"][0]),
            ("sampled", WITHOUT["no one-side sampling"][0]),
            ("protected", PROTECTED),
        ):
            found[name].append(attacker.with_few_labels(_seen(customers, view)))
    assert _mean(found["all off"]) > _mean(found["own"]) + 0.1
    assert _mean(found["sampled"]) > 0.85
    assert all(0.3 < value <= 1 for value in found["protected"])


def test_labels_must_show_in_communities_of_a_graph():
    customers = draw(REAL, 600, 1)
    attacker = Attacker(customers, 1)
    found = attacker.with_communities(_seen(customers, WITHOUT["first tree active-only"][0]))
    assert found > 0.6
    assert found > attacker.with_communities([])


def test_a_view_without_its_last_level_must_say_no_more():
    customers = draw(MADE, 300, 1)
    hidden, told = (_seen(customers, view) for view in (PROTECTED, label_inference.View({}, True)))
    assert len(hidden) == len(told) == 19  # the first of 20 trees is the active party's alone
    for some, every in zip(hidden, told, strict=True):
        assert len(np.unique(some[:, -1])) <= len(np.unique(every[:, -1]))
        # Every group that is told lies within one that is known anyway.
        assert len(np.unique(np.column_stack([some[:, -1], every[:, -1]]), axis=0)) == len(
            np.unique(every[:, -1])
        )


def test_columns_must_be_put_in_order_by_what_scoring_sends():
    customers = draw(MADE, 500, 1)
    models = feature_reconstruction.trained_models(customers)
    found = feature_reconstruction.reconstructed(customers, models, 1)
    usual = str(feature_reconstruction.USUAL)
    ordered, values = (
        found[each] for each in (feature_reconstruction.ORDERED, feature_reconstruction.VALUES)
    )
    assert ordered[usual] > 0.8
    assert ordered["chance"] < 0.3
    assert values[usual] > 0.4
    assert values[usual] > values["chance"] + 0.2
    assert all(0 <= value <= 1 for each in found.values() for value in each.values())


def test_members_must_show_where_trees_are_many_and_deep():
    customers = draw(REAL, 600, 1)
    found = membership.advantages(customers)[membership.WITH_LABEL]
    by_name = {p[0]: (found[str(p[1])], found[str(p[3])]) for p in membership.PROTECTIONS}
    without, protected = by_name["all of these"]
    assert without > 0.3
    assert without > protected + 0.2
    assert all(0 <= value <= 1 for pair in by_name.values() for value in pair)
    assert 0 < membership.by_chance(600, 1) < 0.25


def test_small_nodes_must_give_their_rows_away_below_the_recommended_minimum():
    customers = draw(MADE, 400, 1)
    low = sum_matching.certainty(customers, tree_options(depth=6, minimum_bin_count=5))
    high = sum_matching.certainty(customers, tree_options(depth=6, minimum_bin_count=50))
    assert low > 0.5
    assert high < 0.1


def test_roots_must_give_columns_away_over_many_trees():
    customers = draw(MADE, 400, 1)
    setting = sum_matching.Setting({"trees": 40}, shuffled=False)
    estimates = sum_matching.root_estimates(customers, setting, 1)
    found = best_correlation(estimates, customers.tables[PASSIVE])
    assert 0.4 < found <= 1


def test_crafted_plaintexts_must_be_read_off_the_real_passive_partys_reply():
    found = crafted_sums.successes(draw(MADE, 200, 1), 1)
    assert found["read without masks"] > found["read"] > 0.2
    assert found["order at 5"] > 0.8
    assert found["named in order"] > found["named"]
    assert found["products"] == 1.0
    assert found["products re-randomised"] == 0.0
    assert all(0 <= value <= 1 for value in found.values())


def test_gradients_of_a_split_network_must_tell_the_label_without_noise():
    customers = draw(MADE, 400, 1)
    trainings = {
        epsilon: train(
            customers, network_options(label_epsilon=epsilon, cut_units=8, quick=True), 1
        )
        for epsilon in (None, 1.0)
    }
    found = split_labels.label_attacks(customers, 1, trainings)
    assert found[split_labels.DIRECTION][None] > 0.95
    assert found[split_labels.ALL_EPOCHS][None] > 0.95
    assert found[split_labels.NORM][None] > 0.8
    for success in found.values():
        assert success[1.0] < success[None] - 0.1
    r2 = split_labels.column_r2(customers, 1, trainings[1.0].outputs)
    assert 0 <= r2 <= 1
    assert split_labels.column_r2(customers, 1, trainings[None].outputs) > 0.3


def test_weights_of_evidence_must_tell_labels_without_a_floor():
    found = scorecard.attacks(draw(MADE, 600, 1))
    without = scorecard.Setting(bins=50, floor=0)
    protected = scorecard.Setting(bins=50)
    assert found[scorecard.RANKED][without] > 0.75
    assert found[scorecard.RANKED][without] > found[scorecard.RANKED][protected]
    assert found[scorecard.CERTAIN][without] > 0.1
    assert found[scorecard.CERTAIN][protected] == 0.0


@pytest.mark.parametrize("data", DATA)
def test_customers_must_be_the_same_for_the_same_seed_and_others_for_another(data):
    first, again, other = draw(data, 200, 1), draw(data, 200, 1), draw(data, 200, 2)
    for column, same in zip(
        first.tables[PASSIVE].columns, again.tables[PASSIVE].columns, strict=True
    ):
        assert column.values.tolist() == pytest.approx(same.values.tolist(), nan_ok=True) or (
            column.kind == "categorical" and column.values.tolist() == same.values.tolist()
        )
    assert first.labels.tolist() != other.labels.tolist()
    with pytest.raises(ValueError, match="shared customers"):
        draw(REAL, 100_000, 1)


def test_an_attack_must_give_the_same_figures_for_the_same_seed():
    def figures():
        customers = draw(MADE, 300, 3)
        attacker = Attacker(customers, 3)
        return attacker.with_few_labels(_seen(customers, PROTECTED))

    assert figures() == figures()
