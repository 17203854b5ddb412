"""Whole runs, both sides in this process: the files are the truth, row by row."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from party_node.errors import DatasetError, NodeError, PeerUnreachable
from party_node.psi import setting_out
from party_node.psi.options import PsiOptions
from party_node.psi.streams import Deadlines, PeerEnded, PeerSilent, Streams
from protocols.errors import LocalProtocolError, RemoteProtocolError
from tests.party_node.psi.sides import (
    Ending,
    Watcher,
    WrappedDialer,
    free_port,
    numbered,
    options,
    read_rows,
    run_both,
    run_side,
    secured,
    write_table,
)

SHORT = Deadlines(connect_s=2, silent_s=0.6, message_s=20)


@pytest.fixture(autouse=True, scope="module")
def without_rehearsals() -> Iterator[None]:
    """The rehearsal has a test of its own; here it would be most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setting_out, "rehearse", lambda *_: None)
        yield


def pair(
    tmp_path: Path, receiver: dict[str, Any] | None = None, **both: Any
) -> tuple[PsiOptions, PsiOptions]:
    """Options of both sides: 80 customers at the bank, 70 at the retailer, 30 shared."""
    bank = write_table(tmp_path / "bank.csv", numbered(range(80), "b"))
    shop = write_table(tmp_path / "shop.csv", numbered(range(119, 49, -1), "s"))
    port = free_port()
    if both.get("to") == "receiver" or both.get("reveal", "list") != "list":
        sender_output = None
    else:
        sender_output = tmp_path / "sender-out.csv"
    receiver_output = tmp_path / "receiver-out.csv"
    if both.get("reveal", "list") != "list":
        receiver_output = None  # type: ignore[assignment]
    return (
        options("receiver", bank, port, output=receiver_output, **(both | (receiver or {}))),
        options("sender", shop, port, output=sender_output, **both),
    )


def secure(tmp_path: Path, suite: str, *pair: PsiOptions) -> tuple[PsiOptions, PsiOptions]:
    one, other = (replace(side, **secured(side.role, tmp_path, suite)) for side in pair)
    return one, other


def check_files(asked: tuple[PsiOptions, PsiOptions], endings: tuple[Ending, Ending]) -> None:
    """Both files hold the shared customers' own rows, row i of one customer in both."""
    tables = [read_rows(side.input) for side in asked]
    ids = [{row[0] for row in table[1:]} for table in tables]
    shared = ids[0] & ids[1]
    outputs = []
    for side, table, ending in zip(asked, tables, endings, strict=True):
        summary = ending.result
        assert summary.opened
        assert summary.intersection == len(shared)
        if side.output is None:
            continue
        assert side.output is not None
        header, *rows = read_rows(side.output)
        assert header == table[0]
        assert {row[0] for row in rows} == shared
        assert len(rows) == len(shared) == summary.written
        assert all(row in table for row in rows)
        outputs.append([row[0] for row in rows])
    assert all(output == outputs[0] for output in outputs)


def no_output(*asked: PsiOptions) -> bool:
    return not any(side.output is not None and side.output.exists() for side in asked)


def nothing_kept(*asked: PsiOptions) -> bool:
    return not any(
        side.state_folder.exists() or side.state_folder.with_suffix(".lock").exists()
        for side in asked
    )


@pytest.mark.parametrize("suite", ["gm", "intl"])
@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_the_files_are_the_truth(tmp_path: Path, suite: str, protocol: str) -> None:
    asked = pair(tmp_path, suite=suite, protocol=protocol)
    endings = run_both(*asked)
    check_files(asked, endings)
    for ending, side in zip(endings, asked, strict=True):
        summary = ending.result
        assert (summary.protocol, summary.suite, summary.reveal) == (protocol, suite, "list")
        assert summary.bytes_sent > 0
        assert summary.wall_s >= summary.match_s
        assert not summary.resumed
        assert (summary.rows, summary.peer_rows) == ((80, 70) if side is asked[0] else (70, 80))
    assert endings[0].result.bytes_sent <= endings[1].result.bytes_received + 100
    assert nothing_kept(*asked)


