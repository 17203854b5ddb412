"""One step of a horizontal job: a message to each party, and their signed answers.

Every answer is signed over (spec digest, attempt, step, sender, payload digest), and the payload
holds the digest of every letter beside it. What is not signed so is not an answer; its sender
counts as missing, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from protocols.errors import RemoteProtocolError
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.phase_report import (
    CHUNK_TYPE,
    Phase,
    SignedReport,
    open_report,
    payload_digest,
)
from protocols.suite import Suite

_MESSAGE_TYPES: Mapping[Phase, str] = {
    "advertise": "query.advertise",
    "share": "query.share",
    "contribute": "train.contribute",
    "consist": "query.consist",
    "unmask": "query.unmask",
    "finish": "query.finish",
    "close": "query.close",
}


@dataclass(frozen=True)
class Request:
    """What one party is sent beside the start of a step."""

    letters: Mapping[str, bytes] = field(default_factory=dict)
    chunks: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    """Long byte strings by name, in pieces; they travel as arrays of their own."""


@dataclass(frozen=True)
class Answer:
    """What one party answered, as it signed it."""

    party: str
    status: str
    payload: dict[str, Any]
    letters: Mapping[str, bytes]
    chunks: tuple[bytes, ...]
    """The pieces of the party's contribution; its own signed note says what they are."""
    report: SignedReport
    """What it signed, for others to verify."""


@dataclass
class Traffic:
    """Messages and bytes of one party in one step, as the coordinator counts them."""

    sent_messages: int = 0
    """By the party."""
    sent_bytes: int = 0
    received_messages: int = 0
    """By the party."""
    received_bytes: int = 0


class PartyLost(RemoteProtocolError):
    """No usable answer of a party; the text says what was there instead."""


@dataclass
class Exchange:
    """The parties of one job behind a Grid."""

    spec: HorizontalSpec
    approvals: bytes
    attempt: int
    suite: Suite
    public_keys: dict[str, bytes]
    traffic: dict[tuple[str, Phase], Traffic] = field(default_factory=dict)
    """What each party was sent and sent, by step, since it was last taken down."""
    node_of: dict[str, int] = field(default_factory=dict)
    """Which Flower node a party answered from last."""

    def messages(self, step: Phase, requests: Mapping[str, Request]) -> list[Message]:
        """Return the message of each party, for those whose node is known."""
        return [
            self._message(self.node_of[party], step, request)
            for party, request in requests.items()
            if party in self.node_of
        ]

    def to_every_node(
        self, step: Phase, grid: Grid, request: Callable[[str], Request]
    ) -> list[Message]:
        """Return a message for every node there is; whose a node is, is known once it answered.

        ``request`` is given the party of a node, or an empty text for one that never answered.
        """
        party_of = {node: party for party, node in self.node_of.items()}
        return [
            self._message(node, step, request(party_of.get(node, "")))
            for node in grid.get_node_ids()
        ]

    def answers(self, step: Phase, replies: Iterable[Message]) -> Iterator[Answer | PartyLost]:
        """Yield each reply as the answer it is, or why it is none; replies are freed as it goes."""
        for reply in replies:
            try:
                yield self._answer(step, reply)
            except RemoteProtocolError as error:
                yield PartyLost(error.reason, party=error.party)

    def _message(self, node: int, step: Phase, request: Request) -> Message:
        start = ConfigRecord(
            {
                "job": self.spec.job_id,
                "spec": self.spec.to_bytes(),
                "approvals": self.approvals,
                "attempt": self.attempt,
                "phase": step,
            }
        )
        content = RecordDict({"start": start, "inbox": ConfigRecord(dict(request.letters))})
        for name, pieces in request.chunks.items():
            content[f"chunks/{name}"] = chunk_record(pieces)
        party = next((p for p, n in self.node_of.items() if n == node), "")
        if party:
            told = self.traffic.setdefault((party, step), Traffic())
            told.received_messages += 1
            told.received_bytes += sum(map(len, request.letters.values()))
            every = (piece for each in request.chunks.values() for piece in each)
            told.received_bytes += sum(map(len, every))
        deadline = self.spec.aggregation.round_deadline_s
        return Message(
            content,
            dst_node_id=node,
            message_type=_MESSAGE_TYPES[step],
            ttl=float(2 * deadline + 60),
        )

    def _answer(self, step: Phase, reply: Message) -> Answer:
        node = reply.metadata.src_node_id
        party = next((p for p, n in self.node_of.items() if n == node), "")
        if reply.has_error():
            # Flower's text may carry anything the app raised; only its code is kept.
            raise PartyLost(f"its process ended (Flower error {reply.error.code})", party=party)
        record = reply.content.config_records.get("report")
        try:
            fields = msgspec.convert(dict(record or {}), SignedReport)
        except msgspec.ValidationError:
            raise PartyLost(f"an unreadable report in {step}", party=party) from None
        report, payload = open_report(
            fields,
            spec_digest=self.spec.digest(self.suite),
            attempt=self.attempt,
            phase=step,
            public_keys=self.public_keys,
            suite=self.suite,
        )
        self._check_told(report.sender, payload)
        self.node_of = {p: n for p, n in self.node_of.items() if n != node}
        self.node_of[report.sender] = node
        letters = self._letters(reply, report.sender, payload)
        chunks = read_chunks(reply.content.array_records.get("chunks"))
        told = self.traffic.setdefault((report.sender, step), Traffic())
        told.sent_messages += 1
        signed = (fields.body, fields.payload, fields.signature)
        told.sent_bytes += sum(map(len, (*signed, *letters.values(), *chunks)))
        return Answer(report.sender, report.status, payload, letters, chunks, fields)

    def _check_told(self, party: str, payload: dict[str, Any]) -> None:
        """Refuse a report that gives no texts as its reason, or blames a stranger."""
        texts = [payload.get(name, "") for name in ("message", "hint", "party")]
        known = {"", "coordinator", *(each.party_id for each in self.spec.parties)}
        if not all(isinstance(text, str) for text in texts) or texts[-1] not in known:
            raise PartyLost("a report whose reason is none", party=party)

    def _letters(self, reply: Message, party: str, payload: dict[str, Any]) -> dict[str, bytes]:
        record = dict(reply.content.config_records.get("outbox") or ConfigRecord())
        letters = {str(name): data for name, data in record.items() if isinstance(data, bytes)}
        digests = {name: payload_digest(data, self.suite) for name, data in letters.items()}
        if digests != payload.get("outbox", {}):
            raise PartyLost("what came with the report is not what it signs", party=party)
        return letters


def chunk_record(chunks: Sequence[bytes]) -> ArrayRecord:
    """Return pieces of a long byte string as arrays, which Flower moves one by one."""
    return ArrayRecord(
        {
            f"{i:05d}": Array("uint8", (len(chunk),), CHUNK_TYPE, chunk)
            for i, chunk in enumerate(chunks)
        }
    )


def read_chunks(record: ArrayRecord | None) -> tuple[bytes, ...]:
    """Return the pieces in their order; what they are is the protocol's to check."""
    if record is None:
        return ()
    return tuple(record[name].data for name in sorted(record))
