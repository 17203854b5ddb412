"""Whatever a peer sends, a role ends normally or blames that peer, by name."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scorecard import active_party, passive_party
from models.scorecard import messages as all_messages
from models.scorecard.binning import label_packing
from models.scorecard.columns import fine_columns
from models.scorecard.messages import (
    BinEvidence,
    BinFloors,
    BinSums,
    Calibration,
    ChosenColumns,
    EncryptedLabels,
    GradientSums,
    OpenedShares,
    PaillierKey,
    PartialScores,
    PredictorSums,
    ResidualShares,
    TrainingPredictors,
    WeightShares,
)
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.wire import decode, encode
from tests.models.scorecard.feeding import feed, inbound_of
from tests.models.scorecard.training import (
    ACTIVE,
    PARTIES,
    PASSIVE,
    SUITE,
    epoch_roles,
    finish_roles,
    made_case,
    options,
    private_keys,
    seed,
    stream,
    train_federated,
    weigh_roles,
)

ROWS = 80
OPTIONS = options(bins=3, batch_rows=1000)
STEPS = ("weigh", "epoch 0", "finish")
OTHER = {ACTIVE: PASSIVE, PASSIVE: ACTIVE}


@cache
def _honest():
    tables, labels = made_case(ROWS)
    return tables, labels, train_federated(tables, labels, OPTIONS)


def _role(step, party):
    tables, labels, federated = _honest()
    if step == "weigh":
        return weigh_roles(tables, labels, OPTIONS)[party]
    if step == "epoch 0":
        return epoch_roles(
            0,
            tables,
            labels,
            weighed=federated.weighed,
            states={ACTIVE: None, PASSIVE: None},
            opts=OPTIONS,
        )[party]
    return finish_roles(tables, labels, federated.weighed, federated.states[0], OPTIONS)[party]


def _inbound(step, party):
    return list(inbound_of(_honest()[2].transcripts[step], party))


def _must_blame(step, party, type_, change, which=0):
    inbound = _inbound(step, party)
    at = [k for k, (_, name, _) in enumerate(inbound) if name == type_.__name__][which]
    sender, name, data = inbound[at]
    inbound[at] = (sender, name, encode(change(decode(data, type_))))
    with pytest.raises(RemoteProtocolError) as caught:
        feed(_role(step, party), inbound)
    assert caught.value.party == OTHER[party]


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("step", ["weigh", "finish"])
def test_recorded_messages_must_replay_to_the_same_result(step, party):
    result = feed(_role(step, party), _inbound(step, party))
    _, _, federated = _honest()
    if step == "weigh":
        assert result == federated.weighed[party]
    else:
        model = federated.model
        half = model.active_half if party == ACTIVE else model.passive_half
        assert result.to_bytes() == half.to_bytes()


def _bad(type_, *, count):
    """Wrong ciphertext lists of a type."""
    size = 512
    return [
        pytest.param(lambda m: type_(m.ciphertexts[:-1]), id=f"{type_.__name__}: a byte short"),
        pytest.param(lambda m: type_(bytes(size) + m.ciphertexts[size:]), id="a zero"),
        pytest.param(lambda m: type_(b"\xff" * size + m.ciphertexts[size:]), id="beyond n squared"),
        *(
            [
                pytest.param(lambda m: type_(m.ciphertexts[:-size]), id="one short"),
                pytest.param(lambda m: type_(m.ciphertexts + m.ciphertexts[:size]), id="one more"),
                pytest.param(lambda m: type_(b""), id="nothing"),
            ]
            if count
            else []
        ),
    ]


@pytest.mark.parametrize("change", _bad(EncryptedLabels, count=True))
def test_passive_party_must_refuse_malformed_labels(change):
    _must_blame("weigh", PASSIVE, EncryptedLabels, change)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("change", _bad(BinSums, count=False))
def test_active_party_must_refuse_malformed_sums(change, which):
    _must_blame("weigh", ACTIVE, BinSums, change, which)


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("type_", [WeightShares, PredictorSums, ResidualShares, GradientSums])
def test_either_party_must_refuse_malformed_numbers(type_, party):
    for change in _bad(type_, count=True)[3:5]:
        _must_blame("epoch 0", party, type_, change.values[0])
    _must_blame("epoch 0", party, type_, lambda m: type_(bytes(512) + m.ciphertexts[512:]))


def _sealed(value, owner=ACTIVE):
    key = private_keys()[owner]
    return key.public_key.encode(key.encrypt([value], stream(b"hostile")))


PACKING = label_packing(ROWS, 2048)
BITS = ROWS.bit_length()


def _count(rows, positives):
    return (rows << BITS | positives) << PACKING.target_shift


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(-1, id="longer than its slots"),
        pytest.param(_count(0, 0), id="no rows"),
        pytest.param(_count(5, 6), id="more positives than rows"),
        pytest.param(_count(ROWS + 1, 10), id="more rows than there are"),
        pytest.param(_count(ROWS, ROWS), id="more positives than there are"),
        pytest.param(_count(ROWS, 0), id="more negatives than there are"),
    ],
)
def test_active_party_must_refuse_counts_no_bin_has(value):
    _must_blame("weigh", ACTIVE, BinSums, lambda _: BinSums(_sealed(value)))


def test_active_party_must_refuse_joined_bins_below_the_floor_and_more_than_there_were():
    _must_blame("weigh", ACTIVE, BinSums, lambda _: BinSums(_sealed(_count(9, 4))), 1)
    _must_blame("weigh", ACTIVE, BinSums, lambda m: BinSums(_sealed(_count(40, 12)) * 60), 1)


def test_a_bin_of_all_rows_must_be_no_obstacle():
    _, labels, _ = _honest()
    whole = _count(ROWS, int(labels.sum()))
    inbound = _inbound("weigh", ACTIVE)
    at = [k for k, m in enumerate(inbound) if m[1] == "BinSums"][1]
    inbound[at] = (PASSIVE, "BinSums", encode(BinSums(_sealed(whole))))
    assert feed(_role("weigh", ACTIVE), inbound) == _honest()[2].weighed[ACTIVE]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: BinFloors(m.above[:-1]), id="one short"),
        pytest.param(lambda m: BinFloors((*m.above, True)), id="one more"),
        pytest.param(lambda m: BinFloors(()), id="nothing"),
    ],
)
def test_passive_party_must_refuse_other_numbers_of_floors(change):
    _must_blame("weigh", PASSIVE, BinFloors, change)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: BinEvidence(m.weights[:-1]), id="one short"),
        pytest.param(lambda m: BinEvidence((*m.weights, 0.1)), id="one more"),
        pytest.param(lambda m: BinEvidence((0.7, *m.weights[1:])), id="another weight"),
        pytest.param(lambda m: BinEvidence((1e300, *m.weights[1:])), id="too large"),
        pytest.param(lambda m: BinEvidence((0.1,) * len(m.weights)), id="all the same"),
    ],
)
def test_passive_party_must_refuse_weights_no_counts_have(change):
    _must_blame("weigh", PASSIVE, BinEvidence, change)


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: OpenedShares(m.shares[:-1]), id="a byte short"),
        pytest.param(lambda m: OpenedShares(m.shares[:-32]), id="a share short"),
        pytest.param(lambda m: OpenedShares(b""), id="nothing"),
        pytest.param(lambda m: OpenedShares(bytes(32) + m.shares[32:]), id="another share"),
        pytest.param(lambda m: OpenedShares(b"\xff" * len(m.shares)), id="far beyond"),
    ],
)
def test_either_party_must_refuse_shares_that_open_to_nothing(change, party):
    _must_blame("finish", party, OpenedShares, change)


def test_active_party_must_refuse_predictors_of_other_rows_and_absurd_ones():
    absurd = np.full(ROWS, 2**31 - 1, "<i4").tobytes()
    for rows in (bytes(4 * ROWS - 1), bytes(4 * ROWS - 4), bytes(4 * ROWS + 4), absurd):
        message = TrainingPredictors(rows)
        _must_blame("finish", ACTIVE, TrainingPredictors, lambda _, m=message: m)


@pytest.mark.parametrize("value", [2**16, -(2**16)])
def test_extreme_predictors_must_end_normally(value):
    inbound = _inbound("finish", ACTIVE)
    at = next(k for k, m in enumerate(inbound) if m[1] == "TrainingPredictors")
    rows = np.resize(np.array([value, 0], "<i4"), ROWS).tobytes()
    inbound[at] = (PASSIVE, "TrainingPredictors", encode(TrainingPredictors(rows)))
    half = feed(_role("finish", ACTIVE), inbound)
    assert type(half).from_bytes(half.to_bytes()) == half


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Calibration, [0.0]),
        (Calibration, [-1.0]),
        (Calibration, [float("nan")]),
        (Calibration, [float("inf")]),
        (ChosenColumns, [-1]),
        (ChosenColumns, [1001]),
        (BinEvidence, [[float("nan")]]),
        (BinFloors, [[1]]),
        (OpenedShares, [7]),
    ],
)
def test_malformed_messages_must_not_decode(type_, value):
    data = msgspec.msgpack.encode([type_.__name__, *value])
    with pytest.raises(RemoteProtocolError):
        decode(data, type_)


def test_a_table_with_numbers_that_are_none_must_not_decode():
    row = ["TableRow", "c", "b", 0.5, 0.1, 0.2, 1.0, float("nan")]
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode(["PointsTable", [row]]), all_messages.PointsTable)


def test_scoring_must_refuse_points_of_other_rows():
    tables, _, federated = _honest()

    def score(data):
        role = active_party.score(
            half=federated.model.active_half, table=tables[ACTIVE], passives=(PASSIVE,)
        )
        return feed(role, [(PASSIVE, "PartialScores", encode(PartialScores(data)))])

    assert len(score(bytes(4 * ROWS)).margins) == ROWS
    for data in (b"", bytes(4 * ROWS - 1), bytes(4 * ROWS + 4)):
        with pytest.raises(RemoteProtocolError) as caught:
            score(data)
        assert caught.value.party == PASSIVE


@pytest.mark.parametrize("modulus", [bytes(256), b"\xff" * 384], ids=lambda m: f"{len(m)} bytes")
def test_bad_keys_must_be_refused(modulus):
    role = passive_party.make_keys(active=ACTIVE, suite=SUITE, bits=2048, seed=seed(PASSIVE, 1))
    with pytest.raises(RemoteProtocolError) as caught:
        feed(role, [(ACTIVE, "PaillierKey", encode(PaillierKey(modulus)))])
    assert caught.value.party == ACTIVE


def test_a_key_sent_back_must_be_refused():
    role = passive_party.make_keys(active=ACTIVE, suite=SUITE, bits=2048, seed=seed(PASSIVE, 1))
    sent = None
    while sent is None:
        request = next(role)
        sent = getattr(request, "message", None)
    with pytest.raises(RemoteProtocolError, match="was sent"):
        feed(role, [(ACTIVE, "PaillierKey", encode(sent))])


def test_own_arguments_that_do_not_fit_must_be_refused():
    tables, labels, federated = _honest()
    half = federated.model.active_half
    with pytest.raises(LocalProtocolError, match="trained with retailer"):
        next(active_party.score(half=half, table=tables[ACTIVE], passives=("telecom",)))
    with pytest.raises(LocalProtocolError, match="two parties"):
        next(active_party.score(half=half, table=tables[ACTIVE], passives=()))
    role = active_party.train_epoch(
        epoch=0,
        table=tables[ACTIVE],
        labels=labels[:-1],
        weighed=federated.weighed[ACTIVE],
        state=None,
        options=OPTIONS,
        passives=(PASSIVE,),
        keys=None,
        suite=SUITE,
        public_seed=b"",
        seed=b"",
    )
    with pytest.raises(LocalProtocolError, match="one label per row"):
        next(role)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_bytes_in_any_place_must_end_in_blame_or_normally(data):
    step = data.draw(st.sampled_from(("weigh", "weigh", "finish", "finish", "epoch 0")))
    party = data.draw(st.sampled_from(PARTIES))
    inbound = _inbound(step, party)
    at = data.draw(st.integers(0, len(inbound) - 1))
    sender, name, honest = inbound[at]
    drawn = st.one_of(
        st.binary(max_size=40),
        st.sampled_from([d for _, _, d in inbound]),
        st.integers(0, len(honest) - 1).map(
            lambda k: honest[:k] + bytes([honest[k] ^ 1]) + honest[k + 1 :]
        ),
    )
    inbound[at] = (sender, name, data.draw(drawn))
    try:
        result = feed(_role(step, party), inbound)
    except RemoteProtocolError as error:
        blamed = error.party
    else:
        blamed = sender
        assert type(result).from_bytes(result.to_bytes()).to_bytes() == result.to_bytes()
    assert blamed == OTHER[party]


def test_no_party_may_be_asked_for_more_bins_than_its_columns_have():
    tables, _, _ = _honest()
    fine = sum(len(c.rows) for c in fine_columns(tables[PASSIVE], OPTIONS.bins))
    sums = [m for m in _inbound("weigh", ACTIVE) if m[1] == "BinSums"]
    assert len(decode(sums[0][2], BinSums).ciphertexts) == 512 * fine
    assert len(decode(sums[1][2], BinSums).ciphertexts) <= 512 * fine
