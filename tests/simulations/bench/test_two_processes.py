"""Two processes at once, and another system's command: what they say, and what is an error."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from simulations.bench.two_processes import BenchError, free_address, run_pair, run_peer

SAY = "import json, os, sys; print(json.dumps({'text': sys.argv[1], 'pid': os.getpid()}))"
FAIL = "import sys; sys.exit('out of luck')"
CORES = "import json, os; print(json.dumps(sorted(os.sched_getaffinity(0))))"


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def test_both_sides_must_run_and_report() -> None:
    first, second = run_pair((command(SAY, "one"), command(SAY, "two")))
    assert [side.reports[0]["text"] for side in (first, second)] == ["one", "two"]
    assert first.reports[0]["pid"] != second.reports[0]["pid"]
    assert first.wall_s == second.wall_s > 0


def test_the_sides_must_run_at_the_same_time() -> None:
    wait = "import time; time.sleep(1.0); print('{}')"
    started = time.monotonic()
    run_pair((command(wait), command(wait)))
    assert time.monotonic() - started < 1.8


def test_each_side_must_get_the_core_it_is_given() -> None:
    first, second = run_pair((command(CORES), command(CORES)), cores=[0])
    assert first.reports == second.reports == [[0]]


def test_a_side_that_fails_must_be_an_error_with_its_words() -> None:
    with pytest.raises(BenchError, match="out of luck"):
        run_pair((command(SAY, "one"), command(FAIL)))


def test_a_peer_must_get_its_files_and_report_its_time(tmp_path: Path) -> None:
    program = "import json, sys; print('noise'); print(json.dumps({'wall_s': 2, 'of': sys.argv}))"
    template = f"{shlex.join(command(program))} --in={{a}} {{b}}"
    report = run_peer(template, {"a": tmp_path / "x y.csv", "b": tmp_path / "b.csv"})
    assert report["wall_s"] == 2.0
    assert report["of"][1:] == [f"--in={tmp_path / 'x y.csv'}", str(tmp_path / "b.csv")]


@pytest.mark.parametrize("said", ["", "no JSON", json.dumps({"cpu_s": 1}), json.dumps([1])])
def test_a_peer_without_a_time_must_be_an_error(said: str) -> None:
    with pytest.raises(BenchError, match="wall_s"):
        run_peer(shlex.join(command("import sys; print(sys.argv[1])", said)), {})


def test_a_free_address_must_be_on_this_machine() -> None:
    host, _, port = free_address().rpartition(":")
    assert host == "127.0.0.1"
    assert 1024 <= int(port) <= 65535
