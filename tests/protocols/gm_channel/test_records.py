"""Payloads come out as they went in, in order and once, to an end that is known for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party_node.peer_channel.transport import MAX_FRAME_BYTES
from protocols.errors import LocalProtocolError, VerifyError
from protocols.gm_channel import (
    MAX_PAYLOAD_BYTES,
    MAX_RECORD_BYTES,
    OVERHEAD_BYTES,
    REKEY_RECORDS,
    RecordOpener,
    RecordSealer,
)
from tests.protocols.gm_channel import ends, plain_channel

SECRET = bytes(range(32))
BY_SUITE = pytest.mark.parametrize("suite", ends.SUITES.values(), ids=lambda suite: suite.name)


def pair(suite=ends.SUITE) -> tuple[RecordSealer, RecordOpener]:
    return RecordSealer(suite, SECRET), RecordOpener(suite, SECRET)


@BY_SUITE
@given(payloads=st.lists(st.binary(max_size=200), max_size=6))
@settings(max_examples=25, deadline=None)
def test_payloads_come_out_as_they_went_in(suite, payloads):
    sealer, opener = pair(suite)
    records = [sealer.seal(payload) for payload in payloads]
    assert [opener.open(record) for record in records] == payloads
    assert [len(record) for record in records] == [len(p) + OVERHEAD_BYTES for p in payloads]
    assert not opener.ended
    assert opener.open(sealer.close()) is None
    assert opener.ended


def test_equal_payloads_have_different_records():
    sealer, _ = pair()
    assert len({sealer.seal(b"the same") for _ in range(100)}) == 100


def test_the_longest_record_fills_a_frame():
    sealer, opener = pair()
    payload = bytes(MAX_PAYLOAD_BYTES)
    record = sealer.seal(payload)
    assert len(record) == MAX_RECORD_BYTES == MAX_FRAME_BYTES
    assert opener.open(record) == payload
    with pytest.raises(LocalProtocolError, match="at most"):
        sealer.seal(payload + b"\0")


def test_a_longer_record_under_the_right_key_is_refused():
    """The bound on a key's blocks rests on the length of records, whoever makes them."""
    sealer, opener = pair()
    key, nonce = sealer._key.next_nonce()
    record = b"\1" + ends.SUITE.seal(key, nonce, bytes(MAX_PAYLOAD_BYTES + 1), b"\1")
    with pytest.raises(VerifyError, match="not a record"):
        opener.open(record)


def records() -> list[bytes]:
    sealer, _ = pair()
    return [*(sealer.seal(bytes([number]) * 20) for number in range(4)), sealer.close()]


@pytest.mark.parametrize(
    ("order", "opened"),
    [
        ([0, 0], 1),
        ([0, 1, 0], 2),
        ([1], 0),
        ([0, 2], 1),
        ([0, 1, 3, 2], 2),
        ([0, 4], 1),
        ([4], 0),
        ([0, 1, 2, 3, 4, 4], 5),
        ([0, 1, 2, 3, 4, 0], 5),
    ],
)
def test_a_repeated_moved_or_missing_record_ends_the_channel(order, opened):
    _, opener = pair()
    all_records = records()
    for place in order[:opened]:
        opener.open(all_records[place])
    with pytest.raises(VerifyError):
        opener.open(all_records[order[opened]])
    with pytest.raises(VerifyError):
        opener.open(all_records[opened % 5])  # not even the right one, any more


@given(st.integers(0, 36), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_ends_the_channel(place, change):
    _, opener = pair()
    good = records()[0]
    bad = good[:place] + bytes([good[place] ^ change]) + good[place + 1 :]
    with pytest.raises(VerifyError, match="the channel is over"):
        opener.open(bad)
    with pytest.raises(VerifyError, match="the channel is over"):
        opener.open(good)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: b"",
        lambda record: record[:-1],
        lambda record: record[: OVERHEAD_BYTES - 1],
        lambda record: record + b"\0",
        lambda record: b"\x02" + record[1:],
        lambda record: b"\x03" + record[1:],
        lambda record: bytes(len(record)),
        lambda record: record + bytes(MAX_RECORD_BYTES),
    ],
)
def test_a_record_of_another_shape_ends_the_channel(change):
    _, opener = pair()
    with pytest.raises(VerifyError):
        opener.open(change(records()[0]))
    assert not opener.ended


def test_a_close_with_a_payload_is_refused():
    _, opener = pair()
    forged = plain_channel.record(SECRET, 0, 2, b"more")
    with pytest.raises(VerifyError, match="not a record"):
        opener.open(forged)
    assert not opener.ended


def test_own_records_sent_back_do_not_open():
    keys = ends.handshake(ends.role("bank"), ends.role("retailer"))[0]
    sealer = RecordSealer(ends.SUITE, keys.sending)
    opener = RecordOpener(ends.SUITE, keys.receiving)
    with pytest.raises(VerifyError):
        opener.open(sealer.seal(b"mine"))


def test_nothing_follows_the_close():
    sealer, _ = pair()
    sealer.close()
    for again in (lambda: sealer.seal(b""), sealer.close):
        with pytest.raises(LocalProtocolError, match="nothing can follow"):
            again()


def test_the_key_changes_in_time_and_both_ends_go_on():
    sealer, opener = pair()
    assert REKEY_RECORDS == 1 << 16
    keys = set()
    for number in range(REKEY_RECORDS + 2):
        record = sealer.seal(b"")
        keys.add(sealer._key._key)
        assert opener.open(record) == b"", number
        if number in (REKEY_RECORDS - 1, REKEY_RECORDS, REKEY_RECORDS + 1):
            assert record == plain_channel.record(SECRET, number, 1, b"")
    assert len(keys) == 2


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_garbage_does_not_open(data):
    _, opener = pair()
    with pytest.raises(VerifyError):
        opener.open(data)
