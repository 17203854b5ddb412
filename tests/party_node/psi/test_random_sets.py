"""Every protocol on random pairs of sets: what Python's own intersection says, in one order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols import psi_ecdh, psi_oprf, psi_vole
from protocols.suite import Items, RandomStream, Suite, get_suite
from tests.drive import drive

SUITES = ("intl", "gm")
MOST = 30


def keys(suite: Suite, stream: RandomStream) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    return (
        suite.generate_signing_key(stream.bytes(32)),
        suite.generate_signing_key(stream.bytes(32)),
    )


def two_sets(stream: RandomStream) -> tuple[Items, Items]:
    """Two sets of 0 to 30 items, each in an order of its own, that share 0 to all of them."""
    sizes = stream.below(MOST + 1), stream.below(MOST + 1)
    shared = stream.below(min(sizes) + 1)
    made = np.frombuffer(stream.bytes(32 * (sum(sizes) + 1)), np.uint8).reshape(-1, 32)
    one = made[: sizes[0]]
    other = np.concatenate([made[:shared], made[sizes[0] : sizes[0] + sizes[1] - shared]])
    return (
        np.ascontiguousarray(one[stream.permutation(len(one))]),
        np.ascontiguousarray(other[stream.permutation(len(other))]),
    )


def by_ecdh(one: Items, other: Items, suite: Suite, stream: RandomStream) -> list[list[bytes]]:
    (secret, public), (peers_secret, peers_public) = keys(suite, stream)
    common: dict[str, Any] = {"suite": suite, "context": b"c", "floor": 1}
    results, _ = drive(
        {
            "bank": psi_ecdh.receiver(
                one,
                party="bank",
                peer="shop",
                private_key=secret,
                peer_public_key=peers_public,
                seed=stream.bytes(32),
                **common,
            ),
            "shop": psi_ecdh.sender(
                other,
                party="shop",
                peer="bank",
                private_key=peers_secret,
                peer_public_key=public,
                seed=stream.bytes(32),
                **common,
            ),
        }
    )
    assert results["bank"].size == results["shop"].size == len(results["bank"].positions)
    return [
        [row.tobytes() for row in items[results[party].positions]]
        for party, items in (("bank", one), ("shop", other))
    ]


def by_vole(one: Items, other: Items, suite: Suite, stream: RandomStream) -> list[list[bytes]]:
    common: dict[str, Any] = {"suite": suite, "context": b"c"}
    results, _ = drive(
        {
            "bank": psi_vole.receiver(
                one, party="bank", peer="shop", seed=stream.bytes(32), **common
            ),
            "shop": psi_vole.sender(
                other, party="shop", peer="bank", seed=stream.bytes(32), **common
            ),
        }
    )
    told, _ = drive(
        {
            "bank": psi_vole.tell_matches([results["bank"].answer], peer="shop"),
            "shop": psi_vole.hear_matches([results["shop"].order], peer="bank"),
        }
    )
    (heard,) = told["shop"]
    # The roles give positions; the order both share is that of the items' bytes.
    return [
        sorted(row.tobytes() for row in items[positions])
        for items, positions in ((one, results["bank"].positions), (other, heard))
    ]


def by_oprf(one: Items, other: Items, suite: Suite, stream: RandomStream) -> list[list[bytes]]:
    (secret, public), (peers_secret, peers_public) = keys(suite, stream)
    key = psi_oprf.draw_epoch_key(suite, stream.bytes(32))
    evaluation = psi_oprf.evaluate_set(other, suite=suite, key=key, quota=MOST)
    while True:
        try:
            next(evaluation)
        except StopIteration as stop:
            prepared = stop.value
            break
    common: dict[str, Any] = {"suite": suite, "context": b"c"}
    results, _ = drive(
        {
            "bank": psi_oprf.receiver(
                one,
                party="bank",
                peer="shop",
                cached=None,
                private_key=secret,
                peer_public_key=peers_public,
                seed=stream.bytes(32),
                **common,
            ),
            "shop": psi_oprf.sender(
                prepared.tag_set,
                party="shop",
                peer="bank",
                key=key,
                quota_left=MOST,
                private_key=peers_secret,
                peer_public_key=public,
                seed=stream.bytes(32),
                **common,
            ),
        }
    )
    matched = results["bank"]
    assert matched.peer_size == len(other)
    return [
        [row.tobytes() for row in one[matched.positions]],
        [row.tobytes() for row in other[prepared.order[matched.places]]],
    ]


PROTOCOLS = {"ecdh": by_ecdh, "vole": by_vole, "oprf": by_oprf}


def check_pairs(protocol: str, begin: int, end: int) -> int:
    """Match the pairs of these numbers; return how many had something in common."""
    nonempty = 0
    for number in range(begin, end):
        suite = get_suite(SUITES[number % 2])
        stream = suite.stream(number.to_bytes(32, "big"), b"random sets")
        one, other = two_sets(stream)
        expected = {row.tobytes() for row in one} & {row.tobytes() for row in other}
        mine, theirs = PROTOCOLS[protocol](one, other, suite, stream)
        assert mine == theirs, f"pair {number}"
        assert len(mine) == len(expected), f"pair {number}"
        assert set(mine) == expected, f"pair {number}"
        nonempty += bool(expected)
    return nonempty


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fifty_random_pairs(protocol: str) -> None:
    assert check_pairs(protocol, 0, 50) > 25


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_thousand_random_pairs(protocol: str) -> None:
    assert check_pairs(protocol, 50, 2050) > 1000
