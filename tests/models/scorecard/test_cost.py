"""What is told before a training against what a training does."""

from __future__ import annotations

from collections import Counter

import pytest

from models.scorecard.columns import fine_columns
from models.scorecard.cost import scoring_cost, training_cost
from protocols.paillier import PrivateKey, PublicKey, Summands
from tests.models.scorecard.training import (
    ACTIVE,
    PASSIVE,
    made_case,
    options,
    score_federated,
    train_federated,
)

ROWS = 300


def _told(opts, tables):
    bins = {p: [len(c.rows) for c in fine_columns(t, opts.bins)] for p, t in tables.items()}
    return training_cost(
        rows=ROWS,
        options=opts,
        key_bits=2048,
        active=ACTIVE,
        passive=PASSIVE,
        active_bins=bins[ACTIVE],
        passive_bins=bins[PASSIVE],
    )


def _counting(monkeypatch):
    """Count the ciphertexts of the calls a cost names, and the calls."""
    counted, calls = Counter(), Counter()

    def count(cls, name, kind, of):
        original = getattr(cls, name)

        def counting(self, *arguments):
            counted[kind] += of(*arguments)
            calls[kind] += 1
            return original(self, *arguments)

        monkeypatch.setattr(cls, name, counting)

    count(PrivateKey, "encrypt", "encryptions", lambda plaintexts, _: len(plaintexts))
    count(PrivateKey, "decrypt", "decryptions", len)
    count(PublicKey, "rerandomise", "rerandomisations", lambda c, _: len(c))
    count(PublicKey, "encode", "encodings", len)
    count(PublicKey, "shift", "squarings", lambda c, bits: len(c) * bits)
    count(Summands, "extend", "preparations", len)
    count(Summands, "sums", "additions", lambda positions, _: len(positions))
    return counted, calls


@pytest.mark.parametrize("sigmoid", ["linear", "cubic"])
def test_bytes_and_operations_must_be_told_within_thirty_percent(sigmoid, monkeypatch):
    tables, labels = made_case(ROWS)
    opts = options(sigmoid=sigmoid, minimum_information_value=0.0, maximum_correlation=1.0)
    counted, calls = _counting(monkeypatch)
    federated = train_federated(tables, labels, opts)
    cost = _told(opts, tables)

    sent = Counter()
    messages = Counter()
    for transcript in federated.transcripts.values():
        for _, _, name, data in transcript.messages:
            sent[name] += len(data)
            messages[name] += 1
    told = {name: size for name, size in cost.bytes.items() if name != "PaillierKey"}
    assert set(told) == set(sent)
    assert sum(told.values()) == pytest.approx(sum(sent.values()), rel=0.15)
    for name in ("EncryptedLabels", "PredictorSums", "ResidualShares"):
        assert told[name] == pytest.approx(sent[name], rel=0.05)
    assert {n: c for n, c in cost.messages.items() if n != "PaillierKey"} == messages

    operations = Counter()
    for stage in cost.stages:
        for counts in stage.values():
            operations.update(counts)
    for kind, count in counted.items():
        assert operations[kind] == pytest.approx(count, rel=0.3), kind
    called = sum((Counter(each) for each in cost.calls.values()), Counter())
    for kind in ("encryptions", "decryptions", "rerandomisations", "squarings", "additions"):
        # Those of the binning step are few, and left out.
        assert 0.5 * calls[kind] <= called[kind] <= 1.1 * calls[kind], kind
    assert cost.checkpoints == 3 + opts.epochs


def test_scoring_must_be_told_exactly():
    tables, labels = made_case(ROWS)
    federated = train_federated(tables, labels, options(bins=2))
    _, transcript = score_federated(federated.model, tables)
    cost = scoring_cost(
        rows=ROWS, active=ACTIVE, passive=PASSIVE, active_columns=3, passive_columns=4
    )
    assert sum(cost.bytes.values()) == sum(len(data) for *_, data in transcript.messages)
    assert cost.messages == {"PartialScores": 1}