@pytest.mark.parametrize("suite", ["gm", "intl"])
@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_a_real_run_is_encrypted_and_signed(tmp_path: Path, suite: str, protocol: str) -> None:
    asked = secure(tmp_path, suite, *pair(tmp_path, suite=suite, protocol=protocol, floor=30))
    endings = run_both(*asked)
    check_files(asked, endings)
    assert "listening on" in endings[0].watcher.said[0]
    (spec,) = endings[0].watcher.asked
    assert (spec.receiver.party_id, spec.sender.party_id) == ("bank", "retailer")
    assert endings[1].watcher.asked == [spec]
    assert nothing_kept(*asked)


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_the_sender_gets_no_rows_where_only_the_receiver_does(
    tmp_path: Path, protocol: str
) -> None:
    asked = pair(tmp_path, protocol=protocol, to="receiver")
    receiver, sender = run_both(*asked)
    assert receiver.result.written == 30
    assert sender.result.written == 0
    # ecdh tells both the size, which both sign; vole tells the sender nothing.
    assert sender.result.intersection == (30 if protocol == "ecdh" else None)
    assert sorted(row[0] for row in read_rows(tmp_path / "receiver-out.csv")[1:]) == [
        f"customer-{number:07d}" for number in range(50, 80)
    ]
    assert not (tmp_path / "sender-out.csv").exists()


