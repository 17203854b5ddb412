"""How two sides meet: who they are, what both approve, and what they go on with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from party_node.errors import AttemptAbandoned, JobRefused, PeerUnreachable
from party_node.peer_channel.transport import ConnectionLost
from party_node.psi import streams as streams_module
from party_node.psi.meeting import Meeting, Self, connect, meet
from party_node.psi.run_state import RunState
from party_node.psi.streams import Deadlines, PeerEnded, Streams
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.session.psi_negotiation import RELEASE, Offer
from protocols.session.psi_spec import PsiSpec, encode_psi_terms
from protocols.suite import get_suite
from protocols.wire import encode
from tests.party_node.psi.wire import End, line
from tests.protocols.session.psi_terms import spec, terms

SUITE = get_suite("gm")
SOON = Deadlines(connect_s=1, silent_s=5, message_s=5)
ROLES = ("receiver", "sender")
NAMES = {"receiver": "bank", "sender": "shop"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "_LAST_WORDS_S", 0.2)


def side(folder: Path, role: str, **changes: Any) -> Self:
    """One side as a real run has it: the other's key and certificate are pinned."""
    other = terms("sender" if role == "receiver" else "receiver")
    fields: dict[str, Any] = {
        "terms": terms(role),
        "suite": SUITE,
        "peer": other.party_id,
        "pinned_key": bytes.fromhex(other.public_key),
        "pinned_certificate": other.certificate_digest,
        "inputs": b"i" * 32,
        "state_folder": folder / f"{role}-state",
        "created_at": "2026-11-21T08:00:00Z",
        "evidence": None,
        "deadlines": SOON,
    }
    return Self(**(fields | changes))


class Table:
    """Both sides meet over a new line; what each gets or raises."""

    def __init__(self) -> None:
        self.approves = {"receiver": True, "sender": True}
        self.asked: dict[str, list[PsiSpec]] = {"receiver": [], "sender": []}
        self.finished = {"receiver": False, "sender": False}
        self.open: list[Streams] = []

    def meet(self, bank: Self, shop: Self) -> tuple[Any, Any]:
        ends = line()
        results: list[Any] = [None, None]

        def one(place: int, own: Self, end: End) -> None:
            role = ROLES[place]

            def confirm(shown: PsiSpec) -> bool:
                self.asked[role].append(shown)
                return self.approves[role]

            try:
                results[place] = meet(end, own, confirm, finished=self.finished[role])
                self.open.append(results[place].streams)
            except Exception as error:  # noqa: BLE001
                results[place] = error

        threads = [
            threading.Thread(target=one, args=(place, own, ends[place]))
            for place, own in enumerate((bank, shop))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)
        return results[0], results[1]


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table()
    yield made
    for streams in made.open:
        streams.close()


def test_both_come_to_one_spec_with_an_id_of_both_nonces(tmp_path: Path, table: Table) -> None:
    bank, shop = table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender"))
    assert isinstance(bank, Meeting)
    assert isinstance(shop, Meeting)
    assert bank.spec == shop.spec == table.asked["receiver"][0] == table.asked["sender"][0]
    assert (bank.attempt, shop.attempt) == (1, 1)
    assert not bank.resumed
    assert bank.state.spec == bank.spec
    again, _ = Table().meet(
        side(tmp_path / "again", "receiver"), side(tmp_path / "again", "sender")
    )
    assert again.spec.run_id != bank.spec.run_id
    again.streams.close()


@pytest.mark.parametrize("refuser", ROLES)
def test_either_officer_can_refuse(tmp_path: Path, table: Table, refuser: str) -> None:
    table.approves[refuser] = False
    for error in table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender")):
        assert isinstance(error, JobRefused)
        assert error.message == f"{NAMES[refuser]} did not approve the run"
        assert error.hint == "nothing was compared"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refused", [True, False])
