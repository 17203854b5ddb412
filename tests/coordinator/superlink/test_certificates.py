"""The coordinator's certificates: whom they serve, and that nothing else can be signed."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from coordinator.superlink.certificates import create_server_files
from coordinator.superlink.service import shrink

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_certificate_serves_its_hosts_and_no_others(tmp_path: Path) -> None:
    files = create_server_files(tmp_path / "tls", ["gate.example", "127.0.0.1"], days=30, now=NOW)
    assert files.exist()
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert files.folder.stat().st_mode & 0o777 == 0o700
    # The authority's key was not kept: the folder has the three files and no more.
    assert len(list(files.folder.iterdir())) == 3
    assert files.folder.joinpath("root.pem").read_bytes().count(b"PRIVATE") == 0
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    root = x509.load_pem_x509_certificate(files.root.read_bytes())

    def verify(host: str, at: datetime) -> None:
        builder = PolicyBuilder().store(Store([root])).time(at)
        builder.build_server_verifier(x509.DNSName(host)).verify(leaf, [])

    verify("gate.example", NOW)
    with pytest.raises(VerificationError):
        verify("other.example", NOW)
    with pytest.raises(VerificationError):
        verify("gate.example", NOW + timedelta(days=31))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    files = create_server_files(tmp_path, ["127.0.0.1"], days=1, now=NOW)
    before = files.key.read_bytes()
    with pytest.raises(FileExistsError):
        create_server_files(tmp_path, ["127.0.0.1"], days=1, now=NOW)
    assert files.key.read_bytes() == before
    with pytest.raises(ValueError, match="names"):
        create_server_files(tmp_path / "other", [], days=1, now=NOW)


def test_the_superlinks_file_gives_back_what_messages_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.superlink.service._WASTE_BYTES", 1 << 20)
    path = tmp_path / "superlink.sqlite"
    shrink(path)
    assert not path.exists()
    with sqlite3.connect(path) as connection:
        connection.execute("create table objects (content blob)")
        connection.executemany("insert into objects values (?)", [(bytes(1 << 20),)] * 4)
    with sqlite3.connect(path) as connection:
        connection.execute("delete from objects")
    connection.close()
    full = path.stat().st_size
    shrink(path)
    assert path.stat().st_size < full / 10
