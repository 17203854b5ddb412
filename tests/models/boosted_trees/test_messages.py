"""What the parties show each other: nothing more than SPEC.md §5 says."""

from __future__ import annotations

import numpy as np
import pytest

from models.boosted_trees.messages import (
    FRAME_ROWS,
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
    GoLeft,
    LeftRows,
    Membership,
)
from models.boosted_trees.table import ColumnTable
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
)
from tests.protocols.paillier.keys import private_key

RETAILER = PASSIVES[:1]
KEY = private_key()


def _ciphertexts(data):
    return KEY.public_key.decode_ciphertexts(data)


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
    ciphertexts = [c for reply in replies for c in _ciphertexts(reply)]
    assert len(ciphertexts) >= 6
    assert len(set(ciphertexts)) == len(ciphertexts)

    # The same gradients, bytes for bytes, answered with another seed: no ciphertext twice.
    other = _replay_passive(tables, labels, federated.transcripts[0], number=1)
    assert len(other) == len([d for d in federated.transcripts[0].messages if d[2] == SUMS])
    assert not set(ciphertexts) & {c for reply in other for c in _ciphertexts(reply)}


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
    return KEY.decrypt_many(_ciphertexts(decode(reply, CandidateSums).ciphertexts))


def test_candidates_must_come_in_another_order_for_another_seed():
    one, same, two = _root_sums(0), _root_sums(0), _root_sums(1)
    assert one == same
    assert one != two

    def slots(plaintexts):
        # 120 rows: 21 bits for the second sum, one more than 24 for the first.
        width = ((120 * 2**16 + 1) << 21).bit_length() + 1
        joined = sum(int(p) << at * (2047 // width) * width for at, p in enumerate(plaintexts))
        return [joined >> at * width & (1 << width) - 1 for at in range(2047 // width)]

    assert sorted(slots(one)) == sorted(slots(two))


def test_a_tree_of_the_active_party_alone_must_send_nothing():
    tables, labels = made_case(120, passives=PASSIVES)
    opts = options(first_tree_active_only=True)
    federated = train_federated(tables, labels, opts, passives=PASSIVES)
    first, second = federated.transcripts
    assert first.messages == []
    assert {name for _, _, name, _ in second.messages} == {
        m.__name__ for m in (EncryptedGradients, CandidateSums, ChosenSplits, LeftRows, Membership)
    }


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


@pytest.mark.parametrize("rows", [FRAME_ROWS - 1, FRAME_ROWS, FRAME_ROWS + 1])
def test_gradients_must_travel_in_frames_with_progress_between(rows):
    amount = numeric("amount", rows)
    tables = {ACTIVE: ColumnTable((), rows), "retailer": ColumnTable((amount,), rows)}
    labels = (amount.values + numeric("noise", rows).values > 9).astype(np.uint8)
    opts = options(depth=1, trees=1, bins=4)
    transcript = train_federated(tables, labels, opts, passives=RETAILER).transcripts[0]
    frames = [data for _, _, name, data in transcript.messages if name == "EncryptedGradients"]
    sizes = [len(decode(data, EncryptedGradients).ciphertexts) // 512 for data in frames]
    assert sum(sizes) == rows
    assert sizes[:-1] == [FRAME_ROWS] * (len(sizes) - 1)
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
