"""The trace names what is planted, leaves everything as it was, and knows whose a call is."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import pkgutil
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest
from cryptography.hazmat import primitives
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from party_node import primitive_entry_points, primitive_trace
from party_node.primitive_trace import ALLOWED, EXEMPTIONS, ROOMS, Trace, check, tracing
from protocols import paillier, sum_ciphers
from protocols.intersection import Intersection
from protocols.psi_ecdh import receiver, sender
from protocols.suite import get_suite
from tests.drive import drive


@pytest.fixture
def plant(monkeypatch):
    """Make a module of the given name out of source text, as if it had been imported."""

    def make(name: str, source: str) -> ModuleType:
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, f"<{name}>", "exec"), vars(module))
        return module

    return make


def match(suite_name: str) -> dict[str, Intersection]:
    """A small run of ECDH-PSI: 1..6 against 4..9."""
    suite = get_suite(suite_name)
    keys = {
        party: suite.generate_signing_key(party.encode().ljust(32)) for party in ("bank", "shop")
    }

    def role(play, party, peer, numbers, seed):
        return play(
            np.frombuffer(
                b"".join(suite.hash(bytes([number])) for number in numbers), dtype=np.uint8
            ).reshape(-1, 32),
            party=party,
            peer=peer,
            suite=suite,
            context=b"context",
            floor=1,
            private_key=keys[party][0],
            peer_public_key=keys[peer][1],
            seed=seed * 32,
        )

    results, _ = drive(
        {
            "bank": role(receiver, "bank", "shop", range(1, 7), b"b"),
            "shop": role(sender, "shop", "bank", range(4, 10), b"s"),
        }
    )
    return results


def test_a_gm_run_touches_sm_primitives_only():
    with tracing() as trace:
        assert match("gm")["bank"].size == 3
    assert set(trace.used) == {
        "SM3",
        "HMAC-SM3",
        "HKDF-SM3",
        "SM4-CTR",
        "SM2",
        "SM2_XMD:SM3_SSWU_NU_",
    }
    assert check("gm", trace.used) == []
    assert trace.used["HKDF-SM3"] == {"protocols.suite.symmetric"}
    assert check("intl", trace.used) != []


def test_an_intl_run_touches_its_own_only():
    with tracing() as trace:
        assert match("intl")["bank"].size == 3
    assert set(trace.used) == {
        "SHA-256",
        "HKDF-SHA-256",
        "AES-256-CTR",
        "Ed25519",
        "X25519",
        "SHA-512",
        "curve25519_XMD:SHA-512_ELL2_NU_",
    }
    assert check("intl", trace.used) == []
    violations = check("gm", trace.used)
    assert len(violations) == sum(map(len, trace.used.values()))


@pytest.mark.parametrize("suite_name", ["gm", "intl"])
def test_batches_of_signatures_and_agreements_are_noted(suite_name):
    suite = get_suite(suite_name)
    private, public = suite.generate_signing_key(bytes(32))
    item = public, b"", suite.sign(private, b"", bytes(32))
    private, public = suite.agreement_key(bytes(32))
    kinds = {"gm": ("SM2", "SM2"), "intl": ("Ed25519", "X25519")}[suite_name]
    for kind, use in zip(
        kinds,
        (lambda: suite.verify_each([item]), lambda: suite.agree_each(private, [public])),
        strict=True,
    ):
        with tracing() as trace:
            use()
        assert kind in trace.used
        assert check(suite_name, trace.used) == []


@pytest.mark.parametrize("suite_name", ["gm", "intl"])
def test_all_a_suite_offers_is_on_its_list(suite_name):
    with tracing() as trace:
        suite = get_suite(suite_name, "portable")
        key, nonce = bytes(suite.key_bytes), bytes(suite.nonce_bytes)
        suite.open(key, nonce, suite.seal(key, nonce, b"plaintext", b""), b"")
        suite.encrypt_blocks(key, bytes(16))
        suite.mac(key, b"")
        private, public = suite.agreement_key(bytes(32))
        suite.agree(private, public)
        private, public = suite.generate_signing_key(bytes(32))
        suite.verify(public, b"", suite.sign(private, b"", bytes(32)))
        suite.fingerprint(public)
        suite.group.hash_and_multiply(
            suite.group.random_scalar(suite.stream(bytes(32), b"")),
            np.zeros((1, 32), np.uint8),
            b"dst",
        )
        suite.points.multiply_base([1])
        suite.block_hash(bytes(16)).hash_blocks(*np.zeros((2, 2), np.uint64))
    assert check(suite_name, trace.used) == []
    assert set(trace.used) == set(ALLOWED[suite_name])


def test_a_hash_planted_in_a_room_is_named(plant):
    module = plant(
        "party_node.planted",
        "import hashlib\ndef leak(data):\n    return hashlib.sha256(data).digest()",
    )
    with tracing() as trace:
        digest = module.leak(b"secret")
    assert digest == hashlib.sha256(b"secret").digest()
    assert trace.used == {"SHA-256": {"party_node.planted"}}
    assert check("gm", trace.used) == ["SHA-256 in party_node.planted: not a primitive of suite gm"]
    # Even a primitive the suite has must be reached through the suite.
    assert check("intl", trace.used) == [
        "SHA-256 in party_node.planted: only protocols.suite may use it"
    ]


def test_sha_512_is_for_hashing_to_the_curve_only():
    assert check("intl", {"SHA-512": {"protocols.suite.curve25519_portable"}}) == []
    assert check("intl", {"SHA-512": {"protocols.suite.symmetric"}}) != []


CALLS = [
    ("import hashlib\nf = lambda: hashlib.new('sm3', b'')", "SM3"),
    ("from hashlib import md5\nf = lambda: md5(b'')", "MD5"),
    ("import hashlib\nf = lambda: hashlib.sha3_256(b'')", "SHA3-256"),
    ("import hashlib\nf = lambda: hashlib.blake2b(b'')", "BLAKE2B"),
    ("def f():\n import hashlib\n return hashlib.pbkdf2_hmac('sha1', b'', b'', 1)", "PBKDF2-SHA-1"),
    ("import hmac\nf = lambda: hmac.new(b'', b'', 'sha384')", "HMAC-SHA-384"),
    ("import hmac, hashlib\nf = lambda: hmac.new(b'', b'', hashlib.sha256)", "HMAC-SHA-256"),
    ("import hmac\nf = lambda: hmac.digest(b'', b'', 'md5')", "HMAC-MD5"),
    ("from gmssl import sm3\nf = lambda: sm3.sm3_hash([0])", "SM3"),
    ("from gmssl.sm2 import CryptSM2\nf = lambda: CryptSM2('', '')", "SM2"),
    ("from gmssl.sm4 import CryptSM4\nf = lambda: CryptSM4()", "SM4"),
    ("import ssl\nf = lambda: ssl.create_default_context()", "TLS"),
    ("import secrets\nf = lambda: secrets.token_bytes(1)", "operating system's random source"),
    (
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n"
        "f = lambda: AESGCM(bytes(16))",
        "AES-128-GCM",
    ),
    (
        "from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305 as C\n"
        "f = lambda: C(C.generate_key())",
        "ChaCha20-Poly1305",
    ),
    (
        "from cryptography.hazmat.primitives.asymmetric.ec import *\n"
        "f = lambda: generate_private_key(SECP256R1())",
        "EC secp256r1",
    ),
    (
        "from cryptography.hazmat.primitives.asymmetric import rsa\n"
        "f = lambda: rsa.generate_private_key(65537, 1024)",
        "RSA",
    ),
    (
        "from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey\n"
        "f = Ed448PrivateKey.generate\ndef g():\n return Ed448PrivateKey.generate()\nf = g",
        "Ed448",
    ),
    (
        "from cryptography.hazmat.primitives.kdf.scrypt import Scrypt\n"
        "f = lambda: Scrypt(salt=b'', length=1, n=2, r=1, p=1)",
        "Scrypt",
    ),
    (
        "from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand\n"
        "from cryptography.hazmat.primitives.hashes import SHA256\n"
        "f = lambda: HKDFExpand(algorithm=SHA256(), length=1, info=None)",
        "HKDFExpand-SHA-256",
    ),
    (
        "from cryptography.hazmat.primitives.hashes import SHA512\nf = lambda: SHA512()",
        "SHA-512",
    ),
    ("from cryptography.fernet import Fernet\nf = lambda: Fernet(b'A' * 43 + b'=')", "Fernet"),
    (
        "from cryptography.hazmat.primitives.keywrap import aes_key_wrap\n"
        "f = lambda: aes_key_wrap(bytes(16), bytes(16))",
        "AES key wrap",
    ),
    (
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n"
        "f = lambda: Cipher(algorithms.AES(bytes(24)), modes.CBC(bytes(16)))",
        "AES-192-CBC",
    ),
    (
        "from cryptography.hazmat.primitives.hashes import SHA256\nkept = SHA256()\n"
        "from cryptography.hazmat.primitives import hashes\nf = lambda: hashes.Hash(kept)",
        "SHA-256",
    ),
    ("from cryptography import x509\nf = lambda: x509.CertificateBuilder()", "X.509"),
]


@pytest.mark.parametrize(("source", "primitive"), CALLS, ids=[name for _, name in CALLS])
@pytest.mark.parametrize("when", ["imported before", "imported within"])
def test_every_kind_of_call_is_seen(plant, source, primitive, when):
    if when == "imported before":
        module = plant("audit.planted", source)
        with tracing() as trace:
            module.f()
    else:
        with tracing() as trace:
            module = plant("audit.planted", source)
            module.f()
    assert primitive in trace.used
    assert set().union(*trace.used.values()) == {"audit.planted"}
    module.f()  # and it works when the trace is over, with nothing of it left behind
    left = [v for v in vars(module).values() if type(v) is primitive_trace._Replacement]
    assert left == []


def test_a_librarys_own_call_is_the_librarys(plant):
    library = plant("flwr_like", "import hashlib\ndef h(data):\n    return hashlib.md5(data)")
    room = plant("coordinator.planted", "import flwr_like\ndef f():\n    flwr_like.h(b'')")
    caller = plant("models.planted", "import uuid\nf = lambda: uuid.uuid5(uuid.NAMESPACE_DNS, '')")
    with tracing() as trace:
        library.h(b"")
        room.f()
        assert caller.f() == uuid.uuid5(uuid.NAMESPACE_DNS, "")
        hashlib.sha256(b"")  # this file is no room either
    assert trace.used == {}


def test_a_room_that_a_library_calls_is_still_a_room(plant):
    room = plant("models.planted", "import hashlib\ndef f(data):\n    return hashlib.md5(data)")
    with tracing() as trace, ThreadPoolExecutor(1) as pool:
        pool.submit(room.f, b"").result()
    assert trace.used == {"MD5": {"models.planted"}}


def test_comparing_is_no_primitive(plant):
    room = plant("audit.planted", "import hmac\nf = lambda: hmac.compare_digest(b'', b'')")
    with tracing() as trace:
        assert room.f()
    assert trace.used == {}


@pytest.mark.parametrize(("method", "name"), [("masked_he", "BFV"), ("ckks", "CKKS")])
def test_the_homomorphic_schemes_of_sums_are_seen_and_exempt(method, name):
    with tracing() as trace:
        suite = get_suite("gm")
        key = sum_ciphers.generate(method, paillier_bits=2048, suite=suite, seed=bytes(32))
        cipher = sum_ciphers.cipher(key, method, suite)
        chunks = cipher.encrypt(np.array([5]), seed=bytes(32))
        assert cipher.decrypt(chunks, contributions=1, length=1) == [5]
    assert {m.rpartition(".")[0] for m in trace.used[name]} == {"protocols.sum_ciphers"}
    assert check("gm", trace.used) == []
    assert check("gm", {name: {"models.horizontal"}}) != []


def test_paillier_is_seen_and_exempt():
    with tracing() as trace:
        suite = get_suite("gm")
        stream = suite.stream(bytes(32), b"")
        key = paillier.generate_private_key(2048, stream, suite)
        assert key.decrypt(key.encrypt([5], stream)) == [5]
    assert {m.partition(".")[0] for m in trace.used["Paillier"]} == {"protocols"}
    assert check("gm", trace.used) == []
    assert check("gm", {"Paillier": {"models.boosted_trees"}}) == [
        "Paillier in models.boosted_trees: not a primitive of suite gm"
    ]


def test_exemptions_say_why_and_where():
    for exemption in EXEMPTIONS:
        assert len(exemption.reason) > 20
        assert {module.partition(".")[0] for module in exemption.modules} <= ROOMS
        for suite_name in ALLOWED:
            assert exemption.primitive not in ALLOWED[suite_name]
            assert check(suite_name, {exemption.primitive: {exemption.modules[0]}}) == []
            assert check(suite_name, {exemption.primitive: {"models"}}) != []


def test_package_names_are_whole_words():
    assert check("gm", {"SM3": {"protocols.suite2"}}) != []
    assert check("gm", {"SM3": {"protocols.suite"}}) == []


def test_an_unknown_suite_has_no_list():
    with pytest.raises(ValueError, match="no list of primitives for suite 'none'"):
        check("none", {})


def state() -> dict[tuple[str, str], int]:
    """The identity of everything the trace replaces, and of every name in our rooms."""
    found = {}
    for point in primitive_entry_points.entry_points():
        if isinstance(point.owner, ModuleType):
            held = getattr(point.owner, point.attribute)
        else:
            held = vars(point.owner).get(point.attribute)
        found[str(point.owner), point.attribute] = id(held)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOMS:
            found.update({(name, key): id(value) for key, value in vars(module).items()})
    return found


def test_everything_is_restored():
    with tracing():  # what is imported lazily is imported
        match("gm")
    before = state()
    with tracing():
        assert state() != before
        match("intl")
    assert state() == before
    with pytest.raises(RuntimeError, match="body"), tracing():
        raise RuntimeError("body")
    assert state() == before


def test_a_failed_installation_leaves_nothing_behind(monkeypatch):
    before = state()
    points = primitive_entry_points.entry_points()
    broken = primitive_entry_points.EntryPoint(hashlib, "no_such_name", points[0].name)
    watch = primitive_trace._Watch()
    watch._points = [*points, broken]
    with pytest.raises(AttributeError):
        watch.add(Trace())
    assert state() == before
    assert watch.traces == ()


def test_traces_overlap_and_end_in_any_order(plant):
    room = plant("audit.planted", "import hashlib\nf = lambda name: hashlib.new(name)")
    first, second = tracing(), tracing()
    outer = first.__enter__()
    room.f("md5")
    inner = second.__enter__()
    room.f("sha1")
    first.__exit__(None, None, None)
    room.f("sha256")
    second.__exit__(None, None, None)
    room.f("sha512")
    assert (set(outer.used), set(inner.used)) == ({"MD5", "SHA-1"}, {"SHA-1", "SHA-256"})


def test_threads_start_and_end_traces_while_others_work(plant):
    names = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
    room = plant(
        "models.planted",
        "from hashlib import " + ", ".join(names) + "\n"
        "def f(name):\n    return globals()[name](b'data').hexdigest()",
    )
    expected = {name: hashlib.new(name, b"data").hexdigest() for name in names}
    before = state()
    stop = threading.Event()

    def work(name: str) -> int:
        done = 0
        while not stop.is_set():
            assert room.f(name) == expected[name]
            done += 1
        return done

    def trace_often() -> int:
        for _ in range(15):
            with tracing() as trace:
                time.sleep(0.002)
            assert set().union(set(), *trace.used.values()) <= {"models.planted"}
        return len(trace.used)

    with ThreadPoolExecutor(9) as pool:
        workers = [pool.submit(work, name) for name in names]
        tracers = [pool.submit(trace_often) for _ in range(3)]
        assert all(tracer.result(timeout=60) > 0 for tracer in tracers)
        stop.set()
        assert all(worker.result(timeout=60) > 0 for worker in workers)
    assert state() == before


def test_replaced_classes_behave_as_the_originals():
    original = hashes.Hash
    instance = original(hashes.SHA256())
    with tracing():
        replaced = hashes.Hash
        assert type(replaced) is not type(original)
        assert isinstance(instance, replaced)
        assert isinstance(replaced(hashes.SHA256()), original)
        assert not isinstance(b"", replaced)
        assert issubclass(original, replaced)
        assert {original: 1}[replaced] == 1
        assert repr(replaced) == repr(original)
        assert replaced.__doc__ is not None or original.__doc__ is None
        assert isinstance(b"", replaced | bytes)
        assert isinstance(b"", bytes | replaced)
        assert len(AESGCM.generate_key(128)) == 16
        assert copy.copy(hashlib.sha256) is hashlib.sha256  # by name, as functions are
        with pytest.raises(TypeError):
            replaced()
        with pytest.raises(ValueError, match="unsupported hash type"):
            hashlib.new("no such hash")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        assert type(context) is ssl.SSLContext
        key = ed25519.Ed25519PrivateKey.generate()
        assert isinstance(key, ed25519.Ed25519PrivateKey)
    assert hashes.Hash is original


def test_a_wrapper_somebody_kept_still_works():
    with tracing():
        kept = hashlib.sha256
    assert kept is not hashlib.sha256
    assert kept(b"data").digest() == hashlib.sha256(b"data").digest()
    with tracing():
        kept_method = hashes.SM3.__init__
    assert kept_method is not hashes.SM3.__init__
    assert isinstance(hashes.SM3(), hashes.HashAlgorithm)


# What cryptography's modules offer that uses no primitive by itself: it describes, frames, or is
# given to something that is watched. Key classes are watched by the methods that make keys.
HARMLESS = frozenset(
    {
        "AEAD",
        "KDF",
        "KEM",
        "MLKEM768X25519PrivateKey",
        "MLKEM768X25519PublicKey",
        "MLKEM1024P384PrivateKey",
        "MLKEM1024P384PublicKey",
        "ANSIX923",
        "ANSIX923PaddingContext",
        "ANSIX923UnpaddingContext",
        "PKCS7",
        "PKCS7PaddingContext",
        "PKCS7UnpaddingContext",
        "MGF",
        "MGF1",
        "calculate_max_pss_salt_length",
        "HashAlgorithm",
        "ExtendableOutputFunction",
        "Mode",
        "CounterLocation",
        "bytes_eq",
        "BestAvailableEncryption",
        "KeySerializationEncryption",
        "NoEncryption",
        "Encoding",
        "ParameterFormat",
        "PrivateFormat",
        "PublicFormat",
        "PBES",
        "PKCS7Options",
        "OpenSSLMimePart",
        "SSHCertificate",
        "SSHCertificateType",
        "PKCS12Certificate",
        "PKCS12KeyAndCertificates",
        "load_application",
        "EllipticCurveOID",
        "ObjectIdentifier",
        "get_curve_for_oid",
        "Prehashed",
        "NoDigestInfo",
        "decode_dss_signature",
        "encode_dss_signature",
        "rsa_crt_iqmp",
        "rsa_crt_dmp1",
        "rsa_crt_dmq1",
        "rsa_recover_private_exponent",
        "rsa_recover_prime_factors",
    }
)


def offered(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The classes and functions of a module of cryptography, interfaces and exceptions aside."""
    for name, value in vars(module).items():
        origin = getattr(value, "__module__", "") or ""
        if name.startswith("_") or origin.partition(".")[0] in ("abc", "enum", "math", "urllib"):
            continue
        if inspect.isclass(value):
            if origin.startswith(("cryptography", "builtins")) and not (
                issubclass(value, Exception) or inspect.isabstract(value)
            ):
                yield name, value
        elif inspect.isbuiltin(value) or (inspect.isfunction(value) and origin == module.__name__):
            yield name, value


