"""The node's Flower ClientApp: it opens the party's home, checks the start, does the work.

Flower's processes serve one party now and another next, so nothing of a party is kept outside this
call. What the coordinator sent is a signal only: the spec must be the one this node approved, and
where the party's data lies is never taken from a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from party_node.horizontal.steps import run_step
from party_node.jobs import Job
from party_node.node import Node
from party_node.peer_channel.link import Deadlines
from party_node.phases.runner import PhaseRunner, stop_file
from party_node.reporting import Letters, answer
from protocols.session.decoded_spec import Spec
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.job_spec import JobSpec
from protocols.session.phase_report import CHUNK_TYPE, HorizontalStep, Phase

__all__ = ["AtStep", "client_app", "make_client_app", "stop_file"]

_CHUNKS = "chunks/"

AtStep: TypeAlias = Callable[[str, Phase, Mapping[str, bytes], Literal["before", "after"]], None]
"""Called with party, step and the coordinator's letters, before and after a step's work."""


def make_client_app(
    homes: Mapping[int, Path],
    meeting_place: Path,
    *,
    deadlines: Deadlines | None = None,
    at_yield: Callable[[str], None] = lambda party: None,
    at_step: AtStep = lambda party, step, letters, when: None,
) -> ClientApp:
    """Return the ClientApp of a simulation whose node ``i`` is the party at ``homes[i]``.

    ``meeting_place`` is the folder in which the parties find each other's loopback port and the
    stop file. ``at_yield`` is called with the party's id at every yield of a role, ``at_step``
    around every step of a horizontal job; what they raise is what a crash there would be.
    """
    return client_app(
        lambda context: (homes[int(context.node_config["partition-id"])], meeting_place),
        deadlines=deadlines,
        at_yield=at_yield,
        at_step=at_step,
    )


def client_app(
    place_of: Callable[[Context], tuple[Path, Path]],
    *,
    deadlines: Deadlines | None = None,
    at_yield: Callable[[str], None] = lambda party: None,
    at_step: AtStep = lambda party, step, letters, when: None,
) -> ClientApp:
    """Return the ClientApp of parties whose home and meeting place ``place_of`` tells.

    It is given Flower's context of the node, nothing of the message.
    """
    app = ClientApp()

    def serve(phase: Phase) -> Callable[[Message, Context], Message]:
        def handle(message: Message, context: Context) -> Message:
            home, meeting_place = place_of(context)
            runner = PhaseRunner(meeting_place, deadlines or Deadlines(), at_yield)
            pieces: list[bytes] = []

            def work(node: Node, job: Job[Spec], inbox: Letters, outbox: Letters) -> dict[str, Any]:
                if not isinstance(job.spec, HorizontalSpec):
                    return runner.run(node, job.of(JobSpec), phase, inbox, outbox)
                horizontal, chunks = job.of(HorizontalSpec), _chunks(message.content)
                payload, found = run_step(
                    node, horizontal, phase, inbox, outbox=outbox, chunks=chunks
                )
                pieces.extend(found)
                return payload

            letters = dict(message.content.config_records.get("inbox") or {})
            party = home.name
            at_step(party, phase, letters, "before")  # type: ignore[arg-type]
            signed, outbox = answer(home, phase, message.content, work)
            at_step(party, phase, letters, "after")  # type: ignore[arg-type]
            report = ConfigRecord(
                {"body": signed.body, "payload": signed.payload, "signature": signed.signature}
            )
            content = RecordDict({"report": report, "outbox": ConfigRecord(dict(outbox))})
            if pieces:
                content["chunks"] = _record(pieces)
            return Message(content, reply_to=message)

        return handle

    phases: tuple[Phase, ...] = ("align", "match", "score", "close")
    for phase in phases:
        app.query(phase)(serve(phase))
    app.train()(serve("train"))
    app.evaluate()(serve("evaluate"))
    for step in get_args(HorizontalStep):
        (app.train if step == "contribute" else app.query)(step)(serve(step))
    return app


def _chunks(content: RecordDict) -> dict[str, Sequence[bytes]]:
    """Return the long byte strings that came, in pieces, by name."""
    return {
        name.removeprefix(_CHUNKS): [record[key].data for key in sorted(record)]
        for name, record in content.array_records.items()
        if name.startswith(_CHUNKS)
    }


def _record(pieces: Sequence[bytes]) -> ArrayRecord:
    """Return pieces as arrays, which Flower moves one by one."""
    return ArrayRecord(
        {
            f"{i:05d}": Array("uint8", (len(piece),), CHUNK_TYPE, piece)
            for i, piece in enumerate(pieces)
        }
    )
