"""Pairs a role with the channel and the journal: the only place where a protocol meets the world.

The driver decodes what arrives, notes it in the journal before the role sees it, has what leaves
stored before it is sent, enforces deadlines that name the party and the step awaited, and looks at
the stop flag at every yield.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from party_node.errors import JobStopped
from party_node.journal import Journal, Outbound, Step
from party_node.outbox import Outbox
from party_node.peer_channel import PeerLink
from party_node.plan import Plan
from protocols.errors import RemoteProtocolError
from protocols.roles import Progress, Receive, ReceiveEach, Role, Send
from protocols.wire import Message, decode, encode

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class MakeRole(Protocol[T_co]):
    """Makes a step's role from the step's secret seed."""

    def __call__(self, *, seed: bytes) -> Role[T_co]:
        """Return the role, not yet started."""


class Driver:
    """Runs the steps of one phase, one generator after the other, from the journal's place on.

    A step's ordinal in the journal and on the wire is its place in ``plan``.
    """

    def __init__(
        self,
        journal: Journal,
        links: Mapping[str, PeerLink],
        *,
        plan: Plan,
        stopped: Callable[[], bool],
        on_progress: Callable[[str, int, int], None],
        at_yield: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._links = links
        self._plan = plan
        self._stopped = stopped
        self._on_progress = on_progress
        self._at_yield = at_yield

    def run_step(
        self,
        name: str,
        make_role: MakeRole[T],
        *,
        inputs: bytes,
        encode_result: Callable[[T], bytes],
        decode_result: Callable[[bytes], T],
        on_done: Callable[[Connection, T], None] | None = None,
    ) -> T:
        """Run (or replay, or skip because it is finished) a step of the plan; return its result.

        ``make_role`` gets the step's secret seed; ``inputs`` is the digest of everything else the
        role depends on; ``on_done`` writes the step's events in the transaction that finishes it.
        """
        step = self._journal.begin(self._plan.ordinal(name), name, inputs)
        if step.result is not None:
            self._acknowledge(step)
            return decode_result(step.result)
        started = time.monotonic()
        result = self._run(step, make_role(seed=step.seed))
        self._journal.finish(
            step,
            encode_result(result),
            round((time.monotonic() - started) * 1000),
            None if on_done is None else lambda connection: on_done(connection, result),
        )
        self._acknowledge(step)
        return result

    def _run(self, step: Step, role: Role[T]) -> T:
        sent: dict[str, int] = {}
        received: dict[str, int] = {}
        outbox = Outbox(self._journal, self._links)
        answer: Any = None
        try:
            while True:
                try:
                    request = role.send(answer)
                except StopIteration as stop:
                    outbox.settle()
                    return stop.value  # type: ignore[no-any-return]
                except RemoteProtocolError as error:
                    error.step = error.step or step.name
                    raise
                self._at_yield()
                if self._stopped():
                    raise JobStopped(f"stopped in step {step.name}")
                answer = None
                match request:
                    case Send(to=peer, message=message):
                        position = sent.get(peer, 0)
                        sent[peer] = position + 1
                        outbox.put(peer, Outbound(step.ordinal, position, encode(message)))
                    case Receive(from_=peer, type=type_):
                        answer = self._receive(step, received, outbox, peer, type_)
                    case ReceiveEach(parties=peers, type=type_):
                        answer = {p: self._receive(step, received, outbox, p, type_) for p in peers}
                    case Progress():
                        self._on_progress(request.step, request.done, request.total)
        finally:
            outbox.close()
            role.close()

    def _receive(
        self,
        step: Step,
        received: dict[str, int],
        outbox: Outbox,
        peer: str,
        type_: type[Message],
    ) -> Message:
        position = received.get(peer, 0)
        received[peer] = position + 1
        what = f"{type_.__name__} of step {step.name}"
        data = self._links[peer].receive(
            step.ordinal, position, what, lambda: self._stopped() or outbox.failed()
        )
        if data is None:
            if outbox.failed():
                outbox.settle()
            raise JobStopped(f"stopped in step {step.name}, waiting for {peer}")
        try:
            message = decode(data, type_)
        except RemoteProtocolError as error:
            error.party, error.step = peer, step.name
            raise
        self._journal.record_inbound(peer, step.ordinal, position, data)
        return message

    def _acknowledge(self, step: Step) -> None:
        for link in self._links.values():
            link.acknowledge(step.ordinal)
