"""Parties that send what they should not: each is left out, or the job ends with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from flwr.app import ConfigRecord, Message

from models.horizontal.local_training import LocalUpdate, diverged
from models.horizontal.model import TrainedModel
from party_node.horizontal import sums
from party_node.horizontal.key_epoch import KeyEpoch
from party_node.horizontal.step_context import StepContext
from party_node.horizontal.work import Work
from protocols.errors import RemoteProtocolError
from protocols.secure_aggregation import (
    Contribution,
    ContributorList,
    Revelation,
    SealedBundle,
    SealedBundles,
    SignedContribution,
    SignedList,
    sign_contribution,
)
from protocols.secure_aggregation.messages import RevealedShares
from protocols.secure_aggregation.sealing import seal, unseal
from protocols.secure_aggregation.unmasking import _revelation_info
from protocols.session.phase_report import Phase, signed_bytes
from protocols.suite import get_suite
from protocols.wire import decode, encode
from tests.integration.horizontal.conftest import MakeJob
from tests.integration.horizontal.faulty_job import FaultyJob, Step, Tap, letters, replace_step

ONE, TWO, THREE, FOUR, FIVE = (f"retailer-{number}" for number in range(1, 6))
Words: TypeAlias = npt.NDArray[np.int64]
Misdeed: TypeAlias = Callable[[StepContext], None]


class CrookedWork(Work):
    """A party's arithmetic, with something done to its words or its training."""

    change: Callable[[Words], Words]
    update: Callable[[LocalUpdate], LocalUpdate]

    def words(self, *args: Any, **named: Any) -> Words:
        return self.change(super().words(*args, **named))

    def _update(self, *args: Any, **named: Any) -> LocalUpdate:
        return self.update(super()._update(*args, **named))


def same(value: Any) -> Any:
    return value


def crooked(
    monkeypatch: pytest.MonkeyPatch,
    where: Callable[[StepContext], bool],
    *,
    words: Callable[[Words], Words] = same,
    update: Callable[[LocalUpdate], LocalUpdate] = same,
) -> None:
    """Have the parties for which ``where`` is true contribute something else."""
    honest: Callable[[StepContext], Work] = vars(sums)["work_of"]  # several add up

    def work_of(context: StepContext) -> Work:
        work = honest(context)
        if not where(context):
            return work
        found = CrookedWork(work.spec, work.suite, work.table, work.seed)
        object.__setattr__(found, "change", words)
        object.__setattr__(found, "update", update)
        return found

    monkeypatch.setattr(sums, "work_of", work_of)


def at(number: int, party: str) -> Callable[[StepContext], bool]:
    """Return whether a step is of this party and this sum."""

    def is_it(context: StepContext) -> bool:
        return context.party == party and context.number("number") == number

    return is_it


# -- what a party does after the honest step --------------------------------------------------


def other_pieces(context: StepContext) -> None:
    context.pieces = [bytes(len(piece)) for piece in context.pieces]


def garbage_note(context: StepContext) -> None:
    context.outbox["note"] = b"\xff" * 100


def the_note_before(context: StepContext) -> None:
    number = context.number("number") - 1
    note = context.state.get(f"note/{number}")
    assert note is not None
    context.outbox["note"] = note


def in_anothers_name(context: StepContext) -> None:
    epoch = KeyEpoch.present(context)
    note = decode(decode(context.outbox["note"], SignedContribution).body, Contribution)
    fields = {name: getattr(note, name) for name in note.__struct_fields__}
    signed = sign_contribution(
        epoch.terms,
        Contribution(**fields | {"party": FIVE}),
        private_key=context.node.keys.signing_key,
        suite=context.suite,
        entropy=bytes(32),
    )
    context.outbox["note"] = encode(signed)


def garbage_signature(context: StepContext) -> None:
    context.outbox["signature"] = context.outbox["signature"][:-1] + b"\x00"


def garbage_revelation(context: StepContext) -> None:
    context.outbox["revelation"] = encode(Revelation(context.party, bytes(400)))


def wrong_shares(context: StepContext) -> None:
    epoch = KeyEpoch.present(context)
    contributors = decode(decode(context.letter("signed"), SignedList).body, ContributorList)
    info = _revelation_info(epoch.roster, contributors, context.party, context.suite)
    key = epoch.shares.group_key
    revelation = decode(context.outbox["revelation"], Revelation)
    honest = decode(unseal(context.suite, key, info, revelation.sealed), RevealedShares)
    wrong = RevealedShares(tuple(share[:-1] + bytes([share[-1] ^ 1]) for share in honest.shares))
    sealed = seal(context.suite, key, info, encode(wrong), bytes(32))
    context.outbox["revelation"] = encode(Revelation(context.party, sealed))


def fail(context: StepContext) -> None:
    raise ZeroDivisionError(f"a value: {context.number('number')}5551234567")


