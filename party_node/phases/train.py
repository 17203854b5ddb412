"""Phase ``train``: the trees grow, one checkpoint each, over encrypted gradient sums."""

from __future__ import annotations

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
from party_node.store import model_halves, transaction
from protocols.errors import LocalProtocolError
from protocols.paillier import PrivateKey, PublicKey


def train(context: PhaseContext) -> dict[str, Any]:
    """Grow every tree with the peer; store this party's half of the model, sealed."""
    training, test = split(context)
    options = TreeOptions.from_terms(context.spec.model)
    binned = learn_binning(training.table, options.bins).apply(training.table)
    if context.is_first_run:
        with transaction(context.node.engine) as connection:
            _record_start(context, connection, training, test)
    half: ActiveModel | PassiveModel
    if context.is_active:
        half = _grow_as_active(context, training, binned, options)
    else:
        half = _grow_as_passive(context, training, binned, options)
    statement = context.statement(
        "train.completed",
        details={"algorithm": context.spec.model.kind, "scheme": "paillier"},
        counts={"train": training.rows, "trees": options.trees},
    )
    context.countersign(
        "train/countersign",
        statement,
        lambda connection, signatures: _record_end(
            context, connection, half, training, (statement, signatures)
        ),
    )
    return {"trees": options.trees}


def _grow_as_active(
    context: PhaseContext, training: Part, binned: BinnedTable, options: TreeOptions
) -> ActiveModel:
    labels = training.labels
    if labels is None:
        raise LocalProtocolError("the active party's dataset has no label")
    try:
        margins = initial_margins(labels)
    except LocalProtocolError as error:
        raise JobRefused(f"{context.node.party_id}: {error}", "look at the label rule") from None
    private_key = context.driver.run_step(
        "train/keys",
        lambda seed: active_party.make_keys(
            passives=context.passives,
            suite=context.suite,
            bits=context.spec.model.paillier_bits,
            seed=seed,
        ),
        inputs=context.inputs(),
        encode_result=PrivateKey.to_bytes,
        decode_result=lambda data: PrivateKey.from_bytes(data, context.suite),
        on_done=lambda connection, key: _record_key(context, connection, key),
    )
    trees: list[ActiveTreeHalf] = []
    table_digest = context.suite.hash(_table_bytes(binned), labels.tobytes())
    for tree in range(options.trees):
        grow = partial(
            active_party.grow_tree,
            tree=tree,
            binned=binned,
            labels=labels,
            margins=margins,
            options=options,
            passives=context.passives,
            private_key=private_key,
            suite=context.suite,
        )
        result = context.driver.run_step(
            f"train/tree-{tree + 1:03d}",
            grow,
            inputs=context.inputs(table_digest, margins.tobytes()),
            encode_result=ActiveTreeResult.to_bytes,
            decode_result=ActiveTreeResult.from_bytes,
        )
        trees.append(result.half)
        margins = result.margins
    return ActiveModel(base_score(labels), binned.binning, tuple(trees))


def _grow_as_passive(
    context: PhaseContext, training: Part, binned: BinnedTable, options: TreeOptions
) -> PassiveModel:
    public_key = context.driver.run_step(
        "train/keys",
        lambda *, seed: passive_party.receive_key(
            active=context.active, suite=context.suite, bits=context.spec.model.paillier_bits
        ),
        inputs=context.inputs(),
        encode_result=PublicKey.to_bytes,
        decode_result=lambda data: PublicKey.from_bytes(data, context.suite),
    )
    table_digest = context.suite.hash(_table_bytes(binned))
    trees: list[PassiveTreeHalf] = []
    for tree in range(options.trees):
        grow = partial(
            passive_party.grow_tree,
            tree=tree,
            binned=binned,
            options=options,
            active=context.active,
            public_key=public_key,
            suite=context.suite,
        )
        half = context.driver.run_step(
            f"train/tree-{tree + 1:03d}",
            grow,
            inputs=context.inputs(table_digest),
            encode_result=PassiveTreeHalf.to_bytes,
            decode_result=PassiveTreeHalf.from_bytes,
        )
        trees.append(half)
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
    half: ActiveModel | PassiveModel,
    training: Part,
    joint: tuple[bytes, dict[str, bytes]],
) -> None:
    """Store the half and log it, in the transaction that finishes the phase's last step."""
    data = half.to_bytes()
    job_id = context.spec.job_id
    connection.execute(delete(model_halves).filter_by(job_id=job_id))
    connection.execute(
        insert(model_halves).values(
            job_id=job_id,
            sealed=seal(
                context.suite,
                context.node.keys.derived("model-halves"),
                data,
                model_purpose(job_id),
            ),
        )
    )
    terms = context.spec.model
    learned = (
        ["sums-of-gradients-per-shuffled-candidate-split", "left-rows-of-the-peers-splits"]
        if context.is_active
        else ["which-training-customers-reach-each-node", "shape-of-the-trees"]
    )
    context.event(
        connection,
        "train.completed",
        details={"algorithm": terms.kind, "scheme": "paillier", "learned": learned},
        counts={"train": training.rows, "trees": terms.trees},
        joint=joint,
    )
    context.event(
        connection,
        "model.registered",
        details={
            "algorithm": terms.kind,
            "model_id": f"{job_id}/{context.node.party_id}",
            "model_digest": context.suite.hash(data).hex(),
        },
        counts={"trees": terms.trees, "features": len(context.terms.dataset.columns)},
    )
    context.node.checkpoint(connection)


def model_purpose(job_id: str) -> bytes:
    """Return what a sealed model half is bound to."""
    return f"fedcrm/model-half/v1/{job_id}".encode()
