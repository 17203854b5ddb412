"""Rows that share ciphertexts: no sum changes, no carry reaches one, no junk is left to see."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.boosted_trees import row_packing
from models.boosted_trees.gradients import Fixed, Gradients, RowEncoding
from models.boosted_trees.row_packing import HIDING_BITS, RowPacking, choose
from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier import Summands
from protocols.roles import Progress
from tests.models.boosted_trees.training import options
from tests.models.boosted_trees.transparent import transparent_key
from tests.protocols.paillier.keys import private_key, stream

LARGEST = st.one_of(
    st.integers(1, 200).map(lambda bits: (1 << bits) - 1),
    st.integers(0, 200).map(lambda bits: 1 << bits),
    st.integers(1, 1 << 200),
)


def _packings(largest, key_bits=2048):
    packings = []
    for rows in range(1, 17):
        try:
            packings.append(RowPacking(rows, largest, key_bits))
        except LocalProtocolError:
            break
    return packings


def _run(role):
    try:
        while True:
            next(role)
    except StopIteration as stop:
        return stop.value


@settings(max_examples=200, deadline=None)
@given(LARGEST, st.sampled_from([2048, 3072]))
@example((24_000 * 2**16 + 1) << 29, 2048)
def test_bounds_must_hold_at_their_extremes(largest, key_bits):
    packings = _packings(largest, key_bits)
    assert packings
    for packing in packings:
        k, pitch = packing.rows, packing.pitch
        assert largest < 1 << (packing.slot_bits - 1)  # a sum and its sign fill no more
        assert packing.slot_bits <= pitch
        assert ((packing.results + 1) * k - 1) * pitch < key_bits  # below n, whatever n is
        if k == 1:
            assert packing.window_bits == packing.junk_bound == 0
            continue
        # Two neighbours' junk in every slot of a window, all of one sign.
        worst = sum(2 * largest << pitch * slot for slot in range(k - 1))
        assert packing.junk_bound == worst
        for junk in (-worst, 0, worst):
            for mask in (0, packing.masks - 1):
                assert 0 <= junk + packing.junk_bound + mask < 1 << packing.window_bits
        # What a window shows of two possible junks differs with at most this probability.
        assert Fraction(2 * worst, packing.masks) <= Fraction(1, 1 << HIDING_BITS)


def test_pitch_must_be_the_least_that_hides():
    for bits in (20, 61, 90):
        for largest in ((1 << bits) - 1, 1 << bits):
            packing = RowPacking(4, largest, 2048)
            one_less = (1 << packing.pitch - 1) - 1
            window = 1 << 3 * (packing.pitch - 1)
            junk = 2 * largest * ((window - 1) // one_less)
            assert 2 * junk * ((1 << HIDING_BITS) + 1) > window - 1


def _through(key, packing, slots, public_randomness):
    """Sums of every candidate's slots through packing, hiding and decryption."""
    public = key.public_key
    encrypted = key.encrypt([sums for part in slots for sums in part], stream(b"packing"))
    packed = _run(packing.pack(encrypted, public, Progress("pack sums", 0, 1)))
    hidden = packing.hide(packed, public, public_randomness)
    return key.decrypt(hidden)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_must_come_back_from_any_slots(data):
    largest = data.draw(st.sampled_from([1, (1 << 30) - 1, (200 * 2**16 + 1) << 22, 1 << 90]))
    packing = data.draw(st.sampled_from(_packings(largest)))
    k = packing.rows
    candidates = data.draw(st.integers(0, 2 * packing.results + 1))
    value = st.sampled_from([-largest, 0, largest]) | st.integers(-largest, largest)
    # The parts of one sum are bounded together; junk has a bound of its own in every slot.
    wanted = [data.draw(value) for _ in range(candidates)]
    slots = [[0] * candidates for _ in range(k)]
    for at, total in enumerate(wanted):
        parts = _parts(total, k)
        for part in range(k):
            for slot in range(k):
                # The junk of slot + d of all parts is bounded together as well: give one part all.
                content = parts[part] if slot == part else 0
                if slot != part and (part == 0 or slot == 0):
                    content = data.draw(st.sampled_from([-largest, 0, largest]))
                slots[part][at] += content << (slot * packing.pitch)
    plaintexts = _through(transparent_key(), packing, slots, stream(b"masks"))
    assert len(plaintexts) == -(-candidates // packing.results)
    sums = [total for each in plaintexts for total in packing.unpack(each)]
    assert sums[:candidates] == wanted
    assert not any(sums[candidates:])


def _parts(total, k):
    share = total // k
    return [*[share] * (k - 1), total - share * (k - 1)]


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("rows", [1, 2, 4, 5])
def test_rows_at_their_bounds_must_sum_exactly_under_encryption(rows, sign):
    count, fixed = 37, Fixed.of(options())
    encoding = RowEncoding(count, 1, fixed)
    first = np.full((count, 1), sign * fixed.first_bound)
    gradients = Gradients(first, np.full((count, 1), fixed.second_bound), 1.0, 1.0)
    packing = RowPacking(rows, encoding.largest_sum, 2048)
    key = private_key()
    summands = Summands(key.public_key)
    plaintexts = packing.plaintexts(encoding.encode(gradients))
    assert len(plaintexts) == packing.ciphertexts(count)
    summands.extend(key.encrypt(plaintexts, stream(b"rows")))
    # All rows, then all but the last few: every neighbour is junk at its bound.
    lefts = [np.arange(count), np.arange(count - 3), np.arange(0, count, 2)]
    segments = [left[left % rows == part] // rows for part in range(rows) for left in lefts]
    offsets = np.cumsum([0, *map(len, segments)])
    sums = summands.sums(np.concatenate(segments), offsets)
    packed = _run(packing.pack(sums, key.public_key, Progress("pack sums", 0, 1)))
    hidden = packing.hide(packed, key.public_key, stream(b"masks"))
    totals = [total for each in key.decrypt(hidden) for total in packing.unpack(each)]
    got_first, got_second = encoding.decode(totals[: len(lefts)])
    assert got_first[:, 0].tolist() == [sign * fixed.first_bound * len(left) for left in lefts]
    assert got_second[:, 0].tolist() == [fixed.second_bound * len(left) for left in lefts]


def test_what_is_returned_must_not_depend_on_the_junk_but_by_chance():
    packing = RowPacking(4, (1 << 40) - 1, 2048)
    bits = 2

    def windows(junk, number):
        shifted = [junk << slot * packing.pitch for slot in range(1, 4)]
        slots = [[7 + sum(shifted)], [0], [0], [0]]
        (plaintext,) = _through(transparent_key(), packing, slots, stream(b"masks", number))
        assert packing.unpack(plaintext)[0] == 7
        above = plaintext >> packing.window_bits + packing.pitch
        window = above & (1 << packing.window_bits) - 1
        # The lowest bits of every junk slot, where it stands.
        return tuple(window >> slot * packing.pitch & (1 << bits) - 1 for slot in range(3))

    tries = 600
    for junk in (0, 3):
        seen = [windows(junk, number) for number in range(tries)]
        for slot in range(3):
            counts = Counter(window[slot] for window in seen)
            expected = tries / 2**bits
            chi_squared = sum((counts[v] - expected) ** 2 / expected for v in range(2**bits))
            assert chi_squared < 21  # three degrees of freedom: one in 10,000


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_plaintexts_nobody_packs_must_be_refused(rows):
    packing = RowPacking(rows, (1 << 40) - 1, 2048)
    slots = (packing.results + 1) * rows - 1
    zero = 1 << (packing.slot_bits - 1)
    assert packing.unpack(0) == [-zero] * packing.results
    assert packing.unpack((1 << slots * packing.pitch) - 1 if rows == 1 else 0)
    with pytest.raises(DecodeError, match="longer than its slots"):
        packing.unpack(1 << slots * packing.pitch)
    if rows > 1:
        with pytest.raises(DecodeError, match="longer than its slot"):
            packing.unpack(1 << packing.window_bits + packing.slot_bits)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 1 << 28),
    st.integers(1, 20),
    st.sampled_from(["binary", "regression", "multiclass"]),
    st.data(),
)
def test_sums_of_encoded_rows_must_split_and_never_overflow(rows, classes, objective, data):
    fixed = Fixed.of(options(objective=objective, classes=3 if objective == "multiclass" else 1))
    outputs = classes if objective == "multiclass" else 1
    encoding = RowEncoding(rows, outputs, fixed)
    drawn = data.draw(st.integers(1, min(rows, 8)))
    firsts = st.sampled_from([-fixed.first_bound, 0, fixed.first_bound])
    seconds = st.sampled_from([1, fixed.second_bound])
    first = np.array([[data.draw(firsts) for _ in range(outputs)] for _ in range(drawn)])
    second = np.array([[data.draw(seconds) for _ in range(outputs)] for _ in range(drawn)])
    encoded = encoding.encode(Gradients(first, second, 1.0, 1.0))
    repeats = rows // drawn
    total = sum(encoded) * repeats
    assert abs(total) <= encoding.largest_sum
    got_first, got_second = encoding.decode([total])
    assert got_first[0].tolist() == [repeats * int(v) for v in first.sum(axis=0)]
    assert got_second[0].tolist() == [repeats * int(v) for v in second.sum(axis=0)]


