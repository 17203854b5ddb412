"""Many SM2 signatures and agreements at once, by both twins: gmssl, plain integers, the text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import (
    InvalidElement,
    InvalidSignature,
    get_suite,
    gm,
    short_weierstrass,
    sm2_batches,
    sm2_signature,
)
from protocols.suite.curve_batches import curve_batches
from tests.protocols.suite import plain_gm

VECTOR = json.loads(
    (Path(__file__).parents[2] / "vectors" / "suite" / "sm2_signature.json").read_text("utf-8")
)
N, P, G = plain_gm.N, plain_gm.P, plain_gm.G
SUITE = get_suite("gm")
KEYS = [SUITE.generate_signing_key(bytes([number]) * 32) for number in range(1, 9)]
SIGNED = [
    (public, b"message %d" % number, SUITE.sign(private, b"message %d" % number, bytes(32)))
    for number, (private, public) in enumerate(KEYS)
]


@pytest.fixture(
    scope="module",
    params=[
        "portable",
        pytest.param(
            "avx512",
            marks=pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA"),
        ),
    ],
)
def batches(request):
    return curve_batches(short_weierstrass.SM2, request.param)


def refused_one_by_one(items) -> list[int]:
    bad = []
    for index, item in enumerate(items):
        try:
            sm2_signature.verify(*item)
        except InvalidSignature:
            bad.append(index)
    return bad


def encoded(point: tuple[int, int]) -> bytes:
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def negative(point: tuple[int, int]) -> tuple[int, int]:
    return point[0], P - point[1]


def test_the_standards_example(batches):
    public, message = (bytes.fromhex(VECTOR[name]) for name in ("public_key", "message"))
    signature = plain_gm.der(int(VECTOR["r"], 16), int(VECTOR["s"], 16))
    assert sm2_batches.refused(batches, [(public, message, signature)]) == []
    changed = [(public, message + b".", signature), (public, message, signature), SIGNED[0]]
    assert sm2_batches.refused(batches, changed) == [0]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 17, 300])
def test_honest_signatures_of_any_number_verify(batches, count):
    items = (SIGNED * 40)[:count]
    assert sm2_batches.refused(batches, items) == []
    for index in {0, count // 2, count - 1} if count else ():
        public, _, signature = items[index]
        changed = [*items[:index], (public, b"another", signature), *items[index + 1 :]]
        assert sm2_batches.refused(batches, changed) == [index]


R, S = sm2_signature.decode(SIGNED[0][2])
scalars = st.sampled_from([0, 1, 2, R, S, N - R, N - S, N - 1, N, N + 1, N + S, 2**256 - 1])
scalars = st.one_of(scalars, st.integers(0, 2**256))


@st.composite
def signed(draw):
    """A signature, most often one that something was done to."""
    public, message, signature = draw(st.sampled_from(SIGNED))
    what = draw(st.sampled_from(["honest", "key", "other key", "message", "bytes", "der", "junk"]))
    if what == "key":
        at = draw(st.integers(0, 64))
        public = public[:at] + bytes([public[at] ^ draw(st.integers(1, 255))]) + public[at + 1 :]
    elif what == "other key":
        public = draw(st.sampled_from(SIGNED))[0]
    elif what == "message":
        message = draw(st.binary(max_size=40))
    elif what == "bytes":
        at = draw(st.integers(0, len(signature) - 1))
        byte = signature[at] ^ draw(st.integers(1, 255))
        signature = signature[:at] + bytes([byte]) + signature[at + 1 :]
    elif what == "der":
        signature = plain_gm.der(draw(scalars), draw(scalars))
    elif what == "junk":
        public, signature = draw(st.binary(max_size=66)), draw(st.binary(max_size=74))
    return public, message, signature


@given(st.lists(signed(), max_size=8))
@settings(max_examples=25, deadline=None)
def test_what_is_refused_is_what_is_refused_alone(batches, items):
    assert sm2_batches.refused(batches, items) == refused_one_by_one(items)


edges = st.sampled_from([1, 2, 3, 31, 32, 62, N // 2, N - 62, N - 6, N - 2, N - 1])
edges = st.one_of(edges, st.integers(1, N - 1))


class Arranged:
    """Signatures that satisfy the equation because their message's digest was chosen last."""

    def __init__(self, monkeypatch) -> None:
        self.digests: dict[bytes, bytes] = {}
        self.items: list[tuple[bytes, bytes, bytes]] = []
        monkeypatch.setattr(sm2_signature, "message_digest", lambda _, m: self.digests[m])

    def add(self, s: int, t: int, key: tuple[int, int], x: int, error: int = 0) -> None:
        """Of x, meant to be that of s G + t P; r = t - s. ``error`` spoils it."""
        r = (t - s) % N
        message = b"%d" % len(self.digests)
        self.digests[message] = ((r - x - error) % N).to_bytes(32, "big")
        self.items.append((encoded(key), message, plain_gm.der(r, s)))

    def expected(self) -> list[int]:
        """What a second implementation refuses."""
        return [
            index
            for index, (key, message, signature) in enumerate(self.items)
            if not self._plain(key, message, *integers(signature))
        ]

    def _plain(self, key: bytes, message: bytes, r: int, s: int) -> bool:
        q = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
        t = (r + s) % N
        point = plain_gm.add(plain_gm.multiply(s, G), plain_gm.multiply(t, q)) if t else None
        e = int.from_bytes(self.digests[message], "big")
        return 1 <= r < N and point is not None and (e + point[0]) % N == r


