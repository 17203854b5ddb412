"""The node's tag, the protocol input and the split: own vectors, checked by other code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.identifiers import RULES_VERSION, held_out, node_tag, normalise, protocol_input
from protocols.suite import get_suite
from tests.protocols.suite import plain_gm
from tests.vectors.identifiers import generate

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "identifiers" / "gm_1.json").read_text("utf-8")
)
SUITE = get_suite("gm")
KEY = bytes(range(32))


def frame(*fields: bytes) -> bytes:
    framed = b""
    for field in fields:
        framed += len(field).to_bytes(4, "big") + field
    return framed


def test_the_stored_vectors_are_what_the_script_writes():
    assert generate.build() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["kind"])
def test_vectors_match_a_second_implementation(vector):
    kind, normalised = vector["kind"].encode(), vector["normalised"].encode()
    assert VECTORS["rules"] == RULES_VERSION
    digest = plain_gm.sm3(
        frame(b"fedcrm/protocol-input", VECTORS["rules"].encode(), kind, normalised)
    )
    assert digest.hex() == vector["protocol_input"]
    tag = plain_gm.hmac(
        bytes.fromhex(VECTORS["node_key"]), frame(b"fedcrm/node-tag", kind, normalised)
    )
    assert tag.hex() == vector["node_tag"]
    split = plain_gm.sm3(
        frame(b"fedcrm/held-out", VECTORS["split_seed"].to_bytes(8, "big"), digest)
    )
    fraction = int.from_bytes(split[:8], "big") / 2**64
    assert (fraction < VECTORS["percent"] / 100) is vector["held_out"]


def test_digests_separate_kinds_values_keys_and_uses():
    digests = [
        protocol_input(SUITE, "opaque", b"1"),
        protocol_input(SUITE, "phone", b"1"),
        protocol_input(SUITE, "opaque", b"11"),
        node_tag(SUITE, KEY, "opaque", b"1"),
        node_tag(SUITE, KEY, "phone", b"1"),
        node_tag(SUITE, KEY[::-1], "opaque", b"1"),
    ]
    assert len(set(digests)) == len(digests)
    assert {len(digest) for digest in digests} == {32}


def test_a_short_node_key_is_refused():
    with pytest.raises(LocalProtocolError, match="at least 16 bytes"):
        node_tag(SUITE, bytes(15), "opaque", b"1")


@given(st.integers(0, 2**53 - 1), st.integers(0, 99), st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_a_larger_percentage_holds_out_a_superset(seed, percent, digest):
    if held_out(SUITE, seed, percent, digest):
        assert held_out(SUITE, seed, percent + 1, digest)
    assert not held_out(SUITE, seed, 0, digest)
    assert held_out(SUITE, seed, 100, digest)


def test_the_split_has_about_the_size_asked_for_and_follows_its_seed():
    inputs = [protocol_input(SUITE, "opaque", normalise("opaque", str(i))) for i in range(4000)]
    first = [held_out(SUITE, 1, 20, digest) for digest in inputs]
    second = [held_out(SUITE, 2, 20, digest) for digest in inputs]
    # 4,000 draws at 0.2 have a standard deviation of 25.3; fixed inputs, so a fixed outcome.
    assert abs(sum(first) - 800) < 100
    assert abs(sum(second) - 800) < 100
    both = sum(a and b for a, b in zip(first, second, strict=True))
    assert abs(both - 160) < 50


@pytest.mark.parametrize(
    ("seed", "percent", "digest", "match"),
    [
        (0, -1, bytes(32), "percent"),
        (0, 101, bytes(32), "percent"),
        (-1, 50, bytes(32), "seed"),
        (2**53, 50, bytes(32), "seed"),
        (0, 50, bytes(31), "32 bytes"),
    ],
)
def test_held_out_refuses_bad_arguments(seed, percent, digest, match):
    with pytest.raises(LocalProtocolError, match=match):
        held_out(SUITE, seed, percent, digest)
