"""Keeps the SuperLink running for as long as the gateway serves.

SuperLink and SuperExec are process groups of their own and end with this process, however this one
ends. When either ends, both are ended and started again: what was registered and what had finished
is in the database, the run that was going on is counted as failed, and the coordinator starts a
new one from the job's own state.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from starlette.concurrency import run_in_threadpool

from audit.key_files import create_secret_file
from coordinator.superlink.certificates import create_server_files
from coordinator.superlink.settings import SuperLinkSettings

_START_S = 60.0
_GRACE_S = 8.0
_TICK_S = 0.2
_FIRST_WAIT_S, _LONGEST_WAIT_S, _STABLE_S = 0.5, 30.0, 60.0
_DAYS = 3650  # a certificate for loopback; it leaves the machine with nobody
_WASTE_BYTES = 256 << 20


class SuperLinkService:
    """Runs one SuperLink; entered by the gateway's lifespan."""

    def __init__(
        self, settings: SuperLinkSettings, gateway_port: int, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._gateway_port = gateway_port
        self._say = say
        self._ending = threading.Event()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the SuperLink running inside the ``with``; nothing of it is left after."""
        settings = self._settings
        settings.folder.mkdir(mode=0o700, exist_ok=True)
        if not settings.inside.exist():
            create_server_files(
                settings.inside.folder,
                ["127.0.0.1", "localhost"],
                days=_DAYS,
                now=datetime.now(UTC),
            )
        watcher = threading.Thread(target=self._serve, name="superlink", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._ending.set()
            await run_in_threadpool(watcher.join)
            (settings.folder / "service.json").unlink(missing_ok=True)

    def _serve(self) -> None:
        wait = _FIRST_WAIT_S
        while not self._ending.is_set():
            started = time.monotonic()
            try:
                ended = self._start() or self._first_to_end()
            finally:
                self._stop()
            if self._ending.is_set():
                return
            if time.monotonic() - started > _STABLE_S:
                wait = _FIRST_WAIT_S
            self._say(f"the {ended} ended; starting again in {wait:.1f} s")
            self._ending.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def _start(self) -> str:
        """Start both; return what ended before it answered, if anything did."""
        settings = self._settings
        shrink(settings.database)
        settings.task_secret.unlink(missing_ok=True)
        create_secret_file(settings.task_secret)
        inside = settings.inside
        secret = ("--superexec-auth-secret-file", str(settings.task_secret))
        self._launch(
            "superlink",
            *("--host", "127.0.0.1", "--port", str(settings.port)),
            *("--ssl-certfile", str(inside.certificate), "--ssl-keyfile", str(inside.key)),
            *("--ssl-ca-certfile", str(inside.root)),
            *("--database", str(settings.database)),
            *("--isolation", "process", "--enable-supernode-auth"),
            *secret,
            "--disable-runtime-dependency-installation",
        )
        self._launch(
            "superexec",
            *("--runtime-api-address", f"127.0.0.1:{settings.port}"),
            *("--root-certificates", str(inside.root)),
            *secret,
        )
        self._publish()
        return self._await_health()

    def _launch(self, name: str, *arguments: str) -> None:
        self._processes[name] = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "coordinator.superlink.process", name, *arguments],
            stdin=subprocess.PIPE,  # the lifeline; nothing is written to it
            start_new_session=True,
            env=self._settings.environment(),
        )

    def _publish(self) -> None:
        """Write down for other commands on this machine where the SuperLink is."""
        path = self._settings.folder / "service.json"
        told = {
            "superlink_port": self._settings.port,
            "gateway_port": self._gateway_port,
            "pids": {name: process.pid for name, process in self._processes.items()}
            | {"coordinator": os.getpid()},
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(told))
        fresh.replace(path)

    def _await_health(self) -> str:
        give_up = time.monotonic() + _START_S
        verify = ssl.create_default_context(cafile=str(self._settings.inside.root))
        url = f"https://127.0.0.1:{self._settings.port}/health"
        with httpx.Client(verify=verify, timeout=2.0, trust_env=False) as client:
            while not self._ending.wait(_TICK_S):
                with contextlib.suppress(httpx.TransportError):
                    if client.get(url).is_success:
                        return ""
                if ended := self._ended():
                    return ended
                if time.monotonic() > give_up:
                    return "superlink"
        return ""

    def _first_to_end(self) -> str:
        while not self._ending.wait(_TICK_S):
            if ended := self._ended():
                return ended
        return ""

    def _ended(self) -> str:
        return next((n for n, p in self._processes.items() if p.poll() is not None), "")

    def _stop(self) -> None:
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


def shrink(database: Path) -> None:
    """Give back what messages left in the SuperLink's file, which never shrinks by itself."""
    if not database.exists():
        return
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        if free * page > _WASTE_BYTES:
            connection.execute("VACUUM")
