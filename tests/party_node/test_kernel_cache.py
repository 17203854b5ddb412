"""Where compiled kernels are kept: a folder for every state of the source, none of them stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from party_node import kernel_cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no folder chosen yet; afterwards this process's again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "to be restored")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    return tmp_path / "fedcrm" / "kernels"


def test_numba_is_pointed_at_a_folder_of_the_owners_own(home: Path) -> None:
    folder = kernel_cache.prepare()
    assert folder.parent == home
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_another_source_has_another_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kernel_cache.prepare()
    source = home.parent / "source"
    source.mkdir()
    (source / "kernel.py").write_text("changed")
    monkeypatch.setattr(kernel_cache.kernels, "__path__", [str(source)])
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    second = kernel_cache.prepare()
    assert first != second
    assert {first, second} == set(home.iterdir())


def test_folders_of_old_sources_go_the_newest_stay(home: Path) -> None:
    for age in range(6):
        (home / f"old-{age}").mkdir(parents=True)
        os.utime(home / f"old-{age}", (1e9 - age, 1e9 - age))
    present = kernel_cache.prepare()
    assert {path.name for path in home.iterdir()} == {present.name, "old-0", "old-1", "old-2"}


def test_a_folder_somebody_chose_is_left_to_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    assert kernel_cache.prepare() == tmp_path / "mine"
    assert not home.exists()


def test_without_a_home_nothing_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(kernel_cache.os, "utime", refuse)
    folder = kernel_cache.prepare()
    assert folder.is_dir()
    assert home not in folder.parents
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_processes_that_tests_start_use_the_folder_of_the_tests() -> None:
    child = "import os; print(os.environ.get('NUMBA_CACHE_DIR'))"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == os.environ["NUMBA_CACHE_DIR"]


def test_kernels_are_compiled_once_for_every_state_of_their_source(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    compiled: list[str] = []
    for _ in range(2):
        kernel_cache.compile_once("made", lambda: compiled.append("made"))
    assert compiled == ["made"]
    kernel_cache.compile_once("other", lambda: compiled.append("other"))
    assert compiled == ["made", "other"]


def test_a_compilation_that_failed_is_tried_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    def fail() -> None:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        kernel_cache.compile_once("made", fail)
    compiled: list[str] = []
    kernel_cache.compile_once("made", lambda: compiled.append("made"))
    assert compiled == ["made"]
