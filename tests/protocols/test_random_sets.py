"""Every matching protocol finds what Python's sets do, on random pairs of sets of every shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protocols import psi_ecdh, psi_oprf, psi_vole
from protocols.suite import Items, RandomStream, Suite, get_suite
from tests.drive import drive

MOST = 30
SEED = b"random pairs of sets, 2026-11-21 "


def items_of(numbers: list[int]) -> Items:
    suite = get_suite("intl")
    joined = b"".join(suite.hash(number.to_bytes(4, "big")) for number in numbers)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def by_ecdh(suite: Suite, own: Items, peers: Items, draw: RandomStream) -> list[int]:
    keys = [suite.generate_signing_key(draw.bytes(32)) for _ in range(2)]
    results, _ = drive(
        {
            name: role(
                items,
                party=name,
                peer=other,
                suite=suite,
                context=b"random sets",
                floor=1,
                private_key=key[0],
                peer_public_key=others_key[1],
                seed=draw.bytes(32),
            )
            for name, other, role, items, key, others_key in (
                ("a", "b", psi_ecdh.receiver, own, keys[0], keys[1]),
                ("b", "a", psi_ecdh.sender, peers, keys[1], keys[0]),
            )
        }
    )
    return sorted(results["a"].positions.tolist())


def by_vole(suite: Suite, own: Items, peers: Items, draw: RandomStream) -> list[int]:
    results, _ = drive(
        {
            name: role(
                items, party=name, peer=other, suite=suite, context=b"x", seed=draw.bytes(32)
            )
            for name, other, role, items in (
                ("a", "b", psi_vole.receiver, own),
                ("b", "a", psi_vole.sender, peers),
            )
        }
    )
    assert len(results["b"].positions(results["a"].answer)) == len(results["a"].positions)
    return results["a"].positions.tolist()


def by_oprf(suite: Suite, own: Items, peers: Items, draw: RandomStream) -> list[int]:
    key = psi_oprf.draw_epoch_key(suite, draw.bytes(32))
    evaluation = psi_oprf.evaluate_set(peers, suite=suite, key=key, quota=MOST)
    while True:
        try:
            next(evaluation)
        except StopIteration as stop:
            tag_set = stop.value.tag_set
            break
    keys = [suite.generate_signing_key(draw.bytes(32)) for _ in range(2)]
    results, _ = drive(
        {
            "a": psi_oprf.receiver(
                own,
                party="a",
                peer="b",
                suite=suite,
                context=b"x",
                cached=None,
                private_key=keys[0][0],
                peer_public_key=keys[1][1],
                seed=draw.bytes(32),
            ),
            "b": psi_oprf.sender(
                tag_set,
                party="b",
                peer="a",
                suite=suite,
                context=b"x",
                key=key,
                quota_left=MOST,
                private_key=keys[1][0],
                peer_public_key=keys[0][1],
                seed=draw.bytes(32),
            ),
        }
    )
    return sorted(results["a"].positions.tolist())


@pytest.mark.parametrize("match", [by_ecdh, by_vole, by_oprf])
@pytest.mark.parametrize("pairs", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_the_intersection_is_pythons(match: Callable[..., list[int]], pairs: int) -> None:
    suite = get_suite("intl")
    draw = suite.stream(SEED, str(pairs).encode())
    for _ in range(pairs):
        universe = (3, 40, 4000)[draw.below(3)]
        own, peers = (
            draw.permutation(universe)[: draw.below(min(MOST, universe) + 1)].tolist()
            for _ in range(2)
        )
        found = match(suite, items_of(own), items_of(peers), draw)
        assert found == [i for i, number in enumerate(own) if number in set(peers)]
