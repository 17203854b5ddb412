"""What the SuperNode is given in place of code the coordinator would ship."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from flwr.supercore import heartbeat
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.fab import Fab
from flwr.supercore.run import Run
from flwr.supernode import fleet_http_connection, start_client_internal

from party_node.errors import NodeError
from party_node.supernode import installed_app
from party_node.supernode.installed_app import Pace, check_flower, install, quicken
from party_node.supernode.settings import ACTIVATION_REFUSED, NOT_THE_COORDINATOR
from protocols.session.app_bundle import app_bundle

BUNDLE = app_bundle("1.2.3")
FOREIGN = "ab" * 32


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Flower's main loop; what is replaced in it is put back."""
    for module, name in [
        (start_client_internal, "http_request_response"),
        (start_client_internal, "time"),
        (start_client_internal, "pull_objects"),
        (fleet_http_connection, "HEARTBEAT_DEFAULT_INTERVAL"),
        (heartbeat, "HEARTBEAT_DEFAULT_INTERVAL"),
    ]:
        monkeypatch.setattr(module, name, getattr(module, name))
    return start_client_internal


def connecting(loop: Any, run: Run) -> Callable[..., Any]:
    """Return a stand-in for Flower's connection to a coordinator that offers ``run``."""
    original = loop.http_request_response

    @functools.wraps(original)
    @contextmanager
    def connect(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, ...]]:
        def get_fab(digest: str, run_id: int) -> Fab:
            raise AssertionError("the coordinator was asked for code")

        yield (7, "receive", "send", lambda run_id: run, get_fab, "pull", "push", "confirm")

    return connect


def offered(**what: Any) -> Run:
    run = replace(Run.create_empty(5), fab_hash=BUNDLE.digest, fab_id="x/y", fab_version="9")
    return replace(run, **what)


def answered(loop: Any, run: Run, tmp_path: Path) -> tuple[Run, Fab, list[str], dict[str, str]]:
    """Return what the main loop is told of a run and its code, and what was refused."""
    refused: list[str] = []
    loop.http_request_response = connecting(loop, run)
    trusted = tmp_path / "trusted.yaml"
    install(BUNDLE, trusted, refused.append)
    with loop.http_request_response("a", False) as connection:
        assert connection[:3] == (7, "receive", "send")
        assert connection[5:] == ("pull", "push", "confirm")
        told = connection[3](5)
        fab = connection[4](run.fab_hash, 5)
    return told, fab, refused, yaml.safe_load(trusted.read_text())


def test_the_installed_app_is_handed_over_and_passes_flowers_own_check(
    loop: Any, tmp_path: Path
) -> None:
    told, fab, refused, trusted = answered(loop, offered(override_config={"x": 1}), tmp_path)
    assert (fab.content, fab.hash_str) == (BUNDLE.content, BUNDLE.digest)
    assert fab.verifications["valid_license"]
    assert loop._verify_fab(fab, trusted)
    assert refused == []
    # Nothing of what the coordinator says of the app is left.
    assert (told.fab_id, told.fab_version, told.override_config) == ("fedcrm/fedcrm", "1.2.3", {})


@pytest.mark.parametrize(
    "what",
    [
        {"fab_hash": FOREIGN},
        {"fab_hash": ""},
        {"primary_task_type": "flwr-agentapp"},
        {"primary_task_type": ""},
    ],
)
def test_any_other_is_refused_without_content(
    loop: Any, tmp_path: Path, what: dict[str, str]
) -> None:
    _, fab, refused, trusted = answered(loop, offered(**what), tmp_path)
    assert fab.content == b""
    # Flower refuses what has no licence before it looks at anything else.
    assert not fab.verifications.get("valid_license", "")
    assert not loop._verify_fab(fab, trusted)
    assert refused == [what.get("fab_hash", BUNDLE.digest)]


def test_a_changed_bundle_does_not_pass(loop: Any, tmp_path: Path) -> None:
    _, fab, _, trusted = answered(loop, offered(), tmp_path)
    changed = app_bundle("1.2.3", client_app="thief:app")
    assert not loop._verify_fab(Fab(fab.hash_str, changed.content, fab.verifications), trusted)


