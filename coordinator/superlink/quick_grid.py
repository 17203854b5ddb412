"""Shortens the waits of Flower's Grid in a ServerApp's process; none of its files is changed.

An answer is announced before its parts have come. Flower 1.41 asks for a missing part again after
1 s, then 2, 4, 8, which is most of a short round.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from flwr.superlink.grid import http_grid

_PULL_AGAIN_S = 0.05


def quicken() -> None:
    """Let this process's Grid ask again after 0.05 s, at most a second apart."""
    grid: Any = http_grid
    pull = grid.pull_objects
    if isinstance(pull, partial):
        return
    if not {"initial_backoff", "backoff_cap"} <= set(inspect.signature(pull).parameters):
        raise RuntimeError("this version of Flower pulls messages otherwise; install flwr 1.41")
    grid.pull_objects = partial(pull, initial_backoff=_PULL_AGAIN_S, backoff_cap=1.0)
