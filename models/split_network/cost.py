"""What a training will cost, told before it runs: the messages are known exactly."""

from __future__ import annotations

from models.cost import Cost, Operations
from models.split_network.messages import FRAME_ROWS
from models.split_network.options import NetworkOptions
from protocols.roles import PartyId

_SINGLE = 4


def training_cost(
    *, rows: int, options: NetworkOptions, active: PartyId, passives: tuple[PartyId, ...]
) -> Cost:
    """Return what training on ``rows`` rows costs; the networks' own work is small beside it."""
    batches = -(-rows // options.batch_rows)
    sent = rows * options.cut_units * _SINGLE
    outputs = len(passives) * (options.epochs + 1)
    messages = {
        "CutOutputs": len(passives) * (options.epochs * batches + -(-rows // FRAME_ROWS)),
        "CutGradients": len(passives) * options.epochs * batches,
    }
    # A message is its name, a length and the numbers.
    overhead = {name: count * (len(name) + 7) for name, count in messages.items()}
    looks: Operations = {"table_cells": rows * options.epochs * options.hidden_units}
    return Cost(
        bytes={
            "CutOutputs": outputs * sent + overhead["CutOutputs"],
            "CutGradients": len(passives) * options.epochs * sent + overhead["CutGradients"],
        },
        messages=messages,
        checkpoints=options.epochs + 1,
        stages=(dict.fromkeys((active, *passives), looks),),
    )