def test_flower_as_installed_is_what_was_examined() -> None:
    check_flower()


def changed_result(loop: Any) -> Any:
    def connect(  # noqa: PLR0917
        server_address: str,
        insecure: bool,
        root_certificates: bytes | None = None,
        authentication_keys: Any = None,
        max_retries: int | None = None,
        max_wait_time: float | None = None,
    ) -> Iterator[tuple[int, Callable[[], None]]]:
        yield (0, lambda: None)

    return connect


def changed_parameters(loop: Any) -> Any:
    def connect(address: str) -> Iterator[tuple[int]]:
        yield (0,)

    return connect


@pytest.mark.parametrize("other", [changed_result, changed_parameters])
def test_another_flower_is_not_started(loop: Any, tmp_path: Path, other: Any) -> None:
    loop.http_request_response = other(loop)
    with pytest.raises(NodeError, match="another way") as caught:
        install(BUNDLE, tmp_path / "trusted.yaml", lambda digest: None)
    assert "1.41" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "certificate", "status"),
    [
        (ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED, False, ACTIVATION_REFUSED),
        (ApiErrorCode.FLEET_INVALID_HEARTBEAT_INTERVAL, False, 1),
        (None, True, NOT_THE_COORDINATOR),
    ],
)
def test_the_status_says_why_the_coordinator_was_not_reached(
    loop: Any, tmp_path: Path, code: int | None, certificate: bool, status: int
) -> None:
    original = loop.http_request_response

    def failure() -> Exception:
        if certificate:
            return httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
        request = httpx.Request("POST", "https://127.0.0.1/v1/fleet/activate-node")
        text = f'{{"code": {int(code or 0)}, "detail": "no", "extra": null}}'
        return httpx.HTTPStatusError(
            "no", request=request, response=httpx.Response(500, text=text, request=request)
        )

    @functools.wraps(original)
    @contextmanager
    def connect(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, ...]]:
        try:
            raise failure()
        except Exception:  # noqa: BLE001
            raise SystemExit(1)  # noqa: B904 - as Flower ends
        yield ()

    loop.http_request_response = connect
    install(BUNDLE, tmp_path / "trusted.yaml", lambda digest: None)
    with pytest.raises(SystemExit) as ended, loop.http_request_response("a", False):
        pytest.fail("it connected")
    assert ended.value.code == status


def test_an_error_inside_reaches_flowers_own_connection(loop: Any, tmp_path: Path) -> None:
    """It says goodbye to the coordinator on its way out; Flower swallows what it logs."""
    seen: list[str] = []
    original = loop.http_request_response

    @functools.wraps(original)
    @contextmanager
    def connect(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, ...]]:
        try:
            yield (7, *[None] * 7)
        except ValueError:
            seen.append("swallowed")
        finally:
            seen.append("goodbye")

    loop.http_request_response = connect
    install(BUNDLE, tmp_path / "trusted.yaml", lambda digest: None)
    with loop.http_request_response("a", False):
        raise ValueError
    with pytest.raises(SystemExit), loop.http_request_response("a", False):
        raise SystemExit(0)
    assert seen == ["swallowed", "goodbye", "goodbye"]


def test_the_pace_follows_the_work() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    pace = Pace(lambda: now[0], sleep)
    pace.sleep(3)
    assert slept == [0.2]
    now[0] += 20
    pace.sleep(3)
    assert slept[-1] > 1
    now[0] += 1000
    pace.sleep(3)
    assert slept[-1] == 3
    pace.sleep(0.5)  # an answer is awaited: work
    assert slept[-1] == 0.05
    pace.sleep(3)
    assert slept[-1] == 0.2


def test_waits_are_shortened_in_place(loop: Any) -> None:
    quicken()
    assert isinstance(loop.time, Pace)
    assert loop.pull_objects.keywords == {"initial_backoff": 0.05, "backoff_cap": 1.0}
    assert fleet_http_connection.HEARTBEAT_DEFAULT_INTERVAL == 10
    assert heartbeat.HEARTBEAT_DEFAULT_INTERVAL == 10
    assert installed_app.time is time
