"""A party's identity on the peer channel: a TLS key with its certificate, and a signing key.

Both are made once, by ``create_identity``; ``identity.pub`` goes to the peer by any way, and the
two operators compare its fingerprint by voice. The certificate is self-signed and pinned: the peer
accepts these very bytes and no others, so that no authority has to be trusted. It carries no end
of its validity that a clock could miss (RFC 5280 §4.1.2.5: 99991231235959Z); it ends when the peer
no longer pins it.

X.509 and ECDSA P-256 belong to the outer TLS, which no suite has; they are used nowhere else.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature as BadCertificateSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audit.key_files import KeyFileError, create_secret_file, load_secret_file
from protocols.session.agreed_job import check_id
from protocols.suite import InvalidSignature, Suite, get_suite

PUBLIC_FILE = "identity.pub"
TLS_KEY_FILE = "tls.key"
SIGNING_KEY_FILE = "signing.key"
MAX_PUBLIC_FILE_BYTES = 1 << 14

_FORMAT = "fedcrm-identity/1"
_PREFIX = b"fedcrm/identity/v1\x00"
_MADE = datetime(2020, 1, 1, tzinfo=UTC)
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What a party shows of itself: the contents of its ``identity.pub``."""

    name: str
    suite: Suite = field(compare=False)
    """Suites hold no state and do not compare; the signing key tells them apart."""
    certificate: bytes
    """DER, the bytes TLS must present."""
    public_key: bytes
    """Of the suite's signature."""

    @property
    def fingerprint(self) -> str:
        """What people compare by voice: the suite's hash of all the identity, in groups of four."""
        return self.suite.fingerprint(
            _statement(self.name, self.suite, self.certificate, self.public_key)
        )

    @property
    def certificate_digest(self) -> bytes:
        """The suite's hash of the certificate, as other protocols bind it."""
        return self.suite.hash(self.certificate)


@dataclass(frozen=True, slots=True)
class Identity(PeerIdentity):
    """An identity of this party's own: what a peer knows of it, and the private halves."""

    public_file: Path
    tls_key_file: Path
    signing_key: bytes = field(repr=False)


class _PublicFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    party: str
    suite: str
    public_key: str
    certificate: str
    signature: str