def test_two_sides_that_want_different_things_ask_no_officer(
    tmp_path: Path, table: Table, refused: bool
) -> None:
    other = terms("sender", purpose="churn") if refused else terms("sender", role="receiver")
    for error in table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender", terms=other)):
        assert isinstance(error, LocalProtocolError)
        assert ("--purpose" if refused else "both sides are the receiver") in str(error)
    assert table.asked == {"receiver": [], "sender": []}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"party_id": "mill"}, "not from the pinned identity"),
        ({"public_key": "dd" * 33}, "not from the pinned identity"),
        ({"certificate_digest": "dd" * 32}, "names another certificate"),
    ],
)
def test_an_offer_of_another_identity_is_refused(
    tmp_path: Path, table: Table, changes: dict[str, Any], said: str
) -> None:
    impostor = side(tmp_path, "sender", terms=terms("sender", **changes))
    bank, shop = table.meet(side(tmp_path, "receiver"), impostor)
    assert isinstance(bank, RemoteProtocolError)
    assert said in str(bank)
    assert bank.party == "shop"
    assert isinstance(shop, PeerEnded)
    assert table.asked["receiver"] == []


def test_without_a_pinned_identity_the_peer_is_called_what_it_says(
    tmp_path: Path, table: Table
) -> None:
    lab: dict[str, Any] = {"pinned_key": None, "pinned_certificate": None, "peer": "somebody"}
    bank, shop = table.meet(side(tmp_path, "receiver", **lab), side(tmp_path, "sender", **lab))
    assert (bank.streams.peer, shop.streams.peer) == ("shop", "bank")


# -- interrupted runs --------------------------------------------------------------------------


def interrupted(tmp_path: Path, role: str, attempt: int = 1, **changes: Any) -> RunState:
    """Leave behind a run of two parties that had agreed on ``spec()``."""
    state = RunState.begin(tmp_path / f"{role}-state", spec(**changes), b"i" * 32)
    if attempt > 1:
        state.connected(attempt)
    return state


@pytest.mark.parametrize(("mine", "theirs", "next_"), [(1, 1, 2), (1, 4, 5), (7, 2, 8)])
def test_both_go_on_with_the_run_both_know_under_a_new_number(
    tmp_path: Path, table: Table, mine: int, theirs: int, next_: int
) -> None:
    interrupted(tmp_path, "receiver", mine)
    interrupted(tmp_path, "sender", theirs)
    bank, shop = table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender"))
    assert bank.spec == shop.spec == spec()
    assert (bank.attempt, shop.attempt) == (next_, next_)
    assert bank.resumed
    assert shop.resumed
    assert table.asked == {"receiver": [], "sender": []}
    kept = RunState.find(tmp_path / "sender-state", b"i" * 32)
    assert kept is not None
    assert kept.attempt == next_


def test_a_run_only_one_side_knows_is_begun_anew(tmp_path: Path, table: Table) -> None:
    interrupted(tmp_path, "receiver").save_part(0, 1, {})
    bank, shop = table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender"))
    assert bank.spec.run_id == shop.spec.run_id != spec().run_id
    assert not bank.resumed
    assert bank.state.finished(0, 1).tolist() == [0]


@pytest.mark.parametrize("changed", ["inputs", "terms"])
def test_a_side_with_another_file_or_other_options_begins_anew(
    tmp_path: Path, table: Table, changed: str
) -> None:
    interrupted(tmp_path, "receiver")
    interrupted(tmp_path, "sender")
    changes: dict[str, Any] = {"inputs": b"j" * 32}
    if changed == "terms":
        changes = {"terms": terms("receiver", cores=7)}
    bank, shop = table.meet(side(tmp_path, "receiver", **changes), side(tmp_path, "sender"))
    assert bank.spec == shop.spec
    assert not bank.resumed
    assert not shop.resumed
    assert [len(asked) for asked in table.asked.values()] == [1, 1]


def test_a_peer_that_resumes_with_other_terms_is_refused(tmp_path: Path, table: Table) -> None:
    interrupted(tmp_path, "receiver")
    hostile = replace(side(tmp_path, "sender"), terms=terms("sender", rows=1_000_000))
    RunState.begin(hostile.state_folder, spec(sender={"rows": 1_000_000}), b"i" * 32)
    bank, shop = table.meet(side(tmp_path, "receiver"), hostile)
    assert isinstance(bank, RemoteProtocolError)
    assert "with other terms than it was agreed with" in str(bank)
    assert isinstance(shop, PeerEnded | RemoteProtocolError)


