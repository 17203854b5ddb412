"""The gateway in front of a server that is not there, does not answer, or answers at length."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from coordinator.superlink.certificates import ServerFiles, create_server_files
from coordinator.superlink.gateway import Limits, Upstream, gateway

CALL = "/v1/fleet/push-object"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    folder = tmp_path_factory.mktemp("tls")
    return create_server_files(folder, ["127.0.0.1"], days=2, now=datetime.now(UTC))


@contextmanager
def upstream(
    files: ServerFiles, serve: Callable[[ssl.SSLSocket], None]
) -> Iterator[tuple[Upstream, list[bytes]]]:
    """A TLS server that reads one request, keeps its head and does what ``serve`` says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            raw, _ = server.accept()
            with context.wrap_socket(raw, server_side=True) as secured:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += secured.recv(1 << 16)
                head, _, body = head.partition(b"\r\n\r\n")
                heads.append(head + b"\r\n\r\n")
                # All of it: closing with bytes unread would reset the connection, answer and all.
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                while len(body) < length and (more := secured.recv(1 << 16)):
                    body += more
                serve(secured)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield Upstream(server.getsockname()[1], files.root), heads
        thread.join(10)
        assert not thread.is_alive()


def ask(app: FastAPI, content: object = b"x", method: str = "POST", **more: Any) -> httpx.Response:
    """Make one call to the gateway while it serves."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="https://gateway") as client,
        ):
            return await client.request(method, CALL, content=content, **more)

    return asyncio.run(call())


def test_without_a_superlink_a_call_is_to_be_tried_again(files: ServerFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ask(gateway(Upstream(port, files.root), Limits())).status_code == 503


def test_a_silent_superlink_is_given_up(files: ServerFiles) -> None:
    with upstream(files, lambda secured: time.sleep(1.5)) as (silent, _):
        started = time.monotonic()
        assert ask(gateway(silent, Limits(call_s=0.5))).status_code == 504
        assert time.monotonic() - started < 1.4


def test_only_what_belongs_to_the_call_goes_through(files: ServerFiles) -> None:
    def answer(secured: ssl.SSLSocket) -> None:
        secured.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nServer: inside\r\n"
            b"Set-Cookie: a=b\r\nflwr-note: n\r\nContent-Length: 3\r\n\r\nyes"
        )

    headers = {
        "Content-Type": "application/x-protobuf",
        "Flwr-Signature": "s",
        "Authorization": "secret",
        "Cookie": "c=d",
        "X-Forwarded-For": "10.0.0.1",
    }
    with upstream(files, answer) as (server, heads):
        told = ask(gateway(server, Limits()), b"body", headers=headers)
    assert (told.status_code, told.content) == (200, b"yes")
    assert told.headers["flwr-note"] == "n"
    assert "set-cookie" not in told.headers
    assert told.headers.get("server") != "inside"
    head = heads[0].lower()
    assert head.startswith(b"post /v1/fleet/push-object http/1.1\r\n")
    assert b"flwr-signature: s\r\n" in head
    assert b"content-length: 4\r\n" in head
    for name in (b"authorization", b"cookie", b"x-forwarded-for", b"transfer-encoding"):
        assert name not in head


def test_the_superlink_must_show_its_own_certificate(files: ServerFiles, tmp_path: Path) -> None:
    other = create_server_files(tmp_path, ["127.0.0.1"], days=2, now=datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)

        def accept() -> None:
            raw, _ = server.accept()
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(raw, server_side=True)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        assert ask(gateway(Upstream(port, other.root), Limits())).status_code == 503
        thread.join(10)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_there(files: ServerFiles, method: str) -> None:
    told = ask(gateway(Upstream(1, files.root), Limits()), b"", method)
    assert told.status_code in (404, 405)


def test_a_body_over_the_limit_is_refused_before_it_is_read(files: ServerFiles) -> None:
    app = gateway(Upstream(1, files.root), Limits(body_bytes=10))
    assert ask(app, b"x" * 11).status_code == 413


def test_a_body_without_a_length_is_refused(files: ServerFiles) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    assert ask(gateway(Upstream(1, files.root), Limits()), body()).status_code == 411
