"""Flower's real SuperLink and four SuperNodes, over TLS, with keys: what they do and refuse."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import ssl
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.log import read_events
from coordinator.superlink.gateway import CALLS, Limits
from coordinator.superlink.settings import gateway_files
from party_node.node import Node
from protocols.session.app_bundle import AppBundle
from protocols.suite import get_suite
from tests.integration.deployed import Deployment

PARTIES = 4
CHUNK_BYTES = 4 << 20
INVALID_FAB, APP_RAISED, APP_CRASHED, NODE_GONE = 7, 2, 8, 5


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A coordinator and four nodes that send back what they are sent."""
    folder = tmp_path_factory.mktemp("deployed")
    apps = {"client_app": "echo_app:client", "server_app": "echo_app:server"}
    with Deployment(folder, **apps) as deployment:
        deployment.start()
        for home in homes(deployment):
            Node.create(home, home.name, "gm", simulated=False).close()
            deployment.add_node(home)
        deployment.wait_online(PARTIES)
        yield deployment
        for home in homes(deployment):
            assert deployment.status(home) is None


def homes(deployment: Deployment) -> list[Path]:
    return [deployment.folder / f"party-{number}" for number in range(PARTIES)]


def order(deployment: Deployment, name: str, *steps: dict[str, Any]) -> Path:
    """Write down what a run is to do; without steps, one question to every node."""
    usual = {"query": "echo", "chunks": 0, "chunk_bytes": 0, "how": {}, "patience": 90}
    path = deployment.folder / name
    told = [usual | step for step in steps or ({},)]
    path.write_text(json.dumps({"nodes": PARTIES, "steps": told}))
    return path


def outcome(path: Path) -> list[dict[str, Any]]:
    """Return what came of each step of a run that has ended."""
    rounds: list[dict[str, Any]] = json.loads(path.with_suffix(".done").read_text())
    return rounds


def everybody_answers(deployment: Deployment, name: str) -> bool:
    path = order(deployment, name)
    assert deployment.run(str(path)).completed
    return [answer["same"] for answer in outcome(path)[0]["answers"]] == [True] * PARTIES


def test_chunks_of_four_megabytes_go_out_and_come_back(
    deployment: Deployment, record_property: Any
) -> None:
    path = order(deployment, "chunks.json", {"chunks": 3, "chunk_bytes": CHUNK_BYTES}, {})
    assert deployment.run(str(path)).completed
    rounds = outcome(path)
    for round_ in rounds:
        assert [answer["same"] for answer in round_["answers"]] == [True] * PARTIES
        assert {answer["home"] for answer in round_["answers"]} == set(map(str, homes(deployment)))
    record_property("seconds", [round_["seconds"] for round_ in rounds])
    record_property("server_peak_kb", rounds[0]["peak"])
    # Every message is worked on in a process of its own.
    pids = [answer["pid"] for round_ in rounds for answer in round_["answers"]]
    assert len(set(pids)) == 2 * PARTIES
    # A run's settings, which the coordinator chooses, do not reach the app.
    assert {answer["settings"] for answer in rounds[0]["answers"]} == {'{"job-id": ""}'}


def test_a_node_nobody_registered_is_refused(deployment: Deployment) -> None:
    home = deployment.folder / "stranger"
    Node.create(home, "stranger", "gm", simulated=False).close()
    deployment.add_node(home, register=False)
    deployment.wait_for(
        lambda: "does not accept this node" in deployment.log(home), "the stranger is refused"
    )
    assert deployment.online() == PARTIES
    with deployment.control() as control:
        assert len(control.nodes()) == PARTIES
    assert deployment.end(home) == 0


def test_foreign_code_is_refused_and_the_node_goes_on(deployment: Deployment) -> None:
    hostile = thief(deployment.bundle)
    path = order(deployment, "hostile.json")
    assert deployment.wait(deployment.begin(str(path), hostile)).completed
    told = outcome(path)[0]["answers"]
    assert [answer["error"][0] for answer in told] == [INVALID_FAB] * PARTIES
    for home in homes(deployment):
        assert not (home / "stolen").exists()
        assert not (home / "flower" / "apps").exists()
        assert refusals(home) == [hostile.digest]
        assert f"refused code the coordinator sent (SHA-256 {hostile.digest})" in deployment.log(
            home
        )
    assert everybody_answers(deployment, "after-hostile.json")
    assert [refusals(home) for home in homes(deployment)] == [[hostile.digest]] * PARTIES


