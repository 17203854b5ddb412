"""No room but ``protocols/suite/`` can name a primitive: its imports are read, not run.

Nor a kernel that computes one; the kernels' machinery, and kernels that compute no primitive of a
suite, are open.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
ROOMS = ("coordinator", "party_node", "protocols", "models", "compliance", "audit", "simulations")
BANNED = frozenset(
    {
        "cryptography",
        "hashlib",
        "hmac",
        "gmssl",
        "Crypto",
        "Cryptodome",
        "nacl",
        "coincurve",
        "ecdsa",
        "rsa",
        "crypt",
        "_hashlib",
        "_blake2",
        "_md5",
        "_sha1",
        "_sha3",
        "_sha256",
        "_sha512",
    }
)
OPEN_PARTS_OF_THE_SUITE = frozenset({"canonical", "interface"})
SUITE = "protocols.suite"
KERNELS = "protocols.kernels"
CLOSED_KERNELS = frozenset(
    {
        "aes",
        "curve25519",
        "field25519",
        "hash_lanes",
        "montgomery52",
        "sha2",
        "sm3",
        "sm4",
        "weierstrass",
        "xmd",
    }
)
"""What computes a primitive of a suite; ``sm3_...`` would be part of ``sm3``."""
EXCEPTIONS = {
    "party_node/primitive_entry_points.py": "lists what the runtime trace watches; calls none",
    "party_node/peer_channel/certificates.py": "makes and reads the certificates of the outer TLS, "
    "which no suite has",
    "party_node/supernode/node_key.py": "makes the key Flower's node authentication asks for "
    "(P-384, which no suite has); nothing of a job is under it",
    "coordinator/superlink/certificates.py": "makes the certificates of the outer TLS, which no "
    "suite has",
    "simulations/report/document.py": "browsers know the page's one script by its SHA-256 (CSP); "
    "it protects no identifier, message, key or log",
}


def imported(tree: ast.AST) -> list[tuple[str, str | None]]:
    """Every import in a module, wherever it stands, as (module, name taken from it)."""
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = ast.unparse(node.func)
            if function in ("__import__", "import_module", "importlib.import_module"):
                found.append((str(node.args[0].value), None))
    return found


def violations(source: str, kernels_open: bool = False) -> list[str]:
    """Return what in ``source``, a module outside the suite, reaches past the suite.

    A kernel may use other kernels.
    """
    tree = ast.parse(source)
    taken = []
    for module, name in imported(tree):
        if not kernels_open and closed_kernel(module, name):
            taken.append(f"{module}.{name}" if module == KERNELS else module)
            continue
        top = module.partition(".")[0]
        if (module, name) == ("hmac", "compare_digest"):
            continue
        if module == "hmac" and name is None and only_compares(tree):
            continue
        inside = module.removeprefix(f"{SUITE}.").partition(".")[0]
        if top in BANNED or (
            module.startswith(f"{SUITE}.") and inside not in OPEN_PARTS_OF_THE_SUITE
        ):
            taken.append(module)
        elif module == SUITE and name is not None and is_closed_part(name):
            taken.append(f"{module}.{name}")
    return taken


def closed_kernel(module: str, name: str | None) -> bool:
    """Whether the import is of a kernel that computes a primitive of a suite."""
    if module == KERNELS:
        kernel = name or ""
    elif module.startswith(f"{KERNELS}."):
        kernel = module.removeprefix(f"{KERNELS}.").partition(".")[0]
    else:
        return False
    return kernel in CLOSED_KERNELS or kernel.partition("_")[0] in CLOSED_KERNELS


def only_compares(tree: ast.AST) -> bool:
    """Whether the name ``hmac`` stands nowhere but in ``hmac.compare_digest``."""
    named = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "hmac"]
    compared = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute)
        and n.attr == "compare_digest"
        and isinstance(n.value, ast.Name)
        and n.value.id == "hmac"
    ]
    renamed = [
        alias
        for n in ast.walk(tree)
        if isinstance(n, ast.Import)
        for alias in n.names
        if alias.name == "hmac" and alias.asname
    ]
    return len(named) == len(compared) and not renamed


def is_closed_part(name: str) -> bool:
    return (
        name not in OPEN_PARTS_OF_THE_SUITE
        and (REPOSITORY / "protocols" / "suite" / f"{name}.py").exists()
    )


def modules() -> list[Path]:
    found = [REPOSITORY / "fedcrm.py"]
    for room in ROOMS:
        found += sorted((REPOSITORY / room).rglob("*.py"))
    return [path for path in found if not path.is_relative_to(REPOSITORY / "protocols" / "suite")]


def test_only_the_suite_imports_primitives():
    found = {}
    for path in modules():
        name = path.relative_to(REPOSITORY).as_posix()
        in_kernels = path.is_relative_to(REPOSITORY / "protocols" / "kernels")
        reached = violations(path.read_text(encoding="utf-8"), kernels_open=in_kernels)
        if reached and name not in EXCEPTIONS:
            found[name] = reached
    assert found == {}
    assert len(modules()) > 50


def test_every_closed_kernel_exists():
    kernels = REPOSITORY / "protocols" / "kernels"
    assert {name for name in CLOSED_KERNELS if not (kernels / f"{name}.py").exists()} == set()


def test_kernels_name_no_library_of_primitives():
    assert violations("import hashlib", kernels_open=True) == ["hashlib"]
    assert violations("from protocols.kernels import sm3", kernels_open=True) == []


def test_every_exception_is_still_needed():
    for name in EXCEPTIONS:
        assert violations((REPOSITORY / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "import hashlib",
        "import os, hashlib as h",
        "from hashlib import sha256",
        "def f():\n    from cryptography.hazmat.primitives import hashes",
        "import cryptography.fernet",
        "import hmac\nhmac.new(b'', b'', 'sha256')",
        "import hmac\nhmac.compare_digest(b'', b'')\nx = hmac",
        "import hmac as other\nother.digest(b'', b'', 'md5')",
        "from hmac import compare_digest, new",
        "import importlib\nimportlib.import_module('gmssl.sm3')",
        "__import__('hashlib')",
        "from protocols.suite.sm3 import sm3",
        "from protocols.suite import get_suite, sm2_curve",
        "import protocols.suite.gm",
        "from protocols.kernels import sm4",
        "from protocols.kernels import jit, sha2",
        "from protocols.kernels.sm3 import digest_many",
        "import protocols.kernels.aes",
        "from protocols.kernels.weierstrass_points import add",
        "from protocols.kernels import montgomery52_batch",
        "def f():\n    from protocols.kernels.xmd import expand",
        "import importlib\nimportlib.import_module('protocols.kernels.curve25519')",
    ],
)
def test_a_planted_import_is_found(source):
    assert len(violations(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import hmac\nhmac.compare_digest(b'', b'')",
        "from hmac import compare_digest",
        "from protocols.suite import Suite, canonical, get_suite",
        "from protocols.suite.canonical import encode",
        "import secrets",
        "hashlib = 1",
        "from protocols.kernels import cpu, gf64",
        "from protocols.kernels.jit import kernel",
        "import protocols.kernels.lanes",
        "from protocols.kernels import smooth",
    ],
)
def test_what_is_allowed_is_not_found(source):
    assert violations(source) == []
