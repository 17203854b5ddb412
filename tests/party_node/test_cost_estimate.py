"""Time and bytes told before a run."""

from __future__ import annotations

from typing import get_args

import pytest

from models.boosted_trees.cost import training_cost
from models.boosted_trees.expectation import ColumnShape
from models.cost import Cost, Operation
from party_node.cost_estimate import CHANNEL_BYTES, Estimate, estimate
from party_node.link_speed import LinkSpeed
from party_node.operation_speeds import Speeds
from tests.models.boosted_trees.training import ACTIVE, made_case, options, train_federated
from tests.models.boosted_trees.transparent import transparent_key

SPEEDS = Speeds(
    2048,
    "portable",
    {"encryptions": 1000.0, "additions": 10.0, "decryptions": 4000.0},
    {"encryptions": 500.0, "additions": 5.0, "decryptions": 20_000.0},
)
KINDS = get_args(Operation)
EVEN = Speeds(2048, "portable", dict.fromkeys(KINDS, 1.0), dict.fromkeys(KINDS, 0.0))
LINK = LinkSpeed(seconds_per_message=0.01, seconds_per_byte=1e-6, seconds_per_checkpoint=0.1)


def cost(*stages, calls=()):
    return Cost(
        bytes={"EncryptedGradients": 900_000, "CandidateSums": 100_000},
        messages={"EncryptedGradients": 30, "CandidateSums": 70},
        checkpoints=5,
        stages=stages,
        calls=dict(calls),
    )


STAGES = (
    {"bank": {"encryptions": 2000}, "retailer": {"additions": 300_000}, "telecom": {}},
    {"bank": {"decryptions": 250}, "telecom": {"additions": 150_000}},
)


def test_parties_of_one_machine_add_up():
    found = estimate(cost(*STAGES), SPEEDS, LINK, one_machine=True)
    assert found.by_part == pytest.approx(
        {"bank": 3.0, "retailer": 3.0, "telecom": 1.5, "messages": 2.0, "checkpoints": 0.5}
    )
    assert found.seconds == pytest.approx(10.0)
    assert found.bytes == 1_000_000 + 100 * CHANNEL_BYTES


def test_on_machines_of_their_own_a_stage_waits_for_the_slowest():
    found = estimate(cost(*STAGES), SPEEDS, LINK, one_machine=False)
    assert found.seconds == pytest.approx(3.0 + 1.5 + 2.0 + 0.5)
    assert estimate(cost(), SPEEDS, LINK, one_machine=False).seconds == pytest.approx(2.5)


def test_calls_cost_something_of_their_own():
    calls = {"bank": {"decryptions": 100}, "retailer": {"additions": 200_000}}
    for one_machine in (True, False):
        without = estimate(cost(*STAGES), SPEEDS, LINK, one_machine=one_machine)
        found = estimate(cost(*STAGES, calls=calls), SPEEDS, LINK, one_machine=one_machine)
        assert found.seconds == pytest.approx(without.seconds + 2.0 + 1.0)
        assert found.by_part["bank"] == pytest.approx(without.by_part["bank"] + 2.0)


@pytest.mark.parametrize(
    ("seconds", "size", "text"),
    [
        (34.7, 62_400_000, "about 35 s and 62 MB (20 trees, 24,000 customers)"),
        (0.3, 512, "about a second and 512 bytes (20 trees, 24,000 customers)"),
        (119.6, 1_234, "about 120 s and 1.2 kB (20 trees, 24,000 customers)"),
        (600, 9_870_000, "about 10 minutes and 9.9 MB (20 trees, 24,000 customers)"),
        (10_800, 4_000_000_000, "about 3 hours and 4.0 GB (20 trees, 24,000 customers)"),
    ],
)
def test_an_estimate_is_one_line(seconds, size, text):
    assert Estimate(seconds, size, {}).text("20 trees, 24,000 customers") == text


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (3000, {"depth": 3, "bins": 32, "trees": 2}),
        (2000, {"depth": 5, "bins": 16, "trees": 2}),
        (4000, {"depth": 3, "bins": 8, "trees": 3, "first_tree_active_only": True}),
    ],
)
def test_the_bytes_told_are_those_of_a_run(rows, changes):
    opts = options(minimum_bin_count=20, **changes)
    tables, labels = made_case(rows, passives=("retailer",))
    told = estimate(
        # As the spec alone says it: how many columns there are, and into how many bins at most.
        training_cost(
            rows=rows,
            options=opts,
            key_bits=2048,
            active=ACTIVE,
            active_columns=len(tables[ACTIVE].columns),
            passive_columns={
                "retailer": [ColumnShape(opts.bins)] * len(tables["retailer"].columns)
            },
        ),
        EVEN,
        LINK,
        one_machine=True,
    )
    run = train_federated(tables, labels, opts, passives=("retailer",), key=transparent_key())
    sent = sum(len(data) for t in run.transcripts for _, _, _, data in t.messages)
    assert told.bytes == pytest.approx(sent, rel=0.3)
    assert told.seconds > opts.trees * LINK.seconds_per_checkpoint
    assert told.by_part[ACTIVE] > 0 < told.by_part["retailer"]