def refusals(home: Path) -> list[str]:
    """Return the digests of the code the node's log says it refused."""
    node = Node.open(home)
    try:
        with node.engine.connect() as connection:
            events = list(read_events(connection))
    finally:
        node.close()
    return [str(e.details["code_digest"]) for e in events if e.type == "code.refused"]


def thief(installed: AppBundle) -> AppBundle:
    """Return a bundle like the installed one, with code that would take a party's key."""
    with zipfile.ZipFile(io.BytesIO(installed.content)) as archive:
        manifest = archive.read("pyproject.toml").replace(b"echo_app:client", b"thief:client")
    code = b"""
from pathlib import Path
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp
client = ClientApp()

@client.query("echo")
def steal(message, context):
    home = Path(context.node_config["home"])
    (home / "stolen").touch()
    told = ConfigRecord({"key": (home / "keys" / "signing.key").read_text()})
    return Message(RecordDict({"arrays": ArrayRecord(), "told": told}), reply_to=message)
"""
    files = {"pyproject.toml": manifest, "thief.py": code}
    sha256 = get_suite("intl").hash
    listing = "\n".join(f"{n},{sha256(d).hex()},{8 * len(d)}" for n, d in files.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in (files | {".info/CONTENT": listing.encode()}).items():
            archive.writestr(name, data)
    content = buffer.getvalue()
    return AppBundle(content, sha256(content).hex(), installed.app_id, installed.version)


@pytest.fixture(scope="module")
def faults(deployment: Deployment) -> list[list[dict[str, Any]]]:
    """One run: the app raises at every node; a task of one node is killed, one is terminated."""
    killed, terminated = (
        {"query": "die", "how": {"signal": int(number)}}
        for number in (signal.SIGKILL, signal.SIGTERM)
    )
    path = order(deployment, "faults.json", {"query": "fail"}, killed, terminated, {})
    assert deployment.run(str(path)).completed
    return [round_["answers"] for round_ in outcome(path)]


def test_an_exception_of_the_app_says_no_more_than_its_type(
    faults: list[list[dict[str, Any]]],
) -> None:
    assert [answer["error"] for answer in faults[0]] == [[APP_RAISED, "ValueError"]] * PARTIES


@pytest.mark.parametrize("step", [1, 2])
def test_a_task_that_is_killed_is_answered_for_at_once(
    faults: list[list[dict[str, Any]]], step: int
) -> None:
    """Flower by itself answers after a minute, and after SIGTERM never."""
    ended = [answer["error"] for answer in faults[step] if "error" in answer]
    assert ended == [[APP_CRASHED, "the party's process was ended"]]
    assert sum(answer.get("same", False) for answer in faults[step]) == PARTIES - 1
    assert max(answer["after"] for answer in faults[step]) < 30


def test_after_faults_every_node_answers(faults: list[list[dict[str, Any]]]) -> None:
    assert [answer["same"] for answer in faults[3]] == [True] * PARTIES


@pytest.mark.slow
def test_a_killed_supernode_comes_back(deployment: Deployment) -> None:
    first = homes(deployment)[0]
    path = order(deployment, "asleep.json", {"query": "sleep", "how": {"seconds": 3}})
    run_id = deployment.begin(str(path))
    sent = path.with_name(f"{path.name}.sent")
    deployment.wait_for(sent.exists, "the question is sent")
    time.sleep(1)  # the nodes take it up
    deployment.kill_node(first)
    assert deployment.wait(run_id).completed
    told = outcome(path)[0]["answers"]
    assert sum(answer.get("same", False) for answer in told) == PARTIES - 1
    assert [answer["error"][0] for answer in told if "error" in answer] == [NODE_GONE]
    deployment.wait_online(PARTIES)
    # It was back before the coordinator missed it, and tried until it was let in.
    assert "does not accept this node" in deployment.log(first)
    assert everybody_answers(deployment, "again.json")


@pytest.mark.slow
def test_a_killed_node_leaves_no_process_and_can_be_started_again(deployment: Deployment) -> None:
    last = homes(deployment)[-1]
    # Ended politely it says goodbye, and may come back at once.
    assert deployment.end(last) == 0
    assert deployment.online() == PARTIES - 1
    deployment.start_node(last)
    deployment.wait_online(PARTIES)
    assert "does not accept this node" not in deployment.log(last)
    processes = deployment.node_processes(last)
    deployment.end(last, signal.SIGKILL)
    deployment.wait_for(
        lambda: not any(map(alive, processes.values())), "its processes have ended", 30
    )
    deployment.start_node(last)
    deployment.wait_online(PARTIES)
    assert everybody_answers(deployment, "restarted.json")


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_home_is_served_once(deployment: Deployment) -> None:
    first = homes(deployment)[0]
    again = Deployment(deployment.folder, deployment.coordinator)
    with again:
        again.start_node(first)
        again.wait_for(lambda: again.status(first) == 1, "the second one ends")
    assert "another process serves" in deployment.log(first)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/docs",
        "/openapi.json",
        "/v1/control/list-runs",
        "/v1/control/start-run",
        "/v1/control/register-node",
        "/v1/runtime/acquire-task",
        "/v1/responses",
        "/v1/fleet/",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/get-fab",
        "/v1/fleet/../control/list-runs",
        "/v1/fleet/%2e%2e/control/list-runs",
        "/v1/fleet/..%2fcontrol%2flist-runs",
        "/v1/fleet/pull-messages/../../control/list-runs",
        "/v1/fleet/pull-messages?x=1",
        "/v1/fleet/Pull-Messages",
        "//v1/control/list-runs",
        "https://127.0.0.1/v1/control/list-runs",
    ],
)
def test_the_gateway_has_nothing_but_the_calls_of_nodes(deployment: Deployment, path: str) -> None:
    assert post(deployment, path, b"") == 404


