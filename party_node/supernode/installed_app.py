"""Gives Flower's SuperNode the app installed here, and refuses any other.

Flower 1.41 asks the coordinator for an app's code, unpacks it and imports it before anything that
is installed. Here the functions through which it would ask are wrapped, and no file of Flower's is
changed: the node answers the question itself. For the installed app it hands over its own bundle,
which carries no code; for any other it hands over nothing, which Flower's own check of signatures
then refuses, with an error reply to the coordinator. The node goes on.

Settings a coordinator attaches to a run never reach the app either.
"""

from __future__ import annotations

import base64
import inspect
import json
import secrets
import time
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from flwr.supercore import heartbeat
from flwr.supercore.constant import TaskType
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.fab import Fab
from flwr.supercore.primitives.asymmetric_ed25519 import create_message_to_sign
from flwr.supercore.run import Run
from flwr.supernode import fleet_http_connection, start_client_internal

from party_node.errors import NodeError
from party_node.supernode.settings import ACTIVATION_REFUSED, NOT_THE_COORDINATOR
from protocols.session.app_bundle import AppBundle
from protocols.suite import get_suite

_PARAMETERS = (
    "server_address",
    "insecure",
    "root_certificates",
    "authentication_keys",
    "max_retries",
    "max_wait_time",
)
_CALLBACKS = 7  # receive, send, get_run, get_fab, pull_object, push_object, confirm
_GET_RUN, _GET_FAB = 3, 4
_loop: Any = start_client_internal  # whose attributes are replaced
_SIGNER = "installed-here"
_HEARTBEAT_S = 10
_PULL_AGAIN_S = 0.05


def check_flower() -> None:
    """Raise :class:`NodeError` unless what is wrapped is what was examined."""
    connect = _loop.http_request_response
    try:
        parameters = tuple(inspect.signature(connect).parameters)
        (result,) = typing.get_args(typing.get_type_hints(connect)["return"])
        kinds = typing.get_args(result)
        node_id, callbacks = kinds[0], kinds[1:]
        get_run, get_fab = (typing.get_args(kinds[at]) for at in (_GET_RUN, _GET_FAB))
    except (KeyError, ValueError, IndexError, NameError, TypeError):
        parameters = ()
    if (
        parameters != _PARAMETERS
        or node_id is not int
        or len(callbacks) != _CALLBACKS
        or get_run != ([int], Run)
        or get_fab != ([str, int], Fab)
        or _loop.time is not time
    ):
        raise NodeError(
            "this version of Flower connects in another way than the one this release was "
            "examined with, so it could fetch foreign code",
            "install flwr 1.41",
        )


def install(bundle: AppBundle, trusted: Path, refused: Callable[[str], None]) -> None:
    """Make the SuperNode of this process run ``bundle`` alone.

    ``trusted`` is written: the file of keys the SuperNode is to be started with. ``refused`` is
    called with what the coordinator calls the digest of other code, each time it is offered.
    """
    check_flower()
    suite = get_suite("intl")  # Flower's signatures are Ed25519
    private, public = suite.generate_signing_key(secrets.token_bytes(32))
    trusted.write_text(f"{_SIGNER}: {_ssh(public)}\n")
    signed_at = int(time.time())
    message = create_message_to_sign(bytes.fromhex(bundle.digest), signed_at)
    signature = base64.urlsafe_b64encode(
        suite.sign(private, message, secrets.token_bytes(32))
    ).decode()
    installed = Fab(
        bundle.digest,
        bundle.content,
        {
            "valid_license": "installed",
            _SIGNER: json.dumps({"signed_at": signed_at, "signature": signature}),
        },
    )
    connect = _loop.http_request_response

    @contextmanager
    def connect_installed(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, ...]]:
        with _connected(connect, *args, **kwargs) as connection:
            get_run = connection[_GET_RUN]
            ours: set[int] = set()

            def get_installed_run(run_id: int) -> Run:
                run: Run = get_run(run_id)
                if run.fab_hash == bundle.digest and run.primary_task_type == TaskType.SERVER_APP:
                    ours.add(run_id)
                return replace(
                    run, fab_id=bundle.app_id, fab_version=bundle.version, override_config={}
                )

            def get_installed(fab_hash: str, run_id: int) -> Fab:
                if run_id in ours and fab_hash == bundle.digest:
                    return installed
                refused(fab_hash)
                return Fab(fab_hash, b"", {})

            yield (
                *connection[:_GET_RUN],
                get_installed_run,
                get_installed,
                *connection[_GET_FAB + 1 :],
            )

    _loop.http_request_response = connect_installed


@contextmanager
def _connected(connect: Any, *args: Any, **kwargs: Any) -> Iterator[tuple[Any, ...]]:
    """Connect as Flower does; end the process with a status that says why it could not."""
    connection = connect(*args, **kwargs)
    try:
        callbacks = connection.__enter__()
    except SystemExit as end:
        raise SystemExit(_status(end.__context__)) from end
    try:
        yield callbacks
    except BaseException as error:
        if not connection.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        connection.__exit__(None, None, None)


def _status(cause: BaseException | None) -> int:
    if isinstance(cause, httpx.HTTPStatusError):
        error = FlowerError.from_json(cause.response.text)
        if error is not None and error.code == ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED:
            return ACTIVATION_REFUSED
    if isinstance(cause, httpx.ConnectError) and "certificate" in str(cause).lower():
        return NOT_THE_COORDINATOR
    return 1


class Pace:
    """Stands for ``time`` in Flower's main loop, which sleeps 3 s between two questions.

    While a job runs the node asks five times a second; then ever more slowly, up to Flower's 3 s.
    """

    _BUSY_S = 0.2
    _WAITING_S = 0.05

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._active_at = clock()

    def sleep(self, seconds: float) -> None:
        """Wait at most ``seconds``: a second or more is Flower's idle wait, less awaits a reply."""
        if seconds < 1:
            self._active_at = self._clock()
            self._sleep(min(seconds, self._WAITING_S))
            return
        idle = self._clock() - self._active_at
        self._sleep(min(seconds, max(self._BUSY_S, idle / 20)))


def quicken() -> None:
    """Shorten Flower's waits in this process, where a round would otherwise spend its time.

    Between questions; for a part of a message that is still on its way; and for a node that ended
    without a word, which counts as present for two heartbeats: 20 s here, else 60.
    """
    quicken_pulls(start_client_internal, "pull_objects")
    _loop.time = Pace(time.monotonic, time.sleep)
    for module in (fleet_http_connection, heartbeat):
        if not hasattr(module, "HEARTBEAT_DEFAULT_INTERVAL"):
            raise NodeError("this version of Flower has other heartbeats", "install flwr 1.41")
        module.HEARTBEAT_DEFAULT_INTERVAL = _HEARTBEAT_S  # type: ignore[attr-defined]


def quicken_pulls(module: Any, name: str) -> None:
    """Let ``module`` ask for a missing part of a message again after 0.05 s, not after 1 s."""
    pull = getattr(module, name, None)
    if pull is None or not {"initial_backoff", "backoff_cap"} <= set(
        inspect.signature(pull).parameters
    ):
        raise NodeError("this version of Flower pulls messages otherwise", "install flwr 1.41")
    setattr(module, name, partial(pull, initial_backoff=_PULL_AGAIN_S, backoff_cap=1.0))


def _ssh(public_key: bytes) -> str:
    """Return an Ed25519 key as OpenSSH writes it (RFC 8709 §4)."""
    kind = b"ssh-ed25519"
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, public_key))
    return f"{kind.decode()} {base64.b64encode(blob).decode()}"
