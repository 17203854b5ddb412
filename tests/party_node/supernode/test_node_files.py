"""The SuperNode's key, its settings, and what it writes down of refused code."""

from __future__ import annotations

from pathlib import Path

import pytest
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, uses_nist_ec_curve

from audit.key_files import KeyFileError
from audit.log import read_events
from party_node.node import Node
from party_node.supernode.node_key import create_node_key, node_public_key
from party_node.supernode.refusals import Refusals
from party_node.supernode.settings import SuperNodeSettings, decode, encode


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "flower.key"
    public = create_node_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert node_public_key(path) == public
    key = bytes_to_public_key(public)
    assert uses_nist_ec_curve(key)
    assert key.curve.name == "secp384r1"
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_node_key(path)
    assert node_public_key(path) == public


def test_a_key_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flower.key"
    with pytest.raises(KeyFileError, match="cannot read"):
        node_public_key(path)
    create_node_key(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        node_public_key(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="cannot read"):
        node_public_key(path)


def test_settings_go_through_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SuperNodeSettings(
        home="/a b/\"c'", coordinator="[::1]:8443", root_certificate="/r.pem", runtime_port=9
    )
    assert decode(encode(settings)) == settings
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.delenv("no_proxy", raising=False)
    environment = settings.environment()
    assert environment["no_proxy"] == "127.0.0.1,localhost,inside.example"
    assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
    assert environment["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert environment["FLWR_HOME"] == "/a b/\"c'/flower"


def test_refused_code_is_an_event_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "node"
    Node.create(home, "bank", "gm", simulated=False).close()
    refusals = Refusals(home)
    for digest in ("ab" * 32, "ab" * 32, "cd" * 32, "../../x", "Ω", "../../x"):
        refusals.record(digest)
    node = Node.open(home)
    with node.engine.connect() as connection:
        events = [e for e in read_events(connection) if e.type == "code.refused"]
    node.close()
    assert [e.details.get("code_digest", "") for e in events] == ["ab" * 32, "cd" * 32, ""]
    assert {e.outcome.status for e in events} == {"denied"}
    assert {e.details["party"] for e in events} == {"coordinator"}
    told = capsys.readouterr().err
    assert told.count("error: refused code") == 3
    assert "../../x" not in told


def test_a_flood_of_code_does_not_fill_the_log(tmp_path: Path) -> None:
    home = tmp_path / "node"
    Node.create(home, "bank", "gm", simulated=False).close()
    refusals = Refusals(home)
    refusals._seen.update(f"{number:064x}" for number in range(256))
    refusals.record("ff" * 32)
    node = Node.open(home)
    with node.engine.connect() as connection:
        assert [e for e in read_events(connection) if e.type == "code.refused"] == []
    node.close()