def integers(signature: bytes) -> tuple[int, int]:
    length = signature[3]
    return (
        int.from_bytes(signature[4 : 4 + length], "big"),
        int.from_bytes(signature[6 + length :], "big"),
    )


@given(st.lists(st.tuples(edges, edges, edges, st.sampled_from([0, 0, 1])), max_size=4))
@settings(max_examples=15, deadline=None)
def test_any_scalars_give_what_the_equation_says(batches, cases):
    with pytest.MonkeyPatch.context() as monkeypatch:
        arranged = Arranged(monkeypatch)
        for s, t, d, error in cases:
            if s != t and s not in (t * d % N, -t * d % N):
                total = plain_gm.multiply((s + t * d) % N, G)
                arranged.add(s, t, plain_gm.multiply(d, G), total[0], error)
        refused = sm2_batches.refused(batches, arranged.items)
        assert refused == refused_one_by_one(arranged.items) == arranged.expected()


def test_sums_of_equal_and_of_opposite_points(batches, monkeypatch):
    """s G = t P and s G = -t P: what verify says of each alone, whatever that is."""
    arranged = Arranged(monkeypatch)
    for d in (5, N - 3, int.from_bytes(KEYS[0][0], "big")):
        key = plain_gm.multiply(d, G)
        for t in (1, 2, 12345, N - 2, N - 1):
            s = t * d % N
            double = plain_gm.multiply(2 * s % N, G)
            arranged.add(s, t, key, double[0])
            arranged.add(s, t, key, double[0], error=1)
            opposite = (N - s) % N
            arranged.add(opposite, t, key, plain_gm.multiply(s, G)[0])
            arranged.add(opposite, t, key, 0)
            arranged.add(s, t + 1, key, plain_gm.multiply((s + (t + 1) * d) % N, G)[0])
            arranged.add(s, t + 1, key, 1)
    refused = sm2_batches.refused(batches, arranged.items)
    assert refused == refused_one_by_one(arranged.items)
    # gmssl compares the double of equal points in a form it did not normalise, and so refuses it.
    of_the_standard = [index for index in refused if index % 6]
    assert of_the_standard == arranged.expected()
    assert set(range(0, len(arranged.items), 6)) <= set(refused)


def test_an_x_above_the_order_is_reduced(batches, monkeypatch):
    """Without a logarithm: P = (R - s G) / t of a point R whose x lies between n and p."""
    arranged = Arranged(monkeypatch)
    x = N
    while len(arranged.items) < 3:
        x += 1
        if not plain_gm.is_square(plain_gm.curve(x)):
            continue
        s, t = 77 + x % 5, 99
        rest = plain_gm.add(plain_gm.lift(x), negative(plain_gm.multiply(s, G)))
        arranged.add(s, t, plain_gm.multiply(pow(t, -1, N), rest), x)
    assert sm2_batches.refused(batches, arranged.items) == []
    assert refused_one_by_one(arranged.items) == arranged.expected() == []


