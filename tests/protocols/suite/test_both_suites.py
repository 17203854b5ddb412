"""What every suite must do alike: sealing, blocks, key agreement, and what it says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import InvalidElement, OpenError, get_suite
from tests.protocols.suite import plain_gm, plain_intl

GM, INTL = get_suite("gm"), get_suite("intl")
both = pytest.mark.parametrize("suite", [GM, INTL], ids=lambda suite: suite.name)


@both
@pytest.mark.parametrize("what", ["ciphertext", "tag", "associated", "nonce", "key", "short"])
def test_open_refuses_anything_changed(suite, what):
    key, nonce, associated = bytes(suite.key_bytes), bytes(12), b"associated"
    sealed = suite.seal(key, nonce, b"plaintext", associated)
    assert suite.open(key, nonce, sealed, associated) == b"plaintext"
    if what == "ciphertext":
        sealed = bytes([sealed[0] ^ 1]) + sealed[1:]
    elif what == "tag":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    elif what == "associated":
        associated = b"other"
    elif what == "nonce":
        nonce = b"\x01" + nonce[1:]
    elif what == "key":
        key = b"\x01" + key[1:]
    else:
        sealed = sealed[:15]
    with pytest.raises(OpenError):
        suite.open(key, nonce, sealed, associated)


@both
@pytest.mark.parametrize(("key_change", "nonce_length"), [(-1, 12), (16, 12), (0, 16), (0, 0)])
def test_seal_refuses_other_key_and_nonce_sizes(suite, key_change, nonce_length):
    key, nonce = bytes(suite.key_bytes + key_change), bytes(nonce_length)
    expected = f"{suite.key_bytes}-byte key and a 12-byte nonce"
    with pytest.raises(ValueError, match=expected):
        suite.seal(key, nonce, b"", b"")
    with pytest.raises(ValueError, match=expected):
        suite.open(key, nonce, bytes(16), b"")


@both
def test_streams_of_another_seed_or_purpose_differ(suite):
    seed = bytes(range(32))
    streams = [suite.stream(seed, b"a"), suite.stream(seed, b"b"), suite.stream(seed[::-1], b"a")]
    assert len({stream.bytes(16) for stream in streams}) == 3
    with pytest.raises(ValueError, match="at least 32 bytes"):
        suite.stream(bytes(31), b"")


def test_suites_share_no_stream():
    assert GM.stream(bytes(32), b"").bytes(16) != INTL.stream(bytes(32), b"").bytes(16)


@both
@given(st.lists(st.binary(min_size=16, max_size=16), max_size=5), st.data())
@settings(max_examples=20, deadline=None)
def test_blocks_are_encrypted_each_by_itself(suite, blocks, data):
    key = data.draw(st.binary(min_size=suite.key_bytes, max_size=suite.key_bytes))
    encrypted = suite.encrypt_blocks(key, b"".join(blocks))
    assert encrypted == b"".join(suite.encrypt_blocks(key, block) for block in blocks)
    assert len({encrypted[i : i + 16] for i in range(0, len(encrypted), 16)}) == len(set(blocks))


@both
def test_blocks_refuse_other_sizes(suite):
    with pytest.raises(ValueError, match=f"{suite.key_bytes}-byte key$"):
        suite.encrypt_blocks(bytes(suite.key_bytes - 1), bytes(16))
    for length in (1, 15, 17):
        with pytest.raises(ValueError, match="multiple of 16"):
            suite.encrypt_blocks(bytes(suite.key_bytes), bytes(length))


@both
@given(first=st.binary(min_size=32, max_size=32), second=st.binary(min_size=32, max_size=32))
@settings(max_examples=10, deadline=None)
def test_both_sides_agree(suite, first, second):
    private, public = suite.agreement_key(first)
    peer_private, peer_public = suite.agreement_key(second)
    secret = suite.agree(private, peer_public)
    assert secret == suite.agree(peer_private, public)
    assert len(secret) == 32
    assert (private, public) == suite.agreement_key(first)
    assert suite.agreement_key(first)[0] != suite.generate_signing_key(first)[0]


@both
def test_agreement_wants_a_whole_seed(suite):
    with pytest.raises(ValueError, match="at least 32 bytes"):
        suite.agreement_key(bytes(31))


@given(st.binary(min_size=32, max_size=32), st.integers(2, plain_gm.N - 2))
@settings(max_examples=10, deadline=None)
def test_sm2_agreement_matches_a_second_implementation(seed, logarithm):
    private, public = GM.agreement_key(seed)
    scalar = 1 + plain_gm.Stream(seed, b"sm2 agreement key").below(plain_gm.N - 2)
    assert private == scalar.to_bytes(32, "big")
    assert public == plain_gm.public_key(private)
    point = plain_gm.multiply(logarithm, plain_gm.G)
    peer = b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
    expected = plain_gm.multiply(scalar, point)[0].to_bytes(32, "big")
    assert GM.agree(private, peer) == expected


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=20, deadline=None)
def test_x25519_agreement_matches_a_second_implementation(seed, other):
    private, public = INTL.agreement_key(seed)
    assert private == plain_intl.key_stream(seed, b"x25519 agreement key", 32)
    assert public == plain_intl.x25519(private, (9).to_bytes(32, "little"))
    peer = plain_intl.x25519(other, (9).to_bytes(32, "little"))
    assert INTL.agree(private, peer) == plain_intl.x25519(private, peer)


SM2_PUBLIC = plain_gm.public_key(bytes(31) + b"\x05")
X25519_PUBLIC = plain_intl.x25519(b"\x05" * 32, (9).to_bytes(32, "little"))
BAD_KEYS = [
    (GM, b""),
    (GM, SM2_PUBLIC[:-1]),
    (GM, SM2_PUBLIC + b"\0"),
    (GM, SM2_PUBLIC[1:]),
    (GM, b"\x02" + SM2_PUBLIC[1:33]),  # compressed
    (GM, b"\x03" + SM2_PUBLIC[1:]),
    (GM, SM2_PUBLIC[:-1] + bytes([SM2_PUBLIC[-1] ^ 1])),  # not on the curve
    (GM, b"\x04" + bytes(64)),
    (GM, b"\x04" + plain_gm.P.to_bytes(32, "big") + SM2_PUBLIC[33:]),
    (GM, b"\x04" + b"\xff" * 64),
    (INTL, b""),
    (INTL, X25519_PUBLIC[:-1]),
    (INTL, X25519_PUBLIC + b"\0"),
    (INTL, X25519_PUBLIC[:-1] + bytes([X25519_PUBLIC[-1] | 0x80])),  # the high bit
    (INTL, b"\xff" * 32),
    *[(INTL, (plain_intl.P + x).to_bytes(32, "little")) for x in (0, 1, 9)],  # not canonical
    *[
        (INTL, x.to_bytes(32, "little"))  # low order: the secret would be zero
        for x in (
            0,
            1,
            plain_intl.P - 1,
            325606250916557431795983626356110631294008115727848805560023387167927233504,
            39382357235489614581723060781553021112529911719440698176882885853963445705823,
        )
    ],
]


@pytest.mark.parametrize(("suite", "peer"), BAD_KEYS, ids=lambda value: getattr(value, "name", ""))
def test_agreement_refuses_bad_keys(suite, peer):
    private, _ = suite.agreement_key(bytes(32))
    with pytest.raises(InvalidElement) as refused:
        suite.agree(private, peer)
    assert refused.value.index == 0
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@both
@given(st.binary(max_size=70))
@settings(max_examples=60, deadline=None)
def test_agreement_raises_nothing_else_for_a_peers_bytes(suite, peer):
    private, _ = suite.agreement_key(bytes(32))
    try:
        secret = suite.agree(private, peer)
    except InvalidElement:
        return
    assert len(secret) == 32


@pytest.mark.parametrize(
    ("suite", "private"),
    [(GM, b""), (GM, bytes(32)), (GM, b"\xff" * 32), (INTL, b""), (INTL, bytes(33))],
    ids=lambda value: getattr(value, "name", ""),
)
def test_agreement_refuses_a_private_key_that_is_none(suite, private):
    _, public = suite.agreement_key(bytes(32))
    with pytest.raises(ValueError, match="private key is") as refused:
        suite.agree(private, public)
    assert not isinstance(refused.value, InvalidElement)


@both
@pytest.mark.parametrize("count", [0, 1, 3, 12])
def test_each_is_verified_as_if_alone(suite, count):
    items = []
    for number in range(count):
        private, public = suite.generate_signing_key(bytes([number]) * 32)
        message = bytes([number])
        items.append((public, message, suite.sign(private, message, bytes(32))))
    assert suite.verify_each(items) == []
    for bad in range(0, count, 3):
        public, message, signature = items[bad]
        items[bad] = [
            (public, message + b".", signature),
            (public[:-1], message, signature),
            (public, message, signature[:-1]),
            (public, message, b""),
        ][bad % 4]
    assert suite.verify_each(items) == list(range(0, count, 3))


@both
@pytest.mark.parametrize("count", [0, 1, 3, 12])
def test_each_secret_is_as_if_alone(suite, count):
    private, public = suite.agreement_key(b"\x63" * 32)
    peers = [suite.agreement_key(bytes([number]) * 32) for number in range(count)]
    secrets = suite.agree_each(private, [key for _, key in peers])
    assert secrets == [suite.agree(own, public) for own, _ in peers]


@pytest.mark.parametrize(("suite", "peer"), BAD_KEYS, ids=lambda value: getattr(value, "name", ""))
def test_agreement_with_many_names_the_first_bad_key(suite, peer):
    private, good = suite.agreement_key(bytes(32))
    with pytest.raises(InvalidElement) as refused:
        suite.agree_each(private, [good, good, peer, good, peer])
    assert refused.value.index == 2
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@both
def test_fingerprint_is_the_whole_hash_in_groups_of_four(suite):
    _, public = suite.generate_signing_key(bytes(32))
    fingerprint = suite.fingerprint(public)
    assert fingerprint.replace(" ", "") == suite.hash(public).hex()
    assert [len(group) for group in fingerprint.split(" ")] == [4] * 16


def test_suites_say_what_they_use_for_the_same_purposes():
    assert GM.primitives.keys() == INTL.primitives.keys()
    assert GM.primitives["hash to curve"] == "SM2_XMD:SM3_SSWU_NU_"
    assert INTL.primitives["hash to curve"] == "curve25519_XMD:SHA-512_ELL2_NU_"
    assert all("SM" in primitive for primitive in GM.primitives.values())
    assert not any("SM" in primitive for primitive in INTL.primitives.values())


def test_get_suite_names_what_there_is():
    with pytest.raises(ValueError, match="unknown suite 'none'; this release has: gm, intl"):
        get_suite("none")
