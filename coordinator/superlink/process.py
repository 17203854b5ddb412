"""Flower's SuperLink, or its SuperExec, as a process that never outlives the coordinator.

Started by :mod:`service`: ``python -m coordinator.superlink.process superlink|superexec ARGS``.
SuperExec starts each run's ServerApp as a child in its own process group, so that both end
together; the SuperLink by itself would start it outside every group (Flower 1.41).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from flwr.supercore.cli.flower_superexec import flower_superexec
from flwr.superlink.cli.flower_superlink import flower_superlink

_GRACE_S = 10.0
_ENTRY_POINTS: dict[str, Callable[[], None]] = {
    "superlink": flower_superlink,
    "superexec": flower_superexec,
}


def _end_with_parent() -> None:
    """End this group when standard input ends: its other end is the coordinator's alone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    name, *arguments = sys.argv[1:]
    sys.argv = [f"flower-{name}", *arguments]
    _ENTRY_POINTS[name]()
