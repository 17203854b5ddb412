"""Tags: sorted, written, read and matched as Python does with byte strings."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import tags

WIDTHS = st.integers(5, tags.MAX_TAG_BYTES)
SEEDS = st.integers(0, 2**32 - 1)


def hashes(seed: int, count: int) -> np.ndarray:
    octets = hashlib.shake_256(seed.to_bytes(8, "big")).digest(16 * count)
    return np.frombuffer(octets, np.uint64).reshape(count, 2).copy()


def tag_list(blocks: np.ndarray, width: int) -> list[bytes]:
    return [block.tobytes()[:width] for block in blocks]


def sorted_records(blocks: np.ndarray, width: int) -> np.ndarray:
    records = np.empty_like(blocks)
    tags.make_records(
        blocks, np.arange(len(blocks), dtype=np.uint64) | np.uint64(9 << 32), width, records
    )
    tags.sort_records(records, np.empty_like(records))
    return records


def written(records: np.ndarray, width: int) -> np.ndarray:
    out = np.empty((len(records), width), np.uint8)
    tags.write_tags(records, width, out)
    return out


@given(seed=SEEDS, count=st.integers(0, 400), width=WIDTHS)
@settings(max_examples=40, deadline=None)
def test_records_are_sorted_and_written_as_byte_strings(seed, count, width):
    blocks = hashes(seed, count)
    expected = tag_list(blocks, width)
    records = sorted_records(blocks, width)
    assert [tag.tobytes() for tag in written(records, width)] == sorted(expected)
    order = tags.indices(records).tolist()
    assert [expected[index] for index in order] == sorted(expected)
    assert sorted(order) == list(range(count))


@pytest.mark.parametrize("width", [5, 8, 9, 12])
def test_tags_alike_in_front_are_sorted_all_the_same(width):
    blocks = hashes(1, 200)
    octets = blocks.view(np.uint8)
    octets[:, : width - 1] = octets[0, : width - 1]
    expected = sorted(tag_list(blocks, width))
    assert [tag.tobytes() for tag in written(sorted_records(blocks, width), width)] == expected


@given(
    seed=SEEDS,
    sizes=st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 50)),
    width=WIDTHS,
    cut=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_matching_is_the_intersection(seed, sizes, width, cut):
    own, peers, both = sizes
    shared = hashes(seed, both)
    own_blocks = np.concatenate([hashes(seed + 1, own), shared])
    peer_blocks = np.concatenate([shared, hashes(seed + 2, peers)])
    records = sorted_records(own_blocks, width)
    sent = written(sorted_records(peer_blocks, width), width)
    in_records, in_tags = np.zeros(len(records), np.uint8), np.zeros(len(sent), np.uint8)
    last, reached = np.zeros(2, np.uint64), 0
    for start in range(0, len(sent), cut):
        part = sent[start : start + cut]
        received = np.empty((len(part), 2), np.uint64)
        assert tags.read_tags(part, last, received)
        reached = tags.merge(records, received, reached, in_records, in_tags[start : start + cut])
    own_tags, peer_tags = tag_list(own_blocks, width), set(tag_list(peer_blocks, width))
    assert tags.matched_indices(records, in_records).tolist() == [
        i for i, tag in enumerate(own_tags) if tag in peer_tags
    ]
    assert in_tags.tolist() == [int(tag.tobytes() in set(own_tags)) for tag in sent]


@pytest.mark.parametrize("width", [5, 8, 10, 12])
def test_what_does_not_ascend_is_noticed(width):
    sent = written(sorted_records(hashes(3, 50), width), width)
    received = np.empty((50, 2), np.uint64)
    assert tags.read_tags(sent, np.zeros(2, np.uint64), received)
    for wrong in (sent[::-1], sent[[0, 1, 1, 2]], sent[[0, 2, 1, 3]], sent[[3, 0]]):
        assert not tags.read_tags(wrong.copy(), np.zeros(2, np.uint64), received)
    last = np.zeros(2, np.uint64)
    assert tags.read_tags(sent[:20], last, received)
    for again in (sent[19:], sent[5:]):
        assert not tags.read_tags(again, last.copy(), received)
    assert tags.read_tags(sent[20:], last, received)


@pytest.mark.parametrize("width", [5, 8, 10, 12])
def test_the_least_and_the_greatest_tag_can_be_first_and_last(width):
    sent = np.array([[0] * width, [255] * width], np.uint8)
    received = np.empty((2, 2), np.uint64)
    last = np.zeros(2, np.uint64)
    assert tags.read_tags(sent, last, received)
    assert np.array_equal(written(received, width), sent)
    assert not tags.read_tags(sent[1:], last.copy(), received)
    assert not tags.read_tags(sent[[0, 0]], np.zeros(2, np.uint64), received)
