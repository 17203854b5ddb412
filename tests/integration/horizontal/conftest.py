"""Jobs that are set up once and copied for each test that spoils one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.horizontal.faulty_job import FaultyJob

_JOBS: dict[str, FaultyJob] = {}

MakeJob = Callable[..., FaultyJob]


@pytest.fixture(scope="session")
def make_job(tmp_path_factory: pytest.TempPathFactory) -> MakeJob:
    """Return a function that gives a fresh copy of a job with some changes."""
    numbers = itertools.count()

    def make(*, parties: int = 5, **changes: Any) -> FaultyJob:
        dotted = {name.replace("__", "."): value for name, value in changes.items()}
        key = f"{parties} {sorted(dotted.items())}"
        folder: Path = tmp_path_factory.mktemp("job") / str(next(numbers))
        if key not in _JOBS:
            _JOBS[key] = FaultyJob.made(folder / "original", dotted, parties=parties)
        return _JOBS[key].copied(folder / "copy")

    return make