def test_a_side_that_has_ended_does_not_begin_another_run(tmp_path: Path, table: Table) -> None:
    interrupted(tmp_path, "receiver").conclude(b"all there is")
    table.finished["receiver"] = True
    bank, shop = table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender"))
    assert isinstance(bank, AttemptAbandoned)
    assert isinstance(shop, PeerEnded)
    assert "bank has just ended its run and shop begins another" in shop.message


def test_a_side_that_has_ended_helps_the_other_to_its_end(tmp_path: Path, table: Table) -> None:
    interrupted(tmp_path, "receiver").conclude(b"all there is")
    interrupted(tmp_path, "sender")
    table.finished["receiver"] = True
    bank, shop = table.meet(side(tmp_path, "receiver"), side(tmp_path, "sender"))
    assert bank.spec == shop.spec == spec()
    assert bank.resumed


# -- hostile offers ----------------------------------------------------------------------------


def answer_with(tmp_path: Path, message: bytes) -> Exception:
    """What the bank raises when the first message it gets is ``message``."""
    near, far = line()
    peer = Streams(far, "bank", SOON)
    peer.open(0, most_bytes=1 << 20).send(message)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        meet(near, side(tmp_path, "receiver"), lambda _: True)
    peer.close()
    return caught.value


def offer(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "release": RELEASE,
        "terms": encode_psi_terms(terms("sender")),
        "nonce": bytes(16),
        "created_at": "2026-11-21T08:00:00Z",
        "resumes": "",
        "attempt": 0,
    }
    return encode(Offer(**(fields | changes)))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        offer(release="fedcrm-psi-negotiation/9"),
        offer(terms=b""),
        offer(terms=b"{}"),
        offer(terms=encode_psi_terms(terms("sender"))[:-1]),
        offer(terms=encode_psi_terms(terms("receiver"))),
        offer() + b"\x00",
    ],
)
def test_a_hostile_offer_is_the_peers_mistake(tmp_path: Path, message: bytes) -> None:
    error = answer_with(tmp_path, message)
    assert isinstance(error, RemoteProtocolError)
    assert "shop" in str(error)


def test_an_offer_with_no_time_gives_no_spec(tmp_path: Path) -> None:
    own = side(tmp_path, "sender")
    near, far = line()
    peer = Streams(far, "shop", SOON)
    lawless = offer(terms=encode_psi_terms(terms("receiver")), created_at="yesterday")
    peer.open(0, most_bytes=1 << 20).send(lawless)
    with pytest.raises(RemoteProtocolError, match="the offers give no spec: created_at"):
        meet(near, own, lambda _: True)
    peer.close()


def test_the_number_of_attempts_has_an_end(tmp_path: Path) -> None:
    interrupted(tmp_path, "receiver")
    error = answer_with(tmp_path, offer(resumes=spec().run_id, attempt=(1 << 31) - 1))
    assert isinstance(error, RemoteProtocolError)
    assert msgspec.structs.asdict(spec())["floor"] == 50


def test_a_decision_that_does_not_come_is_a_deadline_that_names_it(tmp_path: Path) -> None:
    near, far = line()
    own = replace(side(tmp_path, "receiver"), deadlines=Deadlines(1, 5, 0.3))
    peer = Streams(far, "bank", SOON)
    peer.open(0, most_bytes=1 << 20).send(offer())
    with pytest.raises(Exception, match="for Decision of step decision from shop"):
        meet(near, own, lambda _: True)
    peer.close()


def test_a_peer_that_hangs_up_leaves_the_approved_run_to_go_on_with(tmp_path: Path) -> None:
    near, far = line()
    peer = Streams(far, "bank", SOON)
    peer.open(0, most_bytes=1 << 20).send(offer())

    def hang_up(_: PsiSpec) -> bool:
        peer.close()
        return True

    with pytest.raises(ConnectionLost):
        meet(near, side(tmp_path, "receiver"), hang_up)
    assert RunState.find(tmp_path / "receiver-state", b"i" * 32) is not None


class Nowhere:
    """A dialer that reaches nobody."""

    trouble = "connection refused"

    def dial(self, timeout: float) -> None:
        assert timeout <= 1

    def close(self) -> None:
        pass


def test_nobody_there_is_an_error_with_the_trouble() -> None:
    with pytest.raises(PeerUnreachable, match="waited 0 s for shop; connection refused") as caught:
        connect(Nowhere(), "shop", 0.05)
    assert "--wait" in caught.value.hint
