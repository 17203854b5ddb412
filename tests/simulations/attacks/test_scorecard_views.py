"""The weights the scorecard's attacker is given must be those the real roles send."""

from __future__ import annotations

import numpy as np

from models.scorecard import active_party, passive_party
from models.scorecard.evidence import implied_counts, in_units, weights_of_evidence
from models.scorecard.keys import Keys
from models.scorecard.messages import BinEvidence
from protocols.paillier import generate_private_key
from simulations.attacks.crafted_sums import attackers_key
from simulations.attacks.customers import ACTIVE, MADE, PASSIVE, SUITE, draw, stream_of
from simulations.attacks.recorder import record
from simulations.attacks.scorecard import Setting, weighed_columns
from simulations.attacks.scorecard_partials import scorecard_options


def test_weights_must_be_what_the_roles_send():
    customers = draw(MADE, 400, 1)
    options = scorecard_options(bins=8, minimum_class_count=8)
    active_key = attackers_key()
    passive_key = generate_private_key(2048, stream_of(1, "passive key"), SUITE)
    recording = record(
        {
            ACTIVE: active_party.weigh_columns(
                table=customers.tables[ACTIVE],
                labels=customers.labels,
                options=options,
                passives=(PASSIVE,),
                keys=Keys(active_key, passive_key.public_key),
                suite=SUITE,
                seed=stream_of(1, "active").bytes(32),
            ),
            PASSIVE: passive_party.weigh_columns(
                table=customers.tables[PASSIVE],
                options=options,
                active=ACTIVE,
                keys=Keys(passive_key, active_key.public_key),
                suite=SUITE,
                seed=stream_of(1, "passive").bytes(32),
            ),
        }
    )
    given = {
        column.bins.name: (column.rows, counts)
        for column, counts in weighed_columns(customers, Setting(bins=8, floor=8))
    }
    chosen = recording.results[PASSIVE].columns
    assert len(chosen) >= 3
    for column in chosen:
        rows, counts = given[column.bins.name]
        assert column.rows == rows
        assert list(column.evidence) == [in_units(w) for w in weights_of_evidence(counts)]
        assert min(each.positives for each in counts) >= 8

    # From the message alone the passive party gets every bin's class counts back.
    sent = [weight for m in recording.received(PASSIVE, BinEvidence) for weight in m.weights]
    positives = [each.positives for _, counts in given.values() for each in counts]
    weights = [w for _, counts in given.values() for w in weights_of_evidence(counts)]
    assert set(np.round(weights, 9)) <= set(np.round(sent, 9))
    implied = implied_counts(
        [rows for rows, _ in given.values()],
        [weights_of_evidence(counts) for _, counts in given.values()],
    )
    assert [each.positives for column in implied for each in column] == positives
