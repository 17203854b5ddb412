"""The most memory a process and its children had, as the system tells it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulations.horizontal import memory
from simulations.horizontal.memory import PeakMemory, watched

MIB = 1 << 20
CHILD = """
import sys
held = bytearray(48 << 20)
held[::4096] = b"x" * len(held[::4096])
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells it")
def test_a_child_is_counted_while_it_is_there_and_the_peak_stays() -> None:
    peak = PeakMemory()
    peak.look()
    alone = peak.bytes
    assert alone is not None
    assert alone > 20 * MIB
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"
    peak.look()
    child.communicate("")
    assert peak.bytes is not None
    assert peak.bytes > alone + 40 * MIB
    with_child = peak.bytes
    peak.look()
    assert peak.bytes == with_child


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells it")
def test_a_run_is_watched_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_EVERY_S", 0.01)
    with watched() as peak:
        held = b"x" * (32 * MIB)
    assert len(held) == 32 * MIB
    assert peak.bytes is not None
    assert peak.bytes > 32 * MIB


def test_where_the_system_does_not_tell_there_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_PROC", tmp_path / "none")
    with watched() as peak:
        pass
    assert peak.bytes is None
