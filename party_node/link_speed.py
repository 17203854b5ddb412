"""How long messages take between two parties on this machine, journals and all.

Two throw-away nodes with databases of their own, joined by the loopback channel and driven as the
nodes of a job are, play three made-up protocols: short answers in turn, a stream of long frames,
and steps without a message.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from party_node.driver import Driver, MakeRole
from party_node.journal import Journal, new_job_key
from party_node.keys import create_keys
from party_node.peer_channel import PeerLink, Session
from party_node.peer_channel.link import Deadlines
from party_node.peer_channel.loopback import LoopbackDialer
from party_node.plan import Plan, PlannedStep
from party_node.store import jobs, open_database, transaction
from protocols.roles import Receive, Role, Send
from protocols.suite import Suite
from protocols.wire import Message

FRAME_BYTES = 1 << 19
"""A long frame, as a party sends encrypted gradients."""

_TURNS = 40
_FRAMES = 24
_STEPS = 20
_JOB = "link-speed"
_DEADLINES = Deadlines(message_s=60, reconnect_s=30)


@dataclass(frozen=True)
class LinkSpeed:
    """What messages and checkpoints cost, beside the work they carry."""

    seconds_per_message: float
    """From one party's sending to the other's having it, both journals written."""
    seconds_per_byte: float
    """Of a long stream: sealed and stored by one party, carried, checked by the other."""
    seconds_per_checkpoint: float
    """A step's beginning and end in the journal."""


class _Filling(Message, frozen=True):
    data: bytes


def measure_link(suite: Suite, folder: Path) -> LinkSpeed:
    """Return the speed of messages between two nodes whose databases are on ``folder``'s disk.

    Takes about a second; everything it writes is deleted.
    """
    with TemporaryDirectory(dir=folder, prefix="link-speed-") as made:
        turns, frames, steps = _play(suite, Path(made))
    per_message = turns / (2 * _TURNS)
    carried = frames - (_FRAMES + 1) * per_message
    return LinkSpeed(per_message, max(0.0, carried) / (_FRAMES * FRAME_BYTES), steps / _STEPS)


def _play(suite: Suite, folder: Path) -> tuple[float, float, float]:
    """Return the seconds of all turns, of all frames and of all empty steps."""
    walls: dict[str, list[float]] = {}
    failures: list[BaseException] = []

    def run(party: str, peer: str) -> None:
        try:
            walls[party] = _run(suite, folder, party, peer)
        except BaseException as error:  # noqa: BLE001 - it must reach the caller's thread
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in (("first", "second"), ("second", "first"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    turns, frames, steps = walls["first"]
    return turns, frames, steps


def _run(suite: Suite, folder: Path, party: str, peer: str) -> list[float]:
    home = folder / party
    keys = create_keys(home / "keys", suite)
    engine = open_database(home / "node.sqlite")
    with transaction(engine) as connection:
        connection.execute(
            insert(jobs).values(
                job_id=_JOB,
                spec=b"",
                approvals=b"",
                status="running",
                attempt=1,
                journal_key=new_job_key(keys, _JOB),
            )
        )
    journal = Journal(engine, keys, _JOB, 1)
    session = Session(party, _JOB, bytes(suite.digest_bytes), 1)
    dialer = LoopbackDialer(party, peer, folder)
    link = PeerLink(peer, session, dialer, journal, deadlines=_DEADLINES, start_ordinal=0)
    names = ["meet", "turns", "frames", *(f"empty-{i}" for i in range(_STEPS))]
    both = frozenset((party, peer))
    driver = Driver(
        journal,
        {peer: link},
        plan=Plan(tuple(PlannedStep(name, both) for name in names)),
        stopped=lambda: False,
        on_progress=lambda *_: None,
    )

    def step(name: str, make_role: MakeRole[None]) -> None:
        driver.run_step(
            name,
            make_role,
            inputs=bytes(suite.digest_bytes),
            encode_result=lambda _: b"",
            decode_result=lambda _: None,
        )

    is_first = party < peer
    walls = []
    try:
        step("meet", partial(_turns, peer, is_first, 1))
        started = time.perf_counter()
        step("turns", partial(_turns, peer, is_first, _TURNS))
        walls.append(time.perf_counter() - started)
        started = time.perf_counter()
        step("frames", partial(_frames, peer, is_first))
        walls.append(time.perf_counter() - started)
        started = time.perf_counter()
        for name in names[3:]:
            step(name, _nothing)
        walls.append(time.perf_counter() - started)
        link.linger(lambda: False)
    finally:
        link.close()
        engine.dispose()
    return walls


def _turns(peer: str, is_first: bool, turns: int, *, seed: bytes) -> Role[None]:
    del seed  # nothing here is secret
    for _ in range(turns):
        if is_first:
            yield Send(peer, _Filling(bytes(64)))
        yield Receive(peer, _Filling)
        if not is_first:
            yield Send(peer, _Filling(bytes(64)))


def _frames(peer: str, is_first: bool, *, seed: bytes) -> Role[None]:
    del seed
    if not is_first:
        for _ in range(_FRAMES):
            yield Receive(peer, _Filling)
        yield Send(peer, _Filling(b""))
        return
    for _ in range(_FRAMES):
        # Fresh every time, as ciphertexts are: neither a disk nor a cache may know it.
        yield Send(peer, _Filling(secrets.token_bytes(FRAME_BYTES)))
    yield Receive(peer, _Filling)


def _nothing(*, seed: bytes) -> Role[None]:
    del seed
    return
    yield