class OnTheLine(Tap):
    """Between the parties and the coordinator: it alters and signs what it should not."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def request(self, party: str, step: str, message: Message) -> Message:
        if step == "contribute":
            self._number[party] = int.from_bytes(bytes(letters(message)["number"]), "big")  # type: ignore[arg-type]
        return message

    def reply(self, party: str, step: str, reply: Message) -> Message:
        if step != "contribute":
            return reply
        place = self._number[party], party
        report = reply.content.config_records["report"]
        if place == (12, TWO):
            private, _ = get_suite("intl").generate_signing_key(bytes(32))
            body = signed_bytes(bytes(report["body"]))  # type: ignore[arg-type]
            report["signature"] = get_suite("intl").sign(private, body, bytes(32))
        if place == (13, THREE):
            letters(reply)["note"] = b"another letter"
        if place == (14, FOUR):
            reply.content["report"] = ConfigRecord({"body": 10**12, "payload": "x"})
        return reply


AFTER: dict[tuple[str, int, str], Misdeed] = {
    ("contribute", 4, FOUR): other_pieces,
    ("contribute", 5, FIVE): garbage_note,
    ("contribute", 6, ONE): the_note_before,
    ("contribute", 7, TWO): in_anothers_name,
    ("contribute", 8, THREE): fail,
    ("consist", 9, FOUR): garbage_signature,
    ("unmask", 10, FIVE): garbage_revelation,
    ("unmask", 11, ONE): wrong_shares,
}
ROUNDS = 14
OUTCOMES: dict[int, dict[str, str]] = {
    1: {ONE: "no_answer"},
    2: {TWO: "no_answer"},
    3: {THREE: "refused"},
    4: {FOUR: "refused"},
    5: {FIVE: "refused"},
    6: {ONE: "refused"},
    7: {TWO: "refused"},
    8: {THREE: "no_answer"},
    12: {TWO: "no_answer"},
    13: {THREE: "no_answer"},
    14: {FOUR: "no_answer"},
}


@pytest.fixture(scope="module")
def spoiled(make_job: MakeJob) -> FaultyJob:
    """In each sum another party misbehaves in another way."""

    def runs_away(update: LocalUpdate) -> LocalUpdate:
        del update
        raise diverged(0, job.spec.training)

    with pytest.MonkeyPatch.context() as patch:
        job = make_job(training__rounds=ROUNDS)
        nan = LocalUpdate(np.full((1, 1), np.nan), np.array([1]))
        crooked(patch, at(1, ONE), update=runs_away)
        crooked(patch, at(2, TWO), update=lambda update: nan)
        crooked(patch, at(3, THREE), words=lambda words: words[:-1])
        steps: tuple[Phase, ...] = ("contribute", "consist", "unmask")
        for step in steps:

            def acted(context: StepContext, honest: Step, step: str = step) -> dict[str, Any]:
                payload = honest(context)
                place = (step, context.number("number"), context.party)
                if place in AFTER:
                    AFTER[place](context)
                return payload

            replace_step(patch, step, acted)
        job.drive(OnTheLine())
    return job


def test_a_bad_party_is_left_out_and_the_job_goes_on(spoiled: FaultyJob) -> None:
    assert spoiled.record.status == "closed", spoiled.told()
    found = {one.number: one.missing for one in spoiled.sums()}
    assert found == {number: OUTCOMES.get(number, {}) for number in range(ROUNDS + 2)}
    assert len(spoiled.opened()) == ROUNDS + 2


def test_the_model_is_that_of_the_honest_contributions(spoiled: FaultyJob) -> None:
    precision = spoiled.precision()
    assert precision.largest_difference <= precision.bound
    assert set(spoiled.models()) == set(spoiled.parties)
    assert len(set(spoiled.models().values())) == 1


def test_what_was_refused_is_in_the_logs(spoiled: FaultyJob) -> None:
    refused = {
        (event.counts["sum_number"], event.details["party"], event.details["step"])
        for event in spoiled.events("coordinator", "sum.contribution_refused")
    }
    assert refused == {
        (3, THREE, "contribute"),
        (4, FOUR, "contribute"),
        (5, FIVE, "contribute"),
        (6, ONE, "contribute"),
        (7, TWO, "contribute"),
        (9, FOUR, "consist"),
    }
    assert "NotFinite" in spoiled.refusals(ONE)
    assert "LocalProtocolError" in spoiled.refusals(TWO)
    assert "ZeroDivisionError" in spoiled.refusals(THREE)
    for party in (TWO, THREE, FOUR, FIVE):
        wrong = [e for e in spoiled.events(party, "message.refused") if e.details["party"] == ONE]
        assert [event.details["error"] for event in wrong] == ["WrongShare"]


def test_the_text_of_an_unforeseen_error_stays_on_its_node(spoiled: FaultyJob) -> None:
    log = (spoiled.home(THREE) / "errors.log").read_text()
    assert "5551234567" in log
    for path in spoiled.coordinator_home.rglob("*"):
        assert not path.is_file() or b"5551234567" not in path.read_bytes()


# -- what nobody can see before the sum is opened ---------------------------------------------


def biggest(words: Words) -> Words:
    """Words of the largest size a word of five parties may have."""
    return np.full_like(words, (1 << 28) - 1)


def too_big(words: Words) -> Words:
    return np.concatenate(([(1 << 31) - 1], words[1:]))


def without_weight(words: Words) -> Words:
    return np.append(biggest(words)[:-1], 0)


def negative(words: Words) -> Words:
    return -words * 40  # more than all others have


@pytest.mark.parametrize(
    ("number", "words", "reason"),
    [
        (1, too_big, "the sum is out of range for 5 contributions"),
        (1, without_weight, "the opened updates are out of range"),
        (0, negative, "the parties have no training rows, or their counts contradict"),
        (3, negative, "the opened counts are negative"),
    ],
)
def test_a_sum_no_honest_parties_have_ends_the_job(
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    words: Callable[[Words], Words],
    reason: str,
) -> None:
    job = make_job()
    crooked(monkeypatch, at(number, TWO), words=words)
    job.drive()
    assert job.record.status == "failed"
    assert reason in job.told()["message"]
    assert not job.models()
    for party in job.parties:
        assert not job.events(party, "release.done")
        assert len(job.events(party, "sum.opened")) == number


def test_what_stays_in_range_is_in_the_sum_and_bounded(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest update with the largest weight cannot be told from an honest one."""
    honest, job = make_job(training__rounds=1), make_job(training__rounds=1)
    honest.drive()
    crooked(monkeypatch, at(1, TWO), words=biggest)
    job.drive()
    assert job.record.status == "closed"
    one, other = (
        TrainedModel.from_bytes(next(iter(each.models().values()))).parameters
        for each in (honest, job)
    )
    bound = float(job.spec.aggregation.update_bound)
    assert 0.1 < np.abs(one - other).max() <= 2 * bound


