"""Both kernels give the same ciphertexts for the same arguments, operation by operation."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from protocols.errors import LocalProtocolError
from protocols.paillier import Packing, PrivateKey, PublicKey, Summands, rehearse
from protocols.suite import get_suite
from tests.protocols.paillier.keys import VECTOR_SUITE, both_kernels, private_key, stream

needs_vectors = pytest.mark.skipif(VECTOR_SUITE.kernels != "avx512", reason="needs AVX-512 IFMA")
VALUES = [0, 1, -1, 2**900, *(5**k * (-1) ** k for k in range(30))]
FACTORS = [0, 1, -1, 2, -(2**40), *range(-14, 15)]


def results(key: PrivateKey) -> dict[str, bytes]:
    """The bytes of every operation's result."""
    public = key.public_key
    sealed = key.encrypt(VALUES, stream(b"e"))
    turned = sealed[::-1]
    summands = Summands(public)
    summands.extend(sealed)
    summands.extend(public.add(sealed, turned))
    positions = np.arange(700, dtype=np.int64) % len(summands)
    offsets = np.array([0, 0, 600, 601, 690, 700])
    packing = Packing.for_magnitude(2**20, public)
    found = {
        "encrypt": sealed,
        "encrypt without the secret key": public.encrypt(VALUES[:9], stream(b"e")),
        "prepared": key.encrypt_with(VALUES[:9], key.prepare(9, stream(b"e"))),
        "add": public.add(sealed, turned),
        "subtract": public.subtract(sealed, turned),
        "add plaintexts": public.add_plaintexts(sealed, VALUES[::-1]),
        "multiply": public.multiply(sealed, FACTORS),
        "shift": public.shift(sealed, 11),
        "re-randomise": public.rerandomise(turned, stream(b"r")),
        "decode": public.decode(public.encode(sealed)),
        "sums": summands.sums(positions, offsets),
        "pack": packing.pack(sealed, public),
    }
    encoded = {name: public.encode(ciphertexts) for name, ciphertexts in found.items()}
    return encoded | {"decrypt": repr(key.decrypt(sealed)).encode()}


@needs_vectors
@pytest.mark.parametrize(
    ("bits", "randomness"), [(2048, "exact"), (2048, "short"), (3072, "exact")]
)
def test_every_operation_must_give_the_same_ciphertexts(bits, randomness):
    assert len(FACTORS) == len(VALUES)
    portable = results(private_key(bits, "portable", randomness))
    vector = results(private_key(bits, "avx512", randomness))
    assert [name for name in portable if portable[name] != vector[name]] == []


@needs_vectors
def test_batches_of_different_kernels_must_not_mix():
    portable, vector = private_key(), private_key(2048, "avx512")
    assert portable.public_key == vector.public_key
    sealed = portable.encrypt([1], stream(b"e"))
    with pytest.raises(LocalProtocolError, match="kernels do not mix"):
        vector.decrypt(sealed)


def test_importing_the_scheme_must_not_load_the_kernels():
    program = "import sys, protocols.paillier; sys.exit('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


def test_portable_keys_must_not_load_the_kernels():
    program = (
        "import sys; from protocols.paillier import PublicKey; from protocols.suite import *\n"
        f"key = PublicKey.from_bytes({private_key().public_key.to_bytes()!r}, "
        "get_suite('gm', 'portable'))\n"
        "key.encode(key.add(key.zeros(2), key.zeros(2))); sys.exit('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


@both_kernels
def test_a_rehearsal_must_find_a_wrong_result(kernels, monkeypatch):
    suite = get_suite("intl", {"avx512": "auto"}.get(kernels, kernels))
    rehearse(suite, stream(b"rehearsal"))
    right = PublicKey.subtract
    monkeypatch.setattr(PublicKey, "subtract", lambda key, a, b: right(key, b, a))
    with pytest.raises(LocalProtocolError, match="wrong results on this machine"):
        rehearse(suite, stream(b"rehearsal"))
