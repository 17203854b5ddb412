"""The party's training table, made once from its purchase file and kept sealed for the job."""

from __future__ import annotations

from functools import partial

import numpy as np

from models.horizontal.splits import splits
from models.horizontal.table import CUSTOMER_BYTES, TrainingTable
from party_node.errors import JobRefused
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.work import Work
from party_node.privacy_ledger import PrivacyLedger
from party_node.purchases import training_table
from party_node.store import transaction
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.stored import Stored
from protocols.suite import Suite

_TABLE = "table"


class _KeptTable(Stored, frozen=True):
    """A :class:`TrainingTable` as it is kept between steps."""

    columns: tuple[str, ...]
    values: bytes
    labels: bytes
    customers: bytes
    source_rows: bytes

    def __repr__(self) -> str:
        return "_KeptTable(...)"

    def _is_consistent(self) -> bool:
        rows = len(self.labels)
        return (
            len(self.values) == 8 * rows * len(self.columns)
            and len(self.customers) == CUSTOMER_BYTES * rows
            and len(self.source_rows) == 8 * rows
        )

    @classmethod
    def of(cls, table: TrainingTable) -> _KeptTable:
        return cls(
            table.columns,
            table.values.astype("<f8").tobytes(),
            table.labels.tobytes(),
            np.ascontiguousarray(table.customers).tobytes(),
            table.source_rows.astype("<i8").tobytes(),
        )

    def table(self) -> TrainingTable:
        rows = len(self.labels)
        return TrainingTable(
            self.columns,
            np.frombuffer(self.values, "<f8").astype(np.float64).reshape(rows, -1),
            np.frombuffer(self.labels, np.uint8).copy(),
            np.frombuffer(self.customers, np.uint8).reshape(rows, CUSTOMER_BYTES).copy(),
            np.frombuffer(self.source_rows, "<i8").astype(np.int64),
        )


def prepare_table(context: StepContext) -> None:
    """Make the training table from the registered purchase file, if it was not made yet."""
    if context.state.get(_TABLE) is not None:
        return
    node, spec = context.node, context.spec
    registration = node.purchases(spec.party(context.party).dataset)
    rejects = node.home / "rejects"
    rejects.mkdir(exist_ok=True)
    prepared = training_table(
        registration,
        spec.purchases,
        context.suite,
        rejects / f"{spec.job_id}-{registration.name}.csv",
    )
    _check_enough(context, prepared.table)
    facts = prepared.facts
    with transaction(node.engine) as connection:
        context.state.put(connection, _TABLE, _KeptTable.of(prepared.table).to_bytes())
        context.event(
            connection,
            "dataset.prepared",
            details={
                "dataset": registration.name,
                "file_digest": facts.digest.hex(),
                "purchase_rules": spec.purchases.rules,
            },
            counts={
                "rows": facts.lines_in_file,
                "accepted": facts.lines_used,
                "rejected": sum(prepared.rejected.values()),
                "customers": facts.customers,
                "positives": facts.churned,
                "features": len(spec.purchases.columns),
            },
        )
    summary = {
        "dataset": registration.name,
        "lines": facts.lines_in_file,
        "lines_used": facts.lines_used,
        "rejected": prepared.rejected,
        "customers": facts.customers,
        "churned": facts.churned,
        "first_day": facts.first_day,
        "last_day": facts.last_day,
    }
    context.write_json("purchases.json", summary)


def _check_enough(context: StepContext, table: TrainingTable) -> None:
    """Refuse a job whose results on so few customers could not be released."""
    terms = context.spec.evaluation
    fewest = int(splits(table.customers, terms, context.suite).sum(axis=1).min())
    if fewest < terms.minimum_held_out:
        raise JobRefused(
            # How many there are would tell the coordinator how large the party is.
            f"fewer held-out customers than the {terms.minimum_held_out} needed to release any "
            "result",
            "bring more customers, or hold out a larger part",
        )


def work_of(context: StepContext) -> Work:
    """Return the job's arithmetic over this party's table."""
    data = context.state.get(_TABLE)
    if data is None:
        prepare_table(context)
        data = context.state.get(_TABLE)
    assert data is not None  # prepared just now
    return Work(
        context.spec,
        context.suite,
        _KeptTable.from_bytes(data).table(),
        _training_seed(context),
    )


def _training_seed(context: StepContext) -> bytes:
    """Return the seed of this party's batches, and of its noise where there is a budget.

    In a simulation without a budget it is no secret, so that a run can be had again and compared
    with one in the clear.
    """
    if context.node.simulated and context.spec.privacy is None:
        return simulated_seed(context.spec, context.party, context.suite)
    return context.state.seed("training")


def simulated_seed(spec: HorizontalSpec, party: str, suite: Suite) -> bytes:
    """Return the public seed of a party's batches in a simulation."""
    seed = spec.evaluation.split_seed.to_bytes(8, "big")
    return suite.hash(b"fedcrm/simulated-training/v1\x00", seed, party.encode())


def ledger_of(context: StepContext) -> PrivacyLedger | None:
    """Return the privacy ledger as this job sees it; None for a job without a budget."""
    if context.spec.privacy is None:
        return None
    recorder = partial(context.job.event, context.node, phase=context.step)
    return PrivacyLedger.of(context.spec, context.party, context.job.attempt, recorder)
