"""The Flower app bundle both sides hold: it names installed code and carries none.

Flower ships an app from the coordinator to the nodes as a zip, a FAB. Ours has one file of
settings that names the two apps inside the installed packages, so that it is the same bytes
wherever this release is installed: the coordinator starts runs of it, a node hands it to Flower
itself and refuses every other. Stored, not deflated: zlib's output differs between its versions.

FAB layout as Flower 1.41 reads it (``flwr.cli.install``): ``pyproject.toml``, and
``.info/CONTENT`` with one line ``path,sha256,bits`` a file.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

from protocols.suite import get_suite

CLIENT_APP = "party_node.flower_app:app"
SERVER_APP = "coordinator.flower_app:app"
JOB_ID = "job-id"
"""The one setting of a run: which job the ServerApp drives."""

_PUBLISHER = "fedcrm"
_NAME = "fedcrm"
_MANIFEST = """\
[project]
name = "{name}"
version = "{version}"
description = "Names the apps of the installed FedCRM; carries no code."
dependencies = []

[tool.flwr.app]
publisher = "{publisher}"

[tool.flwr.app.components]
serverapp = "{server_app}"
clientapp = "{client_app}"

[tool.flwr.app.config]
{job_id} = ""
"""


@dataclass(frozen=True, slots=True)
class AppBundle:
    """A FAB, and what Flower knows it by."""

    content: bytes
    digest: str
    """SHA-256 of the content in hex: Flower's own name of a FAB, whatever a job's suite is."""
    app_id: str
    version: str


def app_bundle(
    version: str, *, client_app: str = CLIENT_APP, server_app: str = SERVER_APP
) -> AppBundle:
    """Return the bundle of release ``version``, whose apps are ``module:attribute``.

    The same arguments give the same bytes on every machine.
    """
    manifest = _MANIFEST.format(
        name=_NAME,
        publisher=_PUBLISHER,
        version=version,
        server_app=server_app,
        client_app=client_app,
        job_id=JOB_ID,
    ).encode("ascii")
    listing = f"pyproject.toml,{_sha256(manifest)},{8 * len(manifest)}".encode("ascii")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("pyproject.toml", manifest), (".info/CONTENT", listing)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # what Python writes by itself depends on the machine
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    content = buffer.getvalue()
    return AppBundle(content, _sha256(content), f"{_PUBLISHER}/{_NAME}", version)


def _sha256(data: bytes) -> str:
    return get_suite("intl").hash(data).hex()
