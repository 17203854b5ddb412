"""Phase ``train``: the trees grow, one checkpoint each, over encrypted gradient sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert

from models.boosted_trees import active_party, passive_party
from models.boosted_trees.binning import BinnedTable, learn_binning
from models.boosted_trees.gradients import base_score, initial_margins
from models.boosted_trees.growth import ActiveTreeResult
from models.boosted_trees.model import (
    ActiveModel,
    ActiveTreeHalf,
    PassiveModel,
    PassiveTreeHalf,
)
from models.boosted_trees.options import TreeOptions
from party_node.errors import JobRefused
from party_node.keys import seal
from party_node.phases.context import PhaseContext
from party_node.phases.split import Part, split
from party_node.plan import tree_step
from party_node.store import model_halves, transaction
from protocols.errors import LocalProtocolError
from protocols.paillier import PrivateKey, PublicKey


def train(context: PhaseContext) -> dict[str, Any]:
    """Grow every tree with the peers, once per split; store this party's halves, sealed."""
    repeats = context.spec.evaluation.repeats
    options = TreeOptions.from_terms(context.spec.model)
    if context.is_first_run:
        with transaction(context.node.engine) as connection:
            _record_start(context, connection, *split(context, 0))
    grow: Callable[[int, Part], ActiveModel | PassiveModel] = (
        partial(_grow_as_active, context, options, _make_keys(context))
        if context.is_active
        else partial(_grow_as_passive, context, options, _receive_key(context))
    )
    halves: list[ActiveModel | PassiveModel] = []
    rows = 0
    for repeat in range(repeats):
        training, _ = split(context, repeat)
        rows = rows or training.rows
        halves.append(grow(repeat, training))
    statement = context.statement(
        "train.completed",
        details={"algorithm": context.spec.model.kind, "scheme": "paillier"},
        counts={"train": rows, "trees": options.trees, "rounds": repeats},
    )
    context.countersign(
        "train/countersign",
        statement,
        lambda connection, signatures: _record_end(
            context, connection, halves, rows, (statement, signatures)
        ),
    )
    return {"trees": options.trees * repeats}


def _make_keys(context: PhaseContext) -> PrivateKey:
    return context.driver.run_step(
        "train/keys",
        partial(
            active_party.make_keys,
            passives=context.passives,
            suite=context.suite,
            bits=context.spec.model.paillier_bits,
        ),
        inputs=context.inputs(),
        encode_result=PrivateKey.to_bytes,
        decode_result=lambda data: PrivateKey.from_bytes(data, context.suite),
        on_done=lambda connection, key: _record_key(context, connection, key),
    )


def _receive_key(context: PhaseContext) -> PublicKey:
    return context.driver.run_step(
        "train/keys",
        lambda *, seed: passive_party.receive_key(
            active=context.active, suite=context.suite, bits=context.spec.model.paillier_bits
        ),
        inputs=context.inputs(),
        encode_result=PublicKey.to_bytes,
        decode_result=lambda data: PublicKey.from_bytes(data, context.suite),
    )


def _grow_as_active(
    context: PhaseContext,
    options: TreeOptions,
    private_key: PrivateKey,
    repeat: int,
    training: Part,
) -> ActiveModel:
    labels = training.labels
    if labels is None:
        raise LocalProtocolError("the active party's dataset has no label")
    try:
        margins = initial_margins(labels)
    except LocalProtocolError as error:
        raise JobRefused(f"{context.node.party_id}: {error}", "look at the label rule") from None
    binned = learn_binning(training.table, options.bins).apply(training.table)
    table_digest = context.suite.hash(_table_bytes(binned), labels.tobytes())
    trees: list[ActiveTreeHalf] = []
    for tree in range(options.trees):
        result = context.driver.run_step(
            tree_step(repeat, tree),
            partial(
                active_party.grow_tree,
                tree=tree,
                binned=binned,
                labels=labels,
                margins=margins,
                options=options,
                passives=context.passives,
                private_key=private_key,
                suite=context.suite,
            ),
            inputs=context.inputs(table_digest, margins.tobytes()),
            encode_result=ActiveTreeResult.to_bytes,
            decode_result=ActiveTreeResult.from_bytes,
        )
        trees.append(result.half)
        margins = result.margins
    return ActiveModel(base_score(labels), binned.binning, tuple(trees))


