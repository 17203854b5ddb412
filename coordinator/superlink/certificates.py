"""Certificates of the coordinator's two TLS ends: the gateway nodes reach, the SuperLink inside.

For each a small authority is made that signs this one certificate, and whose key is then
forgotten: whoever trusts it trusts that certificate and nothing else. An operator with an
authority of their own puts its certificates in the same three files.

X.509 and ECDSA P-256 belong to the outer TLS, which no suite has.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where one TLS server's files are; all PEM."""

    folder: Path

    @property
    def root(self) -> Path:
        """The authority's certificate: what the other end is given to trust."""
        return self.folder / "root.pem"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """The server's private key, mode 0600."""
        return self.folder / "server.key"

    def exist(self) -> bool:
        """Tell whether all three are there."""
        return all(path.is_file() for path in (self.root, self.certificate, self.key))


def create_server_files(
    folder: Path, hosts: Sequence[str], *, days: int, now: datetime
) -> ServerFiles:
    """Make an authority and a certificate for ``hosts``, names or IP addresses, in ``folder``.

    ``now`` has a time zone. Raises ``FileExistsError`` if the folder holds any of the files,
    ``ValueError`` without a host.
    """
    if not hosts:
        raise ValueError("a certificate needs the names its server is reached by")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = ServerFiles(folder)
    lifetime = (now - _CLOCKS_DIFFER, now + timedelta(days=days))
    root_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = _name(f"FedCRM root of {hosts[0]}")
    root = (
        _certificate(root_name, root_name, root_key.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(root_key, SHA256())
    )
    server = (
        _certificate(_name(hosts[0]), root_name, server_key.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, SHA256())
    )
    private = server_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _create(files.key, private, 0o600)
    _create(files.certificate, server.public_bytes(serialization.Encoding.PEM), 0o644)
    _create(files.root, root.public_bytes(serialization.Encoding.PEM), 0o644)
    return files


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lifetime: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    start, end = (moment.astimezone(UTC) for moment in lifetime)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _create(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
