"""`fedcrm psi` as its users run it: results on stdout, the rest on stderr, mistakes explained."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedcrm import app
from party_node.psi import setting_out
from party_node.psi.log_folder import DATABASE
from protocols.suite import get_suite
from tests.leak_scan import scan
from tests.party_node.psi.logs import types_of, verified
from tests.party_node.psi.sides import free_port, numbered, read_rows, write_table

PROMISED = {
    "protocol",
    "suite",
    "rows",
    "peer_rows",
    "intersection",
    "rejected",
    "wall_s",
    "cpu_s",
    "bytes_sent",
    "bytes_received",
    "rss_mib",
    "kernels",
}


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command as the shell would, with nothing on its input."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("fedcrm"), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """Call the command in this process: the same code, without the second it takes to start."""
    result = CliRunner().invoke(app, ["psi", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def phones(numbers: range) -> list[tuple[str, str]]:
    return [(f"138{number:08d}", "x") for number in numbers]


def test_two_commands_find_what_two_organisations_share(tmp_path: Path) -> None:
    made = {}
    for name in ("bank", "retailer"):
        code, out, errors = finish(
            start("psi", "keygen", "--identity", tmp_path / name, "--name", name)
        )
        assert code == 0
        made[name] = [line.split("   ")[-1] for line in out.splitlines()]
        assert made[name][0].endswith(str(tmp_path / name / "identity.pub"))
        assert len(made[name][1].replace(" ", "")) == 64
        assert "keep to yourself" in errors
    write_table(tmp_path / "bank.csv", phones(range(100)))
    write_table(tmp_path / "shop.csv", phones(range(40, 130)))
    port = free_port()

    def side(verb: str, own: str, peer: str, table: str, *more: str) -> subprocess.Popen[str]:
        return start(
            "psi",
            verb,
            *("--input", tmp_path / table, "--key", "id", "--output", tmp_path / f"{own}-out.csv"),
            *("--identity", tmp_path / own, "--peer", tmp_path / peer / "identity.pub"),
            *("--log", tmp_path / f"{own}-log", "--basis", "CN13_1", "--to", "both", "--yes"),
            *("--wait", "60", *more),
        )

    sender = side("send", "retailer", "bank", "shop.csv", "--connect", f"127.0.0.1:{port}")
    receiver = side(
        "receive", "bank", "retailer", "bank.csv", "--listen", f"127.0.0.1:{port}", "--json"
    )
    code, out, errors = finish(receiver)
    assert code == 0, errors
    (line,) = out.splitlines()
    summary = json.loads(line)
    assert set(summary) >= PROMISED
    assert (summary["protocol"], summary["suite"]) == ("ecdh", "gm")
    assert (summary["rows"], summary["peer_rows"], summary["intersection"]) == (100, 90, 60)
    assert "listening on" in errors
    assert "bank (you)" in errors
    assert "which of its own customers the other has too" in errors
    code, sender_out, sender_errors = finish(sender)
    assert code == 0, sender_errors
    assert f"60 shared customers: {tmp_path / 'retailer-out.csv'}" in sender_out
    assert "retailer (you)" in sender_errors
    rows = [read_rows(tmp_path / f"{name}-out.csv")[1:] for name in ("bank", "retailer")]
    assert rows[0] == rows[1]
    assert sorted(row[0] for row in rows[0]) == [row[0] for row in phones(range(40, 100))]
    check_evidence(tmp_path)
    check_nothing_leaked(tmp_path, out + errors, sender_out + sender_errors)


def check_evidence(folder: Path) -> None:
    """The logs verify under the trust file that the identities give."""
    public = [folder / name / "identity.pub" for name in ("bank", "retailer")]
    code, out, errors = call("trust", *public)
    assert code == 0
    assert "compared by voice?  bank" in errors
    result = verified(folder / "bank-log", folder / "retailer-log", trust=out)
    assert result.exit_status == 0, result.findings


def check_nothing_leaked(folder: Path, *said: str) -> None:
    """No identifier of either table is on a terminal, in a log, or in a key file."""
    secrets = [row[0] for row in phones(range(130))]
    kept = [folder / name / file for name in ("bank-log", "retailer-log") for file in (DATABASE,)]
    kept += [folder / "bank", folder / "retailer", folder / "bank-log" / "guard"]
    captured = {f"terminal {place}": text.encode() for place, text in enumerate(said)}
    assert scan(kept, captured, secrets, get_suite("gm")) == []
    left = {path.name for path in folder.iterdir()}
    assert left == {
        *("bank", "retailer", "bank.csv", "shop.csv", "bank-log", "retailer-log"),
        *("bank-out.csv", "retailer-out.csv"),
    }


@pytest.mark.slow
def test_below_the_floor_the_status_is_1_and_nobody_has_a_file(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", numbered(range(20)))
    write_table(tmp_path / "b.csv", numbered(range(15, 40)))
    port = free_port()
    common = ("--key", "id", "--kind", "opaque", "--lab", "--suite", "intl", "--floor", "6")
    sender = start(
        *("psi", "send", "--input", tmp_path / "b.csv", "--protocol", "vole", "--json"),
        *("--connect", f"127.0.0.1:{port}", *common),
    )
    receiver = start(
        *("psi", "receive", "--input", tmp_path / "a.csv", "--output", tmp_path / "out.csv"),
        *("--listen", f"127.0.0.1:{port}", *common),
    )
    code, out, _ = finish(receiver)
    assert code == 1
    assert "fewer shared customers than the floor" in out
    code, out, errors = finish(sender)
    assert code == 1
    summary = json.loads(out)
    assert (summary["opened"], summary["intersection"], summary["written"]) == (False, None, 0)
    assert "error" not in errors
    assert not (tmp_path / "out.csv").exists()


# -- mistakes ----------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(setting_out, "rehearse", lambda *_: None)
    return write_table(tmp_path / "a.csv", numbered(range(20)))


def lab(table: Path, *more: str) -> list[str]:
    return [
        *("receive", "--input", str(table), "--key", "id", "--kind", "opaque", "--lab"),
        *("--output", str(table.with_name("out.csv")), *more),
    ]


@pytest.mark.parametrize(
    ("more", "status", "error", "hint"),
    [
        ((), 2, "one of --listen and --connect is needed", "the other connects to it"),
        (("--listen", "127.0.0.1"), 1, "'127.0.0.1' is not HOST:PORT", "10.0.0.5:9000"),
        (("--listen", "127.0.0.1:99999"), 1, "a port is a number from 1 to 65535", ""),
        (("--listen", "10.0.0.1:9000"), 1, "is not a loopback address", "the encrypted channel"),
        (("--connect", "192.0.2.7:9000"), 1, "is not a loopback address", "measure on 127.0.0.1"),
        (("--listen", "::1:9000"), 1, "is not HOST:PORT", "[::1]:9000"),
        (("--listen", "127.0.0.1:9", "--log", "x"), 2, "--lab has no identity", "leave out --lab"),
        (("--listen", "127.0.0.1:9", "--key", "name"), 1, "'name'", ""),
        (("--listen", "127.0.0.1:9", "--reveal", "size"), 2, "this side gets no rows", "leave"),
        (("--listen", "127.0.0.1:9", "--basis", "art. 13"), 1, "legal_basis", "CN13_1"),
    ],
)
def test_a_mistake_is_explained(
    table: Path, more: tuple[str, ...], status: int, error: str, hint: str
) -> None:
    if "--listen" in more and more[1] == "127.0.0.1:9":
        more = ("--listen", f"127.0.0.1:{free_port()}", *more[2:])
    code, out, errors = call(*lab(table, *more))
    assert (code, out) == (status, "")
    assert errors.startswith("error: ")
    assert error in errors
    assert hint in errors
    assert "Traceback" not in errors


def test_a_missing_identity_is_explained(table: Path) -> None:
    arguments = [part for part in lab(table, "--listen", "127.0.0.1:9") if part != "--lab"]
    code, _, errors = call(*arguments)
    assert code == 2
    assert "error: missing --identity, --peer, --log" in errors
    assert "fedcrm psi keygen" in errors
    assert "--lab" in errors


def test_a_port_in_use_is_explained(table: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = call(*lab(table, "--listen", f"127.0.0.1:{port}"))
    assert code == 1
    assert f"cannot listen at 127.0.0.1:{port}: address already in use" in errors
    assert "hint: another program listens there" in errors


def test_a_missing_column_names_those_there_are(table: Path) -> None:
    arguments = lab(table, "--listen", f"127.0.0.1:{free_port()}")
    arguments[arguments.index("id")] = "ident"
    code, _, errors = call(*arguments)
    assert code == 1
    assert "'ident'" in errors
    assert "id" in errors.split("hint: ")[1]


def test_no_peer_within_the_wait_is_explained(table: Path) -> None:
    code, _, errors = call(*lab(table, "--connect", f"127.0.0.1:{free_port()}", "--wait", "1"))
    assert code == 1
    assert "error: waited 1 s for lab-sender; cannot connect to 127.0.0.1:" in errors
    assert "hint: one side runs with --listen" in errors


def test_an_identity_of_the_other_suite_is_explained(table: Path) -> None:
    folder = table.parent
    for name, suite in (("bank", "gm"), ("shop", "gm")):
        assert call("keygen", "--identity", folder / name, "--name", name, "--suite", suite)[0] == 0
    arguments = [part for part in lab(table, "--suite", "intl") if part != "--lab"]
    code, _, errors = call(
        *arguments,
        *("--listen", f"127.0.0.1:{free_port()}", "--log", folder / "log"),
        *("--identity", folder / "bank", "--peer", folder / "shop" / "identity.pub"),
    )
    assert code == 1
    assert "is of suite gm, the run of intl" in errors
    assert "hint: add --suite gm on both sides" in errors


@pytest.mark.parametrize(
    ("name", "folder", "error"),
    [
        ("the bank", "new", "--name: letters"),
        ("13800138000", "new", "--name: letters"),
        ("bank", "there", "exists already; a key is never overwritten"),
        ("bank", "file", "cannot write"),
    ],
)
def test_a_key_is_made_once_and_has_a_name(
    tmp_path: Path, name: str, folder: str, error: str
) -> None:
    assert call("keygen", "--identity", tmp_path / "there", "--name", "first")[0] == 0
    (tmp_path / "file").write_text("")
    code, out, errors = call("keygen", "--identity", tmp_path / folder, "--name", name)
    assert (code, out) == (1, "")
    assert errors.startswith("error: ")
    assert error in errors


@pytest.mark.parametrize("option", ["--silent", "--wait", "--cores", "--floor"])
def test_a_number_out_of_range_is_a_usage_error(table: Path, option: str) -> None:
    code, _, errors = call(*lab(table, "--listen", "127.0.0.1:9", option, "0"))
    assert code == 2
    assert option in errors


@pytest.mark.slow
def test_a_script_without_yes_refuses_and_is_told_so(table: Path, tmp_path: Path) -> None:
    for name in ("bank", "retailer"):
        call("keygen", "--identity", tmp_path / name, "--name", name, "--suite", "intl")
    write_table(tmp_path / "b.csv", numbered(range(30)))
    port = free_port()

    def side(verb: str, own: str, peer: str, *more: str) -> subprocess.Popen[str]:
        return start(
            *("psi", verb, "--key", "id", "--kind", "opaque", "--suite", "intl"),
            *("--identity", tmp_path / own, "--peer", tmp_path / peer / "identity.pub"),
            *("--log", tmp_path / f"{own}-log", *more),
        )

    sender = side(
        "send", "retailer", "bank", "--input", str(tmp_path / "b.csv"), "--yes",
        "--connect", f"127.0.0.1:{port}",
    )  # fmt: skip
    receiver = side(
        "receive", "bank", "retailer", "--input", str(table), "--output",
        str(tmp_path / "out.csv"), "--listen", f"127.0.0.1:{port}",
    )  # fmt: skip
    for process in (receiver, sender):
        code, out, errors = finish(process)
        assert (code, out) == (1, "")
        assert "error: bank did not approve the run" in errors
        assert ("nobody answered: a script approves with --yes" in errors) == (process is receiver)
    assert types_of(tmp_path / "bank-log")[-1] == "job.refused"
    assert types_of(tmp_path / "retailer-log")[-1] == "job.refused"


def test_help_needs_no_kernel_and_no_database() -> None:
    child = (
        "import sys\n"
        "from fedcrm import app\n"
        "try: app(['psi', 'receive', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numba', 'pyarrow', 'ray', 'flwr') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--protocol" in done.stdout
