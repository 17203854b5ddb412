"""Runs a SuperNode's tasks, each in a fork of this process, which has imported everything once.

Flower's own runner starts Python anew for every message, several seconds each, and takes tasks of
every kind. This one takes ClientApp tasks alone, one at a time as the SuperNode hands them out.
No thread may exist before the fork, so nothing here starts one: neither the imports (checked), nor
the wait, which is a ``select`` on the supervisor's lifeline.

Started by the supervisor: ``python -m party_node.supernode.task_runner SETTINGS``.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

import httpx
from flwr.clientapp import ClientApp
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.auth import load_superexec_auth_secret
from flwr.supercore.constant import TaskType
from flwr.supercore.interceptors import (
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.runtime import run_clientapp

from party_node import kernel_cache
from party_node.supernode import lifeline
from party_node.supernode.installed_app import quicken_pulls
from party_node.supernode.settings import SuperNodeSettings, decode
from party_node.supernode.task import answer_for, run_task

_POLL_S = 0.1
_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_ANSWERED = b"\x01"


class _Ended(Exception):
    """The supervisor has gone, or asked for the end."""


class TaskRunner:
    """Takes tasks and forks for each; :meth:`serve` returns when it is told to end."""

    def __init__(self, settings: SuperNodeSettings, app: ClientApp) -> None:
        self._address = settings.runtime_address
        self._app = app
        self._child = 0
        self._ending = False
        # Closed by the kernel when this process ends: then its child ends too.
        self._life, self._keep = os.pipe()
        self._client = RuntimeHttpClient.from_server_address(
            server_address=settings.runtime_address,
            insecure=True,
            root_certificates=None,
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperExec"),
                SuperExecAuthHttpInterceptor(
                    master_secret=load_superexec_auth_secret(str(settings.task_secret)) or b"",
                    protected_methods={_ACQUIRE},
                ),
            ],
        )

    def serve(self) -> None:
        """Run tasks until SIGTERM or the supervisor's end; nothing of a task is left after it."""
        signal.signal(signal.SIGTERM, self._on_end)
        signal.signal(signal.SIGINT, self._on_end)
        try:
            while True:
                token = self._acquire()
                if token:
                    self._run(token)
                else:
                    self._wait(_POLL_S)
        except _Ended:
            self._kill_child()

    def _acquire(self) -> str:
        """Return the token of a task that waits, or nothing."""
        try:
            answer = self._client.AcquireTask(
                AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP])
            )
        except httpx.TransportError:
            return ""  # the SuperNode is still starting, or ending; its supervisor knows
        return answer.token if answer.HasField("task") else ""

    def _run(self, token: str) -> None:
        envelope, answered, status = self._in_child(
            lambda tell: run_task(
                self._address,
                token,
                self._app,
                received=lambda data: tell(len(data).to_bytes(4, "big") + data),
                answered=lambda: tell(_ANSWERED),
            )
        )
        if status == 0:
            return
        sys.stderr.write(f"error: the process of a task ended with status {status}\n")
        if envelope and not answered:
            self._in_child(lambda _: answer_for(self._address, token, envelope))

    def _in_child(self, work: Callable[[Callable[[bytes], None]], None]) -> tuple[bytes, bool, int]:
        """Do ``work`` in a fork; return the envelope it told of, whether it answered, its status.

        A status is that of ``os.waitstatus_to_exitcode``: negative for a signal.
        """
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            self._as_child(told, tell, work)
        os.close(tell)
        self._child = child
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(child, child)  # both sides do it: neither knows which is first
        data = b""
        try:
            while True:
                ready = self._wait(_POLL_S, told)
                part = os.read(told, 1 << 16) if ready else b""
                data += part
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    break
                if ready and not part:
                    ended, status = os.waitpid(child, 0)
                    break
        finally:
            os.close(told)
        self._kill_child()  # whatever it started itself
        self._child = 0
        length = int.from_bytes(data[:4], "big") if len(data) >= 4 else 0
        envelope = data[4 : 4 + length]
        return envelope, data[4 + length :] == _ANSWERED, os.waitstatus_to_exitcode(status)

    def _as_child(
        self, told: int, tell: int, work: Callable[[Callable[[bytes], None]], None]
    ) -> None:
        """What the fork does; it never returns."""
        status = 1
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.close(told)
            os.close(self._keep)
            lifeline.end_with(self._life, signal.SIGKILL)
            work(lambda data: _write(tell, data))
            status = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc(file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _wait(self, seconds: float, descriptor: int | None = None) -> bool:
        """Wait for ``descriptor``; return whether it can be read. Raises when all is to end."""
        lifeline_end = sys.stdin.fileno()
        watched = [lifeline_end] if descriptor is None else [lifeline_end, descriptor]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._ending or lifeline_end in ready:
            raise _Ended
        return descriptor in ready

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ending = True

    def _kill_child(self) -> None:
        if self._child:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, 0)


def load_app(reference: str) -> ClientApp:
    """Import the ClientApp ``module:attribute`` names, and all it needs; no thread may result."""
    module, _, attribute = reference.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    if not isinstance(app, ClientApp):
        raise TypeError(f"{reference} is not a ClientApp")
    if threading.active_count() != 1:
        raise RuntimeError(f"importing {reference} started a thread, so it cannot be forked")
    return app


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    given = decode(sys.argv[1])
    kernel_cache.prepare()
    quicken_pulls(run_clientapp, "pull_and_inflate_object_from_tree")
    TaskRunner(given, load_app(given.client_app)).serve()
