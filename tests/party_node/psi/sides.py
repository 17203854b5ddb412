"""Both sides of `fedcrm psi` in threads of this process, with tables made for a test."""

from __future__ import annotations

import csv
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from party_node.psi.meeting import Dialer
from party_node.psi.options import PsiOptions
from party_node.psi.run import Summary, run_psi
from party_node.psi.streams import CountedConnection, Deadlines
from protocols.session.psi_spec import PsiSpec
from tests.party_node.meeting import PEER, identity

SOON = Deadlines(connect_s=20, silent_s=20, message_s=20)
PARTIES = {"receiver": "bank", "sender": "retailer"}
_TAKEN: set[int] = set()


def free_port() -> int:
    """Return a port of this machine that nothing listens on, each only once."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _TAKEN:
            _TAKEN.add(port)
            return port


def write_table(
    path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("id", "note")
) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def numbered(ids: Sequence[int], side: str = "x") -> list[tuple[str, str]]:
    """Rows with an opaque identifier and something of the side's own."""
    return [(f"customer-{number:07d}", f"{side}{place}") for place, number in enumerate(ids)]


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@dataclass
class Watcher:
    """An operator who approves, or does not, and remembers what was said."""

    approves: bool = True
    said: list[str] = field(default_factory=list)
    asked: list[PsiSpec] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)

    def say(self, text: str) -> None:
        self.said.append(text)

    def connected(self, connection: CountedConnection) -> None:
        pass

    def progress(self, step: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        self.steps.add(step)

    def confirm(self, spec: PsiSpec, own: str) -> bool:
        self.asked.append(spec)
        return self.approves


def options(role: Any, table: Path, port: int, **changes: Any) -> PsiOptions:
    """What one side asks for; the receiver listens, the sender connects."""
    fields: dict[str, Any] = {
        "role": role,
        "input": table,
        "keys": ("id",),
        "kinds": ("opaque",),
        "match": "all",
        "region": "CN",
        "output": table.with_name(f"{role}-out.csv"),
        "listen": None,
        "connect": None,
        "suite": "intl",
        "protocol": "auto",
        "reveal": "list",
        "to": "both",
        "values": None,
        "purpose": "overlap",
        "basis": "none",
        "floor": 1,
        "identity": None,
        "peer": None,
        "log": None,
        "exclude": None,
        "cache": None,
        "quota": 1000,
        "rotate": False,
        "lab": True,
        "officer": None,
        "cores": 1,
        "kernels": "auto",
        "deadlines": SOON,
    }
    fields["listen" if role == "receiver" else "connect"] = f"127.0.0.1:{port}"
    return PsiOptions(**(fields | changes))


def secured(role: str, folder: Path, suite: str, number: int = 0) -> dict[str, Any]:
    """What makes a run of the bank or the retailer a real one: identity, pinned peer, log."""
    own = PARTIES[role]
    return {
        "suite": suite,
        "lab": False,
        "identity": identity(own, suite, number).public_file.parent,
        "peer": identity(PEER[own], suite, number).public_file,
        "log": folder / f"{own}-log",
    }


@dataclass
class Ending:
    """How one side ended."""

    watcher: Watcher
    summary: Summary | None = None
    error: BaseException | None = None

    @property
    def result(self) -> Summary:
        if self.error is not None:
            raise self.error
        assert self.summary is not None
        return self.summary


def run_side(asked: PsiOptions, watcher: Watcher | None = None) -> Ending:
    """Run one side in this thread."""
    ending = Ending(watcher or Watcher())
    try:
        ending.summary = run_psi(asked, ending.watcher)
    except BaseException as error:  # noqa: BLE001
        ending.error = error
    return ending


def run_both(
    receiver: PsiOptions,
    sender: PsiOptions,
    watchers: tuple[Watcher, Watcher] | None = None,
    within_s: float = 60,
) -> tuple[Ending, Ending]:
    """Run both sides at once; return how each ended."""
    endings: list[Ending | None] = [None, None]

    def run(place: int, asked: PsiOptions) -> None:
        endings[place] = run_side(asked, watchers[place] if watchers else None)

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in enumerate((receiver, sender))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within_s)
    assert not any(thread.is_alive() for thread in threads), f"a side hangs: {endings}"
    first, second = endings
    assert first is not None
    assert second is not None
    return first, second


class WrappedDialer:
    """A dialer whose connections pass through ``wrap``."""

    def __init__(
        self, inner: Dialer, wrap: Callable[[CountedConnection], CountedConnection]
    ) -> None:
        self._inner = inner
        self._wrap = wrap

    @property
    def trouble(self) -> str:
        return self._inner.trouble

    def dial(self, timeout: float) -> CountedConnection | None:
        connection = self._inner.dial(timeout)
        return None if connection is None else self._wrap(connection)

    def close(self) -> None:
        self._inner.close()
