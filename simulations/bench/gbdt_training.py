"""One side of a measured training: its node's own driver, journal and learner, over the channel."""

from __future__ import annotations

import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from models.table import ColumnKind
from party_node.driver import Driver
from party_node.jobs import Job, load
from party_node.journal import Journal
from party_node.learning import learner_for
from party_node.node import Node
from party_node.peer_channel import PeerLink, Session
from party_node.peer_channel.certificates import load_identity, load_peer
from party_node.peer_channel.framed_stream import FramedConnection
from party_node.peer_channel.gm_connection import GmConnection
from party_node.peer_channel.link import Deadlines
from party_node.peer_channel.secure import SecureDialer
from party_node.peer_channel.tcp import parse_address
from party_node.phases.context import PhaseContext
from party_node.plan import KEYS_STEP, Plan, predict_step
from party_node.store import journal_steps
from protocols.paillier import PrivateKey, PublicKey
from protocols.roles import Role
from protocols.session.job_spec import JobSpec
from protocols.session.model_terms import TreeTerms
from simulations.bench.gbdt_job import JOB, open_node
from simulations.bench.gbdt_tables import read_side

_DEADLINES = Deadlines(message_s=3600.0, reconnect_s=60.0)


class SideOptions(msgspec.Struct, frozen=True):
    """What one process is told; files and folders as text."""

    side: str
    node: str
    """Home of the node, see :func:`simulations.bench.gbdt_job.set_up_job`."""
    identity: str
    peer_identity: str
    listens: bool
    address: str
    file: str
    """This side's file of :func:`simulations.bench.gbdt_tables.join_files`."""
    kinds: dict[str, ColumnKind]
    kernels: str
    half: str
    """Where this side's half of the model goes, as the learner gives it."""


def run_side(options: SideOptions, at_yield: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Train from the journal's place on and predict the held-out rows; return what it took.

    The times are from the moment both sides are connected until this side has the last tree.
    ``at_yield`` is called at every yield of a role.
    """
    training, held_out = read_side(Path(options.file), options.kinds)
    node = open_node(Path(options.node), options.kernels)
    job = load(node, JOB).of(JobSpec)
    journal = Journal(node.engine, node.keys, JOB, job.attempt)
    begun = journal.begun_steps()
    plan = Plan.of(job.spec)
    link = _CountingLink(options, node, job, journal, _first_open(plan, options.side, begun))
    try:
        driver = Driver(
            journal,
            {link.peer: link},
            plan=plan,
            stopped=lambda: False,
            on_progress=lambda *_: None,
            at_yield=at_yield,
        )
        context = PhaseContext(node, job, "train", journal, driver, not begun, {})
        learner = learner_for(context, job.spec.model.kind)
        link.wait_until_connected()
        started, cpu, sent = time.monotonic(), time.process_time(), link.bytes_on_the_wire
        learner.set_up()
        half = learner.fit(0, training)
        report = {
            "started": started,
            "ended": time.monotonic(),
            "cpu_s": time.process_time() - cpu,
            "bytes_sent": link.bytes_on_the_wire - sent,
            "bytes_by_type": dict(link.bytes_by_type),
            "kernels": node.keys.suite.kernels,
            "mode": _mode(context),
        }
        Path(options.half).write_bytes(half)
        predictions = learner.predict(predict_step(0), half, held_out)
        link.linger(lambda: False)
        report["steps_ms"] = _steps(node.engine)
    finally:
        link.close()
        node.close()
    report["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if predictions is not None:
        report["scores"] = predictions.probabilities.tolist()
    return report


def _mode(context: PhaseContext) -> str:
    """Return how this side's key computes, from the result of the key step, which is finished."""
    terms = context.training_terms
    assert isinstance(terms, TreeTerms)

    def mode(data: bytes) -> str:
        if context.is_active:
            return PrivateKey.from_bytes(
                data, context.suite, randomness=terms.paillier_randomness
            ).mode
        return PublicKey.from_bytes(data, context.suite).mode

    return context.driver.run_step(
        KEYS_STEP,
        _run_already,
        inputs=context.inputs(),
        encode_result=str.encode,
        decode_result=mode,
    )


def _run_already(*, seed: bytes) -> Role[str]:
    raise AssertionError("the key step is finished")


def _first_open(plan: Plan, side: str, begun: Mapping[int, bool]) -> int:
    """Return the place of the first step of training or after it that has no result yet."""
    train = plan.ordinal(KEYS_STEP)
    return next(i for i in plan.of_party(side) if i >= train and not begun.get(i))


class _CountingLink(PeerLink):
    """A link over the secure channel that counts what is sent."""

    def __init__(
        self,
        options: SideOptions,
        node: Node,
        job: Job[JobSpec],
        journal: Journal,
        start_ordinal: int,
    ) -> None:
        digest = job.spec.digest(node.keys.suite)
        peer = load_peer(Path(options.peer_identity))
        self._counting = _CountingDialer(
            SecureDialer(
                parse_address(options.address),
                load_identity(Path(options.identity)),
                peer,
                listens=options.listens,
                spec_digest=digest,
                attempt=job.attempt,
            )
        )
        self.bytes_by_type: Counter[str] = Counter()
        super().__init__(
            peer.name,
            Session(options.side, JOB, digest, job.attempt),
            self._counting,
            journal,
            deadlines=_DEADLINES,
            start_ordinal=start_ordinal,
        )

    def send(self, ordinal: int, position: int, data: bytes) -> None:
        """Queue a message, and count its bytes under its type."""
        name, *_ = msgspec.msgpack.decode(data, type=list[msgspec.Raw])
        self.bytes_by_type[msgspec.msgpack.decode(name, type=str)] += len(data)
        super().send(ordinal, position, data)

    @property
    def bytes_on_the_wire(self) -> int:
        """Bytes given to TCP so far, those of TLS and of the gm channel among them."""
        return sum(connection.bytes_sent for connection in self._counting.connections)

    def wait_until_connected(self) -> None:
        """Wait for the first connection, as long as a job waits for a lost one."""
        self._counting.connected.wait(_DEADLINES.reconnect_s)


class _CountingDialer:
    """Remembers the connections of a dialer."""

    def __init__(self, inner: SecureDialer) -> None:
        self._inner = inner
        self.connections: list[FramedConnection | GmConnection] = []
        self.connected = threading.Event()

    def dial(self, timeout: float) -> FramedConnection | GmConnection | None:
        """Return what the dialer returns."""
        connection = self._inner.dial(timeout)
        if connection is not None:
            self.connections.append(connection)
            self.connected.set()
        return connection

    def close(self) -> None:
        """Stop listening."""
        self._inner.close()


def _steps(engine: Engine) -> dict[str, int]:
    """Return how long each step of the training took, in milliseconds."""
    steps = journal_steps.c
    with engine.connect() as connection:
        rows = connection.execute(select(steps.name, steps.wall_ms).order_by(steps.ordinal))
        return {name: wall_ms for name, wall_ms in rows if name.startswith("train/")}
