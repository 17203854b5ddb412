"""An identity is made once, kept from others, and known by one fingerprint."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.key_files import KeyFileError
from party_node.peer_channel.certificates import (
    PUBLIC_FILE,
    SIGNING_KEY_FILE,
    TLS_KEY_FILE,
    create_identity,
    load_identity,
    load_peer,
)
from protocols.suite import get_suite
from tests.party_node.meeting import identity, shown

SUITES = {name: get_suite(name) for name in ("gm", "intl")}
FILES = (PUBLIC_FILE, TLS_KEY_FILE, SIGNING_KEY_FILE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bank's folder, to be damaged."""
    target = tmp_path / "identity"
    shutil.copytree(identity("bank").public_file.parent, target)
    return target


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_made_is_what_is_loaded_and_shown(suite):
    own = identity("bank", suite)
    folder = own.public_file.parent
    assert load_identity(folder) == own
    peer = load_peer(folder / PUBLIC_FILE)
    assert (peer.name, peer.suite.name) == ("bank", suite)
    assert (peer.certificate, peer.public_key) == (own.certificate, own.public_key)
    assert peer.fingerprint == own.fingerprint
    assert re.fullmatch(r"([0-9a-f]{4} ){15}[0-9a-f]{4}", own.fingerprint)
    assert own.certificate_digest == SUITES[suite].hash(own.certificate)
    own.suite.verify(own.public_key, b"x", own.suite.sign(own.signing_key, b"x", bytes(32)))


def test_the_fingerprint_is_of_every_part():
    own = identity("bank")
    parts = [b"bank", b"gm", own.certificate, own.public_key]
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digest = SUITES["gm"].hash(b"fedcrm/identity/v1\0" + framed).hex()
    assert own.fingerprint.replace(" ", "") == digest
    others = [identity("bank", number=1), identity("retailer"), identity("bank", "intl")]
    assert len({own.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_only_the_owner_can_read_the_keys():
    folder = identity("bank").public_file.parent
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in FILES}
    assert modes == {PUBLIC_FILE: 0o644, TLS_KEY_FILE: 0o600, SIGNING_KEY_FILE: 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_certificate_is_what_the_specification_says():
    certificate = x509.load_der_x509_certificate(identity("bank").certificate)
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)
    assert certificate.not_valid_before_utc == datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    assert certificate.not_valid_after_utc.isoformat() == "9999-12-31T23:59:59+00:00"
    assert certificate.subject == certificate.issuer
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca is False
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign


def test_no_secret_is_in_the_public_file_or_a_representation():
    own = identity("bank")
    text = own.public_file.read_text()
    assert own.signing_key.hex() not in text
    assert "PRIVATE" not in text
    assert repr(own.signing_key) not in repr(own)


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_overwritten(tmp_path, name):
    folder = tmp_path / "identity"
    folder.mkdir(mode=0o700)
    (folder / name).write_text("precious")
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_identity(folder, "bank", SUITES["intl"])
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "precious"


@pytest.mark.parametrize("name", ["", "123", "a/b", "bank\n", 'b"ank', "银行", "a" * 101])
def test_a_name_that_is_no_party_id_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="party must be"):
        create_identity(tmp_path / "identity", name, SUITES["intl"])
    assert not (tmp_path / "identity").exists()


