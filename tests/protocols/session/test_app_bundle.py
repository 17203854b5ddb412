"""The bundle that names the installed apps."""

from __future__ import annotations

import io
import zipfile

from flwr.cli.install import install_from_fab
from flwr.common.config import get_fab_config

from protocols.session.app_bundle import CLIENT_APP, JOB_ID, SERVER_APP, app_bundle


def test_the_same_release_gives_the_same_bytes():
    assert app_bundle("1.2.3") == app_bundle("1.2.3")
    # Fixed: another machine, another Python or another zlib must come to the same.
    assert app_bundle("1.2.3").digest == (
        "f482496717237ccadf9eb1c5f1c3bdb23f339ab18353f5007e0f3e67ed1733c7"
    )


def test_another_release_or_app_is_another_bundle():
    digests = {
        app_bundle("1.2.3").digest,
        app_bundle("1.2.4").digest,
        app_bundle("1.2.3", client_app="other:app").digest,
        app_bundle("1.2.3", server_app="other:app").digest,
    }
    assert len(digests) == 4


def test_it_carries_no_code():
    bundle = app_bundle("1.2.3")
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert archive.namelist() == ["pyproject.toml", ".info/CONTENT"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_flower_reads_it(tmp_path):
    bundle = app_bundle("1.2.3")
    config = get_fab_config(bundle.content)
    app = config["tool"]["flwr"]["app"]
    assert app["components"] == {"serverapp": SERVER_APP, "clientapp": CLIENT_APP}
    assert app["config"] == {JOB_ID: ""}
    folder = install_from_fab(bundle.content, tmp_path, skip_prompt=True)
    assert [path.name for path in folder.iterdir()] == ["pyproject.toml"]
    assert folder.name == f"fedcrm.fedcrm.1.2.3.{bundle.digest[:8]}"
