"""A side killed at any moment and started again: the same files, and no finished bucket again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from party_node.psi import run, setting_out
from party_node.psi.options import PsiOptions
from party_node.psi.run_state import RunState
from party_node.psi.streams import Deadlines
from tests.party_node.psi.killed import Killed, Victim, victims
from tests.party_node.psi.logs import types_of, verified
from tests.party_node.psi.sides import (
    Ending,
    free_port,
    numbered,
    options,
    read_rows,
    run_both,
    run_side,
    secured,
    write_table,
)

PATIENT = Deadlines(connect_s=3, silent_s=20, message_s=20)
ROLES = ("receiver", "sender")


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 8)
    monkeypatch.setattr(setting_out, "rehearse", lambda *_: None)


def pair(folder: Path, protocol: str = "vole", **both: Any) -> tuple[PsiOptions, PsiOptions]:
    """60 customers at the bank, 50 at the retailer, 20 shared; 8 buckets."""
    folder.mkdir()
    port = free_port()
    bank = write_table(folder / "bank.csv", numbered(range(60), "b"))
    shop = write_table(folder / "shop.csv", numbered(range(89, 39, -1), "s"))
    both = {"protocol": protocol, "deadlines": PATIENT, "cores": 2} | both
    return options("receiver", bank, port, **both), options("sender", shop, port, **both)


def files(asked: tuple[PsiOptions, PsiOptions]) -> list[bytes]:
    return [side.output.read_bytes() for side in asked if side.output is not None]


def run_with_a_death(
    asked: tuple[PsiOptions, PsiOptions],
    both: tuple[Victim, Victim],
    finished: set[int] | None = None,
) -> tuple[Ending, Ending]:
    """Run both sides; the one that dies is started again, the other waits for it.

    ``finished`` is given the buckets that both had on their disks at that moment.
    """
    endings: list[Ending | None] = [None, None]

    def live(place: int) -> None:
        ending = run_side(asked[place])
        if isinstance(ending.error, Killed):
            if finished is not None:
                finished.update(both[0].saved & both[1].saved)
            both[place].reborn()
            ending = run_side(asked[place])
        endings[place] = ending

    threads = [threading.Thread(target=live, args=(place,), daemon=True) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), f"hangs: {endings}"
    one, other = endings
    assert one is not None
    assert other is not None
    assert both[0].deaths + both[1].deaths > 0, "nobody died"
    return one, other


def undisturbed_run(folder: Path) -> tuple[dict[str, int], list[bytes]]:
    """How many moments each side of a run has that nobody kills, and its files."""
    counted = Victim("receiver"), Victim("sender")
    asked = pair(folder)
    with victims(*counted):
        for ending in run_both(*asked):
            assert ending.result.intersection == 20
    buckets = sorted(counted[0].buckets)
    assert buckets == sorted(counted[1].buckets) == list(range(len(buckets)))
    return {victim.role: len(victim.moments) for victim in counted}, files(asked)


def check_a_death(folder: Path, role: str, dies_at: int) -> tuple[str, set[int]]:
    """Kill one side at one moment; return which it was, and the buckets both had finished."""
    asked = pair(folder)
    both = Victim("receiver"), Victim("sender")
    victim = both[ROLES.index(role)]
    victim.dies_at = dies_at
    with victims(*both):
        finished: set[int] = set()
        endings = run_with_a_death(asked, both, finished)
    what = f"{role} killed at moment {dies_at}, {victim.moments[dies_at:][:1]}"
    for ending in endings:
        assert ending.error is None, f"{what}: {ending.error!r}"
        assert ending.result.intersection == 20, what
    rows = [read_rows(side.output)[1:] for side in asked if side.output is not None]
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]], what
    assert not any(side.state_folder.exists() for side in asked), what
    again = set(victim.buckets)
    assert not again & finished, f"{what}: {again} again, though both had finished {finished}"
    return what, finished


def points(total: int, count: int) -> list[int]:
    """Moments spread over the whole run, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, total - 1, count)})