def _chosen(rows, columns, key_bits=2048, **changes):
    opts = options(bins=32, minimum_bin_count=20, **changes)
    return choose(RowEncoding.of(rows, opts), opts, passive_columns=columns, key_bits=key_bits)


def test_the_number_of_rows_must_follow_the_stated_rule():
    three = _chosen(24_000, 10, depth=3)
    assert (three.rows, three.results, three.slot_bits, three.pitch) == (4, 3, 61, 126)
    assert _chosen(24_000, 10, depth=5).rows == 2
    # Much to answer and little to send, and the other way round.
    assert _chosen(2_000, 200, depth=5).rows == 1
    assert _chosen(500_000, 2, depth=1).rows >= 5
    assert _chosen(24_000, 0, depth=3).results >= 1
    assert _chosen(24_000, 10, 3072, depth=3).rows >= three.rows
    many = _chosen(24_000, 10, objective="multiclass", classes=20)
    assert (many.rows, many.results) == (1, 1)
    sampled = _chosen(24_000, 10, depth=3, row_sample=Decimal("0.5"))
    assert sampled == three  # the rule is told the tree's rows


def test_the_rule_must_take_the_least_work(monkeypatch):
    free = _chosen(24_000, 10, depth=3)
    monkeypatch.setattr(row_packing, "FORWARD_COST", 10**9)
    assert _chosen(24_000, 10, depth=3).rows > free.rows
    monkeypatch.setattr(row_packing, "FORWARD_COST", 0)
    assert _chosen(24_000, 10, depth=3).rows == 1


def test_sums_too_large_for_the_key_must_be_refused():
    with pytest.raises(LocalProtocolError, match="too large"):
        RowPacking(1, 1 << 2047, 2048)
    with pytest.raises(LocalProtocolError, match="too large"):
        choose(
            RowEncoding(1 << 28, 40, Fixed(1 << 16, 1 << 14, 1 << 16)),
            options(),
            passive_columns=1,
            key_bits=2048,
        )
