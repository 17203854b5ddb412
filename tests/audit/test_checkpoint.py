"""Signed checkpoints: C2SP's rules, and SM2 signatures that other implementations accept."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from gmssl.sm2 import CryptSM2
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import (
    Checkpoint,
    CheckpointError,
    check_origin,
    key_id,
    parse_checkpoint,
    render_note,
    sign_checkpoint,
    verifier_key,
    verify_checkpoint,
)
from protocols.suite import InvalidSignature, get_suite
from tests.audit.made_logs import SUITE

ORIGIN = "bank.example/log"
PRIVATE, PUBLIC = SUITE.generate_signing_key(b"\x07" * 32)
_, OTHER_PUBLIC = SUITE.generate_signing_key(b"\x08" * 32)
CHECKPOINT = Checkpoint(ORIGIN, 20852163, SUITE.hash(b"root"))


def sign(message: bytes) -> bytes:
    return SUITE.sign(PRIVATE, message, bytes(32))


NOTE = sign_checkpoint(CHECKPOINT, suite=SUITE, public_key=PUBLIC, sign=sign)
TEXT, _, SIGNATURE_LINE = NOTE.partition(b"\n\n")


def verified(note: bytes, origin: str = ORIGIN, public_key: bytes = PUBLIC) -> Checkpoint:
    return verify_checkpoint(note, suite=SUITE, origin=origin, public_key=public_key)


def test_note_has_the_shape_of_the_specifications() -> None:
    root = base64.b64encode(CHECKPOINT.root_hash).decode()
    assert NOTE.decode().splitlines()[:4] == [ORIGIN, "20852163", root, ""]
    dash, name, signature = NOTE.decode().splitlines()[4].split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    signed_type = b"\xffsm2-sm3-v1"
    expected_id = SUITE.hash(ORIGIN.encode() + b"\n" + signed_type + PUBLIC)[:4]
    assert base64.b64decode(signature)[:4] == expected_id == key_id(SUITE, ORIGIN, PUBLIC)
    material = base64.b64encode(signed_type + PUBLIC).decode()
    assert verifier_key(SUITE, ORIGIN, PUBLIC) == f"{ORIGIN}+{expected_id.hex()}+{material}"


def test_signed_checkpoint_verifies() -> None:
    assert verified(NOTE) == CHECKPOINT


def test_specification_example_parses() -> None:
    note = (
        "example.com/behind-the-sofa\n20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
        "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    checkpoint, signatures = parse_checkpoint(note.encode(), digest_bytes=32)
    assert (checkpoint.origin, checkpoint.tree_size) == ("example.com/behind-the-sofa", 20852163)
    assert [(s.name, s.key_id.hex(), len(s.signature)) for s in signatures] == [
        ("example.com/behind-the-sofa", "033de0ae", 64)
    ]


def test_unknown_signatures_are_ignored() -> None:
    foreign = "— other.example " + base64.b64encode(b"\x01\x02\x03\x04" + b"x" * 64).decode()
    for note in (NOTE + foreign.encode() + b"\n", TEXT + b"\n\n" + foreign.encode() + b"\n"):
        ours = SIGNATURE_LINE in note
        if ours:
            assert verified(note) == CHECKPOINT
        else:
            with pytest.raises(CheckpointError, match="no signature line names the log's key"):
                verified(note)


def test_checkpoint_of_another_log_signed_under_this_name_is_refused() -> None:
    other = Checkpoint("retailer.example/log", 7, CHECKPOINT.root_hash)
    keyed = key_id(SUITE, ORIGIN, PUBLIC) + sign(other.text())
    line = f"— {ORIGIN} {base64.b64encode(keyed).decode()}\n"
    with pytest.raises(CheckpointError, match="of another log"):
        verified(other.text() + b"\n" + line.encode())


def test_known_key_with_a_wrong_signature_is_refused() -> None:
    forged = render_note(CHECKPOINT, suite=SUITE, public_key=PUBLIC, signature=sign(b"other"))
    both = forged + SIGNATURE_LINE
    for note in (forged, both):
        with pytest.raises(CheckpointError, match="does not verify"):
            verified(note)


@pytest.mark.parametrize(
    ("note", "origin", "public_key"),
    [
        (NOTE, "retailer.example/log", PUBLIC),
        (NOTE, ORIGIN, OTHER_PUBLIC),
        (NOTE.replace(b"20852163", b"20852164"), ORIGIN, PUBLIC),
        (NOTE.replace(b"20852163", b"020852163"), ORIGIN, PUBLIC),
        (NOTE.replace(b"20852163", b"+20852163"), ORIGIN, PUBLIC),
        (NOTE.replace(b"20852163", b"99999999999999999999"), ORIGIN, PUBLIC),
        (NOTE.replace(b"=\n\n", b"=\nextension\n\n"), ORIGIN, PUBLIC),
        (NOTE.replace(b"=\n\n", b"\n\n"), ORIGIN, PUBLIC),
        (NOTE.replace(b"\n\n", b"\n"), ORIGIN, PUBLIC),
        (NOTE.replace(b"\n", b"\r\n"), ORIGIN, PUBLIC),
        (NOTE[:-1], ORIGIN, PUBLIC),
        (NOTE + b"\n", ORIGIN, PUBLIC),
        (NOTE + b"\x00", ORIGIN, PUBLIC),
        (NOTE + b"\xff\n", ORIGIN, PUBLIC),
        (NOTE.replace("—".encode(), b"-"), ORIGIN, PUBLIC),
        (TEXT + b"\n\n", ORIGIN, PUBLIC),
        (NOTE + SIGNATURE_LINE * 70, ORIGIN, PUBLIC),
        (b"", ORIGIN, PUBLIC),
        (b"\n\n", ORIGIN, PUBLIC),
        (b"x" * 70_000, ORIGIN, PUBLIC),
    ],
)
def test_other_notes_are_refused(note: bytes, origin: str, public_key: bytes) -> None:
    with pytest.raises(CheckpointError):
        verified(note, origin, public_key)


def test_every_altered_byte_is_noticed() -> None:
    for at in range(len(NOTE)):
        altered = NOTE[:at] + bytes([NOTE[at] ^ 1]) + NOTE[at + 1 :]
        with pytest.raises(CheckpointError):
            verified(altered)


@given(st.binary(max_size=300))
def test_only_checkpoint_errors_escape_from_bytes(note: bytes) -> None:
    with pytest.raises(CheckpointError):
        verified(note)


@given(st.integers(0, len(NOTE)), st.binary(max_size=6), st.integers(0, 8))
def test_only_checkpoint_errors_escape_from_altered_notes(
    at: int, inserted: bytes, removed: int
) -> None:
    altered = NOTE[:at] + inserted + NOTE[at + removed :]
    if altered == NOTE:
        assert verified(altered) == CHECKPOINT
        return
    try:
        # Only what signed-note has us ignore may differ: further signature lines.
        assert verified(altered) == CHECKPOINT
        assert SIGNATURE_LINE in altered
    except CheckpointError:
        assert altered != NOTE


def test_signer_with_another_key_is_noticed_before_anything_is_kept() -> None:
    with pytest.raises(CheckpointError, match="does not verify"):
        sign_checkpoint(CHECKPOINT, suite=SUITE, public_key=OTHER_PUBLIC, sign=sign)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "日志", "-a", "a\n", "x" * 129])
def test_origins_outside_the_narrow_set_are_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        check_origin(origin)


def raw_signature() -> bytes:
    return base64.b64decode(SIGNATURE_LINE.decode().split(" ")[2])[4:]


def test_gmssl_itself_accepts_the_signature() -> None:
    r, s = decode_dss_signature(raw_signature())
    verifier = CryptSM2(private_key="", public_key="")
    verifier.public_key = PUBLIC[1:].hex()
    assert verifier.verify_with_sm3(f"{r:064x}{s:064x}", TEXT + b"\n")
    assert not verifier.verify_with_sm3(f"{r:064x}{s:064x}", TEXT)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_openssl_accepts_the_signature_with_the_default_identity(tmp_path: Path) -> None:
    # SubjectPublicKeyInfo of id-ecPublicKey on the SM2 curve, 1.2.156.10197.1.301.
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
    (tmp_path / "key.der").write_bytes(prefix + PUBLIC)
    (tmp_path / "text").write_bytes(TEXT + b"\n")
    (tmp_path / "signature").write_bytes(raw_signature())
    command = [
        *("openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pubin"),
        *("-inkey", "key.der", "-keyform", "DER", "-in", "text", "-sigfile", "signature"),
        *("-pkeyopt", "distid:1234567812345678"),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Signature Verified Successfully" in run.stdout
    (tmp_path / "text").write_bytes(TEXT + b"!\n")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode != 0


INTL = get_suite("intl")
INTL_PRIVATE, INTL_PUBLIC = INTL.generate_signing_key(b"\x07" * 32)
# The example of golang.org/x/mod/sumdb/note, whose form C2SP signed-note took over.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
GO_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


def test_ed25519_keys_and_signatures_are_those_of_signed_note() -> None:
    material = base64.b64decode(GO_KEY.split("+", 2)[2])
    public_key = material[1:]
    assert verifier_key(INTL, "PeterNeumann", public_key) == GO_KEY
    keyed = base64.b64decode(GO_SIGNATURE)
    assert keyed[:4] == key_id(INTL, "PeterNeumann", public_key)
    INTL.verify(public_key, GO_TEXT, keyed[4:])
    with pytest.raises(InvalidSignature):
        INTL.verify(public_key, GO_TEXT + b"\n", keyed[4:])


def test_ed25519_checkpoints_verify_and_suites_do_not_mix() -> None:
    checkpoint = Checkpoint(ORIGIN, 3, INTL.hash(b"root"))
    note = sign_checkpoint(
        checkpoint,
        suite=INTL,
        public_key=INTL_PUBLIC,
        sign=lambda message: INTL.sign(INTL_PRIVATE, message, bytes(32)),
    )
    keyed = base64.b64decode(note.decode().splitlines()[4].split(" ")[2])
    assert len(keyed) == 4 + 64
    arguments = {"origin": ORIGIN, "public_key": INTL_PUBLIC}
    assert verify_checkpoint(note, suite=INTL, **arguments) == checkpoint
    with pytest.raises(CheckpointError, match="no signature line"):
        verify_checkpoint(note, suite=SUITE, **arguments)
    altered = note.replace(b"\n3\n", b"\n4\n")
    with pytest.raises(CheckpointError, match="does not verify"):
        verify_checkpoint(altered, suite=INTL, **arguments)