def test_no_entry_point_of_cryptography_is_missed():
    """What a new release adds fails here until it is watched or found harmless."""
    points = primitive_entry_points.entry_points()
    watched = {id(p.owner) for p in points}
    watched |= {id(getattr(p.owner, p.attribute)) for p in points}
    missed, seen = set(), 0
    for found in pkgutil.walk_packages(primitives.__path__, f"{primitives.__name__}."):
        # Ciphers and modes do nothing until a Cipher joins them; of dh primitive_entry_points says
        # why it is not there.
        if "._" in found.name or found.name.endswith((".dh", ".types", ".algorithms", ".modes")):
            continue
        module = importlib.import_module(found.name)
        if module is serialization:  # gives out again what its parts have
            assert id(module.load_pem_private_key) in watched
            assert id(module.load_ssh_public_key) in watched
            continue
        assert type(module) is ModuleType, f"{found.name} hides its names"
        for name, value in offered(module):
            seen += 1
            if id(value) not in watched and name not in HARMLESS:
                missed.add(f"{found.name}.{name}")
    assert missed == set()
    assert seen > 100


def test_the_cost_is_small():
    """Roughly a microsecond a call; the bound is loose, for machines that do other things."""
    suite = get_suite("gm")

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(3000):
            suite.hash(b"data")
        return time.perf_counter() - start

    plain = min(seconds() for _ in range(3))
    with tracing():
        traced = min(seconds() for _ in range(3))
    assert (traced - plain) / 3000 < 30e-6