@pytest.mark.parametrize("to", ["receiver", "both"])
def test_only_the_size_is_told_rounded_down(tmp_path: Path, to: str) -> None:
    asked = pair(tmp_path, reveal="size", to=to, floor=7)
    receiver, sender = run_both(*asked)
    assert receiver.result.intersection == 28  # of 30
    assert sender.result.intersection == (28 if to == "both" else None)
    assert receiver.result.written == sender.result.written == 0
    assert [path for path in tmp_path.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
@pytest.mark.parametrize(("bank", "shop"), [(31, 1), (1, 31)])
def test_below_the_stricter_floor_nothing_is_written_on_either_side(
    tmp_path: Path, protocol: str, bank: int, shop: int
) -> None:
    receiver, sender = pair(tmp_path, protocol=protocol)
    asked = replace(receiver, floor=bank), replace(sender, floor=shop)
    for ending in run_both(*asked):
        assert ending.result.opened is False
        assert ending.result.written == 0
        if protocol == "vole":
            assert ending.result.intersection is None
    assert no_output(*asked)
    assert nothing_kept(*asked)


def test_the_floor_itself_is_enough(tmp_path: Path) -> None:
    asked = pair(tmp_path, protocol="vole", floor=30)
    check_files(asked, run_both(*asked))


def test_a_floor_below_which_the_size_is_lost_too(tmp_path: Path) -> None:
    for ending in run_both(*pair(tmp_path, reveal="size", floor=31)):
        assert ending.result.opened is False
        assert ending.result.intersection == 0


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
@pytest.mark.parametrize(("mine", "theirs"), [(0, 0), (0, 5), (5, 0)])
def test_an_empty_table_shares_nothing(
    tmp_path: Path, protocol: str, mine: int, theirs: int
) -> None:
    port = free_port()
    asked = (
        options(
            "receiver",
            write_table(tmp_path / "a.csv", numbered(range(mine))),
            port,
            protocol=protocol,
        ),
        options(
            "sender",
            write_table(tmp_path / "b.csv", numbered(range(theirs))),
            port,
            protocol=protocol,
        ),
    )
    for ending in run_both(*asked):
        assert ending.result.opened is False
    assert no_output(*asked)


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_several_buckets_on_two_cores_give_the_same_files(
    tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 16)
    monkeypatch.setattr("protocols.session.psi_spec.PARALLEL_ROWS", 4)
    asked = pair(tmp_path, protocol=protocol, cores=2)
    endings = run_both(*asked)
    check_files(asked, endings)
    (spec,) = endings[0].watcher.asked
    assert spec.buckets == (8 if protocol == "vole" else 1)


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_a_table_on_disk_gives_the_same_files(
    tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("party_node.psi.rounds.IN_MEMORY_ROWS", 20)
    asked = pair(tmp_path, protocol=protocol)
    check_files(asked, run_both(*asked))
    assert not [path for path in tmp_path.iterdir() if "items" in path.name]


def test_all_of_several_keys_must_match(tmp_path: Path) -> None:
    header = ("phone", "mail", "note")
    same = [(f"1380013{n:04d}", f"u{n}@example.com", "x") for n in range(20)]
    other_mail = [(f"1380013{n:04d}", f"u{n}@example.org", "x") for n in range(20, 30)]
    mine = [(f"1380013{n:04d}", f"u{n}@example.com", "x") for n in range(20, 30)]
    port = free_port()
    keys: dict[str, Any] = {"keys": ("phone", "mail"), "kinds": ("phone", "email")}
    asked = (
        options("receiver", write_table(tmp_path / "a.csv", same + mine, header), port, **keys),
        options("sender", write_table(tmp_path / "b.csv", same + other_mail, header), port, **keys),
    )
    receiver, sender = run_both(*asked)
    assert receiver.result.intersection == sender.result.intersection == 20
    outputs = [read_rows(side.output)[1:] for side in asked if side.output]
    assert outputs[0] == outputs[1]
    assert sorted(tuple(row) for row in outputs[0]) == sorted(same)


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
def test_the_first_key_that_matches_counts(tmp_path: Path, protocol: str) -> None:
    header = ("phone", "mail", "note")
    phone, mail = "1380013{:04d}".format, "u{}@example.com".format
    # 0-9 match by phone (and by mail with another row), 10-19 by mail alone, 20-29 not at all.
    mine = [
        *[(phone(n), mail(n), f"a{n}") for n in range(10)],
        *[(phone(n), mail(n), f"a{n}") for n in range(10, 20)],
        *[("", mail(n), f"a{n}") for n in range(20, 25)],
        *[(phone(n), "", f"a{n}") for n in range(25, 30)],
    ]
    theirs = [
        *[(phone(n), mail(n + 100), f"b{n}") for n in range(10)],
        *[("", mail(n), f"b{n}") for n in reversed(range(10, 20))],
        *[(phone(n + 500), mail(n + 500), f"b{n}") for n in range(20, 30)],
        *[("", mail(n), f"b-late-{n}") for n in range(5)],  # those are taken already
    ]
    port = free_port()
    keys: dict[str, Any] = {
        "keys": ("phone", "mail"),
        "kinds": ("phone", "email"),
        "match": "first",
        "protocol": protocol,
    }
    asked = (
        options("receiver", write_table(tmp_path / "a.csv", mine, header), port, **keys),
        options("sender", write_table(tmp_path / "b.csv", theirs, header), port, **keys),
    )
    receiver, sender = run_both(*asked)
    assert receiver.result.intersection == sender.result.intersection == 20
    notes = [[row[2] for row in read_rows(side.output)[1:]] for side in asked if side.output]
    pairs = list(zip(*notes, strict=True))
    assert {one[1:] for one, _ in pairs} == {str(n) for n in range(20)}
    assert all(one[1:] == other[1:] for one, other in pairs)
    # The shared order is that of the rounds: first the matches by phone.
    assert all(int(one[1:]) < 10 for one, _ in pairs[:10])


def test_unusable_rows_go_to_the_reject_file(tmp_path: Path) -> None:
    good = [(f"1380013{n:04d}", "x") for n in range(10)]
    rows = [*good[:5], ("not a number", "x"), *good[5:], ("1380013000", "x"), good[0]]
    port = free_port()
    bank = write_table(tmp_path / "a.csv", rows, ("id", "note"))
    shop = write_table(tmp_path / "b.csv", good)
    asked = (
        options("receiver", bank, port, kinds=("phone",)),
        options("sender", shop, port, kinds=("phone",)),
    )
    receiver, sender = run_both(*asked)
    assert receiver.result.intersection == 10
    assert (receiver.result.rejected, sender.result.rejected) == (3, 0)
    header, *rejects = read_rows(asked[0].reject_file)
    assert header == ["row", "reason", "column"]
    assert [row[0] for row in rejects] == ["6", "12", "13"]
    assert rejects[2][1] == "duplicate_identifier"
    assert not asked[1].reject_file.exists()


@pytest.mark.parametrize("on_disk", [False, True])
def test_people_who_withdrew_take_no_part(
    tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_disk:
        monkeypatch.setattr("party_node.psi.rounds.IN_MEMORY_ROWS", 20)
    gone = write_table(tmp_path / "gone.csv", numbered([50, 51, 52, 500]))
    asked = pair(tmp_path, {"exclude": gone})
    receiver, sender = run_both(*asked)
    assert receiver.result.rows == 77
    assert sender.result.peer_rows == 77
    assert receiver.result.intersection == 27
    for side in asked:
        assert side.output is not None
        assert {row[0] for row in read_rows(side.output)[1:]} == {
            f"customer-{number:07d}" for number in range(53, 80)
        }


def test_a_parquet_table_runs_against_a_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    receiver, sender = pair(tmp_path)
    table = pa.table({"id": [f"customer-{n:07d}" for n in range(40, 90)], "age": range(50)})
    pq.write_table(table, tmp_path / "shop.parquet")
    output = tmp_path / "out.parquet"
    ours, theirs = run_both(
        receiver, replace(sender, input=tmp_path / "shop.parquet", output=output)
    )
    assert ours.result.intersection == theirs.result.intersection == 40
    assert receiver.output is not None
    written = pq.read_table(output)
    assert written.schema.field("age").type == pa.int64()
    assert written.column("id").to_pylist() == [row[0] for row in read_rows(receiver.output)[1:]]


# -- what does not fit together ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"to": "receiver", "output": None},
            "--to: lab-receiver has both, lab-sender has receiver",
        ),
        ({"purpose": "churn"}, "--purpose: lab-receiver has overlap, lab-sender has churn"),
        ({"kinds": ("email",)}, "--key, --kind and --match: lab-receiver has all of opaque"),
        ({"suite": "gm"}, "--suite: lab-receiver has intl, lab-sender has gm"),
        ({"protocol": "vole"}, "--protocol: lab-receiver asks for ecdh, lab-sender for vole"),
    ],
)
def test_both_sides_are_told_which_option_differs(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    receiver, sender = pair(tmp_path, protocol="ecdh")
    if "kinds" in changes:
        mails = [(f"u{n}@example.com", "x") for n in range(9)]
        changes = changes | {"input": write_table(tmp_path / "mails.csv", mails)}
    sender = replace(sender, **changes)
    for ending in run_both(receiver, sender):
        assert isinstance(ending.error, LocalProtocolError)
        assert said in str(ending.error)
    assert no_output(receiver, sender)
    assert nothing_kept(receiver, sender)


@pytest.mark.parametrize("role", ["receiver", "sender"])
def test_two_of_one_role_are_told_what_to_run(tmp_path: Path, role: str) -> None:
    receiver, sender = pair(tmp_path)
    if role == "receiver":
        other = replace(receiver, input=sender.input, output=sender.output)
    else:
        other = replace(sender, input=receiver.input, output=receiver.output)
    address = receiver.listen
    one, two = (
        replace(receiver if role == "receiver" else sender, listen=address, connect=None),
        replace(other, listen=None, connect=address),
    )
    for ending in run_both(one, two):
        assert isinstance(ending.error, LocalProtocolError)
        assert f"both sides are the {role}" in str(ending.error)


def test_both_listening_wait_no_longer_than_they_should(tmp_path: Path) -> None:
    receiver, sender = pair(tmp_path, deadlines=Deadlines(1, 5, 5))
    sender = replace(sender, listen=f"127.0.0.1:{free_port()}", connect=None)
    for ending in run_both(receiver, sender):
        assert isinstance(ending.error, PeerUnreachable)
        assert "waited 1 s for lab-" in ending.error.message
        assert "nobody has connected" in ending.error.message
        assert "--listen, the other with --connect" in ending.error.hint


def test_a_peer_that_is_not_there_is_named_with_the_trouble(tmp_path: Path) -> None:
    _, sender = pair(tmp_path, deadlines=Deadlines(1, 5, 5))
    ending = run_side(sender)
    assert isinstance(ending.error, PeerUnreachable)
    assert "lab-receiver" in ending.error.message
    assert "connection refused" in ending.error.message


def test_a_strangers_certificate_is_refused(tmp_path: Path) -> None:
    receiver, sender = secure(tmp_path, "gm", *pair(tmp_path, deadlines=Deadlines(2, 5, 5)))
    stranger = replace(sender, identity=secured("sender", tmp_path, "gm", 1)["identity"])
    ours, theirs = run_both(receiver, stranger)
    assert isinstance(ours.error, PeerUnreachable)
    assert any("another certificate than retailer's" in text for text in ours.watcher.said)
    assert isinstance(theirs.error, PeerUnreachable)
    assert "expects another certificate than this party's" in theirs.error.message
    assert no_output(receiver, sender)


# -- peers that break the rules ----------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
@pytest.mark.parametrize("liar", ["receiver", "sender"])
def test_a_peer_that_lies_about_its_size_is_found_out_before_anything_is_computed(
    tmp_path: Path, protocol: str, liar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import match_ecdh, match_vole

    module: Any = match_ecdh if protocol == "ecdh" else match_vole
    original = getattr(module, liar)
    monkeypatch.setattr(module, liar, lambda items, **how: original(items[:-3].copy(), **how))
    asked = pair(tmp_path, protocol=protocol)
    endings = dict(zip(("receiver", "sender"), run_both(*asked), strict=True))
    honest = endings.pop("sender" if liar == "receiver" else "receiver")
    brings = 80 if liar == "receiver" else 70
    assert isinstance(honest.error, RemoteProtocolError)
    assert f"brings {brings - 3} items to part 1; its offer said {brings}" in str(honest.error)
    assert honest.error.party == f"lab-{liar}"
    assert isinstance(endings[liar].error, PeerEnded)
    assert f"brings {brings - 3} items" in str(endings[liar].error)
    assert no_output(*asked)


def test_a_receiver_that_claims_a_filler_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import match_vole

    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 16)
    original = match_vole.tell_matches
    monkeypatch.setattr(
        match_vole,
        "tell_matches",
        lambda answers, *, peer: original([_all_but_the_padding(a) for a in answers], peer=peer),
    )
    asked = pair(tmp_path, protocol="vole")
    _, sender = run_both(*asked)
    assert isinstance(sender.error, RemoteProtocolError)
    assert "is said to be shared" in str(sender.error)
    assert asked[1].output is not None
    assert not asked[1].output.exists()


def _all_but_the_padding(answer: bytes) -> bytes:
    return b"\xff" * (len(answer) - 1) + b"\x00"


@pytest.mark.parametrize("says", [True, False])
def test_a_receiver_that_lies_about_the_floor_is_found_out(
    tmp_path: Path, says: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import table

    original = table.tell_outcome
    monkeypatch.setattr(table, "tell_outcome", lambda _, *, peer: original(says, peer=peer))
    asked = pair(tmp_path, protocol="ecdh", floor=31 if says else 30)
    _, sender = run_both(*asked)
    assert isinstance(sender.error, RemoteProtocolError)
    assert "the size that both signed" in str(sender.error)


class Muted:
    """A connection that, from the n-th frame sent on, neither sends nor receives any more."""

    def __init__(self, inner: Any, frames: int) -> None:
        self._inner = inner
        self._left = frames

    @property
    def bytes_sent(self) -> int:
        return int(self._inner.bytes_sent)

    @property
    def bytes_received(self) -> int:
        return int(self._inner.bytes_received)

    def send(self, frame: bytes) -> None:
        self._left -= 1
        if self._left >= 0:
            self._inner.send(frame)

    def receive(self, timeout: float) -> bytes | None:
        if self._left < 0:
            time.sleep(timeout)
            return None
        frame: bytes | None = self._inner.receive(timeout)
        return frame

    def close(self) -> None:
        # A process that hangs does not hang up either: the other side must notice by itself.
        threading.Timer(2.0 if self._left < 0 else 0, self._inner.close).start()


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
@pytest.mark.parametrize("stopped", ["receiver", "sender"])
def test_a_peer_that_stops_ends_both_sides_and_is_named(
    tmp_path: Path, protocol: str, stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import door

    original = door.open_door

    def open_door(asked: PsiOptions, say: Any) -> Any:
        made = original(asked, say)
        if asked.role != stopped:
            return made
        return replace(made, dialer=WrappedDialer(made.dialer, lambda c: Muted(c, 3)))  # type: ignore[arg-type,return-value]

    monkeypatch.setattr(setting_out, "open_door", open_door)
    asked = pair(tmp_path, protocol=protocol, deadlines=SHORT)
    for role, ending in zip(("receiver", "sender"), run_both(*asked), strict=True):
        peer = "lab-sender" if role == "receiver" else "lab-receiver"
        assert isinstance(ending.error, PeerSilent), ending.error
        assert f"{peer} has been silent for" in ending.error.message
        assert f"of step {protocol} was awaited" in ending.error.message
    assert no_output(*asked)


def test_garbage_instead_of_a_message_ends_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Streams.send
    garbled: list[int] = []

    def send(self: Streams, number: int, data: bytes) -> None:
        if self.peer == "lab-receiver" and number == 1 and not garbled:
            garbled.append(len(data))
            data = b"\xc1" + data[1:]
        original(self, number, data)

    monkeypatch.setattr(Streams, "send", send)
    asked = pair(tmp_path, protocol="ecdh")
    receiver, sender = run_both(*asked)
    assert isinstance(receiver.error, RemoteProtocolError)
    assert str(receiver.error) == "lab-sender in ecdh: not a well-formed Terms"
    assert isinstance(sender.error, PeerEnded)
    assert "not a well-formed Terms" in sender.error.message
    assert no_output(*asked)


def test_a_replayed_message_ends_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Streams.send

    def send(self: Streams, number: int, data: bytes) -> None:
        for _ in range(2 if self.peer == "lab-receiver" and number == 1 else 1):
            original(self, number, data)

    monkeypatch.setattr(Streams, "send", send)
    asked = pair(tmp_path, protocol="vole")
    receiver, sender = run_both(*asked)
    assert isinstance(receiver.error, RemoteProtocolError)
    assert isinstance(sender.error, PeerEnded)
    assert no_output(*asked)


def test_the_peer_hears_of_an_error_here_but_not_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import run

    original = run.write_matching

    def write(path_in: Path, path_out: Path, *arguments: Any, **more: Any) -> bytes:
        if path_in.name == "bank.csv":
            raise DatasetError(f"{path_in} changed while it was used", "run again")
        return original(path_in, path_out, *arguments, **more)

    monkeypatch.setattr(run, "write_matching", write)
    receiver, sender = run_both(*pair(tmp_path, protocol="ecdh"))
    assert isinstance(receiver.error, DatasetError)
    assert isinstance(sender.error, PeerEnded)
    assert sender.error.message == (
        "lab-receiver ended the run: there was an error on its own side (DatasetError)"
    )


def test_a_table_that_changes_during_the_run_is_not_written_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import match_ecdh

    asked = pair(tmp_path, protocol="ecdh")
    original = match_ecdh.receiver

    def receiver(*arguments: Any, **more: Any) -> Any:
        with asked[0].input.open("a") as file:
            file.write("customer-0000119,new\n")
        return original(*arguments, **more)

    monkeypatch.setattr(match_ecdh, "receiver", receiver)
    ending, _ = run_both(*asked)
    assert isinstance(ending.error, DatasetError)
    assert "changed while it was used" in ending.error.message
    assert asked[0].output is not None
    assert not asked[0].output.exists()


# -- what is wrong before anybody is met --------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"listen": None}, "one of --listen and --connect is needed"),
        ({"connect": "127.0.0.1:1"}, "one of --listen and --connect is needed"),
        ({"keys": ()}, "no column to match on"),
        ({"kinds": ("phone", "email")}, "1 key columns but 2 kinds"),
        ({"output": None}, "--output FILE is missing"),
        ({"reveal": "size"}, "--output: this side gets no rows"),
        ({"match": "first", "to": "receiver"}, "--reveal list and --to both"),
        ({"match": "first", "protocol": "oprf"}, "matches on one key, or on all"),
        ({"rotate": True}, "--rotate is the sender's"),
        ({"log": Path("log")}, "--lab has no identity, no pinned peer and no log"),
        ({"lab": False}, "missing --identity, --peer, --log"),
        ({"officer": "Zhang Wei"}, "--officer is a short staff id"),
        ({"officer": "13800138000"}, "--officer is a short staff id"),
    ],
)
def test_options_that_contradict_each_other_are_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(NodeError, match=said):
        options("receiver", tmp_path / "a.csv", 9999, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keys": ("phone",)}, "phone"),
        ({"input": Path("nowhere.csv")}, "no file nowhere.csv"),
        ({"listen": "10.0.0.1:9000"}, "is not a loopback address"),
        ({"listen": "127.0.0.1"}, "is not HOST:PORT"),
        ({"output": Path("/nowhere/out.csv")}, "nowhere"),
        ({"basis": "because of art. 13"}, "legal_basis must be a short reference"),
        ({"keys": ("id", "id"), "kinds": ("opaque", "opaque")}, "each only once"),
        ({"exclude": Path("nobody.csv")}, "no file nobody.csv"),
    ],
)
def test_a_side_that_cannot_run_says_so_before_it_waits(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    receiver, _ = pair(tmp_path)
    ending = run_side(replace(receiver, **changes))
    assert isinstance(ending.error, NodeError), ending.error
    assert said in ending.error.message
    assert nothing_kept(receiver)


def test_one_output_has_one_run_at_a_time(tmp_path: Path) -> None:
    receiver, _ = pair(tmp_path, deadlines=Deadlines(1, 5, 5))
    second = replace(receiver, listen=f"127.0.0.1:{free_port()}")
    errors = [ending.error for ending in run_both(receiver, second)]
    assert sorted(type(error).__name__ for error in errors) == ["NodeError", "PeerUnreachable"]
    assert any("another run uses" in str(error) for error in errors)


def test_a_protocol_that_errs_on_this_machine_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from party_node.psi import rehearsal

    monkeypatch.setattr(setting_out, "rehearse", rehearsal.rehearse)
    monkeypatch.setitem(rehearsal._PAIRS, "ecdh", lambda *_: list(range(rehearsal.ITEMS)))
    receiver, _ = pair(tmp_path, protocol="ecdh")
    ending = run_side(receiver)
    assert isinstance(ending.error, NodeError)
    assert "gave a wrong result on this machine" in ending.error.message


def test_progress_is_shown_and_ends_where_it_should(tmp_path: Path) -> None:
    watchers = Watcher(), Watcher()
    run_both(*pair(tmp_path, protocol="vole"), watchers)
    assert "buckets" in watchers[0].steps
    assert "buckets" in watchers[1].steps
