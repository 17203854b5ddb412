"""A coordinator that lies to either party about what matched is caught before anybody signs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_server_aided import MatchAnswer, MatchesMac, TokenList, match
from protocols.roles import Send
from protocols.session.countersign import StatementSignature
from protocols.wire import Message, decode, encode
from tests.protocols.psi_ecdh.pair import Refusals
from tests.protocols.psi_server_aided import job

BANK, RETAILER = range(12), range(6, 20)
PREPARED = job.prepare(BANK, RETAILER)
PARTIES = pytest.mark.parametrize("party", job.PEER)
OTHER_MATCHES = "the peer holds other matches than we do"
Places = list[int]


def places(answer: MatchAnswer) -> Places:
    bits = np.unpackbits(np.frombuffer(answer.matched, np.uint8), count=answer.own_size)
    return np.flatnonzero(bits).tolist()


def answer_with(answer: MatchAnswer, chosen: Places) -> MatchAnswer:
    bits = np.zeros(answer.own_size, np.uint8)
    bits[chosen] = 1
    return msgspec.structs.replace(answer, matched=np.packbits(bits).tobytes())


def unmatched(answer: MatchAnswer) -> Places:
    return sorted(set(range(answer.own_size)) - set(places(answer)))


def caught(answers: job.Answers, error: type[RemoteProtocolError], match_: str) -> Refusals:
    """Let the parties confirm ``answers``; check that they refuse and that nobody has signed."""
    sent: list[Message] = []
    refusals = Refusals()

    def record(message: Message) -> list[Message]:
        sent.append(message)
        return [message]

    for liar in job.PEER:  # watched for what it sends, it does not lie
        sent.clear()
        with pytest.raises(error, match=match_):
            job.confirm(PREPARED, answers, liar=liar, alter=record, refusals=refusals)
        assert not any(isinstance(message, StatementSignature) for message in sent)
    return refusals


LIES: dict[str, Callable[[MatchAnswer], Places]] = {
    "drops a match": lambda answer: places(answer)[1:],
    "drops all but one": lambda answer: places(answer)[:1],
    "invents a match": lambda answer: [*places(answer), unmatched(answer)[0]],
    "swaps a match for another item": lambda answer: [
        *places(answer)[1:],
        unmatched(answer)[0],
    ],
    "shifts the matches by one": lambda answer: [
        (place + 1) % answer.own_size for place in places(answer)
    ],
    "calls almost everything matched": lambda answer: list(range(2, answer.own_size)),
}


@PARTIES
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_to_one_party_is_caught(party, lie):
    true = PREPARED.answers
    answers = {**true, party: answer_with(true[party], LIES[lie](true[party]))}
    assert answers[party] != true[party]
    refusals = caught(answers, VerifyError, OTHER_MATCHES)
    # The party whose id sorts first shows its MAC first, so the other one refuses.
    assert set(refusals.by) == {"retailer"}


@pytest.mark.parametrize("lie", sorted(lie for lie in LIES if "drops" not in lie))
def test_a_lie_to_both_parties_is_caught(lie):
    true = PREPARED.answers
    answers = {party: answer_with(true[party], LIES[lie](true[party])) for party in true}
    caught(answers, VerifyError, OTHER_MATCHES)


def test_another_match_kept_from_each_party_is_caught():
    true = PREPARED.answers
    answers = {
        "bank": answer_with(true["bank"], places(true["bank"])[1:]),
        "retailer": answer_with(true["retailer"], places(true["retailer"])[:-1]),
    }
    caught(answers, VerifyError, OTHER_MATCHES)


def test_the_second_party_shows_no_mac_when_the_first_was_told_something_else():
    true = PREPARED.answers
    answers = {**true, "bank": answer_with(true["bank"], LIES["invents a match"](true["bank"]))}
    sent: list[Message] = []

    def record(message: Message) -> list[Message]:
        sent.append(message)
        return [message]

    with pytest.raises(VerifyError):
        job.confirm(PREPARED, answers, liar="retailer", alter=record)
    assert not any(isinstance(message, MatchesMac) for message in sent)


def test_matches_kept_from_both_are_not_caught():
    """The limit that SPEC.md §5 states: the result is smaller, and every match in it is real."""
    dropped = {
        party: answer_with(answer, places(answer)[2:]) for party, answer in PREPARED.answers.items()
    }
    results, _ = job.confirm(PREPARED, dropped)
    pairs = zip(*(results[party].positions for party in job.PEER), strict=True)
    shared = [(BANK[own], RETAILER[peer]) for own, peer in pairs]
    assert len(shared) == len(set(BANK) & set(RETAILER)) - 2
    assert all(own == peer for own, peer in shared)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_the_coordinator_says_every_confirmed_match_is_real(data):
    answers = {}
    for party, answer in PREPARED.answers.items():
        true = set(places(answer))
        changed = data.draw(st.sets(st.integers(0, answer.own_size - 1), max_size=3), label=party)
        chosen = sorted(true ^ changed)
        answers[party] = answer_with(answer, chosen)
    try:
        results, _ = job.confirm(PREPARED, answers)
    except RemoteProtocolError:
        assert answers != PREPARED.answers
        return
    bank, retailer = (results[party].positions for party in job.PEER)
    assert [BANK[place] for place in bank] == [RETAILER[place] for place in retailer]


def withheld(answer: MatchAnswer) -> MatchAnswer:
    return msgspec.structs.replace(answer, opened=False, matched=b"")


@PARTIES
def test_opened_to_one_and_withheld_from_the_other_is_caught(party):
    true = PREPARED.answers
    caught({**true, party: withheld(true[party])}, VerifyError, "opened the matches to one party")


def test_withheld_from_both_is_not_caught():
    """The limit that SPEC.md §5 states: a refusal, which the floor's own is not told from."""
    answers = {party: withheld(answer) for party, answer in PREPARED.answers.items()}
    results, _ = job.confirm(PREPARED, answers)
    assert [result.size for result in results.values()] == [None, None]


