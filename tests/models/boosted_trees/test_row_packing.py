"""Rows that share ciphertexts: no sum changes, no carry reaches one, no junk is left to see."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.boosted_trees import row_packing
from models.boosted_trees.gradients import Fixed, Gradients, RowEncoding
from models.boosted_trees.row_packing import HIDING_BITS, RowPacking, choose
from protocols.errors import LocalProtocolError
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


SMALLEST, LARGEST_MODULUS = (lambda bits: (1 << bits - 1) + 1), (lambda bits: (1 << bits) - 1)


@settings(max_examples=200, deadline=None)
@given(LARGEST, st.sampled_from([2048, 3072]), st.sampled_from([SMALLEST, LARGEST_MODULUS]))
@example((24_000 * 2**16 + 1) << 29, 2048, SMALLEST)
def test_bounds_must_hold_at_their_extremes(largest, key_bits, modulus):
    packings, n = _packings(largest, key_bits), modulus(key_bits)
    assert packings
    for packing in packings:
        k, pitch, slot_bits = packing.rows, packing.pitch, packing.slot_bits
        assert largest < 1 << (slot_bits - 1)  # a sum and its sign fill no more
        assert slot_bits <= pitch
        # Two neighbours' junk in every slot between two sums, all of one sign.
        worst = sum(2 * largest << pitch * slot for slot in range(k - 1))
        assert packing.junk_bound == worst
        windows = packing.windows(n)
        assert [window.junk for window in windows] == [
            worst,
            *[worst << pitch - slot_bits] * packing.results,
        ]
        for window in windows:
            highest = window.numbers - 2 * window.junk - 1
            for junk in (-window.junk, 0, window.junk):
                for mask in (0, highest):
                    assert 0 <= junk + window.junk + mask < window.numbers
            # What a window shows of two possible junks differs with at most this probability,
            assert Fraction(2 * window.junk, highest + 1) <= Fraction(1, 1 << HIDING_BITS)
            # and what it shows of anything else is masked almost as well as by all its numbers.
            assert Fraction(2 * window.junk, window.numbers) <= Fraction(1, 1 << HIDING_BITS)


@pytest.mark.parametrize("modulus", [SMALLEST, LARGEST_MODULUS])
@pytest.mark.parametrize("largest", [1, (1_000 * 2**16 + 1) << 24, (24_000 * 2**16 + 1) << 29])
def test_everything_but_the_bits_of_the_sums_must_be_masked(largest, modulus):
    n = modulus(2048)
    for packing in _packings(largest):
        windows, slot_bits = packing.windows(n), packing.slot_bits
        ends = [window.start + window.numbers.bit_length() - 1 for window in windows[:-1]]
        # From the lowest bit up: a window, the bits of a sum, a window, ...
        assert windows[0].start == 0
        assert ends == packing.sums_at
        assert [window.start for window in windows[1:]] == [at + slot_bits for at in ends]
        last = windows[-1]
        assert last.numbers << last.start <= n < last.numbers + 1 << last.start
        # No plaintext has more guesses right than this: what it can say, whatever is encrypted.
        masks = prod(window.numbers - 2 * window.junk for window in windows)
        room = Fraction(n, masks) / (1 << slot_bits * packing.results)
        assert room < 2
        if packing.rows > 1:
            assert room < 1 + Fraction(len(windows) + 1, 1 << HIDING_BITS)


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


class _Extreme:
    """A stream whose masks are all the least or all the greatest there are."""

    def __init__(self, greatest):
        self._greatest, self._stream = greatest, stream(b"re-randomisation")

    def below(self, bound):
        return bound - 1 if self._greatest else 0

    def bytes(self, length):
        return self._stream.bytes(length)


@pytest.mark.parametrize("largest", [1, (1_000 * 2**16 + 1) << 24, (1 << 90) - 1, 1 << 200])
def test_no_mask_must_reach_a_sum_however_large_it_and_the_junk_are(largest):
    key = transparent_key()
    signs = (-1, 0, 1)
    for packing in _packings(largest):
        k, results = packing.rows, packing.results
        for junk, greatest in product(signs, (False, True)):
            wanted = [largest * signs[at % 3] for at in range(results)]
            slots = [[0] * results for _ in range(k)]
            for at, total in enumerate(wanted):
                # All junk in the two parts that reach furthest down and up.
                slots[0][at] += total + sum(
                    junk * largest << slot * packing.pitch for slot in range(1, k)
                )
                slots[-1][at] += sum(
                    junk * largest << slot * packing.pitch for slot in range(k - 1)
                )
            (plaintext,) = _through(key, packing, slots, _Extreme(greatest))
            assert packing.unpack(plaintext) == wanted


def _must_look_uniform(seen, bits):
    """Chi-squared with one bound for 2 bits: three degrees of freedom, one in 10,000."""
    assert bits == 2
    counts, expected = Counter(seen), len(seen) / 4
    assert sum((counts[v] - expected) ** 2 / expected for v in range(4)) < 21


@pytest.mark.parametrize("junk", [0, 3])
def test_what_is_returned_must_not_depend_on_the_junk_but_by_chance(junk):
    packing = RowPacking(4, (1 << 40) - 1, 2048)
    seen = []
    for number in range(600):
        shifted = [junk << slot * packing.pitch for slot in range(1, 4)]
        slots = [[7 + sum(shifted)], [0], [0], [0]]
        (plaintext,) = _through(transparent_key(), packing, slots, stream(b"masks", number))
        assert packing.unpack(plaintext)[0] == 7
        above = plaintext >> packing.sums_at[0] + packing.pitch
        # The lowest bits of every junk slot, where it stands.
        seen.append([above >> slot * packing.pitch & 3 for slot in range(3)])
    for slot in range(3):
        _must_look_uniform([each[slot] for each in seen], 2)


@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("crafted", [0, 1, 2, 3])
def test_more_than_a_sum_put_where_it_stands_must_not_be_seen(rows, crafted):
    packing = RowPacking(rows, (1 << 40) - 1, 2048)
    at, end = packing.sums_at[0], packing.sums_at[-1] + packing.slot_bits
    first = at + packing.slot_bits
    # Right above the sum, in the middle and at the end of its slot; above the last sum, and far up,
    # but not where masks and what they hide reach the modulus.
    looked_at = [end] if rows == 1 else [first, first + 33, at + packing.pitch - 2, end, 1990]
    seen = []
    for number in range(400):
        # Part k - 1 is not shifted: its bits are the returned plaintext's.
        slots = [[0] for _ in range(rows)]
        slots[-1][0] = (-5 << at) + sum(crafted << bit for bit in looked_at)
        (plaintext,) = _through(transparent_key(), packing, slots, stream(b"masks", number))
        assert packing.unpack(plaintext)[0] == -5
        seen.append([plaintext >> where & 3 for where in looked_at])
    for place in range(len(looked_at)):
        _must_look_uniform([each[place] for each in seen], 2)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_every_plaintext_must_have_sums_of_their_length(rows):
    packing = RowPacking(rows, (1 << 40) - 1, 2048)
    zero, n = 1 << (packing.slot_bits - 1), int(private_key().public_key.n)
    assert packing.unpack(0) == [-zero] * packing.results
    for bit in range(2048):
        changed = [total + zero for total in packing.unpack(1 << bit)]
        places = [bit - at for at in packing.sums_at]
        assert changed == [1 << place if 0 <= place < packing.slot_bits else 0 for place in places]
    assert all(-zero <= total < zero for total in packing.unpack(n - 1))


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
