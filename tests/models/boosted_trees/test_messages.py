"""What the parties show each other: nothing more than SPEC.md §5 says."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from models.boosted_trees import row_packing
from models.boosted_trees.messages import (
    FRAME_CIPHERTEXTS,
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
    GoLeft,
    LeftRows,
    Membership,
    SampledRows,
    TreesKept,
)
from models.boosted_trees.options import OneSideShares
from models.table import ColumnTable
from protocols.roles import Progress, Receive, ReceiveEach, Send
from protocols.wire import decode, encode
from tests.drive import drive
from tests.models.boosted_trees.training import (
    ACTIVE,
    PASSIVES,
    evaluate_federated,
    learn,
    made_case,
    numeric,
    options,
    train_federated,
    tree_roles,
    uniform,
)
from tests.models.boosted_trees.transparent import transparent_key
from tests.protocols.paillier.keys import private_key

RETAILER = PASSIVES[:1]
KEY = private_key()


def _ciphertexts(data):
    return KEY.public_key.decode(data)


def _twin_columns():
    """Two equal columns, so that every candidate's sum is there twice."""
    tables, labels = made_case(120, passives=RETAILER)
    amount = tables["retailer"].columns[0]
    twin = type(amount)("twin", "numeric", amount.values)
    tables["retailer"] = ColumnTable((amount, twin), 120)
    return tables, labels


def test_replies_must_not_repeat_a_ciphertext_nor_follow_from_what_was_received():
    tables, labels = _twin_columns()
    # One candidate a column and one sum a ciphertext at depth 1 with two bins.
    federated = train_federated(
        tables, labels, options(bins=2, depth=3, trees=2), passives=RETAILER
    )
    replies = [decode(data, CandidateSums).ciphertexts for data in federated.sent("CandidateSums")]
    ciphertexts = [c for reply in replies for c in _ciphertexts(reply).integers()]
    assert len(ciphertexts) >= 6
    assert len(set(ciphertexts)) == len(ciphertexts)

    # The same gradients, bytes for bytes, answered with another seed: no ciphertext twice.
    other = _replay_passive(tables, labels, federated.transcripts[0], number=1)
    assert len(other) == len([d for d in federated.transcripts[0].messages if d[2] == SUMS])
    assert not set(ciphertexts) & {c for reply in other for c in _ciphertexts(reply).integers()}


SUMS = CandidateSums.__name__


def _replay_passive(tables, labels, transcript, number):
    """Feed a passive party what it got before; return its candidate sums."""
    role = tree_roles(0, learn(tables, options(bins=2)), labels, options(bins=2), number=number)[
        "retailer"
    ]
    inbound = [data for sender, _, _, data in transcript.messages if sender == ACTIVE]
    sums = []
    answer = None
    try:
        while True:
            request = role.send(answer)
            answer = None
            if isinstance(request, Receive):
                answer = decode(inbound.pop(0), request.type)
            elif isinstance(request, Send) and isinstance(request.message, CandidateSums):
                sums.append(request.message.ciphertexts)
    except StopIteration:
        return sums


def _root_sums(number):
    tables, labels = made_case(120, passives=RETAILER)
    binned = learn(tables, options())
    _, transcript = drive(tree_roles(0, binned, labels, options(depth=1), number=number))
    (reply,) = [data for _, _, name, data in transcript.messages if name == SUMS]
    return KEY.decrypt(_ciphertexts(decode(reply, CandidateSums).ciphertexts))


@pytest.mark.parametrize("forward_cost", [0, 10**7])
def test_candidates_must_come_in_another_order_for_another_seed(monkeypatch, forward_cost):
    monkeypatch.setattr(row_packing, "FORWARD_COST", forward_cost)
    one, same, two = _root_sums(0), _root_sums(0), _root_sums(1)
    assert one == same
    # 120 rows: 21 bits for the second sum, one more than 24 for the first.
    opts = options(depth=1)
    packing = row_packing.choose(
        row_packing.RowEncoding.of(120, opts), opts, passive_columns=4, key_bits=2048
    )
    assert packing.slot_bits == ((120 * 2**16 + 1) << 21).bit_length() + 1
    assert (packing.rows == 1) == (forward_cost == 0)
    sums = [[s for each in run for s in packing.unpack(each)] for run in (one, two)]
    assert sums[0] != sums[1]
    assert sorted(sums[0]) == sorted(sums[1])


def test_a_tree_of_the_active_party_alone_must_send_nothing():
    tables, labels = made_case(120, passives=PASSIVES)
    opts = options(first_tree_active_only=True)
    federated = train_federated(tables, labels, opts, passives=PASSIVES)
    first, second = federated.transcripts
    assert first.messages == []
    assert {name for _, _, name, _ in second.messages} == {
        m.__name__ for m in (EncryptedGradients, CandidateSums, ChosenSplits, LeftRows, Membership)
    }


