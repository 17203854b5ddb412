"""What a party is sent in a step, and which replies count as its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict

from coordinator.horizontal.exchange import (
    Answer,
    Exchange,
    PartyLost,
    Request,
    chunk_record,
    read_chunks,
)
from protocols.session.decoded_spec import decode_spec
from protocols.session.phase_report import (
    Phase,
    PhaseReport,
    SignedReport,
    encode_report,
    payload_digest,
    signed_bytes,
)
from protocols.suite import canonical, get_suite
from tests.compliance.horizontal_specs import horizontal
from tests.integration.thread_grid import ThreadGrid

SPEC = horizontal(suite="intl")
SUITE = get_suite("intl")
SIGNING = {
    party.party_id: SUITE.generate_signing_key(SUITE.hash(party.party_id.encode()))
    for party in SPEC.parties
}


def exchange() -> Exchange:
    keys = {party: public for party, (_, public) in SIGNING.items()}
    return Exchange(SPEC, b"{}", 1, SUITE, keys)


def to_node(node: int) -> Message:
    return Message(RecordDict(), node, "query.share")


def signed(sender: str, payload: Mapping[str, Any], **changes: Any) -> SignedReport:
    data = canonical.encode(dict(payload))
    fields = {
        "spec_digest": SPEC.digest(SUITE).hex(),
        "attempt": 1,
        "phase": "share",
        "sender": sender,
        "status": "done",
        "payload_digest": payload_digest(data, SUITE),
    }
    body = encode_report(PhaseReport(**(fields | changes)))
    private, _ = SIGNING.get(sender, SIGNING["east"])
    return SignedReport(body, data, SUITE.sign(private, signed_bytes(body), bytes(32)))


def reply(
    sender: str,
    /,
    *,
    node: int = 1,
    letters: Mapping[str, bytes] | None = None,
    chunks: tuple[bytes, ...] = (),
    report: SignedReport | None = None,
    **told: Any,
) -> Message:
    """Return what an honest party answers, but for what is given."""
    found = dict(letters or {})
    outbox = {name: payload_digest(data, SUITE) for name, data in found.items()}
    fields = report or signed(sender, {"outbox": outbox, **told})
    content = RecordDict(
        {
            "report": ConfigRecord(msgspec.structs.asdict(fields)),
            "outbox": ConfigRecord(found),
        }
    )
    if chunks:
        content["chunks"] = chunk_record(chunks)
    return Message(content, reply_to=to_node(node))


def answer(by: Exchange, message: Message, step: Phase = "share") -> Answer | PartyLost:
    (found,) = by.answers(step, [message])
    return found


def lost(message: Message, step: Phase = "share") -> tuple[str, str]:
    """Return whose answer is none, and why."""
    found = answer(exchange(), message, step)
    assert isinstance(found, PartyLost)
    return found.party, found.reason


def test_an_answer_is_what_its_party_signed() -> None:
    by = exchange()
    found = answer(
        by, reply("north", node=4, letters={"bundle": b"sealed"}, chunks=(b"ab", b"c"), work_ms=3)
    )
    assert isinstance(found, Answer)
    assert (found.party, found.status, found.payload["work_ms"]) == ("north", "done", 3)
    assert (found.letters, found.chunks) == ({"bundle": b"sealed"}, (b"ab", b"c"))
    assert by.node_of == {"north": 4}


@pytest.mark.parametrize(
    ("message", "party", "reason"),
    [
        (reply("east", report=signed("east", {}, attempt=2)), "east", "another job, attempt"),
        (reply("east", report=signed("east", {}, phase="unmask")), "east", "another job, attempt"),
        (reply("east", report=signed("east", {}, spec_digest="00")), "east", "another job"),
        (reply("east", report=signed("stranger", {})), "", "from a stranger"),
        (reply("east", report=SignedReport(b"{}", b"{}", b"")), "", "not a phase report"),
        (Message(RecordDict(), reply_to=to_node(1)), "", "an unreadable report in share"),
        (reply("east", message=["not", "a text"]), "east", "a report whose reason is none"),
        (reply("east", party="somebody else"), "east", "a report whose reason is none"),
    ],
)
def test_what_is_not_signed_for_this_step_is_no_answer(
    message: Message, party: str, reason: str
) -> None:
    found = lost(message)
    assert found[0] == party
    assert reason in found[1]


def test_a_report_under_another_partys_key_is_no_answer() -> None:
    own = signed("north", {})
    forged = SignedReport(own.body, own.payload, signed("east", {}).signature)
    assert lost(reply("north", report=forged)) == ("north", "a report with a wrong signature")


@pytest.mark.parametrize("letters", [{}, {"bundle": b"other"}, {"bundle": b"sealed", "more": b""}])
def test_letters_are_those_the_report_signs(letters: dict[str, bytes]) -> None:
    report = signed("east", {"outbox": {"bundle": payload_digest(b"sealed", SUITE)}})
    party, reason = lost(reply("east", letters=letters, report=report))
    assert party == "east"
    assert reason == "what came with the report is not what it signs"


def test_of_an_error_only_its_code_is_kept() -> None:
    """Flower's text is whatever an app raised, and may hold a value."""
    by = exchange()
    answer(by, reply("west", node=3))
    found = answer(by, Message(Error(code=7, reason="row 12: 138"), reply_to=to_node(3)))
    assert isinstance(found, PartyLost)
    assert (found.party, found.reason) == ("west", "its process ended (Flower error 7)")


