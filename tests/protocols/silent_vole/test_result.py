"""c = b + delta a, for every size, suite and twin, and as a second implementation computes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import silent_vole
from protocols.errors import LocalProtocolError
from protocols.suite import get_suite
from tests.protocols.base_ot import plain_base_ot
from tests.protocols.silent_vole import pair, plain_silent_vole

SUITES = pytest.mark.parametrize("suite", ["gm", "intl"])
KERNELS = pytest.mark.parametrize("kernels", ["auto", "portable"])


@SUITES
@KERNELS
@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 5000])
def test_the_correlation_holds(suite, kernels, size):
    vole = pair.run(size, suite=suite, kernels=kernels)
    assert {len(array) for array in (vole.a, *vole.b, *vole.c)} == {size}
    assert pair.holds(vole)
    assert vole.a.any()
    assert all(vole.delta)
    for array in (vole.a, *vole.b, *vole.c):
        assert array.dtype == np.uint64
        assert array.flags.c_contiguous


@SUITES
def test_the_correlation_holds_for_many(suite):
    assert pair.holds(pair.run(100_000, suite=suite))


@settings(max_examples=5, deadline=None)
@given(size=st.integers(1, 30_000), fill=st.integers(0, 255))
def test_the_correlation_holds_whatever_the_size_and_seed(size, fill):
    seeds = {"r": bytes([fill]) * 32, "s": bytes([fill ^ 1]) * 32}
    assert pair.holds(pair.run(size, seeds=seeds))


@SUITES
@pytest.mark.parametrize("size", [9, 3000])
def test_both_twins_send_and_compute_the_same(suite, size):
    first = pair.run(size, suite=suite, kernels="auto")
    second = pair.run(size, suite=suite, kernels="portable")
    assert first.transcript.messages == second.transcript.messages
    for one, other in zip(
        (first.a, *first.b, *first.c), (second.a, *second.b, *second.c), strict=True
    ):
        assert np.array_equal(one, other)


def test_the_twins_work_with_one_another():
    assert pair.holds(pair.run(100, kernels={"r": "portable", "s": "auto"}))
    assert pair.holds(pair.run(100, kernels={"r": "auto", "s": "portable"}))


@SUITES
def test_messages_and_vectors_are_those_of_the_plain_implementation(suite):
    size = 40
    vole = pair.run(size, suite=suite)
    primitives = plain_base_ot.BY_NAME[suite]
    plain = plain_silent_vole.run(primitives, size, b"context", pair.SEEDS["r"], pair.SEEDS["s"])
    assert vole.delta == (plain.delta & 2**64 - 1, plain.delta >> 64)
    assert vole.a.tolist() == plain.a
    for planes, values in ((vole.b, plain.b), (vole.c, plain.c)):
        low, high = (plane.tolist() for plane in planes)
        assert [x | y << 64 for x, y in zip(low, high, strict=True)] == values
    sent = {"r": iter(plain.outbound["r"]), "s": iter(plain.outbound["s"])}
    for party, _, name, data in vole.transcript.messages:
        payload = next(sent[party])
        # Each field is a byte string after its own length; take those out.
        own = silent_vole.parameters_for(size)
        if name == "Corrections":
            first = payload[: own.extension_bytes]
            assert first in data
            assert data.endswith(payload[own.extension_bytes :])
        elif name == "MaskedSums":
            assert payload[: own.levels_bytes] in data
            assert data.endswith(payload[own.levels_bytes :])
        else:
            assert data.endswith(payload)
        assert 0 < len(data) - len(payload) < 32
    assert [name for _, _, name, _ in vole.transcript.messages] == [
        "SenderPoints",
        "ReceiverPoints",
        "Corrections",
        "MaskedSums",
    ]


def test_the_same_arguments_give_the_same_and_any_other_different_vectors():
    vole, again = pair.run(500), pair.run(500)
    assert vole.transcript.messages == again.transcript.messages
    assert np.array_equal(vole.a, again.a)
    assert vole.delta == again.delta

    receiver = pair.run(500, seeds=pair.SEEDS | {"r": b"\x33" * 32})
    assert (receiver.a != vole.a).all()
    assert receiver.delta == vole.delta
    sender = pair.run(500, seeds=pair.SEEDS | {"s": b"\x33" * 32})
    assert np.array_equal(sender.a, vole.a)
    assert sender.delta != vole.delta
    assert (sender.b[0] != vole.b[0]).all()
    context = pair.run(500, context=b"other")
    assert (context.b[0] != vole.b[0]).all()


@SUITES
def test_bits_are_balanced_and_words_distinct(suite):
    """A sanity check: it would miss almost any weakness, and find a plane that was never filled."""
    size = 20_000
    vole = pair.run(size, suite=suite)
    for plane in (vole.a, *vole.b, *vole.c):
        ones = np.unpackbits(plane.view(np.uint8).reshape(size, 8), axis=1).sum(axis=0)
        # Six standard deviations of a fair coin, for each of the 64 bits.
        assert np.abs(ones.astype(int) - size // 2).max() < 6 * (size / 4) ** 0.5
        assert len(np.unique(plane)) == size
    assert len({*vole.delta}) == 2


def test_delta_is_drawn_over_all_of_its_bits():
    seen_set = seen_clear = (0, 0)
    for number in range(24):
        delta = pair.run(1, seeds=pair.SEEDS | {"s": bytes([number]) * 32}).delta
        seen_set = seen_set[0] | delta[0], seen_set[1] | delta[1]
        seen_clear = seen_clear[0] | ~delta[0], seen_clear[1] | ~delta[1]
    # A fair bit stays on one side in 24 draws with probability 2^-23.
    assert seen_set == (2**64 - 1, 2**64 - 1)
    assert [value & 2**64 - 1 for value in seen_clear] == [2**64 - 1] * 2


def test_progress_runs_to_the_end_of_each_step():
    steps: dict[str, list[tuple[int, int]]] = {}
    for progress in pair.run(5000).transcript.progress:
        steps.setdefault(progress.step, []).append((progress.done, progress.total))
    assert set(steps) == {"grow trees", "compress"}
    for seen in steps.values():
        assert seen[-1][0] == seen[-1][1]
        assert len(seen) > 10


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 0},
        {"size": -1},
        {"size": (1 << 25) + 1},
        {"context": b""},
        {"context": bytes(1025)},
        {"seed": bytes(31)},
        {"seed": bytes(33)},
    ],
)
@pytest.mark.parametrize("make", [silent_vole.receiver, silent_vole.sender])
def test_unusable_arguments_are_refused(make, changed):
    terms = {"size": 5, "peer": "x", "suite": get_suite("gm"), "context": b"c", "seed": bytes(32)}
    terms |= changed
    with pytest.raises(LocalProtocolError):
        next(make(terms.pop("size"), **terms))