def test_r_plus_s_of_the_order_is_refused(batches):
    items = [*SIGNED, (SIGNED[0][0], SIGNED[0][1], plain_gm.der(R, N - R)), *SIGNED]
    assert sm2_batches.refused(batches, items) == refused_one_by_one(items) == [len(SIGNED)]


PEERS = [SUITE.agreement_key(bytes([number]) * 32)[1] for number in range(1, 20)]
PRIVATE = SUITE.agreement_key(b"\x63" * 32)[0]


@pytest.mark.parametrize("count", [0, 1, 8, 19])
def test_agreements_are_those_of_each_alone(batches, count):
    secrets = sm2_batches.shared_secrets(batches, PRIVATE, PEERS[:count])
    assert secrets == [SUITE.agree(PRIVATE, peer) for peer in PEERS[:count]]


@given(edges.filter(lambda d: d < N - 1), st.lists(edges, min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_agreements_match_a_second_implementation(batches, private, logarithms):
    peers = [encoded(plain_gm.multiply(k, G)) for k in logarithms]
    secrets = sm2_batches.shared_secrets(batches, private.to_bytes(32, "big"), peers)
    products = [plain_gm.multiply(private * k % N, G)[0] for k in logarithms]
    assert secrets == [x.to_bytes(32, "big") for x in products]


@pytest.mark.parametrize(
    "bad", [b"", PEERS[0][:-1], PEERS[0] + b"\0", b"\x04" + bytes(64), b"\x03" + PEERS[0][1:]]
)
@pytest.mark.parametrize("index", [0, 7, 18])
def test_the_first_key_that_is_none_is_named(batches, bad, index):
    peers = [*PEERS[:index], bad, *PEERS[index + 1 :]]
    with pytest.raises(InvalidElement) as error:
        sm2_batches.shared_secrets(batches, PRIVATE, peers)
    assert error.value.index == index
    with pytest.raises(InvalidElement) as error:
        sm2_batches.shared_secrets(batches, PRIVATE, [*peers, b""])
    assert error.value.index == index


@pytest.mark.parametrize("private", [b"", bytes(32), (N - 1).to_bytes(32, "big")])
def test_a_private_key_that_is_none_is_refused(batches, private):
    with pytest.raises(ValueError, match="private key is") as error:
        sm2_batches.shared_secrets(batches, private, PEERS)
    assert not isinstance(error.value, InvalidElement)


@pytest.mark.parametrize(
    ("numba", "count", "kernels"),
    [
        (False, gm.FRESH_BATCH - 1, False),
        (False, gm.FRESH_BATCH, True),
        (True, gm.LOADED_BATCH - 1, False),
        (True, gm.LOADED_BATCH, True),
    ],
)
def test_kernels_compute_what_is_worth_loading_them(monkeypatch, numba, count, kernels):
    chosen = []
    portable = curve_batches(short_weierstrass.SM2, "portable")
    monkeypatch.setattr(gm, "_loaded", lambda _: numba)
    monkeypatch.setattr(gm, "curve_batches", lambda _, name: chosen.append(name) or portable)
    junk = (b"", b"", b"")
    assert SUITE.verify_each([junk] * count) == list(range(count))
    with pytest.raises(InvalidElement):
        SUITE.agree_each(PRIVATE, [b""] * count)
    assert chosen == [SUITE.kernels if kernels else "portable"] * 2
    assert get_suite("gm", "portable").verify_each([junk] * count) == list(range(count))
    assert chosen[2:] == ["portable"]


def test_a_small_batch_in_a_fresh_process_loads_no_kernel():
    program = (
        "import sys; from protocols.suite import get_suite; suite = get_suite('gm')\n"
        "private, public = suite.generate_signing_key(bytes(32))\n"
        "item = public, b'', suite.sign(private, b'', bytes(32))\n"
        "assert suite.verify_each([item] * 20) == []\n"
        "assert len(set(suite.agree_each(private, [public] * 20))) == 1\n"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
