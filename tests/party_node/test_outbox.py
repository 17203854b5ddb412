"""The outbox: nothing leaves before the journal has it, and a failure reaches the role."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from party_node.errors import AttemptAbandoned
from party_node.journal import Outbound
from party_node.outbox import Outbox

PEERS = ("retailer", "insurer")


class Record:
    """Stands for journal and links: it writes down what happens, in order."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.happened: list[tuple[str, str, int]] = []
        self.batches: list[int] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.writing = threading.Event()
        self._fails_at = fails_at

    def record_outbound(self, *messages: tuple[str, Outbound]) -> None:
        self.writing.set()
        assert self.may_write.wait(10)
        self.batches.append(len(messages))
        for peer, message in messages:
            if message.position == self._fails_at:
                raise AttemptAbandoned("the peer is ahead")
            self.happened.append(("journaled", peer, message.position))

    def outbox(self) -> Outbox:
        links = {peer: _Link(self, peer) for peer in PEERS}
        return Outbox(self, links)  # type: ignore[arg-type]


class _Link:
    def __init__(self, record: Record, peer: str) -> None:
        self._record = record
        self._peer = peer

    def send(self, ordinal: int, position: int, data: bytes) -> None:
        assert (ordinal, data) == (3, b"data")
        self._record.happened.append(("sent", self._peer, position))


def put(outbox: Outbox, *positions: int, peer: str = PEERS[0]) -> None:
    for position in positions:
        outbox.put(peer, Outbound(3, position, b"data"))


def kinds(record: Record, kind: str, peer: str = PEERS[0]) -> list[int]:
    return [position for what, who, position in record.happened if (what, who) == (kind, peer)]


def test_messages_must_be_journaled_before_they_are_sent_and_in_order() -> None:
    record = Record()
    outbox = record.outbox()
    put(outbox, 0, 1)
    put(outbox, 0, peer=PEERS[1])
    put(outbox, 2)
    outbox.settle()
    assert kinds(record, "journaled") == kinds(record, "sent") == [0, 1, 2]
    assert kinds(record, "sent", PEERS[1]) == [0]
    for _, peer, position in record.happened:
        at = [record.happened.index((w, peer, position)) for w in ("journaled", "sent")]
        assert at == sorted(at)
    outbox.close()


def test_messages_that_come_while_the_disk_is_waited_for_must_share_the_next_wait() -> None:
    record = Record()
    record.may_write.clear()
    outbox = record.outbox()
    put(outbox, 0)
    assert record.writing.wait(10)
    put(outbox, *range(1, 20))  # does not wait
    record.may_write.set()
    outbox.settle()
    assert record.batches == [1, 19]
    assert kinds(record, "sent") == list(range(20))
    outbox.close()


def test_a_failure_must_reach_the_role_and_end_the_sending() -> None:
    record = Record(fails_at=1)
    outbox = record.outbox()
    put(outbox, 0)
    outbox.settle()
    assert not outbox.failed()
    put(outbox, 1)
    with pytest.raises(AttemptAbandoned, match="ahead"):
        outbox.settle()
    assert outbox.failed()
    with pytest.raises(AttemptAbandoned, match="ahead"):
        put(outbox, 2)
    outbox.close()
    assert kinds(record, "sent") == [0]


def test_closing_must_let_leave_what_was_put_in() -> None:
    record = Record()
    record.may_write.clear()
    outbox = record.outbox()
    put(outbox, 0, 1, 2)
    closing = threading.Thread(target=outbox.close)
    closing.start()
    record.may_write.set()
    closing.join(10)
    assert not closing.is_alive()
    assert kinds(record, "sent") == [0, 1, 2]


def test_an_unused_outbox_must_start_no_thread() -> None:
    before: Any = threading.active_count()
    outbox = Record().outbox()
    outbox.settle()
    outbox.close()
    assert threading.active_count() == before
