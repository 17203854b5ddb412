"""The progress file: always whole, rarely written, gone when the phase ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from party_node import progress
from party_node.progress import ProgressFile


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_the_file_must_say_how_far_the_phase_is(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with ProgressFile(path, "train") as file:
        assert read(path) == {"phase": "train", "step": "", "done": 0, "total": 0}
        file.update("tree 1", 20, 20)
        assert read(path) == {"phase": "train", "step": "tree 1", "done": 20, "total": 20}
    assert list(tmp_path.iterdir()) == []


def test_the_file_must_go_when_the_phase_fails(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with pytest.raises(RuntimeError), ProgressFile(path, "align"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_file_must_not_be_rewritten_more_than_five_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    path = tmp_path / "progress.json"
    seen = set()
    with ProgressFile(path, "align") as file:
        for done in range(1000):  # one unit a millisecond
            now[0] += 0.001
            file.update("psi", done, 2000)
            seen.add(read(path)["done"])
        assert 4 <= len(seen) <= 6
        file.update("psi", 2000, 2000)  # the end is always told
        assert read(path)["done"] == 2000
