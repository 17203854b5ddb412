"""Two apps for the deployment's own tests: the nodes send back what they are sent, or misbehave.

The ServerApp is told what to do by the file its run names, and writes there what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from coordinator.superlink import quick_grid

_STYPE = "fedcrm.test.v1"

client = ClientApp()
server = ServerApp()


@client.query("echo")
def _echo(message: Message, context: Context) -> Message:
    """Every byte inverted, so that an answer cannot be the question."""
    arrays = message.content.array_records.get("arrays") or ArrayRecord()
    inverted = {
        name: _array(np.bitwise_not(np.frombuffer(array.data, np.uint8)).tobytes())
        for name, array in arrays.items()
    }
    told = ConfigRecord(
        {
            "home": str(context.node_config["home"]),
            "pid": os.getpid(),
            "settings": json.dumps(dict(context.run_config)),
        }
    )
    return Message(RecordDict({"arrays": ArrayRecord(inverted), "told": told}), reply_to=message)


@client.query("fail")
def _fail(message: Message, context: Context) -> Message:
    raise ValueError("a value nobody may see")


@client.query("die")
def _die(message: Message, context: Context) -> Message:
    """The first party's process is killed, the others answer."""
    if str(context.node_config["home"]).endswith("party-0"):
        os.kill(os.getpid(), signal.Signals(int(message.content.config_records["how"]["signal"])))
        time.sleep(30)
    return _echo(message, context)


@client.query("sleep")
def _sleep(message: Message, context: Context) -> Message:
    time.sleep(float(message.content.config_records["how"]["seconds"]))
    return _echo(message, context)


def _array(data: bytes) -> Array:
    return Array("uint8", (len(data),), _STYPE, data)


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Do what the file says: for each of its ``steps`` ask all ``nodes`` once.

    A step has ``query``, ``chunks``, ``chunk_bytes``, ``how`` and ``patience`` in seconds.
    """
    quick_grid.quicken()
    path = Path(str(context.run_config["job-id"]))
    order = json.loads(path.read_text())
    rounds = []
    nodes = _nodes(grid, order["nodes"])
    for number, step in enumerate(order["steps"]):
        data = [os.urandom(step["chunk_bytes"]) for _ in range(step["chunks"])]
        started = time.monotonic()
        sent = [
            Message(
                RecordDict(
                    {
                        "arrays": ArrayRecord({f"{i:04}": _array(d) for i, d in enumerate(data)}),
                        "how": ConfigRecord(step["how"]),
                    }
                ),
                dst_node_id=node,
                message_type=f"query.{step['query']}",
                ttl=300.0,
            )
            for node in nodes
        ]
        waiting = set(grid.push_messages(sent))
        (path.parent / f"{path.name}.sent").write_text(str(number))
        answers = []
        while waiting and time.monotonic() < started + step["patience"]:
            for reply in grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                answers.append(_told(reply, data) | {"after": time.monotonic() - started})
            time.sleep(0.1)
        rounds.append(
            {
                "answers": answers,
                "seconds": time.monotonic() - started,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            }
        )
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(rounds))
    fresh.replace(path.with_suffix(".done"))


def _told(reply: Message, data: list[bytes]) -> dict[str, object]:
    if reply.has_error():
        return {"error": [reply.error.code, reply.error.reason]}
    arrays = reply.content.array_records["arrays"]
    expected = [np.bitwise_not(np.frombuffer(d, np.uint8)).tobytes() for d in data]
    same = [arrays[name].data for name in sorted(arrays)] == expected
    return {"same": same, **reply.content.config_records["told"]}


def _nodes(grid: Grid, count: int) -> list[int]:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) == count:
            return nodes
        time.sleep(0.1)
    raise TimeoutError("the nodes did not appear")
