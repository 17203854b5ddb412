"""The coordinator's own calls to its SuperLink: register nodes, start a job's run, follow it.

A run's result is not in Flower: the ServerApp writes it into the coordinator's database.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
)
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.fab import Fab
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from coordinator.superlink.gateway import Upstream
from protocols.session.app_bundle import JOB_ID, AppBundle

_POLL_S = 0.25


class SuperLinkError(Exception):
    """The SuperLink did not do what it was asked; the text says what, and what it answered."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run of a job stands."""

    status: str
    """``pending``, ``starting``, ``running``, or ``finished``."""
    sub_status: str
    """Of a finished run: ``completed``, ``stopped`` or ``failed``."""
    details: str

    @property
    def finished(self) -> bool:
        """Tell whether it has ended, well or not."""
        return self.status == "finished"

    @property
    def completed(self) -> bool:
        """Tell whether its ServerApp returned; how the job ended is in the database."""
        return self.finished and self.sub_status == "completed"


class ControlClient:
    """A connection to the SuperLink's control interface; a context manager."""

    def __init__(self, upstream: Upstream) -> None:
        self._client = ControlHttpClient.from_server_address(
            server_address=f"127.0.0.1:{upstream.port}",
            insecure=False,
            root_certificates=upstream.root_certificate.read_bytes(),
            interceptors=[RuntimeVersionHttpInterceptor(component_name="fedcrm")],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def register_node(self, public_key: bytes, party: str) -> int:
        """Let the SuperNode with this key (PEM) in; return Flower's number for it.

        Raises :class:`SuperLinkError`, also for a key that is registered already.
        """
        try:
            answer = self._client.RegisterNode(
                RegisterNodeRequest(public_key=public_key, name=party)
            )
        except httpx.HTTPError as error:
            raise _refused(f"register the node of {party}", error) from None
        return int(answer.node_id)

    def nodes(self) -> dict[int, str]:
        """Return every registered node's state: ``registered``, ``online`` or ``offline``."""
        try:
            answer = self._client.ListNodes(ListNodesRequest())
        except httpx.HTTPError as error:
            raise _refused("list the nodes", error) from None
        return {int(node.node_id): str(node.status) for node in answer.nodes_info}

    def start_run(self, bundle: AppBundle, job_id: str) -> int:
        """Start the run that drives ``job_id``; return its number."""
        fab = Fab(bundle.digest, bundle.content, {})
        request = StartRunRequest(
            fab=fab_to_proto(fab), override_config=user_config_to_proto({JOB_ID: job_id})
        )
        try:
            run_id = int(self._client.StartRun(request).run_id)
        except httpx.HTTPError as error:
            raise _refused("start a run", error) from None
        if not run_id:
            raise SuperLinkError("the SuperLink did not start a run; its log says why")
        return run_id

    def status(self, run_id: int) -> RunStatus:
        """Return where the run stands."""
        try:
            answer = self._client.ListRuns(ListRunsRequest(run_id=run_id))
        except httpx.HTTPError as error:
            raise _refused(f"report on run {run_id}", error) from None
        if run_id not in answer.run_dict:
            raise SuperLinkError(f"the SuperLink knows no run {run_id}")
        status = answer.run_dict[run_id].status
        return RunStatus(status.status, status.sub_status, status.details)

    def stop(self, run_id: int) -> bool:
        """Stop the run; what a party is doing at present goes on until its step ends."""
        try:
            return bool(self._client.StopRun(StopRunRequest(run_id=run_id)).success)
        except httpx.HTTPError as error:
            raise _refused(f"stop run {run_id}", error) from None

    def wait(self, run_id: int, deadline_s: float) -> RunStatus:
        """Return the run's status once it has finished; ``TimeoutError`` if it does not in time.

        A SuperLink that is being started again is waited for.
        """
        give_up = time.monotonic() + deadline_s
        last: object = "unknown"
        while time.monotonic() < give_up:
            try:
                status = self.status(run_id)
            except SuperLinkError as error:
                last = error
            else:
                if status.finished:
                    return status
                last = status.status
            time.sleep(_POLL_S)
        raise TimeoutError(f"run {run_id} did not finish in {deadline_s:.0f} s: {last}")


def _refused(what: str, error: httpx.HTTPError) -> SuperLinkError:
    if isinstance(error, httpx.HTTPStatusError):
        told = FlowerError.from_json(error.response.text)
        answer = told.message if told else f"status {error.response.status_code}"
    else:
        answer = type(error).__name__
    return SuperLinkError(f"the SuperLink did not {what}: {answer}")
