"""One side's training process that the system kills at a chosen point, or that ends by itself."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

import msgspec

from party_node import kernel_cache


class Death:
    """Kills this very process some seconds after yield number ``at``; counts yields either way."""

    def __init__(self, at: int, delay_s: float) -> None:
        self.yields = 0
        self._at = at
        self._delay_s = delay_s

    def __call__(self) -> None:
        """Called by the driver at each yield."""
        self.yields += 1
        if self.yields == self._at:
            if self._delay_s == 0:
                _die()
            timer = threading.Timer(self._delay_s, _die)
            timer.daemon = True
            timer.start()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(options: str, at: str, delay_s: str) -> None:
    kernel_cache.prepare()
    from simulations.bench.gbdt_training import SideOptions, run_side

    death = Death(int(at), float(delay_s))
    report = run_side(msgspec.json.decode(options, type=SideOptions), death)
    sys.stdout.write(json.dumps({"yields": death.yields, "scores": report.get("scores")}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