def check_deaths(folder: Path, role: str, count: int) -> None:
    """Kill one side at ``count`` moments of as many runs; their files are the undisturbed run's."""
    moments, undisturbed = undisturbed_run(folder / "undisturbed")
    chosen = points(moments[role], count)
    assert len(chosen) == count
    kept_any = False
    for point in chosen:
        what, finished = check_a_death(folder / str(point), role, point)
        made = [(folder / str(point) / f"{side}-out.csv").read_bytes() for side in ROLES]
        assert made == undisturbed, what
        kept_any = kept_any or bool(finished)
    assert kept_any


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_side_goes_on_to_the_same_files(tmp_path: Path, role: str) -> None:
    check_deaths(tmp_path, role, 5)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_two_hundred_deaths(tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 4)
    check_deaths(tmp_path, role, 100)


@pytest.mark.parametrize("protocol", ["ecdh", "vole"])
@pytest.mark.parametrize("role", ROLES)
def test_a_short_run_starts_again_under_a_new_number(
    tmp_path: Path, protocol: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 1 << 20)
    asked = pair(tmp_path / "run", protocol)
    both = Victim("receiver"), Victim("sender")
    both[ROLES.index(role)].dies_at = 12
    with victims(*both):
        endings = run_with_a_death(asked, both)
    for ending in endings:
        assert ending.result.intersection == 20
        assert ending.result.resumed


def test_two_deaths_at_different_parts_of_one_bucket_do_not_mix_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver keeps a bucket of the first attempt, the sender the same of the second."""
    monkeypatch.setattr("protocols.session.psi_spec.BUCKET_ROWS", 32)
    asked = pair(tmp_path / "run", cores=1)
    original = RunState.save_part
    saved: list[tuple[str, int, int]] = []
    lost: list[str] = []

    def save_part(self: RunState, index: int, attempt: int, arrays: Any) -> None:
        role = self.folder.name.rpartition("-")[2]
        if index == 1 and len(lost) < 2 and role == ("sender", "receiver")[len(lost)]:
            # The other side saves its half of this very bucket before this one dies.
            deadline = time.monotonic() + 5
            other = "receiver" if role == "sender" else "sender"
            while (other, 1, attempt) not in saved and time.monotonic() < deadline:
                time.sleep(0.01)
            lost.append(role)
            both[ROLES.index(role)].dead = True
            raise Killed
        original(self, index, attempt, arrays)
        saved.append((role, index, attempt))

    monkeypatch.setattr(RunState, "save_part", save_part)
    both = Victim("receiver"), Victim("sender")
    with victims(*both):
        endings = run_with_a_death(asked, both)
    assert lost == ["sender", "receiver"]
    assert {("receiver", 1, 1), ("sender", 1, 2), ("receiver", 1, 3)} <= set(saved)
    for ending in endings:
        assert ending.result.intersection == 20
    rows = [read_rows(side.output)[1:] for side in asked if side.output is not None]
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]]


def test_a_side_killed_after_its_end_says_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last word is lost, the other is gone: the second call still tells the result."""
    asked = pair(tmp_path / "run")
    receiver = replace(asked[0], deadlines=replace(PATIENT, connect_s=1))
    original = run._Run._over

    def over(self: Any, summary: Any) -> Any:
        if self._ready.options.role == "receiver":
            raise Killed
        return original(self, summary)

    with monkeypatch.context() as patch:
        patch.setattr(run._Run, "_over", over)
        first, sender = run_both(receiver, asked[1])
    assert isinstance(first.error, Killed)
    assert sender.result.intersection == 20
    second = run_side(receiver)
    assert second.result.intersection == 20
    assert not receiver.state_folder.exists()


def test_a_changed_table_is_another_run(tmp_path: Path) -> None:
    asked = pair(tmp_path / "run")
    both = Victim("receiver", dies_at=60), Victim("sender")
    with victims(*both):
        dead = threading.Thread(target=run_side, args=(asked[1],), daemon=True)
        dead.start()
        assert isinstance(run_side(asked[0]).error, Killed)
        both[0].reborn()
        write_table(asked[0].input, numbered(range(55), "b"))
        ending = run_side(asked[0])
        dead.join(30)
    assert ending.result.rows == 55
    assert ending.result.intersection == 15
    assert not ending.result.resumed