def test_sampling_and_stopping_must_add_the_messages_they_need_and_no_others():
    tables, labels = made_case(200, passives=PASSIVES)
    validation = uniform("validation", 200) < 0.25
    usual = {m.__name__ for m in (EncryptedGradients, CandidateSums, ChosenSplits, LeftRows)}
    usual.add(Membership.__name__)
    shares = OneSideShares(Decimal("0.3"), Decimal("0.3"))
    for changes, mask, more in (
        ({}, None, set()),
        ({"row_sample": Decimal("0.5")}, None, set()),
        ({"one_side_sampling": shares}, None, {SampledRows.__name__}),
        ({"early_stopping_rounds": 1}, validation, {TreesKept.__name__}),
    ):
        federated = train_federated(
            tables, labels, options(trees=1, **changes),
            passives=PASSIVES, validation=mask, key=transparent_key(),
        )  # fmt: skip
        messages = federated.transcripts[0].messages
        assert {name for _, _, name, _ in messages} == usual | more
        for name in more:
            assert {(s, r) for s, r, n, _ in messages if n == name} == {
                (ACTIVE, party) for party in PASSIVES
            }


@pytest.mark.parametrize("changes", [{"row_sample": Decimal("0.5")}, {"early_stopping_rounds": 1}])
def test_rows_outside_the_bag_must_stay_out_of_memberships(changes):
    tables, labels = made_case(200, passives=RETAILER)
    validation = uniform("validation", 200) < 0.25 if "row_sample" not in changes else None
    federated = train_federated(
        tables, labels, options(trees=1, depth=3, **changes),
        passives=RETAILER, validation=validation, key=transparent_key(),
    )  # fmt: skip
    bag = 100 if validation is None else int((~validation).sum())
    memberships = [decode(data, Membership) for data in federated.sent("Membership")]
    assert memberships
    assert [len(bitmap) for bitmap in memberships[0].nodes] == [-(-bag // 8)]
    for data in federated.sent("LeftRows"):
        assert {len(bitmap) for bitmap in decode(data, LeftRows).others} == {-(-(200 - bag) // 8)}


def test_rows_of_the_last_level_must_stay_with_the_splitting_party():
    tables, labels = made_case(120, passives=PASSIVES)
    for depth in (1, 2, 3):
        federated = train_federated(
            tables, labels, options(depth=depth, trees=1), passives=PASSIVES
        )
        levels = [name for _, _, name, _ in federated.transcripts[0].messages]
        assert levels.count("ChosenSplits") == depth * len(PASSIVES)
        assert levels.count("Membership") == (depth - 1) * len(PASSIVES)


def test_evaluation_must_send_bits_of_the_passive_partys_splits_only():
    tables, labels = made_case(100, passives=RETAILER)
    federated = train_federated(tables, labels, options(), passives=RETAILER)
    _, transcript = evaluate_federated(federated.model, tables)
    half = federated.model.passive_halves["retailer"]
    assert [(s, r, n) for s, r, n, _ in transcript.messages] == [
        ("retailer", ACTIVE, "GoLeft") for _ in half.trees
    ]
    for tree, (_, _, _, data) in zip(half.trees, transcript.messages, strict=True):
        bits = decode(data, GoLeft).splits
        assert [len(bitmap) for bitmap in bits] == [13] * len(tree.splits)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_gradients_must_travel_in_frames_with_progress_between(monkeypatch, more):
    monkeypatch.setattr(row_packing, "FORWARD_COST", 0)  # one row a ciphertext
    rows = FRAME_CIPHERTEXTS + more
    amount = numeric("amount", rows)
    tables = {ACTIVE: ColumnTable((), rows), "retailer": ColumnTable((amount,), rows)}
    labels = (amount.values + numeric("noise", rows).values > 9).astype(np.uint8)
    opts = options(depth=1, trees=1, bins=4)
    transcript = train_federated(
        tables, labels, opts, passives=RETAILER, key=transparent_key()
    ).transcripts[0]
    frames = [data for _, _, name, data in transcript.messages if name == "EncryptedGradients"]
    sizes = [len(decode(data, EncryptedGradients).ciphertexts) // 512 for data in frames]
    assert sum(sizes) == rows
    assert sizes[:-1] == [FRAME_CIPHERTEXTS] * (len(sizes) - 1)
    steps = {p.step for p in transcript.progress}
    assert steps == {
        "encrypt gradients", "receive gradients", "sum gradients", "pack sums", "decrypt sums",
    }  # fmt: skip
    assert all(0 <= p.done <= p.total for p in transcript.progress)
    assert Progress("encrypt gradients", rows, rows) in transcript.progress


def test_replay_must_send_the_same_bytes():
    tables, labels = made_case(100, passives=PASSIVES)
    binned = learn(tables, options())
    runs = [drive(tree_roles(0, binned, labels, options())) for _ in range(2)]
    assert runs[0][1].messages == runs[1][1].messages
    assert runs[0][0][ACTIVE].to_bytes() == runs[1][0][ACTIVE].to_bytes()


def test_roles_must_wait_only_for_agreed_parties():
    tables, labels = made_case(60, passives=PASSIVES)
    waits = set()
    for party, role in tree_roles(0, learn(tables, options()), labels, options()).items():
        request = next(role)
        while isinstance(request, Send | Progress):
            request = next(role)
        assert isinstance(request, Receive | ReceiveEach)
        waits.add((party, getattr(request, "parties", None) or (request.from_,)))
        role.close()
    assert waits == {(ACTIVE, PASSIVES), *((party, (ACTIVE,)) for party in PASSIVES)}
    assert encode(ChosenSplits(((),))) != encode(Membership((b"",)))
