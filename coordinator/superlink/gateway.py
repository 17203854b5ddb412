"""What nodes reach of the SuperLink, and nothing more: it forwards ``POST /v1/fleet/<call>``.

Flower 1.41 serves three interfaces on one port. The one for control needs no account: whoever
reaches it registers nodes and starts runs. So the SuperLink listens on loopback, and this passes
on the calls of nodes alone, by name; everything else does not exist here. Bodies are streamed in
both directions, so that memory does not grow with what a job carries.

Who a node is, the SuperLink checks: every call carries its key's signature of the time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect

CALLS = frozenset(
    {
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "get-run",
        "pull-object",
        "push-object",
        "confirm-message-received",
    }
)
"""Of Flower's Fleet interface what a registered node needs.

A node cannot register itself, which is the operator's decision, and never asks for code.
"""
_PASSED_ON = ("content-type", "accept")
_FLOWERS_OWN = "flwr-"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost."""

    body_bytes: int = 32 << 20
    """A call carries one object of a message; ours are 4 to 8 MB."""
    call_s: float = 120.0
    """From a call's first byte until its answer's last."""
    connections: int = 512
    """Open at once; further calls are answered with 503, and Flower's client tries again."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The SuperLink as the gateway reaches it."""

    port: int
    """On 127.0.0.1."""
    root_certificate: Path


def gateway(
    upstream: Upstream,
    limits: Limits,
    running: AbstractAsyncContextManager[None] | None = None,
) -> FastAPI:
    """Return the gateway; ``running`` is entered while it serves."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            running or nullcontext(),  # makes the certificate on first use
            httpx.AsyncClient(
                base_url=f"https://127.0.0.1:{upstream.port}",
                verify=ssl.create_default_context(cafile=str(upstream.root_certificate)),
                timeout=httpx.Timeout(limits.call_s, connect=5.0),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
                trust_env=False,  # no proxy stands between this and the same machine
            ) as client,
        ):
            app.state.client = client
            yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.post("/v1/fleet/{call}")
    async def forward(call: str, request: Request) -> Response:
        # The name itself is looked up: of a path, "..", an escape or a case could be left.
        if call not in CALLS or request.url.query:
            return Response(status_code=404)
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return Response(status_code=411)
        if int(length) > limits.body_bytes:
            return Response(status_code=413)
        return await _forward(app.state.client, call, request, int(length), limits)

    return app


async def _forward(
    client: httpx.AsyncClient, call: str, request: Request, length: int, limits: Limits
) -> Response:
    give_up = asyncio.get_running_loop().time() + limits.call_s
    outgoing = client.build_request(
        "POST",
        f"/v1/fleet/{call}",
        headers=_chosen(request.headers) | {"content-length": str(length)},
        content=request.stream(),
    )
    try:
        async with asyncio.timeout_at(give_up):
            answer = await client.send(outgoing, stream=True)
    except (TimeoutError, httpx.TimeoutException):
        return Response(status_code=504)
    except httpx.TransportError:
        return Response(status_code=503)  # the SuperLink is being started again
    except ClientDisconnect:
        return Response(status_code=400)

    async def body() -> AsyncIterator[bytes]:
        async with asyncio.timeout_at(give_up):
            async for part in answer.aiter_raw():
                yield part

    return StreamingResponse(
        body(),
        status_code=answer.status_code,
        headers=_chosen(answer.headers, "content-length", "content-encoding"),
        background=BackgroundTask(answer.aclose),
    )


def _chosen(headers: Mapping[str, str], *more: str) -> dict[str, str]:
    """Return the headers that go through: what the bytes are, and Flower's own."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() in (*_PASSED_ON, *more) or name.lower().startswith(_FLOWERS_OWN)
    }
