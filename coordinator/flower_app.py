"""The ServerApp of a deployed coordinator: what ``protocols.session.app_bundle`` names.

It drives the job its run names from where the coordinator's database says that job stands, and
writes everything there: a run of Flower's is disposable.
"""

from __future__ import annotations

import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from coordinator.coordinator import Coordinator
from coordinator.superlink import quick_grid
from coordinator.superlink.settings import HOME_VARIABLE
from protocols.session.app_bundle import JOB_ID

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Drive the run's job to its end, well or not."""
    quick_grid.quicken()
    coordinator = Coordinator.open(Path(os.environ[HOME_VARIABLE]))
    try:
        record = coordinator.job(str(context.run_config[JOB_ID]))
        keys = {p.party_id: bytes.fromhex(p.public_key) for p in record.spec.participants}
        coordinator.drive(record, keys, _stop, grid)
    finally:
        coordinator.close()


def _stop(attempt: int) -> None:
    """Nothing reaches a party that is at work: its own deadlines end what the others left."""
