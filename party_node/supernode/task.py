"""One task of a SuperNode, run in a process of its own: its message in, the app's answer out."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from flwr.app import Context, Error, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode, SubStatus
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
)
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.runtime.run_clientapp import (
    pull_task_input,
    push_message,
    push_task_output,
)


def run_task(
    address: str,
    token: str,
    app: ClientApp,
    *,
    received: Callable[[bytes], None],
    answered: Callable[[], None],
) -> None:
    """Call ``app`` with the message of the task ``token`` opens, and hand its answer over.

    ``received`` is given the message's envelope before the app is called, for :func:`answer_for`;
    ``answered`` is called once the answer is with the SuperNode. Nothing is unpacked: ``app`` is
    what this process has imported, whatever the SuperNode holds.
    """
    client = _client(address, token)
    heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    heartbeat.start()
    message, context, _, _ = pull_task_input(client)
    envelope = message_to_proto(remove_content_from_message(message))
    received(envelope.SerializeToString())
    status = SubStatus.COMPLETED
    try:
        reply = app(message, context)
    except Exception as error:  # noqa: BLE001
        # An exception's text may hold a value: the coordinator learns its type alone.
        traceback.print_exc(file=sys.stderr)
        reply = _error(message, ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(error).__name__)
        status = SubStatus.FAILED
    push_message(client, reply, context)
    answered()
    push_task_output(client, context, status, "")
    heartbeat.stop()
    client.close()


def answer_for(address: str, token: str, envelope: bytes) -> None:
    """Answer in place of a task's process that was killed, so that nobody waits for it.

    Without this the coordinator hears of it a minute later; and after a SIGTERM never, with the
    SuperNode stuck (Flower 1.41).
    """
    client = _client(address, token)
    message = message_from_proto(ProtoMessage.FromString(envelope))
    metadata = message.metadata
    context = Context(metadata.run_id, metadata.dst_node_id, {}, RecordDict(), {})
    reply = _error(message, ErrorCode.CLIENT_APP_CRASHED, "the party's process was ended")
    push_message(client, reply, context)
    push_task_output(client, None, SubStatus.FAILED, "ended")
    client.close()


def _error(message: Message, code: int, reason: str) -> Message:
    return Message(Error(code=code, reason=reason), reply_to=message)


def _client(address: str, token: str) -> RuntimeHttpClient:
    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=True,  # loopback, and a token that the task alone holds
        root_certificates=None,
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="flwr-clientapp"),
            RuntimeTokenHttpInterceptor(token),
        ],
        retry_invoker=make_simple_http_retry_invoker(),
    )