def test_one_bad_reply_does_not_keep_the_others_away() -> None:
    by = exchange()
    replies = [reply("east", report=signed("east", {}, attempt=9)), reply("west", node=2)]
    found = list(by.answers("share", replies))
    assert [isinstance(each, Answer) for each in found] == [False, True]


def test_a_node_that_answers_for_another_party_is_that_partys_from_then_on() -> None:
    by = exchange()
    answer(by, reply("east", node=1))
    answer(by, reply("west", node=1))
    assert by.node_of == {"west": 1}
    answer(by, reply("west", node=2))
    assert by.node_of == {"west": 2}


def test_each_party_whose_node_is_known_is_sent_its_own_request() -> None:
    by = exchange()
    answer(by, reply("east", node=1))
    answer(by, reply("west", node=2))
    requests = {
        party: Request({"for": party.encode()}, {"sum": (b"xyz", b"")})
        for party in ("east", "west", "north")
    }
    sent = by.messages("contribute", requests)
    assert [message.metadata.dst_node_id for message in sent] == [1, 2]
    assert {message.metadata.message_type for message in sent} == {"train.contribute"}
    for message, party in zip(sent, ("east", "west"), strict=True):
        start = message.content.config_records["start"]
        assert (start["job"], start["attempt"], start["phase"]) == (SPEC.job_id, 1, "contribute")
        assert decode_spec(start["spec"]) == SPEC  # type: ignore[arg-type]
        assert dict(message.content.config_records["inbox"]) == {"for": party.encode()}
        assert read_chunks(message.content.array_records["chunks/sum"]) == (b"xyz", b"")


def test_every_node_is_asked_when_it_is_not_known_whose_it_is() -> None:
    by = exchange()
    answer(by, reply("south", node=2))
    grid = ThreadGrid(lambda message, context: message, 3)  # type: ignore[arg-type]
    sent = by.to_every_node(
        "advertise", grid, lambda party: Request({"for": party.encode()} if party else {})
    )
    assert [message.metadata.dst_node_id for message in sent] == [1, 2, 3]
    inboxes = [dict(message.content.config_records["inbox"]) for message in sent]
    assert inboxes == [{}, {"for": b"south"}, {}]


def test_traffic_is_counted_by_party_and_step() -> None:
    by = exchange()
    answer(by, reply("east", node=1, letters={"a": b"12345"}, chunks=(b"678",)))
    sent = by.traffic["east", "share"]
    assert sent.sent_messages == 1
    report = signed("east", {"outbox": {"a": payload_digest(b"12345", SUITE)}})
    assert sent.sent_bytes == 8 + sum(map(len, msgspec.structs.asdict(report).values()))
    by.messages("unmask", {"east": Request({"list": b"1234"}, {"sum": (b"56", b"7")})})
    received = by.traffic["east", "unmask"]
    assert (received.received_messages, received.received_bytes, received.sent_messages) == (
        1,
        7,
        0,
    )


def test_long_byte_strings_travel_in_pieces_that_keep_their_order() -> None:
    pieces = tuple(number.to_bytes(2, "big") for number in range(1200))
    assert read_chunks(chunk_record(pieces)) == pieces
    assert read_chunks(chunk_record(())) == read_chunks(None) == ()
