"""A child process that never outlives who started it.

The parent keeps the write end of the child's standard input and writes nothing. When the parent
ends, however it ends, the child reads the end of the file. Unlike asking whether a process id
still exists, this is not fooled by a parent that nobody has waited for.
"""

from __future__ import annotations

import os
import signal
import threading
import time

_GRACE_S = 10.0


def end_with(descriptor: int, first: signal.Signals) -> None:
    """Start a thread that ends this process's group when ``descriptor`` reaches its end.

    ``first`` is sent to this process alone; what is left after ten seconds is killed.
    """

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        if first is not signal.SIGKILL:
            os.kill(os.getpid(), first)
            time.sleep(_GRACE_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