# -- keys -------------------------------------------------------------------------------------


def test_bad_keys_and_bundles(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def advertise(context: StepContext, honest: Step) -> dict[str, Any]:
        payload = honest(context)
        if context.party == FIVE and context.number("epoch") == 0:
            context.outbox["advertisement"] = b"\x00" * 64
            return payload | {"opened": "many"}
        return payload

    def share(context: StepContext, honest: Step) -> dict[str, Any]:
        payload = honest(context)
        if context.party == FOUR and KeyEpoch.present(context).record.epoch == 1:
            found = decode(context.outbox["bundles"], SealedBundles)
            changed = [
                SealedBundle(each.party, bytes(200) if each.party == TWO else each.sealed)
                for each in found.bundles
            ]
            context.outbox["bundles"] = encode(SealedBundles(found.roster, tuple(changed)))
        return payload

    replace_step(monkeypatch, "advertise", advertise)
    replace_step(monkeypatch, "share", share)
    job = make_job(training__rounds=3, aggregation__key_rounds=2)
    job.drive()
    assert job.record.status == "closed"
    missing = [one.missing for one in job.sums()]
    assert missing == [{FIVE: "next_epoch"}, {FIVE: "next_epoch"}, {FIVE: "next_epoch"}, {}, {}]
    refused = [
        (event.counts["epoch"], event.details["party"], event.details["step"])
        for event in job.events("coordinator", "sum.contribution_refused")
    ]
    assert refused == [(0, FIVE, "advertise")]
    assert len(set(job.models().values())) == 1
    assert set(job.models()) == set(job.parties)


@pytest.mark.parametrize("letter", ["public", "sum-key"])
def test_a_key_maker_without_a_key_ends_the_job(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    def share(context: StepContext, honest: Step) -> dict[str, Any]:
        payload = honest(context)
        if letter in context.outbox:
            context.outbox[letter] = b"no key"
        return payload

    replace_step(monkeypatch, "share", share)
    job = make_job(aggregation__method="masked_he")
    job.drive()
    assert job.record.status == "failed"
    if letter == "public":
        assert job.told()["party"] == ONE
    else:
        assert "sum-key: not sealed under this epoch's group key" in job.told()["message"]
    assert not job.models()


def test_who_blames_a_stranger_is_not_heard(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def consist(context: StepContext, honest: Step) -> dict[str, Any]:
        if context.party == THREE:
            raise RemoteProtocolError("made up", party="somebody else\n" * 3)
        return honest(context)

    replace_step(monkeypatch, "consist", consist)
    job = make_job(training__rounds=1)
    job.drive()
    assert job.record.status == "closed"


def test_who_blames_a_party_ends_the_job_with_both_names(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def consist(context: StepContext, honest: Step) -> dict[str, Any]:
        if context.party == THREE:
            raise RemoteProtocolError("made up", party=TWO, step="share")
        return honest(context)

    replace_step(monkeypatch, "consist", consist)
    job = make_job(training__rounds=1)
    job.drive()
    assert job.record.status == "failed"
    told = job.told()
    assert told["party"] == TWO
    assert told["message"] == f"{THREE} says: {TWO} broke the protocol in share: made up"
