"""A side that dies at a chosen moment: what is on its disk then is all that is left of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from party_node.peer_channel.transport import ConnectionLost
from party_node.psi import door, match_vole, run, setting_out
from party_node.psi.meeting import Dialer
from party_node.psi.options import PsiOptions
from party_node.psi.run_state import RunState
from party_node.psi.streams import CountedConnection


class Killed(BaseException):
    """Stands for kill -9: nothing below it gets to say goodbye."""


@dataclass
class Victim:
    """One side's process: it counts what it does, and dies at the ``dies_at``-th of these."""

    role: str
    dies_at: int | None = None
    moments: list[str] = field(default_factory=list)
    dead: bool = False
    deaths: int = 0
    buckets: list[int] = field(default_factory=list)
    """The buckets that were run, in order, in this life."""
    saved: set[int] = field(default_factory=set)
    """The parts whose results are on its disk."""
    _lock: Any = field(default_factory=threading.Lock)

    def moment(self, name: str) -> None:
        """Something happens; after the last moment nothing does."""
        with self._lock:
            if self.dead:
                raise Killed
            self.moments.append(name)
            if self.dies_at is not None and len(self.moments) > self.dies_at:
                self.dead = True
                raise Killed

    def reborn(self) -> None:
        """The process is started again."""
        self.dead, self.dies_at, self.buckets = False, None, []
        self.deaths += 1


class _Line:
    """A connection that goes down with its process."""

    def __init__(self, inner: CountedConnection, victim: Victim) -> None:
        self._inner = inner
        self._victim = victim

    @property
    def bytes_sent(self) -> int:
        return self._inner.bytes_sent

    @property
    def bytes_received(self) -> int:
        return self._inner.bytes_received

    def _passed(self, name: str) -> None:
        try:
            self._victim.moment(name)
        except Killed:
            self._inner.close()
            raise ConnectionLost("killed") from None

    def send(self, frame: bytes) -> None:
        heartbeat = frame[0] == 1  # depends on the clock: no moment of the run
        if heartbeat and not self._victim.dead:
            self._inner.send(frame)
            return
        self._passed("send")
        self._inner.send(frame)

    def receive(self, timeout: float) -> bytes | None:
        frame = self._inner.receive(timeout)
        if frame is not None and frame[0] != 1:
            self._passed("receive")
        return frame

    def close(self) -> None:
        self._inner.close()


class _Dialer:
    def __init__(self, inner: Dialer, victim: Victim) -> None:
        self._inner = inner
        self._victim = victim

    @property
    def trouble(self) -> str:
        return self._inner.trouble

    def dial(self, timeout: float) -> CountedConnection | None:
        if self._victim.dead:
            raise Killed
        connection = self._inner.dial(timeout)
        return None if connection is None else _Line(connection, self._victim)

    def close(self) -> None:
        self._inner.close()


@contextlib.contextmanager
def victims(*those: Victim) -> Iterator[None]:
    """Let the sides of these roles be theirs: connections, files and buckets are moments."""
    by_role = {victim.role: victim for victim in those}
    with pytest.MonkeyPatch.context() as patch:
        _wrap_the_door(patch, by_role)
        _wrap_the_disk(patch, by_role)
        _wrap_the_buckets(patch, by_role)
        yield


def _wrap_the_door(patch: pytest.MonkeyPatch, by_role: dict[str, Victim]) -> None:
    original = door.open_door

    def open_door(asked: PsiOptions, say: Any) -> Any:
        made = original(asked, say)
        return replace(made, dialer=_Dialer(made.dialer, by_role[asked.role]))

    patch.setattr(setting_out, "open_door", open_door)


def _wrap_the_disk(patch: pytest.MonkeyPatch, by_role: dict[str, Victim]) -> None:
    def role_of(state: RunState) -> str:
        return state.folder.name.rpartition("-")[2]

    for name in ("save_part", "_write", "destroy"):
        original = getattr(RunState, name)

        def method(self: RunState, *arguments: Any, _name: str = name, _do: Any = original) -> Any:
            by_role[role_of(self)].moment(f"before {_name}")
            done = _do(self, *arguments)
            if _name == "save_part":
                by_role[role_of(self)].saved.add(arguments[0])
            if _name != "destroy":  # after that, only the exit is left
                by_role[role_of(self)].moment(f"after {_name}")
            return done

        patch.setattr(RunState, name, method)
    release = run._release

    def released(ready: Any, rows: Any) -> None:
        by_role[ready.options.role].moment("before release")
        release(ready, rows)
        by_role[ready.options.role].moment("after release")

    patch.setattr(run, "_release", released)


def _wrap_the_buckets(patch: pytest.MonkeyPatch, by_role: dict[str, Victim]) -> None:
    match = match_vole._match_bucket

    def match_bucket(table: Any, part: int, bucket: int, *more: Any) -> None:
        by_role[table.role].buckets.append(bucket)
        match(table, part, bucket, *more)

    patch.setattr(match_vole, "_match_bucket", match_bucket)
