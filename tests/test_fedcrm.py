"""The one command: it lists every room without loading one, and loads the one that is called."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fedcrm import _ROOMS, app


def test_help_lists_every_command_and_loads_none() -> None:
    child = (
        "import sys\n"
        "from fedcrm import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "rooms = ('simulations', 'party_node', 'audit', 'protocols')\n"
        "print([name for name in sys.modules if name.split('.')[0] in rooms])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=True, timeout=60
    )
    *shown, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    for name in _ROOMS:
        assert any(line.split()[1:2] == [name] for line in shown), name


@pytest.mark.parametrize("name", _ROOMS)
def test_every_listed_command_is_there(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"{name} [OPTIONS]" in result.stdout


def test_what_is_no_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["nonsense"])
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.stderr
