"""A coordinator that lies, or asks twice: parties refuse, and nothing is opened wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from coordinator.horizontal import strategy
from coordinator.horizontal.exchange import chunk_record
from models.horizontal.state import FederatedState
from party_node.horizontal import catching_up
from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.openings import learned
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.work import Learned
from protocols.secure_aggregation import (
    ContributorList,
    SignedAdvertisement,
    SignedList,
    SignedRoster,
    SumCollection,
)
from protocols.wire import decode, encode
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob, Step, Tap, letters, replace_step
from tests.integration.horizontal.test_parties_away import Away

ONE, TWO, THREE, FOUR, FIVE = (f"retailer-{number}" for number in range(1, 6))
REPLACE = msgspec.structs.replace


def change_list(data: object, **fields: Any) -> bytes:
    """Return an encoded list of contributors with other fields."""
    assert isinstance(data, bytes)
    return encode(REPLACE(decode(data, ContributorList), **fields))


def change_signed(data: object, change: Callable[[SignedList], SignedList]) -> bytes:
    """Return an encoded signed list, changed."""
    assert isinstance(data, bytes)
    return encode(change(decode(data, SignedList)))


class Hostile(Tap):
    """Lies to one party, or to two, in one step after the other."""

    _last: Message

    def __init__(self) -> None:
        self.second: dict[str, Message] = {}
        self._ids = itertools.count()
        self._sum = 0

    def request(self, party: str, step: str, message: Message) -> Message:
        inbox = letters(message)
        if "number" in inbox:
            self._sum = int.from_bytes(inbox["number"], "big")  # type: ignore[arg-type]
        place = self._sum, step, party
        if place in ((1, "consist", FOUR), (1, "consist", FIVE)):
            inbox["list"] = change_list(inbox["list"], total=bytes(32))
        if place == (3, "contribute", THREE):
            name = next(name for name in message.content if str(name).startswith("chunks/"))
            arrays = message.content.array_records[str(name)]
            pieces = [bytes(len(array.data)) for array in arrays.values()]
            message.content[str(name)] = chunk_record(pieces)
        if place == (4, "unmask", FOUR):
            inbox["signed"] = change_signed(
                inbox["signed"], lambda signed: REPLACE(signed, signatures=signed.signatures[:3])
            )
        if place == (5, "unmask", FIVE):
            inbox["signed"] = change_signed(
                inbox["signed"],
                lambda signed: REPLACE(signed, body=change_list(signed.body, total=bytes(32))),
            )
        if (step, party) == ("share", TWO) and self._sum == 5:
            roster = decode(bytes(inbox["roster"]), SignedRoster)  # type: ignore[arg-type]
            one, two, *others = roster.advertisements
            inbox["roster"] = encode(SignedRoster((one, self._without(two), *others)))
        if step == "finish" and "state" in inbox:
            inbox["state"] = bytes(500)
        if party == TWO:
            self._last = message
        return message

    @staticmethod
    def _without(signed: SignedAdvertisement) -> SignedAdvertisement:
        """Return what is no advertisement of the party in whose name it comes."""
        return SignedAdvertisement(signed.body[:-1] + b"\x00", signed.signature)

    def reply(self, party: str, step: str, reply: Message) -> Message:
        if (self._sum, party) == (2, TWO) and step in ("contribute", "consist", "unmask"):
            self._ask_again(step, self._last)
        return reply

    def _ask_again(self, step: str, first: Message) -> None:
        inbox = dict(first.content.config_records["inbox"])
        if step == "contribute":
            inbox["opened"] = (7).to_bytes(4, "big")
        elif step == "consist":
            inbox["list"] = change_list(inbox["list"], total=bytes(32))
        else:
            inbox["signed"] = change_signed(
                inbox["signed"], lambda signed: REPLACE(signed, signatures=signed.signatures[1:])
            )
        start = first.content.config_records["start"]
        content = RecordDict({"start": start, "inbox": ConfigRecord(inbox)})
        again = Message(
            content, first.metadata.dst_node_id, first.metadata.message_type, ttl=first.metadata.ttl
        )
        again.metadata.__dict__["_message_id"] = f"again-{next(self._ids)}"
        self.second[step] = self.grid.served(again)


@pytest.fixture(scope="module")
def lied_to(make_job: MakeJob) -> tuple[FaultyJob, Hostile]:
    job, hostile = make_job(training__rounds=5, aggregation__key_rounds=6), Hostile()
    job.drive(hostile)
    return job, hostile


def test_each_lie_costs_what_it_may(lied_to: tuple[FaultyJob, Hostile]) -> None:
    job, _ = lied_to
    assert job.record.status == "closed", job.told()
    found = [(one.number, one.name, one.status, one.missing) for one in job.sums()]
    assert found == [
        (0, "statistics", "opened", {}),
        # Two lists: neither is signed by enough, and the number is used up.
        (1, "round-1", "lost", {FOUR: "refused", FIVE: "refused"}),
        (2, "round-1", "opened", {}),
        (3, "round-2", "opened", {THREE: "no_answer"}),
        (4, "round-3", "opened", {}),
        (5, "round-4", "opened", {}),
        (6, "round-5", "opened", {TWO: "next_epoch"}),
        (7, "evaluation", "opened", {TWO: "next_epoch"}),
    ]
    precision = job.precision()
    assert precision.largest_difference <= precision.bound


def test_another_opening_or_list_is_refused_for_what_it_is(
    lied_to: tuple[FaultyJob, Hostile],
) -> None:
    job, _ = lied_to
    assert job.refusals(ONE) == []
    assert job.refusals(THREE) == ["WrongTotal"]
    assert job.refusals(FOUR) == ["TooFew"]
    assert job.refusals(FIVE) == ["SecondList"]
    revealed = {
        party: [e.counts["sum_number"] for e in job.events(party, "sum.shares_revealed")]
        for party in job.parties
    }
    assert 4 not in revealed[FOUR]
    assert 5 not in revealed[FIVE]
    assert 4 in revealed[FIVE]


def test_a_second_request_for_a_step_gets_nothing(lied_to: tuple[FaultyJob, Hostile]) -> None:
    _, hostile = lied_to
    assert set(hostile.second) == {"contribute", "consist", "unmask"}
    for reply in hostile.second.values():
        payload = bytes(reply.content.config_records["report"]["payload"])  # type: ignore[arg-type]
        assert b"JobRefused" in payload
        assert b"another request for" in payload
        assert not letters(reply)
        assert "chunks" not in reply.content


def test_who_is_told_nonsense_in_the_end_releases_nothing(
    lied_to: tuple[FaultyJob, Hostile],
) -> None:
    job, _ = lied_to
    assert set(job.models()) == set(job.parties) - {TWO}
    assert len(set(job.models().values())) == 1
    assert not job.events(TWO, "release.done")
    assert job.refusals(TWO)[-1] == "WrongBundle"


class Omitting(SumCollection):
    """Says that the first party did not contribute, and adds what it sent all the same."""

    def contributor_list(self) -> ContributorList:
        honest = super().contributor_list()
        if self.number == 1 and honest.contributors[0] == ONE:
            self._list = REPLACE(
                honest,
                contributors=honest.contributors[1:],
                contributions=honest.contributions[1:],
            )
        assert self._list is not None
        return self._list


class Inventing(SumCollection):
    """Says that the last party contributed, which it did not."""

    def contributor_list(self) -> ContributorList:
        honest = super().contributor_list()
        if self.number == 1 and FIVE not in honest.contributors:
            self._list = REPLACE(
                honest,
                contributors=(*honest.contributors, FIVE),
                contributions=(*honest.contributions, bytes(32)),
            )
        assert self._list is not None
        return self._list


@pytest.mark.parametrize(
    ("collection", "victim", "reason"),
    [
        (Omitting, ONE, "leaves out this party"),
        (Inventing, FIVE, "names this party, which contributed nothing"),
    ],
)
def test_a_list_that_omits_or_invents_somebody_opens_nothing(
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    collection: type[SumCollection],
    victim: str,
    reason: str,
) -> None:
    said: list[bytes] = []

    class Listening(Tap):
        def reply(self, party: str, step: str, reply: Message) -> Message:
            if (party, step) == (victim, "consist"):
                report = reply.content.config_records["report"]
                said.append(bytes(report["payload"]))  # type: ignore[arg-type]
            return reply

    monkeypatch.setattr(strategy, "SumCollection", collection)
    job = make_job()
    away = Away({("contribute", 1, FIVE): "before"} if collection is Inventing else {})
    job.drive(Listening(), at_step=away)
    assert reason.encode() in said[1]
    assert "WrongList" in job.refusals(victim)
    # The others cannot know; what they open is no sum, and there it ends.
    assert job.record.status == "failed"
    assert "masks are left in it" in job.told()["message"]
    assert not job.models()
    for party in job.parties:
        assert len(job.events(party, "sum.opened")) == 1


def told_wrongly(context: StepContext) -> bytes:
    """Return a wrong model, well sealed: what a colluding member can do."""
    known = learned(context)
    state = FederatedState.from_bytes(known.state)
    other = FederatedState.of(state.round, state.parameters + 1)
    wrong = Learned(known.opened, known.scaling, other.to_bytes(), known.counts)
    return catching_up.seal_learned(context, KeyEpoch.present(context), wrong)


def test_who_is_told_a_wrong_model_by_a_member_goes_on_with_another(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies: list[str] = []

    def contribute(context: StepContext, honest: Step) -> dict[str, Any]:
        payload = honest(context)
        if "state" in context.outbox and not lies:
            lies.append(context.party)
            context.outbox["state"] = told_wrongly(context)
        return payload

    replace_step(monkeypatch, "contribute", contribute)
    job = make_job(training__rounds=6, aggregation__key_rounds=5)
    job.drive(at_step=Away({("advertise", 0, FIVE): "before"}))
    assert job.record.status == "closed"
    assert lies
    assert job.refusals(FIVE) == ["RemoteProtocolError"]
    assert [e.counts["sum_number"] for e in job.events(FIVE, "sum.contributed")] == [7]
    assert set(job.models()) == set(job.parties)
    assert len(set(job.models().values())) == 1


def test_nobody_ends_with_what_one_member_says(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(context: StepContext, honest: Step) -> dict[str, Any]:
        payload = honest(context)
        if "state" in context.outbox:
            context.outbox["state"] = told_wrongly(context)
        return payload

    replace_step(monkeypatch, "finish", finish)
    job = make_job(training__rounds=1)
    job.drive(at_step=Away({("share", 0, FIVE): "before"}))
    assert job.record.status == "closed"
    assert set(job.models()) == set(job.parties) - {FIVE}
    assert not job.events(FIVE, "release.done")