def test_a_folder_open_to_others_is_refused(folder, tmp_path):
    folder.chmod(0o750)
    with pytest.raises(KeyFileError, match="chmod 700"):
        load_identity(folder)
    (tmp_path / "new").mkdir()
    (tmp_path / "new").chmod(0o755)
    with pytest.raises(KeyFileError, match="chmod 700"):
        create_identity(tmp_path / "new", "bank", SUITES["intl"])
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("name", [TLS_KEY_FILE, SIGNING_KEY_FILE])
def test_a_key_open_to_others_is_refused(folder, name):
    (folder / name).chmod(0o640)
    with pytest.raises(KeyFileError, match=f"chmod 600 .*{name}"):
        load_identity(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(KeyFileError, match=name):
        load_identity(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(KeyFileError, match="keygen"):
        load_identity(tmp_path / "nowhere")
    with pytest.raises(KeyFileError, match="nowhere"):
        load_peer(tmp_path / "nowhere")
    with pytest.raises(KeyFileError, match="directory"):
        load_peer(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_identities_do_not_mix(folder, name):
    other = identity("bank", number=1).public_file.parent
    (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(KeyFileError, match="do not belong to its identity"):
        load_identity(folder)


def _pem(key: object, encryption: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@pytest.mark.parametrize("kind", ["garbage", "encrypted", "rsa"])
def test_a_tls_key_of_another_kind_is_refused(folder, kind):
    none = serialization.NoEncryption()
    content = {
        "garbage": lambda: b"\xff\x00",
        "encrypted": lambda: _pem(
            ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"x")
        ),
        "rsa": lambda: _pem(rsa.generate_private_key(65537, 2048), none),
    }[kind]()
    (folder / TLS_KEY_FILE).write_bytes(content)
    with pytest.raises(KeyFileError, match=TLS_KEY_FILE):
        load_identity(folder)


def _swap(old: str, new: str):
    return lambda text: text.replace(old, new, 1)


def _field(name: str, of: str) -> str:
    return re.search(rf'(?m)^{name} = "([^"]*)"', of)[1]


BANK = identity("bank").public_file.read_text()
OTHER_BANK = identity("bank", number=1).public_file.read_text()
CERTIFICATE = re.search("-----BEGIN.*-----\n", BANK, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda text: "", "field is missing"),
        (lambda text: "\x00\xff", "not TOML"),
        (lambda text: "[" * 3000, "not TOML"),
        (lambda text: text + "银", "not TOML"),
        (lambda text: text + 'more = "x"\n', "unknown"),
        (_swap("identity/1", "identity/2"), "format"),
        (_swap('suite = "gm"', 'suite = "intl"'), "did not sign"),
        (_swap('suite = "gm"', 'suite = "sm9"'), "unknown suite"),
        (_swap('party = "bank"', 'party = "retailer"'), "another party's"),
        (_swap('party = "bank"', 'party = "../bank"'), "party must be"),
        (_swap(_field("public_key", BANK), _field("public_key", OTHER_BANK)), "did not sign"),
        (_swap(_field("signature", BANK), _field("signature", OTHER_BANK)), "did not sign"),
        (_swap(_field("signature", BANK), ""), "did not sign"),
        (_swap(_field("public_key", BANK), "zz"), "hexadecimal"),
        (_swap(_field("public_key", BANK), "04" + 128 * "0"), "did not sign"),
        (_swap(CERTIFICATE, ""), "self-signed certificate"),
        (_swap(CERTIFICATE, CERTIFICATE + CERTIFICATE), "self-signed certificate|as this program"),
        (_swap("-----BEGIN", "\n\n-----BEGIN"), "self-signed certificate"),
        (_swap(CERTIFICATE, CERTIFICATE[:92] + CERTIFICATE[93:]), "as this program writes"),
        (_swap("-----END", "AAAA\n-----END"), "certificate"),
        (lambda text: text.replace(CERTIFICATE[40:44], "AAAA"), "certificate"),
        (lambda text: "#" * (1 << 14) + text, "too long"),
    ],
)
def test_a_public_file_that_is_not_sound_is_refused(tmp_path, damage, match):
    path = tmp_path / PUBLIC_FILE
    damaged = damage(BANK)
    assert damaged != BANK
    path.write_text(damaged, "utf-8")
    with pytest.raises(KeyFileError, match=match) as caught:
        load_peer(path)
    assert PUBLIC_FILE in str(caught.value)


def _foreign_certificate(key: object, name: str, issuer_key: object = None) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2050, 1, 1))
        .sign(issuer_key or key, SHA256())  # type: ignore[arg-type]
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: _foreign_certificate(ec.generate_private_key(ec.SECP384R1()), "bank"), "P-256"),
        (lambda: _foreign_certificate(rsa.generate_private_key(65537, 2048), "bank"), "P-256"),
        (
            lambda: _foreign_certificate(ec.generate_private_key(ec.SECP256R1()), "shop"),
            "another party's",
        ),
        (
            lambda: _foreign_certificate(
                ec.generate_private_key(ec.SECP256R1()),
                "bank",
                ec.generate_private_key(ec.SECP256R1()),
            ),
            "self-signed",
        ),
    ],
)
def test_a_certificate_of_another_kind_is_refused(tmp_path, make, match):
    path = tmp_path / PUBLIC_FILE
    path.write_text(BANK.replace(CERTIFICATE, make()))
    with pytest.raises(KeyFileError, match=match):
        load_peer(path)


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_garbage_is_no_identity(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("garbage") / PUBLIC_FILE
    path.write_bytes(data)
    with pytest.raises(KeyFileError):
        load_peer(path)


@given(st.integers(0, len(BANK) - 1), st.integers(0, 127))
@settings(max_examples=100, deadline=None)
def test_a_changed_character_is_noticed_or_means_nothing(tmp_path_factory, place, code):
    """Only comments, spaces and letter case of hex may differ and mean the same identity."""
    path = tmp_path_factory.mktemp("changed") / PUBLIC_FILE
    path.write_text(BANK[:place] + chr(code) + BANK[place + 1 :])
    try:
        loaded = load_peer(path)
    except KeyFileError:
        return
    assert loaded == shown("bank")


def test_files_stay_private_whatever_the_umask(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; os.umask(0)\n"
        "from party_node.peer_channel.certificates import create_identity\n"
        "from protocols.suite import get_suite\n"
        "create_identity(Path(sys.argv[1]), 'bank', get_suite('intl'))\n"
    )
    folder = tmp_path / "deep" / "identity"
    subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / TLS_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert load_identity(folder).name == "bank"