def _grow_as_passive(
    context: PhaseContext,
    options: TreeOptions,
    public_key: PublicKey,
    repeat: int,
    training: Part,
) -> PassiveModel:
    binned = learn_binning(training.table, options.bins).apply(training.table)
    table_digest = context.suite.hash(_table_bytes(binned))
    trees = [
        context.driver.run_step(
            tree_step(repeat, tree),
            partial(
                passive_party.grow_tree,
                tree=tree,
                binned=binned,
                options=options,
                active=context.active,
                public_key=public_key,
                suite=context.suite,
            ),
            inputs=context.inputs(table_digest),
            encode_result=PassiveTreeHalf.to_bytes,
            decode_result=PassiveTreeHalf.from_bytes,
        )
        for tree in range(options.trees)
    ]
    return PassiveModel(binned.binning, tuple(trees))


def _table_bytes(binned: BinnedTable) -> bytes:
    return b"".join(codes.tobytes() for codes in binned.codes)


def _record_start(
    context: PhaseContext, connection: Connection, training: Part, test: Part
) -> None:
    terms = context.spec.model
    context.event(
        connection,
        "train.started",
        details={
            "algorithm": terms.kind,
            "scheme": "paillier",
            "learning_rate": terms.learning_rate,
            "l2": terms.l2,
            "first_tree_active_only": terms.first_tree_active_only,
            "protections_on": True,
            "dp_used": False,
            "parties": [p.party_id for p in context.spec.parties],
        },
        counts={
            "rows": training.rows + test.rows,
            "train": training.rows,
            "held_out": test.rows,
            "features": len(context.terms.dataset.columns),
            "trees": terms.trees,
            "depth": terms.depth,
            "bins": terms.bins,
            "minimum_bin_count": terms.minimum_bin_count,
            "key_bits": terms.paillier_bits,
        },
    )


def _record_key(context: PhaseContext, connection: Connection, key: PrivateKey) -> None:
    modulus = key.public_key.to_bytes()
    context.event(
        connection,
        "he.key_generated",
        details={"scheme": "paillier", "key_id": context.suite.hash(modulus).hex()[:32]},
        counts={"key_bits": context.spec.model.paillier_bits},
    )


def _record_end(
    context: PhaseContext,
    connection: Connection,
    halves: list[ActiveModel | PassiveModel],
    rows: int,
    joint: tuple[bytes, dict[str, bytes]],
) -> None:
    """Store the halves and log them, in the transaction that finishes the phase's last step."""
    job_id, terms = context.spec.job_id, context.spec.model
    learned = (
        ["sums-of-gradients-per-shuffled-candidate-split", "left-rows-of-the-peers-splits"]
        if context.is_active
        else ["which-training-customers-reach-each-node", "shape-of-the-trees"]
    )
    context.event(
        connection,
        "train.completed",
        details={"algorithm": terms.kind, "scheme": "paillier", "learned": learned},
        counts={"train": rows, "trees": terms.trees, "rounds": len(halves)},
        joint=joint,
    )
    key = context.node.keys.derived("model-halves")
    connection.execute(delete(model_halves).filter_by(job_id=job_id))
    for repeat, half in enumerate(halves):
        data = half.to_bytes()
        sealed = seal(context.suite, key, data, model_purpose(job_id, repeat))
        connection.execute(insert(model_halves).values(job_id=job_id, repeat=repeat, sealed=sealed))
        context.event(
            connection,
            "model.registered",
            details={
                "algorithm": terms.kind,
                "model_id": f"{job_id}/{context.node.party_id}/{repeat + 1}",
                "model_digest": context.suite.hash(data).hex(),
            },
            counts={"trees": terms.trees, "features": len(half.binning.columns)},
        )
    context.node.checkpoint(connection)


def model_purpose(job_id: str, repeat: int) -> bytes:
    """Return what a sealed model half is bound to."""
    return f"fedcrm/model-half/v1/{job_id}/{repeat}".encode()