@pytest.mark.parametrize("role", ROLES)
def test_the_logs_of_a_killed_run_still_verify_together(tmp_path: Path, role: str) -> None:
    for point in (3, 60):
        asked = pair(tmp_path / str(point), suite="intl")
        one, other = (
            replace(side, **secured(side.role, tmp_path / str(point), "intl")) for side in asked
        )
        both = Victim("receiver"), Victim("sender")
        both[ROLES.index(role)].dies_at = point
        with victims(*both):
            for ending in run_with_a_death((one, other), both):
                assert ending.result.intersection == 20
        logs = [side.log for side in (one, other) if side.log is not None]
        result = verified(*logs)
        assert result.exit_status == 0, (point, [f.text for f in result.findings])
        assert [types_of(log)[-1] for log in logs] == ["job.closed", "job.closed"]
        assert [types_of(log).count("psi.completed") for log in logs] == [1, 1]


# -- real processes ----------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from party_node import kernel_cache
kernel_cache.prepare()
from protocols.session import psi_spec
psi_spec.BUCKET_ROWS = 64
from party_node.psi import match_vole
original = match_vole._match_bucket
def announced(table, part, bucket, *more):
    original(table, part, bucket, *more)
    print("finished", bucket, flush=True)
match_vole._match_bucket = announced
from fedcrm import app
app(sys.argv[1:])
"""


def command(role: str, folder: Path, port: int) -> list[str]:
    verb, where = ("receive", "--listen") if role == "receiver" else ("send", "--connect")
    table = folder / ("bank.csv" if role == "receiver" else "shop.csv")
    return [
        *(sys.executable, "-c", CHILD, "psi", verb, "--lab", "--json"),
        *("--input", str(table), "--key", "id", "--kind", "opaque", "--protocol", "vole"),
        *("--output", str(folder / f"{role}-out.csv"), "--to", "both", "--suite", "intl"),
        *(where, f"127.0.0.1:{port}", "--cores", "1", "--wait", "120"),
    ]


def start(role: str, folder: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(role, folder, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def kill_after(process: subprocess.Popen[str], buckets: int) -> list[str]:
    """Let a process finish some buckets, then kill it; return what it finished."""
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(buckets)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    return [*lines, *rest.split("\n")]


def check_real_death(folder: Path, role: str, buckets: int) -> None:
    folder.mkdir()
    write_table(folder / "bank.csv", numbered(range(600), "b"))
    write_table(folder / "shop.csv", numbered(range(899, 399, -1), "s"))
    port = free_port()
    other = start("sender" if role == "receiver" else "receiver", folder, port)
    finished = kill_after(start(role, folder, port), buckets)
    assert finished[0] == "finished 0"
    second = start(role, folder, port)
    out, errors = second.communicate(timeout=120)
    other_out, other_errors = other.communicate(timeout=120)
    assert (second.returncode, other.returncode) == (0, 0), errors + other_errors
    again = [line for line in out.split("\n") if line.startswith("finished")]
    # The bucket under way, and perhaps one that only this side had finished, are run again.
    assert len(again) <= 16 - buckets + 1
    assert '"intersection": 200' in out
    assert '"resumed": true' in out
    assert '"resumed": true' in other_out
    rows = [read_rows(folder / f"{side}-out.csv")[1:] for side in ROLES]
    assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]]
    assert sorted(row[0] for row in rows[0]) == [f"customer-{n:07d}" for n in range(400, 600)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "buckets"),
    [("receiver", 1), ("receiver", 7), ("receiver", 15), ("sender", 2), ("sender", 14)],
)
def test_a_process_killed_by_the_system_goes_on(tmp_path: Path, role: str, buckets: int) -> None:
    check_real_death(tmp_path / "run", role, buckets)
