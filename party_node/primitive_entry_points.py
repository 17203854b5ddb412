"""Where code enters cryptography: what :mod:`party_node.primitive_trace` watches, and its names.

A name says the primitive and its parameters as the standards write them: ``SM3``, ``HMAC-SM3``,
``SM4-CTR``, ``AES-256-GCM``. Not here: Diffie-Hellman over finite fields, which ``cryptography``
is about to remove.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isabstract
from types import BuiltinFunctionType, ModuleType
from typing import Any, TypeAlias

import gmssl.sm2
import gmssl.sm3
import gmssl.sm4
from cryptography import cobblestone, fernet, x509
from cryptography.hazmat.primitives import (
    ciphers,
    cmac,
    hashes,
    hpke,
    keywrap,
    poly1305,
    serialization,
)
from cryptography.hazmat.primitives import hmac as openssl_hmac
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    mldsa,
    mlkem,
    padding,
    rsa,
    x448,
    x25519,
)
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import (
    argon2,
    concatkdf,
    hkdf,
    kbkdf,
    pbkdf2,
    scrypt,
    x963kdf,
)
from cryptography.hazmat.primitives.serialization import base, pkcs7, pkcs12, ssh
from cryptography.hazmat.primitives.twofactor import hotp, totp

from protocols.paillier import private_key as paillier_private
from protocols.paillier import public_key as paillier_public
from protocols.suite import curve25519, points, sm2_batches, sm2_curve, symmetric
from protocols.sum_ciphers import bfv, ckks

Name: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], str]
"""The primitive's name from a call's arguments; never raises, whatever the arguments are."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A function, class or method whose call means that a primitive is used.

    ``owner`` is a module, or a class when ``attribute`` is a method. ``implementation`` is the
    module of ours that a primitive we compute ourselves is attributed to; for a library's it is
    None, and the caller is looked for.
    """

    owner: Any
    attribute: str
    name: Name
    implementation: str | None = None


def entry_points() -> list[EntryPoint]:
    """Return all that is watched."""
    return [
        *_openssl_hashes(),
        *_openssl_ciphers(),
        *_openssl_public_keys(),
        *_openssl_containers(),
        *_standard_library(),
        *_gmssl(),
        *_own(),
    ]


def _openssl_hashes() -> Iterator[EntryPoint]:
    for algorithm in _kinds_of(hashes, hashes.HashAlgorithm):
        # Handed to a signature or a certificate, an algorithm is never given to a Hash.
        yield EntryPoint(algorithm, "__init__", _fixed(_hash_name(algorithm.name)))
    for name in ("Hash", "XOFHash"):
        yield EntryPoint(hashes, name, _with_hash("", 0))
    yield EntryPoint(openssl_hmac, "HMAC", _with_hash("HMAC-", 1))
    yield EntryPoint(cmac, "CMAC", _fixed("CMAC"))
    yield EntryPoint(poly1305, "Poly1305", _fixed("Poly1305"))
    for module in (hkdf, pbkdf2, x963kdf, concatkdf, kbkdf):
        for name in _public(module, type):
            if name not in _PARAMETERS:
                label = name.removesuffix("HMAC") if module is pbkdf2 else name
                yield EntryPoint(module, name, _with_hash(f"{label}-", 0))
    for module in (argon2, scrypt):
        for name in _public(module, type):
            yield EntryPoint(module, name, _fixed(name))


def _openssl_ciphers() -> Iterator[EntryPoint]:
    yield EntryPoint(ciphers.Cipher, "__init__", _of_cipher)
    yield EntryPoint(aead, "ChaCha20Poly1305", _fixed("ChaCha20-Poly1305"))
    for mode in ("GCM", "CCM", "SIV", "OCB3", "GCMSIV"):
        yield EntryPoint(aead, f"AES{mode}", _of_aead(mode))
    for name in _public(keywrap):
        yield EntryPoint(keywrap, name, _fixed("AES key wrap"))
    yield EntryPoint(fernet.Fernet, "__init__", _fixed("Fernet"))
    yield EntryPoint(hpke, "Suite", _fixed("HPKE"))
    for name in _public(cobblestone):
        yield EntryPoint(cobblestone, name, _fixed("Cobblestone"))


def _openssl_public_keys() -> Iterator[EntryPoint]:
    for module in (ed25519, ed448, x25519, x448, mldsa, mlkem):
        for class_name in _public(module, type):
            key = getattr(module, class_name)
            primitive = re.sub(r"(Private|Public)Key$", "", class_name)
            for name, method in list(vars(key).items()):
                if isinstance(method, classmethod):
                    yield EntryPoint(key, name, _fixed(primitive))
    yield EntryPoint(mldsa, "MLDSAMuHasher", _fixed("ML-DSA"))
    for curve in _kinds_of(ec, ec.EllipticCurve):
        yield EntryPoint(curve, "__init__", _fixed(f"EC {curve.name}"))
    yield EntryPoint(ec.ECDSA, "__init__", _fixed("ECDSA"))
    yield EntryPoint(ec.ECDH, "__init__", _fixed("ECDH"))
    for scheme in (padding.PKCS1v15, padding.PSS, padding.OAEP):
        yield EntryPoint(scheme, "__init__", _fixed("RSA"))
    for module, label in ((rsa, "RSA"), (dsa, "DSA"), (ec, "EC")):
        for name in _public(module):
            if name.startswith(("generate_", "derive_")) or name.endswith("Numbers"):
                yield EntryPoint(module, name, _fixed(label))


def _openssl_containers() -> Iterator[EntryPoint]:
    """Files that bring keys and algorithms of their own."""
    labels = (
        (base, "key file"),
        (ssh, "SSH key"),
        (pkcs12, "PKCS #12"),
        (pkcs7, "PKCS #7"),
        (x509, "X.509"),
    )
    for module, label in labels:
        for name in _public(module):
            if re.match("load_(?!application)|serialize_|pkcs7_decrypt|ssh_key_fing", name):
                yield EntryPoint(module, name, _fixed(label))
                # The package gives these out again, parameters behind a deprecation warning.
                if not name.endswith("_parameters") and hasattr(serialization, name):
                    yield EntryPoint(serialization, name, _fixed(label))
            elif name.endswith("Builder") and isinstance(getattr(module, name), type):
                yield EntryPoint(getattr(module, name), "__init__", _fixed(label))
    yield EntryPoint(hotp.HOTP, "__init__", _fixed("HOTP"))
    yield EntryPoint(totp.TOTP, "__init__", _fixed("TOTP"))


def _standard_library() -> Iterator[EntryPoint]:
    for name in sorted(hashlib.algorithms_guaranteed):
        yield EntryPoint(hashlib, name, _fixed(_hash_name(name)))
    yield EntryPoint(hashlib, "new", _with_hash("", 0, "name"))
    yield EntryPoint(hashlib, "pbkdf2_hmac", _with_hash("PBKDF2-", 0, "hash_name"))
    yield EntryPoint(hashlib, "scrypt", _fixed("Scrypt"))
    # hmac.new is a call of hmac.HMAC; compare_digest compares, and is no primitive.
    yield EntryPoint(hmac.HMAC, "__init__", _with_hash("HMAC-", 3, "digestmod"))
    yield EntryPoint(hmac, "digest", _with_hash("HMAC-", 2, "digest"))
    yield EntryPoint(ssl.SSLContext, "__new__", _fixed("TLS"))
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice"):
        yield EntryPoint(secrets, name, _fixed(OS_RANDOM))


def _gmssl() -> Iterator[EntryPoint]:
    yield EntryPoint(gmssl.sm2.CryptSM2, "__init__", _fixed("SM2"))
    yield EntryPoint(gmssl.sm4.CryptSM4, "__init__", _fixed("SM4"))
    for name in ("sm3_hash", "sm3_kdf"):
        yield EntryPoint(gmssl.sm3, name, _fixed("SM3"))


def _own() -> Iterator[EntryPoint]:
    """What this project computes itself; batches, so that a call is rare.

    Compiled code cannot be watched, only the methods through which the suite alone reaches it.
    """
    for function in ("multiply_points", "multiply_base"):
        yield EntryPoint(sm2_curve, function, _fixed("SM2"), sm2_curve.__name__)
    for function in ("refused", "shared_secrets"):
        yield EntryPoint(sm2_batches, function, _fixed("SM2"), sm2_batches.__name__)
    yield EntryPoint(sm2_curve.Sm2Group, "multiply", _fixed("SM2"), sm2_curve.__name__)
    for method in ("multiply_base", "multiply_each", "multiply", "add", "sum"):
        yield EntryPoint(
            points.WeierstrassPoints,
            method,
            lambda arguments, _: str(arguments[0].name),
            points.__name__,
        )
    for module, group in (
        (sm2_curve, sm2_curve.Sm2Group),
        (curve25519, curve25519.Curve25519Group),
    ):
        name = _fixed(module.SUITE_ID.decode("ascii"))
        yield EntryPoint(group, "hash_and_multiply", name, module.__name__)
    for method, use in (("hash_many", "hash"), ("block_hash", "correlation-robust hash")):
        yield EntryPoint(symmetric.SymmetricSuite, method, _of_suite(use), symmetric.__name__)
    for paillier, methods in (
        (paillier_public.PublicKey, ("__init__", "encrypt", "rerandomise")),
        (
            paillier_private.PrivateKey,
            ("__init__", "encrypt", "prepare", "encrypt_with", "decrypt"),
        ),
    ):
        for method in methods:
            yield EntryPoint(paillier, method, _fixed("Paillier"), paillier.__module__)
    # TenSEAL's, entered only here; watching its own names would load it into every process.
    for module, ring_cipher, scheme in (
        (bfv, bfv.BfvCipher, "BFV"),
        (ckks, ckks.CkksCipher, "CKKS"),
    ):
        yield EntryPoint(module, "generate", _fixed(scheme), module.__name__)
        for method in ("__init__", "encrypt", "decrypt"):
            yield EntryPoint(ring_cipher, method, _fixed(scheme), module.__name__)


OS_RANDOM = "operating system's random source"

_PARAMETERS = {"KeyDerivationFunction", "Mode", "CounterLocation"}


def _public(module: ModuleType, kind: type = object) -> list[str]:
    """Return the public callables ``module`` defines or takes from OpenSSL, exceptions aside."""
    found = []
    for name, value in list(vars(module).items()):
        if name.startswith("_") or not callable(value) or not isinstance(value, kind):
            continue
        if isinstance(value, type) and issubclass(value, Exception):
            continue
        origin = getattr(value, "__module__", "") or ""
        # Functions written in Rust name a short module of their own, such as "keys" or "ec".
        of_openssl = origin.startswith(("cryptography.hazmat.bindings", "cryptography.x509"))
        if origin == module.__name__ or of_openssl or isinstance(value, BuiltinFunctionType):
            found.append(name)
    return found


def _kinds_of(module: ModuleType, base_class: type) -> list[Any]:
    return [
        value
        for value in list(vars(module).values())
        if isinstance(value, type) and issubclass(value, base_class) and not isabstract(value)
    ]


def _fixed(name: str) -> Name:
    return lambda arguments, keywords: name


def _of_suite(use: str) -> Name:
    """Name what the suite whose method is called uses for ``use``."""
    return lambda arguments, keywords: str(arguments[0].primitives[use])


def _of_cipher(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    algorithm = _argument(arguments, keywords, 1, "algorithm")
    mode = _argument(arguments, keywords, 2, "mode")
    name = str(getattr(algorithm, "name", "cipher"))
    if name == "AES":
        name = f"AES-{getattr(algorithm, 'key_size', '')}"
    return f"{name}-{mode.name}" if hasattr(mode, "name") else name


def _of_aead(mode: str) -> Name:
    def name(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
        key = _argument(arguments, keywords, 0, "key")
        return f"AES-{8 * len(key)}-{mode}" if isinstance(key, bytes) else f"AES-{mode}"

    return name


def _with_hash(prefix: str, position: int, keyword: str = "algorithm") -> Name:
    def name(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
        value = _argument(arguments, keywords, position, keyword)
        if not isinstance(value, str):
            value = getattr(value, "name", getattr(value, "__name__", type(value).__name__))
        return prefix + _hash_name(str(value))

    return name


def _argument(
    arguments: tuple[Any, ...], keywords: Mapping[str, Any], position: int, keyword: str
) -> Any:
    return arguments[position] if len(arguments) > position else keywords.get(keyword)


@cache
def _hash_name(name: str) -> str:
    """Return ``sha256``, ``SHA256``, ``openssl_sha256``, ``sha3_256`` as the standards write it."""
    name = name.removeprefix("openssl_").upper().replace("_", "-")
    return re.sub(r"^SHA(1|224|256|384|512)", r"SHA-\1", name)