def create_identity(folder: Path, name: str, suite: Suite) -> Identity:
    """Make ``name``'s keys and ``identity.pub`` in ``folder``, which is made with mode 0700.

    Raises :class:`KeyFileError` if the folder holds any of the files already or is open to others,
    ``ValueError`` for a name that is no party id.
    """
    check_id("party", name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_folder(folder)
    for file in (PUBLIC_FILE, TLS_KEY_FILE, SIGNING_KEY_FILE):
        if (folder / file).exists():
            raise KeyFileError(f"{folder / file} exists already; a key is never overwritten")
    tls_key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(name, tls_key)
    private_pem = tls_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signing_key, public_key = suite.generate_signing_key(secrets.token_bytes(32))
    statement = _statement(name, suite, certificate, public_key)
    signature = suite.sign(signing_key, statement, secrets.token_bytes(32))
    text = (
        "# The public half of a FedCRM identity: give it to the other party, which then compares\n"
        "# its fingerprint with you by voice.\n"
        f'format = "{_FORMAT}"\n'
        f'party = "{name}"\n'
        f'suite = "{suite.name}"\n'
        f'public_key = "{public_key.hex()}"\n'
        f'signature = "{signature.hex()}"\n'
        f'certificate = """\n{ssl.DER_cert_to_PEM_cert(certificate)}"""\n'
    )
    create_secret_file(folder / SIGNING_KEY_FILE, signing_key)
    _create(folder / TLS_KEY_FILE, private_pem, 0o600)
    _create(folder / PUBLIC_FILE, text.encode("ascii"), 0o644)
    return load_identity(folder)


def load_identity(folder: Path) -> Identity:
    """Return the identity in ``folder``; raises :class:`KeyFileError` and nothing else.

    Checks that its files are of one identity and that none but their owner can read the keys.
    """
    if not folder.is_dir():
        raise KeyFileError(f"{folder} is no folder of an identity; make one with keygen")
    _check_folder(folder)
    public = load_peer(folder / PUBLIC_FILE)
    signing_key = load_secret_file(folder / SIGNING_KEY_FILE)
    tls_key = _load_tls_key(folder / TLS_KEY_FILE)
    try:
        belongs = public.suite.public_key(signing_key) == public.public_key
    except ValueError:
        belongs = False
    certified = x509.load_der_x509_certificate(public.certificate).public_key()
    if not belongs or tls_key.public_key() != certified:
        raise KeyFileError(
            f"the keys in {folder} do not belong to its {PUBLIC_FILE}; restore the folder whole"
        )
    return Identity(
        name=public.name,
        suite=public.suite,
        certificate=public.certificate,
        public_key=public.public_key,
        public_file=folder / PUBLIC_FILE,
        tls_key_file=folder / TLS_KEY_FILE,
        signing_key=signing_key,
    )


def load_peer(path: Path) -> PeerIdentity:
    """Return the identity whose public half is ``path``; raises :class:`KeyFileError`.

    That the file is sound says nothing about who made it: compare the fingerprint.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PUBLIC_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {(error.strerror or '').lower()}") from None
    if len(data) > MAX_PUBLIC_FILE_BYTES:
        raise KeyFileError(f"{path} is too long for an {PUBLIC_FILE}")
    try:
        return _parse(data)
    except ValueError as error:
        raise KeyFileError(
            f"{path} is not a sound {PUBLIC_FILE}: {error}; ask the party it is of for it again"
        ) from None


def _parse(data: bytes) -> PeerIdentity:
    """Return the identity a public file holds; raises ``ValueError``, without bytes of it."""
    try:
        file = msgspec.convert(tomllib.loads(data.decode("ascii")), _PublicFile)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise ValueError("it is not TOML") from None
    except msgspec.ValidationError:
        raise ValueError("a field is missing, unknown or of another type") from None
    if file.format != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT}")
    check_id("party", file.party)
    suite = get_suite(file.suite)
    try:
        public_key, signature = bytes.fromhex(file.public_key), bytes.fromhex(file.signature)
    except ValueError:
        raise ValueError("the key or the signature is not hexadecimal") from None
    certificate = _parse_certificate(file.certificate, file.party)
    try:
        suite.verify(public_key, _statement(file.party, suite, certificate, public_key), signature)
    except InvalidSignature:
        raise ValueError("the signing key did not sign it, or something was changed") from None
    return PeerIdentity(file.party, suite, certificate, public_key)


def _parse_certificate(pem: str, name: str) -> bytes:
    """Return the DER of the one certificate in ``pem``, if it can be ``name``'s."""
    try:
        der = ssl.PEM_cert_to_DER_cert(pem)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        certificate.verify_directly_issued_by(certificate)
        names = [str(attribute.value) for attribute in certificate.subject]
    except (ValueError, TypeError, UnsupportedAlgorithm, BadCertificateSignature):
        raise ValueError("there is no self-signed certificate in it") from None
    # One certificate, written in the one way: TLS reads the same file with another parser.
    if ssl.DER_cert_to_PEM_cert(der) != pem:
        raise ValueError("the certificate is not written as this program writes it")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the certificate's key is not on the curve P-256")
    if names != [name]:
        raise ValueError("the certificate is another party's")
    return der


def _statement(name: str, suite: Suite, certificate: bytes, public_key: bytes) -> bytes:
    """Return what is signed and fingerprinted: every part after its length."""
    parts = (name.encode("ascii"), suite.name.encode("ascii"), certificate, public_key)
    return _PREFIX + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_MADE)
        .not_valid_after(_NO_END)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


def _load_tls_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        mode = path.stat().st_mode
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"cannot read {path}; restore the folder from a backup") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} is readable by others; run: chmod 600 {path}")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileError(f"{path} does not hold a TLS key; restore it from a backup")
    return key


def _check_folder(folder: Path) -> None:
    if folder.stat().st_mode & 0o077:
        raise KeyFileError(f"{folder} is open to others; run: chmod 700 {folder}")


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise KeyFileError(f"{path} exists already; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
