"""Several rows in a ciphertext: sums, masks, and what is left to see."""

from __future__ import annotations

import numpy as np
import pytest

from models.scorecard.row_packing import RowPacking, Slots
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.paillier import Summands
from tests.models.scorecard.training import ACTIVE, private_keys, stream, uniform

KEY = private_keys()[ACTIVE]
PUBLIC = KEY.public_key


def test_slots_must_return_what_was_joined():
    slots = Slots.filling(40, 2048)
    assert slots.slot_bits == 106
    assert slots.slots == 2047 // 106
    numbers = [stream(b"slots", n).below(1 << 106) for n in range(slots.slots)]
    assert slots.part(slots.join(numbers)) == numbers
    assert slots.part(slots.join(numbers[:2])) == [*numbers[:2], *[0] * (slots.slots - 2)]
    with pytest.raises(RemoteProtocolError, match="longer than its slots"):
        slots.part(1 << (106 * slots.slots))


def test_masks_must_hide_and_never_carry():
    slots = Slots.filling(10, 2048)
    masks = slots.masks(500, stream(b"masks"))
    low, high = 1 << 10, (1 << 10) + (1 << 75)
    assert all(low <= mask < high for mask in masks)
    assert len(set(masks)) == 500
    assert max(masks) > 0.9 * high
    assert min(masks) < 0.1 * high
    # The smallest and the largest number of 10 bits stay inside a slot under every mask.
    assert min(masks) - (1 << 10) >= 0
    assert high + (1 << 10) < 1 << slots.slot_bits


def test_numbers_too_large_for_a_key_must_be_refused():
    with pytest.raises(LocalProtocolError, match="longer one"):
        Slots.filling(2000, 2048)


@pytest.mark.parametrize(("value_bits", "rows"), [(300, 37), (90, 50), (900, 9)])
def test_aligned_sums_must_be_those_of_the_chosen_rows(value_bits, rows):
    packing = RowPacking.filling(value_bits, 2048)
    assert packing.plain.slots == 2 * packing.rows - 1
    bins = 3
    numbers = [stream(b"numbers", n).below(1 << 60) for n in range(rows)]
    codes = (bins * uniform("codes", rows)).astype(np.int64)
    plaintexts = packing.plaintexts(numbers)
    assert len(plaintexts) == packing.ciphertexts(rows)
    summands = Summands(PUBLIC)
    summands.extend(KEY.encrypt(plaintexts, stream(b"encryption")))
    aligned = packing.align(summands.sums(*packing.segments(codes, bins)), PUBLIC)
    expected = [sum(n for n, c in zip(numbers, codes, strict=True) if c == b) for b in range(bins)]
    assert packing.opened(KEY.decrypt(aligned)) == expected

    plain, masks = packing.hide(aligned, stream(b"hide"), target=True)
    masked = packing.opened(KEY.decrypt(PUBLIC.add_plaintexts(aligned, plain)))
    assert [m - k for m, k in zip(masked, masks.tolist(), strict=True)] == expected

    shown, none = packing.hide(aligned, stream(b"hide"), target=False)
    opened = KEY.decrypt(PUBLIC.add_plaintexts(aligned, shown))
    assert packing.shown(opened) == expected
    # What is above any honest sum in the wanted slot is masked as well.
    assert all(mask and not mask % (1 << value_bits) for mask in none.tolist())
    assert all(each >> value_bits for each in packing.opened(opened))
    for plaintext in opened:
        unwanted = packing.plain.part(plaintext)
        del unwanted[packing.target]
        # Every other slot holds a mask of more bits than any sum: none is a sum in the open.
        assert all(slot >> (value_bits + 20) for slot in unwanted)
