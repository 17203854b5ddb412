"""``fedcrm psi`` as two people run it: processes, keys, certificates, files, exit statuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

FEDCRM = Path(sys.executable).parent / "fedcrm"
ISSUED = {
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
BANK = [f"1380000{n:04}" for n in range(80)]
SHOP = [f"1380000{n:04}" for n in range(20, 90)]


def fedcrm(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FEDCRM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FEDCRM, *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Two tables, the shop's with a row nobody can use."""
    bank = "".join(f"{number},{n}\n" for n, number in enumerate(BANK))
    (tmp_path / "bank.csv").write_text(f"mobile,balance\n{bank}")
    (tmp_path / "shop.csv").write_text("phone\n" + "".join(f"{n}\n" for n in [*SHOP, "no number"]))
    return tmp_path


def test_two_organisations_find_their_shared_customers(desk: Path) -> None:
    for name in ("bank", "shop"):
        made = fedcrm("psi", "keygen", "--identity", f"id-{name}", "--name", name, cwd=desk)
        assert made.returncode == 0
        assert f"id-{name}/identity.pub" in made.stdout
    where = address()
    terms = ["--basis", "CN13_1", "--to", "both", "--yes", "--json", "--wait", "60"]
    sending = start(
        *("psi", "send", "--input", "shop.csv", "--key", "phone", "--output", "shop-out.csv"),
        *("--identity", "id-shop", "--peer", "id-bank/identity.pub", "--log", "log-shop"),
        *("--connect", where),
        *terms,
        cwd=desk,
    )
    received = fedcrm(
        *("psi", "receive", "--input", "bank.csv", "--key", "mobile", "--output", "bank-out.csv"),
        *("--identity", "id-bank", "--peer", "id-shop/identity.pub", "--log", "log-bank"),
        *("--listen", where),
        *terms,
        cwd=desk,
    )
    sent_out, sent_err = sending.communicate(timeout=120)
    assert (received.returncode, sending.returncode) == (0, 0), received.stderr + sent_err

    for line, own, peers in ((received.stdout, 80, 70), (sent_out, 70, 80)):
        report = json.loads(line)
        assert report.keys() >= ISSUED
        assert (report["rows"], report["peer_rows"], report["intersection"]) == (own, peers, 60)
    assert json.loads(sent_out)["rejected"] == 1
    assert (desk / "shop-out.csv.rejects.csv").read_text().splitlines()[1].startswith("71,")

    bank_rows = [line.split(",")[0] for line in lines(desk / "bank-out.csv")]
    assert bank_rows == lines(desk / "shop-out.csv")
    assert sorted(bank_rows) == sorted(set(BANK) & set(SHOP))
    shown = received.stdout + received.stderr + sent_out + sent_err
    logs = b"".join(path.read_bytes() for path in desk.glob("log-*/**/*") if path.is_file())
    assert not [number for number in BANK if number in shown or number.encode() in logs]
    assert not list(desk.glob("*.fedcrm-*"))

    verify_offline(desk)


def verify_offline(desk: Path) -> None:
    for name in ("bank", "shop"):
        database = f"log-{name}/log.sqlite"
        exported = fedcrm(
            "audit", "export", "--database", database, "--out", f"{name}.zip", cwd=desk
        )
        assert exported.returncode == 0, exported.stderr
    trust = fedcrm("psi", "trust", "id-bank/identity.pub", "id-shop/identity.pub", cwd=desk)
    (desk / "trust.toml").write_text(trust.stdout)
    verified = fedcrm("audit", "verify", "--trust", "trust.toml", "bank.zip", "shop.zip", cwd=desk)
    assert verified.returncode == 0, verified.stdout
    assert "2 joint statements" in " ".join(verified.stdout.split())


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:]


def test_a_lab_run_needs_no_keys_and_no_log(desk: Path) -> None:
    where = address()
    lab = ["--lab", "--protocol", "vole", "--suite", "intl", "--json"]
    sending = start(
        *("psi", "send", "--input", "shop.csv", "--key", "phone", "--connect", where),
        *lab,
        cwd=desk,
    )
    received = fedcrm(
        *("psi", "receive", "--input", "bank.csv", "--key", "mobile", "--output", "out.csv"),
        *("--listen", where),
        *lab,
        cwd=desk,
    )
    sent_out, sent_err = sending.communicate(timeout=120)
    assert (received.returncode, sending.returncode) == (0, 0), received.stderr + sent_err
    assert json.loads(received.stdout)["intersection"] == 60
    assert json.loads(sent_out)["intersection"] is None
    assert len(lines(desk / "out.csv")) == 60
