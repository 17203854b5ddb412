"""Secret files: made once, for their owner only, and never believed when they look wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.key_files import SECRET_BYTES, KeyFileError, create_secret_file, load_secret_file


@pytest.fixture(params=[0o022, 0o000, 0o077], ids=oct)
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, text: str | bytes, permissions: int = 0o600) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(permissions)
    return path


@pytest.mark.usefixtures("any_umask")
def test_a_secret_must_be_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "node.key"
    secret = create_secret_file(path)
    assert len(secret) == SECRET_BYTES
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert load_secret_file(path) == secret


def test_fresh_secrets_must_differ(tmp_path: Path) -> None:
    secrets = {create_secret_file(tmp_path / f"{i}.key") for i in range(20)}
    assert len(secrets) == 20


def test_a_given_secret_must_be_what_is_stored(tmp_path: Path) -> None:
    value = bytes(range(32))
    assert create_secret_file(tmp_path / "a.key", value) == value
    assert (tmp_path / "a.key").read_text() == value.hex() + "\n"
    assert load_secret_file(tmp_path / "a.key") == value


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_secret_of_another_length_must_not_be_written(tmp_path: Path, length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        create_secret_file(tmp_path / "a.key", bytes(length))
    assert not (tmp_path / "a.key").exists()


def test_a_secret_must_never_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    secret = create_secret_file(path)
    for value in (None, bytes(32)):
        with pytest.raises(KeyFileError, match="exists already; a key is never overwritten"):
            create_secret_file(path, value)
    assert load_secret_file(path) == secret


def test_a_secret_must_not_be_written_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "a.key").symlink_to(elsewhere)
    with pytest.raises(KeyFileError, match="exists already"):
        create_secret_file(tmp_path / "a.key")
    assert not elsewhere.exists()


@pytest.mark.parametrize("permissions", [0o604, 0o640, 0o644, 0o660, 0o601, 0o620, 0o777])
def test_a_file_others_can_touch_must_be_refused(tmp_path: Path, permissions: int) -> None:
    path = tmp_path / "a.key"
    secret = create_secret_file(path)
    path.chmod(permissions)
    with pytest.raises(KeyFileError, match="readable by others; run: chmod 600") as caught:
        load_secret_file(path)
    assert secret.hex() not in str(caught.value)
    path.chmod(0o400)
    assert load_secret_file(path) == secret


MARKER = "5ec2e7" * 10


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "does not hold a key"),
        ("\n", "does not hold a key"),
        (MARKER[:-2], "does not hold a key"),
        (MARKER * 2, "does not hold a key"),
        (MARKER + "zz", "cannot read"),
        (MARKER + "a", "cannot read"),
        ("0x" + MARKER, "cannot read"),
        (MARKER.encode() + b"\xff\xfe", "cannot read"),
        (b"\x00" * 32, "cannot read"),
    ],
)
def test_a_malformed_file_must_be_refused_without_its_content(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    path = written(tmp_path / "a.key", content)
    with pytest.raises(KeyFileError, match=reason) as caught:
        load_secret_file(path)
    assert str(path) in str(caught.value)
    assert "backup" in str(caught.value)
    assert MARKER[:20] not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_missing_file_and_a_folder_must_be_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.key", tmp_path / "no" / "such.key", tmp_path):
        with pytest.raises(KeyFileError, match="cannot read"):
            load_secret_file(path)
