"""What a killed run leaves behind: whole or not at all, and only for the same run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from party_node.errors import NodeError
from party_node.psi.run_state import PartsInMemory, PartStore, RunState, only_run
from tests.protocols.session.psi_terms import spec

INPUTS = b"i" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out.csv.fedcrm-receiver"


def test_the_same_command_finds_its_run(folder: Path) -> None:
    RunState.begin(folder, spec(), INPUTS)
    found = RunState.find(folder, INPUTS)
    assert found is not None
    assert (found.spec, found.attempt, found.summary) == (spec(), 1, b"")


def test_another_input_or_another_option_is_another_run(folder: Path) -> None:
    assert RunState.find(folder, INPUTS) is None
    RunState.begin(folder, spec(), INPUTS)
    assert RunState.find(folder, b"j" * 32) is None


def test_an_attempt_is_remembered_before_it_begins(folder: Path) -> None:
    RunState.begin(folder, spec(), INPUTS).connected(7)
    found = RunState.find(folder, INPUTS)
    assert found is not None
    assert found.attempt == 7


def test_the_end_is_remembered(folder: Path) -> None:
    RunState.begin(folder, spec(), INPUTS).conclude(b"how it went")
    found = RunState.find(folder, INPUTS)
    assert found is not None
    assert found.summary == b"how it went"


def test_only_its_owner_can_read_it(folder: Path) -> None:
    state = RunState.begin(folder, spec(), INPUTS)
    state.save_part(0, 1, {"positions": np.arange(3)})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.fixture(params=["memory", "disk"])
def parts(request: pytest.FixtureRequest, folder: Path) -> PartStore:
    return PartsInMemory() if request.param == "memory" else RunState.begin(folder, spec(), INPUTS)


def test_a_part_comes_back_as_it_was(parts: PartStore) -> None:
    parts.save_part(11, 2, {"positions": np.arange(5), "answer": np.array([1, 255], np.uint8)})
    parts.save_part(1, 2, {"positions": np.empty(0, np.int64)})
    loaded = parts.load_part(11)
    assert loaded["positions"].tolist() == [0, 1, 2, 3, 4]
    assert loaded["answer"].dtype == np.uint8
    assert parts.finished(0, 13).tolist() == [0, 2, *[0] * 9, 2, 0]
    assert parts.finished(11, 2).tolist() == [2, 0]


def test_a_part_that_was_run_again_has_its_last_attempt(parts: PartStore) -> None:
    for attempt in (1, 3):
        parts.save_part(4, attempt, {"order": np.array([attempt])})
    assert parts.finished(4, 1).tolist() == [3]
    assert parts.load_part(4)["order"].tolist() == [3]


def test_a_kill_between_two_results_of_a_part_leaves_the_newer(folder: Path) -> None:
    state = RunState.begin(folder, spec(), INPUTS)
    state.save_part(0, 1, {"order": np.array([1])})
    older = (folder / "part-0-1.npz").read_bytes()
    state.save_part(0, 2, {"order": np.array([2])})
    (folder / "part-0-1.npz").write_bytes(older)
    assert state.finished(0, 1).tolist() == [2]
    assert state.load_part(0)["order"].tolist() == [2]


def test_half_a_part_is_no_part(folder: Path) -> None:
    state = RunState.begin(folder, spec(), INPUTS)
    state.save_part(0, 1, {"order": np.arange(9)})
    (folder / "part-1.writing").write_bytes((folder / "part-0-1.npz").read_bytes()[:40])
    assert state.finished(0, 3).tolist() == [1, 0, 0]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_a_damaged_part_is_an_error_with_a_way_out(folder: Path, data: bytes) -> None:
    state = RunState.begin(folder, spec(), INPUTS)
    (folder / "part-0-1.npz").write_bytes(data)
    with pytest.raises(NodeError, match="is damaged") as caught:
        state.load_part(0)
    assert "start both sides anew" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x80", b"\xc1" * 30])
def test_a_damaged_run_is_an_error_with_a_way_out(folder: Path, data: bytes) -> None:
    RunState.begin(folder, spec(), INPUTS)
    (folder / "run.msgpack").write_bytes(data)
    with pytest.raises(NodeError, match="cannot be read") as caught:
        RunState.find(folder, INPUTS)
    assert caught.value.hint == "remove that folder to start anew"


def test_a_new_run_removes_what_an_abandoned_one_left(folder: Path) -> None:
    RunState.begin(folder, spec(), INPUTS).save_part(0, 1, {"order": np.arange(3)})
    state = RunState.begin(folder, spec(rows=7), INPUTS)
    assert state.finished(0, 2).tolist() == [0, 0]
    state.destroy()
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match="cannot write"):
        RunState.begin(tmp_path / "file" / "state", spec(), INPUTS)
    state = RunState.begin(tmp_path / "state", spec(), INPUTS)
    state.destroy()
    with pytest.raises(NodeError, match="cannot write"):
        state.save_part(0, 1, {"order": np.arange(3)})


def test_two_processes_do_not_use_one_run(folder: Path) -> None:
    child = (
        "import sys; from pathlib import Path\n"
        "from party_node.errors import NodeError\n"
        "from party_node.psi.run_state import only_run\n"
        "try:\n"
        "    with only_run(Path(sys.argv[1])): print('in')\n"
        "except NodeError as error: print(error.message)\n"
    )
    command = [sys.executable, "-c", child, str(folder)]
    with only_run(folder):
        second = subprocess.run(command, capture_output=True, text=True, check=True)
        assert second.stdout.strip() == f"another run uses {folder}"
    third = subprocess.run(command, capture_output=True, text=True, check=True)
    assert third.stdout.strip() == "in"
    assert list(folder.parent.iterdir()) == []
