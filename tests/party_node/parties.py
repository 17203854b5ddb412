"""Two parties for tests of journal, link and driver: real database, real loopback, toy protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from party_node.driver import Driver
from party_node.journal import Journal, new_job_key
from party_node.keys import create_keys, load_keys
from party_node.peer_channel import PeerLink, Session
from party_node.peer_channel.link import Deadlines
from party_node.peer_channel.loopback import LoopbackDialer
from party_node.plan import Plan, PlannedStep
from party_node.store import jobs, open_database, transaction
from protocols.roles import Progress, Receive, Role, Send
from protocols.suite import get_suite
from protocols.wire import Message

SUITE = get_suite("gm")
JOB = "job-1"
DIGEST = bytes(32)


class Number(Message):
    """The toy protocol's only message."""

    value: int
    padding: bytes


class Crash(Exception):
    """Stands for kill -9: nothing below it gets to clean up."""


def adder(peer: str, start: int, rounds: int, first: bool, seed: bytes) -> Role[int]:
    """Send and receive numbers in turn; each depends on the seed and on all received before."""
    stream = SUITE.stream(seed, b"toy")
    total = start
    for i in range(rounds):
        if first:
            yield Send(peer, Number(total % (1 << 60), stream.bytes(64)))
            reply: Number = yield Receive(peer, Number)
        else:
            reply = yield Receive(peer, Number)
            yield Send(peer, Number(total % (1 << 60), stream.bytes(64)))
        total += reply.value * (i + 1) + reply.padding[0] + stream.below(1000)
        yield Progress("adding", i + 1, rounds)
    return total


@dataclass
class Party:
    """One party: its home survives a crash, everything else is made anew by :meth:`run`."""

    name: str
    peer: str
    home: Path
    rendezvous: Path
    attempt: int = 1
    steps: int = 3
    rounds: int = 3
    deadlines: Deadlines = field(default_factory=lambda: Deadlines(10, 5))
    link_class: type[PeerLink] = PeerLink
    outcome: Any = None
    sent: list[tuple[tuple[int, int], bytes]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.home.mkdir()
        keys = create_keys(self.home / "keys", SUITE)
        with transaction(open_database(self.home / "node.sqlite")) as connection:
            connection.execute(
                insert(jobs).values(
                    job_id=JOB,
                    spec=b"",
                    approvals=b"",
                    status="running",
                    attempt=1,
                    journal_key=new_job_key(keys, JOB),
                )
            )

    def run(self, crash_at: int | None = None) -> None:
        """Run the job from the journal on; ``crash_at`` counts yields before a crash."""
        engine = open_database(self.home / "node.sqlite")
        journal = Journal(engine, load_keys(self.home / "keys", SUITE), JOB, self.attempt)
        link = self.link_class(
            self.peer,
            Session(self.name, JOB, DIGEST, self.attempt),
            LoopbackDialer(self.name, self.peer, self.rendezvous),
            journal,
            deadlines=self.deadlines,
            start_ordinal=sum(journal.begun_steps().values()),
        )
        queue = link.send
        link.send = lambda o, p, d: (self.sent.append(((o, p), d)), queue(o, p, d))[1]  # type: ignore[method-assign]
        names = [f"toy/{i}" for i in range(self.steps)]
        plan = Plan(tuple(PlannedStep(name, frozenset((self.name, self.peer))) for name in names))
        driver = Driver(
            journal,
            {self.peer: link},
            plan=plan,
            stopped=self.stop.is_set,
            on_progress=lambda *_: None,
            at_yield=_countdown(crash_at),
        )
        try:
            total = 1 if self.name < self.peer else 2
            for name in names:
                total = driver.run_step(
                    name,
                    lambda *, seed, total=total: adder(  # type: ignore[misc]
                        self.peer, total, self.rounds, self.name < self.peer, seed
                    ),
                    inputs=SUITE.hash(str(total).encode()),
                    encode_result=lambda value: str(value).encode(),
                    decode_result=int,
                )
            link.linger(self.stop.is_set)
            self.outcome = total
        except Exception as error:  # noqa: BLE001
            self.outcome = error
        finally:
            link.close()
            engine.dispose()


def _countdown(crash_at: int | None) -> Callable[[], None]:
    left = [crash_at]

    def at_yield() -> None:
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise Crash

    return at_yield


def pair(folder: Path, **settings: Any) -> tuple[Party, Party]:
    """Return two fresh parties that can meet."""
    folder.mkdir(exist_ok=True)
    bank = Party("bank", "retailer", folder / "bank", folder, **settings)
    retailer = Party("retailer", "bank", folder / "retailer", folder, **settings)
    return bank, retailer


def run_together(*runs: Callable[[], None]) -> None:
    """Run all at once and wait."""
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
