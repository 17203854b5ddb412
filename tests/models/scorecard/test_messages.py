"""What the parties show each other: nothing more than SPEC.md §5 says."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from models.scorecard import active_party, passive_party
from models.scorecard.binning import label_packing
from models.scorecard.columns import fine_columns
from models.scorecard.fixed_point import FixedPoint, centred
from models.scorecard.gradients import gradient_packing
from models.scorecard.messages import (
    BinEvidence,
    BinFloors,
    BinSums,
    OpenedShares,
    PointsTable,
    ResidualShares,
    TrainingPredictors,
)
from models.scorecard.points import PARTIAL_FRACTION
from models.scorecard.predictors import predictor_slots
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError
from protocols.roles import Progress
from protocols.wire import decode
from tests.drive import drive
from tests.models.scorecard.feeding import feed, inbound_of
from tests.models.scorecard.training import (
    ACTIVE,
    PARTIES,
    PASSIVE,
    SUITE,
    epoch_roles,
    made_case,
    options,
    private_keys,
    seed,
    train_federated,
    weigh_roles,
)

ROWS = 240
OPTIONS = options(batch_rows=1000)
FIXED = FixedPoint.of(ROWS, OPTIONS)


@cache
def _trained(number=0):
    tables, labels = made_case(ROWS)
    return tables, labels, train_federated(tables, labels, OPTIONS, number)


def _opened(federated, step, type_name, sender):
    """Plaintexts of the ciphertexts a party sent, decrypted by whoever can."""
    transcript = federated.transcripts[step]
    owner = sender if type_name in ("WeightShares", "ResidualShares") else _other(sender)
    key = private_keys()[owner]
    plaintexts = []
    for source, _, name, data in transcript.messages:
        if (source, name) == (sender, type_name):
            message = decode(data, _TYPES[type_name])
            plaintexts += key.decrypt(key.public_key.decode(message.ciphertexts))
    return plaintexts


_TYPES = {}
for _name in ("WeightShares", "PredictorSums", "ResidualShares", "GradientSums", "BinSums"):
    _TYPES[_name] = getattr(__import__("models.scorecard.messages", fromlist=[_name]), _name)


def _other(party):
    return PASSIVE if party == ACTIVE else ACTIVE


def _assert_uniform(numbers, bound):
    """Kolmogorov-Smirnov: below 1.95 / sqrt(n) but for one honest run in a thousand."""
    scaled = np.sort(np.array([number / bound for number in numbers], float))
    assert scaled[0] > -1e-9
    assert scaled[-1] < 1 + 1e-9
    n = len(scaled)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - scaled).max(), (scaled - steps[:-1]).max())
    assert distance < 1.95 / np.sqrt(n)


def _columns(federated, party):
    return len(federated.weighed[party].columns) + (party == ACTIVE)


@pytest.mark.parametrize("sender", PARTIES)
def test_predictors_must_arrive_under_masks_of_all_their_bits(sender):
    _, _, federated = _trained()
    slots = predictor_slots(FIXED, _columns(federated, sender), 2048)
    values = [
        v for p in _opened(federated, "epoch 0", "PredictorSums", sender) for v in slots.part(p)
    ][:ROWS]
    offset = 1 << slots.value_bits
    _assert_uniform([v - offset for v in values], 1 << (slots.value_bits + 65))


@pytest.mark.parametrize("sender", PARTIES)
def test_steps_must_arrive_under_masks_in_every_slot(sender):
    _, _, federated = _trained()
    packing = gradient_packing(FIXED, _columns(federated, sender), 2048)
    plaintexts = _opened(federated, "epoch 0", "GradientSums", sender)
    assert len(plaintexts) == _columns(federated, sender)
    values = [v for p in plaintexts for v in packing.plain.part(p)]
    offset = 1 << packing.plain.value_bits
    _assert_uniform([v - offset for v in values], 1 << (packing.plain.value_bits + 65))


@pytest.mark.parametrize("sender", PARTIES)
def test_a_share_of_the_residuals_must_say_nothing_of_labels(sender):
    _, labels, federated = _trained()
    packing = gradient_packing(FIXED, _columns(federated, _other(sender)), 2048)
    plaintexts = _opened(federated, "epoch 0", "ResidualShares", sender)
    shares = [v for p in plaintexts for v in packing.plain.part(p)[: packing.rows]][:ROWS]
    _assert_uniform(shares, 1 << FIXED.residual_ring)
    scaled = np.array([s / (1 << FIXED.residual_ring) for s in shares])
    # One batch, in an order of its own: no order of the labels is compared, only their spread.
    halves = np.sort(scaled)[: ROWS // 2], np.sort(scaled)[ROWS // 2 :]
    assert abs(halves[0].mean() + halves[1].mean() - 1) < 4 / np.sqrt(ROWS)
    assert set(np.unique(labels)) == {0, 1}


def test_both_shares_together_must_be_the_residuals():
    _, labels, federated = _trained()
    both = []
    for sender in PARTIES:
        packing = gradient_packing(FIXED, _columns(federated, _other(sender)), 2048)
        plaintexts = _opened(federated, "epoch 0", "ResidualShares", sender)
        both.append([v for p in plaintexts for v in packing.plain.part(p)[: packing.rows]][:ROWS])
    sums = np.array([a + b for a, b in zip(*both, strict=True)], object)
    residuals = centred(sums, FIXED.residual_ring).astype(float) / 2**16
    # Before the first step every probability is 1/2.
    assert Counter(np.sign(residuals)) == Counter(np.sign(0.5 - labels.astype(float)))
    assert np.abs(np.abs(residuals) - 0.5).max() <= 2**-16


def test_other_seeds_must_give_unrelated_shares_of_the_same_coefficients():
    _, _, first = _trained()
    _, _, second = _trained(1)
    for party in PARTIES:
        a, b = first.states[-1][party].weights[0], second.states[-1][party].weights[0]
        differences = [int(x - y) % (1 << FIXED.predictor_ring) for x, y in zip(a, b, strict=True)]
        assert min(differences) > 1 << (FIXED.predictor_ring - 40)
        gaps = np.subtract(first.model.uncalibrated[party], second.model.uncalibrated[party])
        assert np.abs(gaps).max() < 2**-15


def test_no_message_may_be_under_the_same_randomness_twice():
    _, _, federated = _trained()
    seen = Counter()
    size = 512
    for transcript in federated.transcripts.values():
        for _, _, name, data in transcript.messages:
            if name in (*_TYPES, "EncryptedLabels"):
                body = data[-(len(data) // size * size) :]
                seen.update(body[at : at + size] for at in range(0, len(body), size))
    assert max(seen.values()) == 1


def test_the_active_party_must_see_counts_of_shuffled_bins_and_nothing_beside_them():
    tables, labels, federated = _trained()
    packing = label_packing(ROWS, 2048)
    transcript = federated.transcripts["weigh"]
    key = private_keys()[ACTIVE]
    sums = [decode(d, BinSums) for s, _, name, d in transcript.messages if name == "BinSums"]
    assert len(sums) == 2
    plaintexts = key.decrypt(key.public_key.decode(sums[0].ciphertexts))
    bits = ROWS.bit_length()
    seen = [(v >> bits, v & ((1 << bits) - 1)) for v in packing.shown(plaintexts)]
    expected = []
    for column in fine_columns(tables[PASSIVE], OPTIONS.bins):
        positives = np.bincount(column.codes[labels == 1], minlength=len(column.rows))
        expected += list(zip(column.rows, positives.tolist(), strict=True))
    assert Counter(seen) == Counter(expected)
    assert seen != expected
    unwanted = [
        v
        for plaintext in plaintexts
        for slot, v in enumerate(packing.plain.part(plaintext))
        if slot != packing.target
    ]
    value_bits = packing.plain.value_bits
    _assert_uniform([v - (1 << value_bits) for v in unwanted], 1 << (value_bits + 65))


def test_each_party_must_get_the_message_types_its_role_lists():
    _, _, federated = _trained()
    names = {party: Counter() for party in PARTIES}
    for transcript in federated.transcripts.values():
        for party in PARTIES:
            names[party].update(name for _, name, _ in inbound_of(transcript, party))
    both = {"ChosenColumns", "WeightShares", "PredictorSums", "ResidualShares", "GradientSums"}
    both |= {"OpenedShares"}
    assert set(names[ACTIVE]) == both | {"BinSums", "TrainingPredictors"}
    assert set(names[PASSIVE]) == both | {
        "EncryptedLabels",
        "BinFloors",
        "BinEvidence",
        "Calibration",
    }


def test_each_party_must_get_its_own_coefficients_only():
    _, _, federated = _trained()
    for party in PARTIES:
        (opened,) = [
            decode(data, OpenedShares)
            for _, name, data in inbound_of(federated.transcripts["finish"], party)
            if name == "OpenedShares"
        ]
        assert len(opened.shares) == 32 * _columns(federated, party)


def test_training_predictors_must_be_rounded():
    _, _, federated = _trained()
    ((_, _, data),) = [
        m
        for m in inbound_of(federated.transcripts["finish"], ACTIVE)
        if m[1] == "TrainingPredictors"
    ]
    units = np.frombuffer(decode(data, TrainingPredictors).rows, "<i4")
    assert len(units) == ROWS
    assert np.abs(units).max() < 100 << PARTIAL_FRACTION


def _received(transcript, type_):
    """The one message of a type that the passive party got."""
    (data,) = [d for _, n, d in inbound_of(transcript, PASSIVE) if n == type_.__name__]
    return decode(data, type_)


def _weigh(table, labels, opts):
    tables = {ACTIVE: made_case(len(labels))[0][ACTIVE], PASSIVE: table}
    return drive(weigh_roles(tables, labels, opts))


def test_a_bin_below_the_floor_in_either_class_must_never_get_its_weight():
    rows = 300
    # Level a: few of label 1; b: few of label 0; c and d: enough of both.
    levels = np.array(["a"] * 60 + ["b"] * 60 + ["c"] * 90 + ["d"] * 90, object)
    labels = np.zeros(rows, np.uint8)
    labels[[*range(4), *range(64, 120), *range(120, 160), *range(210, 240)]] = 1
    table = ColumnTable((Column("kind", "categorical", levels),), rows)
    results, transcript = _weigh(table, labels, options(minimum_class_count=5))
    floors = _received(transcript, BinFloors)
    assert sorted(floors.above) == [False, False, True, True]
    evidence = _received(transcript, BinEvidence)
    assert len(evidence.weights) == 2
    (column,) = results[PASSIVE].columns
    assert column.describe(0) == "a or b or c"
    assert column.rows == (210, 90)
    # Nothing that was said depends on how the withheld levels' labels are spread among them.
    moved = labels.copy()
    moved[[3, 60]] = moved[[60, 3]]
    _, other = _weigh(table, moved, options(minimum_class_count=5))
    said = [m[1:] for m in inbound_of(transcript, PASSIVE) if m[1].startswith("Bin")]
    again = [m[1:] for m in inbound_of(other, PASSIVE) if m[1].startswith("Bin")]
    assert said == again


def test_a_column_without_two_bins_above_the_floor_must_not_be_asked_for():
    rows = 200
    levels = np.array(["x"] * 195 + ["y"] * 5, object)
    table = ColumnTable((Column("kind", "categorical", levels),), rows)
    labels = np.tile([0, 0, 1], rows)[:rows].astype(np.uint8)
    results, transcript = _weigh(table, labels, options())
    evidence = _received(transcript, BinEvidence)
    assert evidence.weights == ()
    assert results[PASSIVE].columns == ()
    assert results[PASSIVE].left_out[0].reason == "no two bins differ"


def test_bins_without_any_evidence_must_leave_no_column():
    rows = 200
    levels = np.array(["x", "y"] * (rows // 2), object)
    labels = np.repeat([0, 1], rows // 2).astype(np.uint8)
    results, _ = _weigh(
        ColumnTable((Column("kind", "categorical", levels),), rows), labels, options()
    )
    assert results[PASSIVE].columns == ()


def test_the_joint_table_must_need_the_spec():
    _, _, federated = _trained()
    half = federated.model.passive_half
    for opts in (OPTIONS, options(joint_table=True)):
        roles = {
            ACTIVE: active_party.join_tables(
                half=federated.model.active_half, options=opts, passives=(PASSIVE,)
            ),
            PASSIVE: passive_party.join_tables(half=half, options=opts, active=ACTIVE),
        }
        if not opts.joint_table:
            for role in roles.values():
                with pytest.raises(LocalProtocolError, match="does not ask"):
                    next(role)
        else:
            results, transcript = drive(roles)
            assert results[ACTIVE] == [(PASSIVE, row) for row in half.table()]
            assert [name for _, _, name, _ in transcript.messages] == [PointsTable.__name__]


def test_keys_must_be_exchanged_both_ways():
    results, _ = drive(
        {
            ACTIVE: active_party.make_keys(
                passives=(PASSIVE,),
                suite=SUITE,
                bits=2048,
                seed=seed(ACTIVE, 1),
            ),
            PASSIVE: passive_party.make_keys(
                active=ACTIVE, suite=SUITE, bits=2048, seed=seed(PASSIVE, 1)
            ),
        }
    )
    assert results[ACTIVE].peer.n == results[PASSIVE].own.public_key.n
    assert results[PASSIVE].peer.n == results[ACTIVE].own.public_key.n
    stored = type(results[ACTIVE]).from_bytes(results[ACTIVE].to_bytes(), SUITE)
    assert stored.own.p == results[ACTIVE].own.p
    assert stored.peer.n == results[ACTIVE].peer.n


def test_progress_must_be_told_between_the_heavy_parts():
    tables, labels, federated = _trained()
    for party, role in epoch_roles(
        0,
        tables,
        labels,
        weighed=federated.weighed,
        states={ACTIVE: None, PASSIVE: None},
        opts=OPTIONS,
    ).items():
        told = []
        inbound = inbound_of(federated.transcripts["epoch 0"], party)
        feed(_watched(role, told), inbound)
        assert len(told) > 8
        assert (told[-1].done, told[-1].total) == (1, 1)


def _watched(role, told):
    answer = None
    try:
        while True:
            request = role.send(answer)
            if isinstance(request, Progress):
                told.append(request)
            answer = yield request
    except StopIteration as stop:
        return stop.value


def test_residual_frames_must_not_depend_on_labels():
    tables, labels, federated = _trained()
    roles = epoch_roles(
        0,
        tables,
        1 - labels,
        weighed=federated.weighed,
        states={ACTIVE: None, PASSIVE: None},
        opts=OPTIONS,
    )
    _, transcript = drive(roles)
    shape = [(s, name, len(d)) for s, _, name, d in transcript.messages]
    before = [(s, name, len(d)) for s, _, name, d in federated.transcripts["epoch 0"].messages]
    assert shape == before
    # What the passive party sends up to its residuals is the same, whatever the labels are.
    first = next(d for s, _, n, d in transcript.messages if (s, n) == (PASSIVE, "ResidualShares"))
    assert decode(first, ResidualShares) == next(
        decode(d, ResidualShares)
        for s, _, n, d in federated.transcripts["epoch 0"].messages
        if (s, n) == (PASSIVE, "ResidualShares")
    )
