"""Keeps a node's two Flower processes running: the SuperNode, and the runner of its tasks.

Each is a process group of its own and ends with this process, however this one ends. When either
ends, both are ended and started again: a SuperNode without its runner would wait for an answer
that cannot come. A node that comes back too soon is refused while the coordinator still counts it
as present, so that is tried again for a while before it is an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import FrameType

import msgspec

from audit.key_files import create_secret_file
from party_node.errors import NodeError
from party_node.supernode.node_key import node_public_key
from party_node.supernode.settings import (
    ACTIVATION_REFUSED,
    NOT_THE_COORDINATOR,
    SuperNodeSettings,
    encode,
)

_PATIENCE_S = 90.0
"""How long a coordinator may count a node as present that was killed; Flower's own is 60 s."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
_STABLE_S = 60.0
_GRACE_S = 12.0  # Flower ends by force 5 s after it began to end
_TICK_S = 0.2
_CLOCK = ", as it does when the coordinator refuses its signature of the time: compare the clocks"


class Supervisor:
    """Serves one node's home; one object, one :meth:`run`."""

    def __init__(
        self, settings: SuperNodeSettings, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._say = say
        self._clock = clock
        self._ending = Event()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises :class:`NodeError` when that is no longer possible.

        The SuperNode takes its leave of the coordinator before this returns.
        """
        settings = self._settings
        node_public_key(settings.node_key)
        settings.folder.mkdir(mode=0o700, exist_ok=True)
        if settings.folder.stat().st_mode & 0o077:
            raise NodeError(
                f"{settings.folder} is open to others", f"run: chmod 700 {settings.folder}"
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_end)
        with _only_one(settings.folder / "lock"):
            try:
                self._serve()
            finally:
                self._stop()
                (settings.folder / "processes.json").unlink(missing_ok=True)

    def _serve(self) -> None:
        wait = _FIRST_WAIT_S
        refused_since: float | None = None
        while not self._ending.is_set():
            started = self._clock()
            self._start()
            name, status = self._first_to_end()
            self._stop()
            if self._ending.is_set():
                return
            if status == NOT_THE_COORDINATOR:
                raise NodeError(
                    f"{self._settings.coordinator} shows a certificate that "
                    f"{self._settings.root_certificate} did not sign",
                    "ask the coordinator for its present root certificate; if it is the same, "
                    "somebody else answers",
                )
            if status == ACTIVATION_REFUSED:
                refused_since = started if refused_since is None else refused_since
                if self._clock() - refused_since > _PATIENCE_S:
                    raise NodeError(
                        "the coordinator does not accept this node's key",
                        "ask its operator to register the key `fedcrm node key` shows; if it is "
                        "registered, another SuperNode with the same key is running",
                    )
                self._say("the coordinator does not accept this node yet; trying again")
                self._ending.wait(_FIRST_WAIT_S)
                continue
            refused_since = None
            if self._clock() - started > _STABLE_S:
                wait = _FIRST_WAIT_S
            why = _CLOCK if (name, status) == ("SuperNode", 0) else ""
            self._say(f"the {name} ended with status {status}{why}; again in {wait:.0f} s")
            self._ending.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def _start(self) -> None:
        settings = msgspec.structs.replace(self._settings, runtime_port=_free_port())
        settings.task_secret.unlink(missing_ok=True)
        create_secret_file(settings.task_secret)
        for name, module in (("SuperNode", "process"), ("task runner", "task_runner")):
            self._processes[name] = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", f"party_node.supernode.{module}", encode(settings)],
                stdin=subprocess.PIPE,  # the lifeline; nothing is written to it
                start_new_session=True,
                env=settings.environment(),
            )
        pids = {name: process.pid for name, process in self._processes.items()}
        _write_whole(settings.folder / "processes.json", json.dumps(pids | {"node": os.getpid()}))

    def _first_to_end(self) -> tuple[str, int]:
        while not self._ending.wait(_TICK_S):
            for name, process in self._processes.items():
                status = process.poll()
                if status is not None:
                    return name, status
        return "", 0

    def _stop(self) -> None:
        """End both, and whatever they started; the SuperNode may say goodbye first."""
        for process in self._processes.values():
            process.terminate()
        give_up = time.monotonic() + _GRACE_S
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, give_up - time.monotonic()))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin:
                process.stdin.close()
        self._processes.clear()

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ending.set()


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold ``path`` locked: two SuperNodes of one home would shut each other out."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NodeError(
                f"another process serves {path.parent.parent} already", "end that one first"
            ) from None
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_whole(path: Path, text: str) -> None:
    """Replace ``path``: whoever reads it sees the old text or the new, never a part."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
