"""What the operator sees and is asked: all of the terms, before anything is signed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from party_node.psi import terminal as module
from party_node.psi.run import Summary
from party_node.psi.terminal import Terminal, print_summary
from tests.party_node.psi.sides import options
from tests.protocols.session.psi_terms import spec

SUMMARY = Summary(
    protocol="ecdh",
    suite="gm",
    reveal="list",
    rows=1000,
    peer_rows=2000,
    intersection=300,
    total=None,
    opened=True,
    written=300,
    rejected=0,
    wall_s=2.0,
    match_s=1.0,
    cpu_s=1.5,
    bytes_sent=1_500_000,
    bytes_received=2_000,
    rss_mib=200,
    kernels="avx512",
    resumed=False,
)


@pytest.mark.parametrize(
    ("typed", "approved"),
    [("yes\n", True), ("y\n", True), ("YES \n", True), ("no\n", False), ("\n", False), ("", False)],
)
def test_only_a_yes_is_a_yes(
    typed: str, approved: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with Terminal(ask=True) as shown:
        assert shown.confirm(spec(), "bank") is approved
    out, errors = capsys.readouterr()
    assert out == ""
    assert "Approve and sign?" in errors
    assert ("a script approves with --yes" in errors) == (typed == "")


def test_a_script_is_shown_the_terms_and_not_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with Terminal(ask=False) as shown:
        assert shown.confirm(spec(), "shop")
    errors = capsys.readouterr().err
    for words in (
        "shop (you): 1,000 rows, legal basis CN13_1, floor 50",
        "bank: 1,000 rows",
        "phone, normalised by fedcrm-identifiers/1",
        "overlap",
        "ecdh in suite gm: up to 1,048,576 rows",
        "which of its own customers the other has too",
        "50 shared customers; kept by: both parties sign the size first",
        "pads its list",
    ):
        assert words in errors, words


def test_nothing_moves_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(ask=False) as shown:
        shown._show_from = 0.0
        for done in range(5):
            shown.progress("blind", done, 4)
    assert capsys.readouterr() == ("", "")


def test_progress_shows_rows_a_second_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        bytes_sent, bytes_received = 1_000_000, 500_000

    screen = io.StringIO()
    with Terminal(ask=False) as shown:
        console = module.Console(file=screen, force_terminal=True, width=120)
        monkeypatch.setattr(shown, "_console", console)
        shown._progress.live.console = console
        shown._show_from = 0.0
        shown.connected(Connection())  # type: ignore[arg-type]
        for done in range(0, 1001, 100):
            shown.progress("blind", done, 1000)
        shown._progress.refresh()
    drawn = screen.getvalue()
    assert "blinding" in drawn
    assert "1,000 of 1,000" in drawn
    assert "1.5 MB" in drawn
    assert "/s" in drawn


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({}, {}, "300 shared customers: {out}"),
        ({"rejected": 7}, {}, "7 rows could not be used: see {out}.rejects.csv"),
        ({}, {}, "1,000 rows here, 2,000 there, by ecdh in 2.0 s (1,500 rows/s); 1.5 MB sent"),
        (
            {"opened": False, "intersection": 3},
            {},
            "3, fewer shared customers than the floor",
        ),
        ({"opened": False, "intersection": None}, {}, "fewer shared customers than the floor"),
        (
            {"reveal": "size"},
            {"reveal": "size", "output": None},
            "at least 300 shared customers (rounded down to the floor)",
        ),
        (
            {"intersection": None},
            {"role": "sender", "to": "receiver", "output": None},
            "done; the other side has the result",
        ),
        (
            {},
            {"role": "sender", "to": "receiver", "output": None},
            "300 shared customers; the receiver knows which",
        ),
    ],
)
def test_the_summary_says_what_this_side_has(
    tmp_path: Path,
    changes: dict[str, Any],
    asked: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    role = asked.get("role", "receiver")
    given = options(
        role, tmp_path / "a.csv", 9999, **{k: v for k, v in asked.items() if k != "role"}
    )
    print_summary(replace(SUMMARY, **changes), given)
    out, errors = capsys.readouterr()
    assert errors == ""
    assert said.format(out=tmp_path / "receiver-out.csv") in out
