"""One round by VOLE: bucket by bucket, several at once, nothing told before all are done."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from math import ceil, isqrt
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from party_node.psi.table import Found, Rows, Table
from protocols.arguments import ITEM_BYTES
from protocols.errors import RemoteProtocolError
from protocols.kernels.sorting import sort_rows
from protocols.psi_vole import hear_matches, receiver, sender, tell_matches
from protocols.session.psi_negotiation import exchange_standings
from protocols.suite import Items


class Bucketed(Protocol):
    """Items and their row numbers, split by digest."""

    def sizes(self) -> list[int]:
        """Return how many items each bucket holds."""

    def load(self, bucket: int) -> tuple[Items, Rows]:
        """Return one bucket's items, shape (n, 32), and the row of each."""


def match_by_vole(table: Table, first_part: int, buckets: Bucketed) -> Found:
    """Match bucket by bucket, several at once; nothing is told before all are done."""
    sizes = buckets.sizes()
    todo = _unfinished(table, first_part, len(sizes))
    done, lock = [len(sizes) - len(todo)], threading.Lock()
    table.on_progress("buckets", done[0], len(sizes))

    def work(bucket: int) -> None:
        _match_bucket(table, first_part + bucket, bucket, buckets, sum(sizes))
        with lock:
            done[0] += 1
            table.on_progress("buckets", done[0], len(sizes))

    _in_parallel(work, todo, table.cores, table.streams.end)
    return _settle_vole(table, first_part, buckets)


def _unfinished(table: Table, first_part: int, parts: int) -> list[int]:
    """Return the buckets that the parties have not finished together."""
    own = table.parts.finished(first_part, parts)
    role = exchange_standings(own, peer=table.peer)
    peers = table.run(role, part=first_part, step="standing")
    return np.flatnonzero((own != peers) | (own == 0)).tolist()


def _in_parallel(
    work: Callable[[int], None],
    todo: list[int],
    workers: int,
    give_up: Callable[[BaseException], None],
) -> None:
    """Run ``work`` on each of ``todo``, ``workers`` at once; the first error ends it.

    ``give_up`` is told of the error, so that what waits for the peer in other workers ends too.
    """
    if workers == 1 or len(todo) < 2:
        for index in todo:
            work(index)
        return
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, index) for index in todo]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            give_up(error)
            raise


def _match_bucket(table: Table, part: int, bucket: int, buckets: Bucketed, total: int) -> None:
    """Run the role on one bucket and keep what it gives."""
    items, _ = buckets.load(bucket)
    padded = _padded(items, total, len(buckets.sizes()))
    bound_to = {"party": table.party, "peer": table.peer}
    context, seed = table.context(f"vole/{part}"), secrets.token_bytes(32)
    peers = capacity(table.peer_rows, table.spec.buckets)
    how: dict[str, Any] = {
        "part": part,
        "step": "vole",
        "items": len(padded) + peers,
        "peer_brings": peers,
    }
    kept: dict[str, npt.NDArray[Any]]
    if table.role == "receiver":
        takes = receiver(padded, **bound_to, suite=table.suite, context=context, seed=seed)
        matched = table.run(takes, **how)
        answer = np.frombuffer(matched.answer, np.uint8)
        kept = {"positions": matched.positions, "answer": answer}
    else:
        gives = sender(padded, **bound_to, suite=table.suite, context=context, seed=seed)
        kept = {"order": table.run(gives, **how).order}
    table.parts.save_part(part, table.attempt, kept)


def _settle_vole(table: Table, first_part: int, buckets: Bucketed) -> Found:
    """Compare the whole intersection with the floor, and tell the sender if the spec says so."""
    count = len(buckets.sizes())
    parts = [table.parts.load_part(first_part + bucket) for bucket in range(count)]
    if table.role == "receiver":
        size = sum(len(part["positions"]) for part in parts)
        opened = table.agree_on_outcome(first_part, size >= table.spec.floor)
        if not opened:
            return Found(table.peer_rows, False, None, None)
        if table.spec.to == "both":
            answers = [part["answer"].tobytes() for part in parts]
            table.run(tell_matches(answers, peer=table.peer), part=first_part, step="answer")
        rows = [_shared_rows(buckets, i, part["positions"]) for i, part in enumerate(parts)]
        return Found(table.peer_rows, True, size, np.concatenate(rows))
    opened = table.agree_on_outcome(first_part, False)
    if not opened or table.spec.to == "receiver":
        return Found(table.peer_rows, opened, None, None)
    offers = [part["order"] for part in parts]
    matched = table.run(hear_matches(offers, peer=table.peer), part=first_part, step="answer")
    rows = [_shared_rows(buckets, i, positions) for i, positions in enumerate(matched)]
    shared = np.concatenate(rows)
    return Found(table.peer_rows, True, len(shared), shared)


def _shared_rows(buckets: Bucketed, bucket: int, positions: Rows) -> Rows:
    """Return the rows of a bucket's matched items in the order of the items' bytes."""
    items, rows = buckets.load(bucket)
    if len(positions) and positions.max() >= len(rows):
        raise RemoteProtocolError("a filler, drawn at random, is said to be shared", step="answer")
    return rows[positions][sort_rows(items[positions])[0]]


def capacity(rows: int, buckets: int) -> int:
    """Return how many items every bucket is filled up to, so that its size tells nothing.

    The mean and eight standard deviations: a bucket of digests overflows once in 10^15 times, and
    is then as long as it is.
    """
    if buckets == 1:
        return rows
    mean = ceil(rows / buckets)
    return mean + 8 * (isqrt(mean) + 1)


def _padded(items: Items, total: int, buckets: int) -> Items:
    missing = capacity(total, buckets) - len(items)
    if missing <= 0:
        return items
    made = np.frombuffer(secrets.token_bytes(missing * ITEM_BYTES), np.uint8)
    return np.concatenate([items, made.reshape(missing, ITEM_BYTES)])
