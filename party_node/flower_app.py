"""The ClientApp of a deployed node: what ``protocols.session.app_bundle`` names.

Where the party's home lies, the node's own operator says; nothing of it comes from a message.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from flwr.app import Context

from party_node.client_app import client_app

# Each message is worked on in a fork of the process that imports this: what a job may need and is
# slow to load is loaded here, once, and not again for every round. None of it starts a thread.
for _module in ("numba", "tenseal", "torch"):
    importlib.import_module(_module)


def _place(context: Context) -> tuple[Path, Path]:
    home = Path(str(context.node_config["home"]))
    meeting_place = home / "meeting"
    meeting_place.mkdir(mode=0o700, exist_ok=True)
    return home, meeting_place


app = client_app(_place)
