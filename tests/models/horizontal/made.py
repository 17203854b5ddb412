"""Made customers of several parties, and terms to train on them."""

from __future__ import annotations

import numpy as np

from models.horizontal.table import TrainingTable
from protocols.session.horizontal_terms import FederatedTraining, LogisticTerms, PerceptronTerms
from protocols.session.job_spec import EvaluationTerms
from protocols.suite import get_suite
from tests.fuzz.mutations import mutated, noise

SUITE = get_suite("intl")
PUBLIC_SEED = bytes(range(32))
LOGISTIC = LogisticTerms(l2="0.05")
PERCEPTRON = PerceptronTerms(hidden=(5, 3), l2="0.05")


def uniform(purpose, *shape):
    seed = SUITE.hash(purpose.encode())
    words = SUITE.stream(seed, b"made").words(int(np.prod(shape)))
    return ((words >> np.uint64(11)) * 2.0**-53).reshape(shape)


def digests(name, rows):
    joined = b"".join(SUITE.hash(f"{name}/{row}".encode()) for row in range(rows))
    return np.frombuffer(joined, np.uint8).reshape(rows, 32)


def numbered(values, labels=None):
    """A table of the given values; customers are called by their number."""
    rows, columns = values.shape
    customers = np.zeros((rows, 32), np.uint8)
    customers[:, :8] = np.arange(rows, dtype=np.int64)[:, None].view(np.uint8)
    return TrainingTable(
        tuple(f"column {number}" for number in range(columns)),
        values,
        np.ones(rows, np.uint8) if labels is None else labels,
        customers,
        np.arange(rows, dtype=np.int64),
    )


def damaged(data, other=b"", changes=150):
    """Bytes near ``data``, and some that are not: what a decoder has to refuse or to mean."""
    stream = SUITE.stream(SUITE.hash(data), b"damage")
    for number in range(changes):
        yield noise(stream) if number % 10 == 9 else mutated(data, other or data, stream)


def made_table(name, rows=60, columns=4):
    """Labels follow the first two columns, so that there is something to learn."""
    values = 20 * uniform(f"{name} values", rows, columns) - 5
    margins = 0.4 * (values[:, 0] - 5) - 0.25 * (values[:, 1] - 5)
    labels = uniform(f"{name} labels", rows) < 1 / (1 + np.exp(-margins))
    return TrainingTable(
        tuple(f"column {number}" for number in range(columns)),
        values,
        labels.astype(np.uint8),
        digests(name, rows),
        np.arange(rows, dtype=np.int64),
    )


def made_tables(parties=3, rows=60, columns=4):
    return {f"party-{n}": made_table(f"party-{n}", rows, columns) for n in range(parties)}


def seeds(tables):
    return {party: SUITE.hash(b"seed", party.encode()) for party in tables}


def evaluation(**changes):
    values = {
        "held_out_percent": 25,
        "split_seed": 7,
        "minimum_held_out": 10,
        "repeats": 2,
        "threshold": "0.5",
    }
    return EvaluationTerms(**(values | changes))


def training(**changes):
    values = {
        "strategy": "fedavg",
        "rounds": 3,
        "local_epochs": 2,
        "batch_rows": 16,
        "learning_rate": "0.1",
        "proximal": "0",
        "server_learning_rate": "1",
        "beta1": "0.9",
        "beta2": "0.99",
        "tau": "0.001",
    }
    return FederatedTraining(**(values | changes))
