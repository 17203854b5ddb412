"""The node's keys: made once and together, each for one use, and sealing bound to its purpose."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.key_files import KeyFileError, load_secret_file
from party_node.keys import NodeKeys, create_keys, load_keys, seal, unseal
from protocols.suite import OpenError, get_suite

SUITE = get_suite("gm")
KEY = SUITE.hash(b"key")[: SUITE.key_bytes]


def made_keys(storage: bytes = bytes(32)) -> NodeKeys:
    private, public = SUITE.generate_signing_key(bytes(32))
    return NodeKeys(SUITE, public, private, storage)


def test_keys_must_load_as_they_were_created(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys", SUITE)
    assert load_keys(tmp_path / "keys", SUITE) == keys
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "signing.key",
        "storage.key",
    ]
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.signing_key != keys.storage_secret


def test_two_nodes_must_have_different_keys(tmp_path: Path) -> None:
    one, other = (create_keys(tmp_path / name, SUITE) for name in "ab")
    assert one.public_key != other.public_key
    assert one.storage_secret != other.storage_secret


def test_what_a_node_signs_must_verify(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys", SUITE)
    first, second = keys.sign(b"message"), keys.sign(b"message")
    for signature in (first, second):
        SUITE.verify(keys.public_key, b"message", signature)
    assert first != second  # fresh entropy each time


def test_keys_must_never_be_overwritten(tmp_path: Path) -> None:
    keys = create_keys(tmp_path, SUITE)
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_keys(tmp_path, SUITE)
    assert load_keys(tmp_path, SUITE) == keys


@pytest.mark.parametrize("lost", ["signing.key", "storage.key"])
def test_a_lost_key_must_not_be_replaced_beside_the_other(tmp_path: Path, lost: str) -> None:
    create_keys(tmp_path, SUITE)
    (tmp_path / lost).unlink()
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_keys(tmp_path, SUITE)
    assert not (tmp_path / lost).exists()
    with pytest.raises(KeyFileError, match=f"cannot read .*{lost}.* backup"):
        load_keys(tmp_path, SUITE)


@pytest.mark.parametrize("scalar", [bytes(32), b"\xff" * 32])
def test_a_number_that_is_no_signing_key_must_be_refused(tmp_path: Path, scalar: bytes) -> None:
    create_keys(tmp_path, SUITE)
    (tmp_path / "signing.key").write_text(scalar.hex())
    with pytest.raises(KeyFileError, match="does not hold a key of suite gm") as caught:
        load_keys(tmp_path, SUITE)
    assert scalar.hex() not in str(caught.value)


def test_no_secret_may_be_shown(tmp_path: Path) -> None:
    keys = create_keys(tmp_path, SUITE)
    for name in ("signing.key", "storage.key"):
        secret = load_secret_file(tmp_path / name)
        assert repr(secret) not in repr(keys)
        assert secret.hex() not in repr(keys)


def test_every_purpose_must_have_its_own_key() -> None:
    keys = made_keys()
    derived = [keys.derived("journal-keys"), keys.derived("row-maps"), keys.derived("")]
    assert all(len(key) == SUITE.key_bytes for key in derived)
    assert len(set(derived)) == 3
    assert keys.identifier_key()[: SUITE.key_bytes] not in derived
    assert len(keys.identifier_key()) == 32
    assert keys.derived("row-maps") == made_keys().derived("row-maps")
    other = made_keys(storage=b"\x01" * 32)
    assert other.derived("row-maps") not in derived
    assert other.identifier_key() != keys.identifier_key()


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_unseal_must_invert_seal(plaintext: bytes, purpose: bytes) -> None:
    sealed = seal(SUITE, KEY, plaintext, purpose)
    assert unseal(SUITE, KEY, sealed, purpose) == plaintext
    assert sealed != seal(SUITE, KEY, plaintext, purpose)


def test_sealed_bytes_must_not_show_the_plaintext() -> None:
    assert b"plaintext" not in seal(SUITE, KEY, b"the plaintext of it", b"purpose")


@given(st.data())
def test_changed_bytes_must_not_open(data: st.DataObject) -> None:
    sealed = bytearray(seal(SUITE, KEY, b"plaintext", b"purpose"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OpenError):
        unseal(SUITE, KEY, bytes(sealed), b"purpose")


def test_nothing_shorter_longer_or_elsewhere_must_open() -> None:
    sealed = seal(SUITE, KEY, b"plaintext", b"purpose")
    for length in range(len(sealed)):
        with pytest.raises(OpenError):
            unseal(SUITE, KEY, sealed[:length], b"purpose")
    with pytest.raises(OpenError):
        unseal(SUITE, KEY, sealed + b"\x00", b"purpose")
    with pytest.raises(OpenError):
        unseal(SUITE, KEY, sealed, b"another purpose")
    with pytest.raises(OpenError):
        unseal(SUITE, bytes(SUITE.key_bytes), sealed, b"purpose")