@PARTIES
@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_wrong_peer_size_is_caught(party, wrong):
    true = PREPARED.answers
    lie = msgspec.structs.replace(true[party], peer_size=true[party].peer_size + wrong)
    caught({**true, party: lie}, RemoteProtocolError, "not what the coordinator counted")


@PARTIES
@pytest.mark.parametrize(
    ("changed", "match_"),
    [
        ({"version": "fedcrm-psi-server-aided/0"}, "coordinator: MatchAnswer: the version"),
        ({"context": b"an earlier attempt"}, "coordinator: MatchAnswer: made for another run"),
        ({"own_size": 10, "matched": bytes(2)}, "coordinator: MatchAnswer: made for another run"),
        ({"peer_size": 2}, "more than the peer has"),
        ({"matched": bytes(2)}, "fewer matches than the floor"),
    ],
)
def test_an_answer_that_cannot_be_ours_is_refused(party, changed, match_):
    lie = msgspec.structs.replace(PREPARED.answers[party], **changed)
    caught({**PREPARED.answers, party: lie}, RemoteProtocolError, match_)


def test_matches_below_the_floor_are_refused():
    """The coordinator of the session withholds; one that does not is caught by either party."""
    prepared = job.prepare([1, 2, 3], [2, 3, 4], floor=1)
    for party in job.PEER:
        role = job.confirmation(party, prepared, floor=3)
        with pytest.raises(RemoteProtocolError, match="fewer matches than the floor"):
            next(role)
    assert isinstance(next(job.confirmation("bank", prepared, floor=2)), Send)


LIST = job.token_list("bank", PREPARED.own["bank"])


@pytest.mark.parametrize(
    ("changed", "match_"),
    [
        ({"tokens": LIST.tokens[:-1]}, "not a list of 16-byte tokens"),
        ({"tokens": LIST.tokens + b"\0"}, "not a list of 16-byte tokens"),
        ({"tokens": LIST.tokens[:16] + LIST.tokens}, "a token occurs twice"),
        ({"tokens": LIST.tokens + LIST.tokens[-16:]}, "a token occurs twice"),
        ({"tokens": LIST.tokens[16:32] + LIST.tokens[:16]}, "not sorted"),
        ({"tokens": LIST.tokens[-16:] + LIST.tokens[:-16]}, "not sorted"),
        ({"version": "fedcrm-psi-server-aided/0"}, "the version"),
        ({"party": "insurer"}, "another run"),
        ({"peer": "insurer"}, "another run"),
        ({"context": b"another attempt"}, "another run"),
    ],
)
@PARTIES
def test_the_coordinator_refuses_a_bad_list_and_names_the_party(party, changed, match_):
    lists = {p: job.token_list(p, own) for p, own in PREPARED.own.items()}
    lists[party] = msgspec.structs.replace(lists[party], **changed)
    with pytest.raises(RemoteProtocolError, match=match_) as refused:
        match(lists, context=job.CONTEXT, floor=1)
    assert refused.value.party == party


def test_the_coordinator_says_nothing_about_tokens_in_an_error():
    lists = {p: job.token_list(p, own) for p, own in PREPARED.own.items()}
    twice = LIST.tokens[:16] + LIST.tokens
    lists["bank"] = msgspec.structs.replace(lists["bank"], tokens=twice)
    with pytest.raises(RemoteProtocolError) as refused:
        match(lists, context=job.CONTEXT, floor=1)
    assert LIST.tokens[:4].hex() not in str(refused.value)
    assert str(LIST.tokens[:4])[2:-1] not in str(refused.value)


@pytest.mark.parametrize(
    ("own_size", "opened", "matched"),
    [
        (12, True, b""),
        (12, True, bytes(1)),
        (12, True, bytes(3)),
        (12, True, b"\x00\x01"),
        (12, True, b"\x00\x08"),
        (12, False, bytes(2)),
        (8, True, bytes(2)),
        (0, True, bytes(1)),
        (-1, True, b""),
        ((1 << 24) + 1, False, b""),
    ],
)
def test_answers_with_another_number_of_bits_do_not_decode(own_size, opened, matched):
    fields = ["fedcrm-psi-server-aided/1", b"context", own_size, 5, opened, matched]
    with pytest.raises(RemoteProtocolError, match="MatchAnswer"):
        decode(msgspec.msgpack.encode(["MatchAnswer", *fields]), MatchAnswer)


def test_oversized_lists_are_refused_before_decoding():
    with pytest.raises(RemoteProtocolError, match="at most"):
        decode(bytes(TokenList.max_bytes + 1), TokenList)


def test_an_answer_survives_the_wire():
    for answer in PREPARED.answers.values():
        assert decode(encode(answer), MatchAnswer) == answer
