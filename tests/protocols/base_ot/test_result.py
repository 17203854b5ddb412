"""Both sides end with the keys they should, the ones a second implementation computes."""

from __future__ import annotations

import numpy as np
import pytest

from protocols import base_ot
from protocols.errors import LocalProtocolError
from protocols.suite import get_suite
from tests.drive import drive
from tests.protocols.base_ot import plain_base_ot

SEEDS = b"\x11" * 32, b"\x22" * 32
SUITES = pytest.mark.parametrize("suite", ["gm", "intl"])
KERNELS = pytest.mark.parametrize("kernels", ["auto", "portable"])


def run(suite, choices, *, kernels="auto", context=b"context", seeds=SEEDS):
    chosen_suite = get_suite(suite, kernels)
    terms = {"suite": chosen_suite, "context": context}
    bits = np.array(choices, np.uint8)
    results, transcript = drive(
        {
            "s": base_ot.sender(len(choices), peer="r", seed=seeds[0], **terms),
            "r": base_ot.receiver(bits, peer="s", seed=seeds[1], **terms),
        }
    )
    return results["s"], results["r"], transcript


@SUITES
@KERNELS
def test_the_receiver_has_the_key_of_each_pair_that_its_bit_names_and_not_the_other(suite, kernels):
    choices = [0, 1, 1, 0, 0, 1, 0, 1, 1]
    pairs, keys, _ = run(suite, choices, kernels=kernels)
    assert [pair[bit] for pair, bit in zip(pairs, choices, strict=True)] == keys
    assert not {pair[1 - bit] for pair, bit in zip(pairs, choices, strict=True)} & set(keys)
    assert len({key for pair in pairs for key in pair}) == 2 * len(choices)
    assert {len(key) for pair in pairs for key in pair} == {32}


@SUITES
@KERNELS
@pytest.mark.parametrize("choices", [[0], [1], [1, 0, 1]])
def test_messages_and_keys_are_those_of_the_plain_implementation(suite, kernels, choices):
    pairs, keys, transcript = run(suite, choices, kernels=kernels)
    plain = plain_base_ot.run(plain_base_ot.BY_NAME[suite], choices, b"context", *SEEDS)
    assert (pairs, keys) == (plain.pairs, plain.chosen)
    sent = [(name, data) for _, _, name, data in transcript.messages]
    for (name, data), points in zip(
        sent, (plain.sender_points, plain.receiver_points), strict=True
    ):
        assert data.endswith(points)
        assert len(data) - len(points) == 2 + len(name) + (2 if len(name) < 32 else 3)


@SUITES
def test_keys_depend_on_the_context(suite):
    pairs, keys, transcript = run(suite, [0, 1])
    others, other_keys, other_transcript = run(suite, [0, 1], context=b"other")
    assert transcript.messages == other_transcript.messages
    assert not {key for pair in pairs for key in pair} & {key for pair in others for key in pair}
    assert not set(keys) & set(other_keys)


def test_the_same_arguments_give_the_same_bytes():
    assert run("gm", [1, 0])[2].messages == run("gm", [1, 0])[2].messages


def test_another_seed_gives_other_points():
    first = run("gm", [1, 0])[2].messages
    second = run("gm", [1, 0], seeds=(SEEDS[1], SEEDS[0]))[2].messages
    assert all(one[3] != other[3] for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "changed",
    [
        {"count": 0},
        {"count": 1025},
        {"context": b""},
        {"context": bytes(1025)},
        {"seed": bytes(31)},
        {"choices": np.array([2], np.uint8)},
        {"choices": np.array([1], np.int64)},
        {"choices": np.zeros((1, 1), np.uint8)},
    ],
)
def test_unusable_arguments_are_refused(changed):
    terms = {"peer": "x", "suite": get_suite("gm"), "context": b"c", "seed": bytes(32)}
    choices = changed.get("choices", np.zeros(changed.get("count", 1), np.uint8))
    terms |= {name: value for name, value in changed.items() if name in terms}
    with pytest.raises(LocalProtocolError):
        next(base_ot.receiver(choices, **terms))
    if "choices" not in changed:
        with pytest.raises(LocalProtocolError):
            next(base_ot.sender(changed.get("count", 1), **terms))