def test_the_gateway_limits_bodies_and_asks_for_their_length(deployment: Deployment) -> None:
    path = "/v1/fleet/push-object"
    assert post(deployment, path, b"", {"Content-Length": str(Limits().body_bytes + 1)}) == 413
    assert post(deployment, path, b"0\r\n\r\n", {"Transfer-Encoding": "chunked"}) == 411


def test_calls_without_a_nodes_signature_are_refused(deployment: Deployment) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Accept": "application/x-protobuf"}
    told = {
        call: post(deployment, f"/v1/fleet/{call}", b"", headers | {"Content-Length": "0"})
        for call in sorted(CALLS)
    }
    assert set(told.values()) <= {400, 401, 415}


def post(
    deployment: Deployment, path: str, body: bytes, headers: dict[str, str] | None = None
) -> int:
    """Return the status of a POST whose path is sent as it stands."""
    host, port = deployment.gateway.split(":")
    context = ssl.create_default_context(cafile=str(gateway_files(deployment.coordinator).root))
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    try:
        connection.putrequest("POST", path, skip_accept_encoding=True)
        for name, value in (headers or {"Content-Length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_gateway_speaks_tls_1_3_alone(deployment: Deployment) -> None:
    host, port = deployment.gateway.split(":")
    context = ssl.create_default_context(cafile=str(gateway_files(deployment.coordinator).root))
    with (
        socket.create_connection((host, int(port)), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname=host) as secured,
    ):
        assert secured.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((host, int(port)), timeout=10) as raw,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(raw, server_hostname=host)


@pytest.mark.slow
def test_after_a_killed_superlink_a_new_run_works(deployment: Deployment) -> None:
    """The nodes come back by themselves; the run that was going on is over."""
    path = order(deployment, "cut.json", {"query": "sleep", "how": {"seconds": 5}, "patience": 200})
    run_id = deployment.begin(str(path))
    deployment.wait_for(path.with_name(f"{path.name}.sent").exists, "the question is sent")
    server_app = deployment.service["pids"]["superexec"]
    deployment.kill_superlink()
    assert not alive(server_app)
    assert everybody_answers(deployment, "new.json")
    ended = deployment.wait(run_id, 120)
    assert (ended.status, ended.sub_status) == ("finished", "failed")
    assert not path.with_suffix(".done").exists()
    with deployment.control() as control:
        assert list(control.nodes().values()) == ["online"] * PARTIES


def test_nothing_outlives_its_coordinator(tmp_path: Path) -> None:
    with Deployment(tmp_path) as deployment:
        deployment.start()
        pids = deployment.service["pids"]
        assert all(map(alive, pids.values()))
        deployment.end(deployment.coordinator, signal.SIGKILL)
        deployment.wait_for(lambda: not any(map(alive, pids.values())), "all have ended", 30)
    assert os.path.exists(tmp_path / "coordinator" / "flower" / "superlink.sqlite")
