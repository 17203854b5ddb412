"""Both roles of a protocol on a handful of made items, in memory: loads kernels, and proves them.

What is compiled or read from the cache here is not waited for later, with a peer at the other end.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from party_node.errors import NodeError
from protocols.roles import Progress, Receive, Role, Send
from protocols.session.psi_spec import PsiProtocol
from protocols.suite import Items, Suite
from protocols.wire import decode, encode

ITEMS = 300
"""More than one batch of every kernel, and not a multiple of its lanes."""


def rehearse(suite: Suite, protocol: PsiProtocol) -> None:
    """Run ``protocol`` once on made items; raises :class:`NodeError` for a wrong result."""
    stream = suite.stream(secrets.token_bytes(32), b"rehearsal")
    made = np.frombuffer(stream.bytes(ITEMS * 2 * 32), np.uint8).reshape(2 * ITEMS, 32)
    own, peers = made[:ITEMS], np.ascontiguousarray(made[ITEMS // 2 : ITEMS + ITEMS // 2])
    found = _PAIRS[protocol](suite, own, peers)
    if found != list(range(ITEMS // 2, ITEMS)):
        raise NodeError(
            f"{protocol} in suite {suite.name} gave a wrong result on this machine",
            "run with --kernels portable, and report it with the output of `fedcrm doctor`",
        )


def _ecdh(suite: Suite, own: Items, peers: Items) -> list[int]:
    from protocols.psi_ecdh import receiver, sender  # noqa: PLC0415

    keys = [suite.generate_signing_key(secrets.token_bytes(32)) for _ in range(2)]
    common: dict[str, Any] = {"suite": suite, "context": b"rehearsal", "floor": 1}
    result = _play(
        receiver(
            own,
            party="a",
            peer="b",
            private_key=keys[0][0],
            peer_public_key=keys[1][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
        sender(
            peers,
            party="b",
            peer="a",
            private_key=keys[1][0],
            peer_public_key=keys[0][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
    )
    return sorted(result.positions)


def _vole(suite: Suite, own: Items, peers: Items) -> list[int]:
    from protocols.psi_vole import receiver, sender  # noqa: PLC0415

    common: dict[str, Any] = {"suite": suite, "context": b"rehearsal"}
    result = _play(
        receiver(own, party="a", peer="b", seed=secrets.token_bytes(32), **common),
        sender(peers, party="b", peer="a", seed=secrets.token_bytes(32), **common),
    )
    return [int(position) for position in result.positions]


def _oprf(suite: Suite, own: Items, peers: Items) -> list[int]:
    from protocols.psi_oprf import draw_epoch_key, evaluate_set, receiver, sender  # noqa: PLC0415

    keys = [suite.generate_signing_key(secrets.token_bytes(32)) for _ in range(2)]
    key = draw_epoch_key(suite, secrets.token_bytes(32))
    evaluation = evaluate_set(peers, suite=suite, key=key, quota=ITEMS)
    while True:
        try:
            next(evaluation)
        except StopIteration as stop:
            tag_set = stop.value.tag_set
            break
    common: dict[str, Any] = {"suite": suite, "context": b"rehearsal"}
    result = _play(
        receiver(
            own,
            party="a",
            peer="b",
            cached=tag_set,
            private_key=keys[0][0],
            peer_public_key=keys[1][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
        sender(
            tag_set,
            party="b",
            peer="a",
            key=key,
            quota_left=ITEMS,
            private_key=keys[1][0],
            peer_public_key=keys[0][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
    )
    return sorted(int(position) for position in result.positions)


def _sum(suite: Suite, own: Items, peers: Items) -> list[int]:
    from protocols.psi_sum import receiver, sender  # noqa: PLC0415

    keys = [suite.generate_signing_key(secrets.token_bytes(32)) for _ in range(2)]
    common: dict[str, Any] = {"suite": suite, "context": b"rehearsal", "floor": 1, "to": "receiver"}
    # Each value is 1, so that the sum counts the shared items.
    values = np.ones(len(peers), np.int64)
    result = _play(
        receiver(
            own,
            party="a",
            peer="b",
            private_key=keys[0][0],
            peer_public_key=keys[1][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
        sender(
            peers,
            values,
            party="b",
            peer="a",
            private_key=keys[1][0],
            peer_public_key=keys[0][1],
            seed=secrets.token_bytes(32),
            **common,
        ),
    )
    return list(range(len(own) - result.total, len(own)))


_PAIRS: dict[PsiProtocol, Callable[[Suite, Items, Items], list[int]]] = {
    "ecdh": _ecdh,
    "vole": _vole,
    "oprf": _oprf,
    "sum": _sum,
}
PROTOCOLS: tuple[PsiProtocol, ...] = tuple(_PAIRS)


def _play(first: Role[Any], second: Role[Any]) -> Any:
    """Run two roles against each other; return the first one's result."""
    roles, inboxes = (first, second), (deque[bytes](), deque[bytes]())
    waiting: list[Any] = [next(first), next(second)]
    results: list[Any] = [None, None]
    done = [False, False]
    while not all(done):
        moved = False
        for at, role in enumerate(roles):
            while not done[at]:
                request, answer = waiting[at], None
                if isinstance(request, Send):
                    inboxes[1 - at].append(encode(request.message))
                elif isinstance(request, Receive):
                    if not inboxes[at]:
                        break
                    answer = decode(inboxes[at].popleft(), request.type)
                else:
                    assert isinstance(request, Progress)
                moved = True
                try:
                    waiting[at] = role.send(answer)
                except StopIteration as stop:
                    results[at], done[at] = stop.value, True
        if not moved:
            raise NodeError("a rehearsal came to a stop: both roles wait")
    return results[0]
