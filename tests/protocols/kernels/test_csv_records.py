"""Records cut by the kernel against Python's csv module, whole and in blocks of any size."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.kernels import csv_records
from protocols.kernels.csv_records import MalformedCsv, RecordCutter, first_record

TEXTS = st.text('aé,"\n\r ', max_size=40).map(str.encode)


def by_python(text: bytes) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    return [record for record in reader if record]


def cut(text: bytes, fields: int, wanted: list[int], sizes: list[int]) -> list[list[str] | None]:
    """Return the wanted fields of each record, or None for one with more or fewer fields."""
    cutter = RecordCutter(fields, wanted)
    found: list[list[str] | None] = []
    bounds = [0, *itertools.accumulate(sizes), len(text)]
    bounds = sorted(min(bound, len(text)) for bound in bounds)
    for begin, end in itertools.pairwise(bounds):
        for records in cutter.cut(text[begin:end], last=end == len(text) and begin == bounds[-2]):
            assert records.first == len(found)
            columns = [
                [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets.tolist())]
                for data, offsets in records.columns
            ]
            kept = iter(zip(*columns, strict=True))
            for whole, start, stop in zip(
                records.whole, records.starts, records.stops, strict=True
            ):
                raw = records.text[start:stop].tobytes()
                (fields_of_raw,) = by_python(raw)
                assert (len(fields_of_raw) == fields) is bool(whole)
                found.append(list(next(kept)) if whole else None)
            assert next(kept, None) is None
    assert cutter.records == len(found)
    return found


@given(TEXTS, st.integers(1, 3), st.lists(st.integers(1, 9), max_size=12))
@example(b'a,"b""\r\n,",c\r\n\r\n"",,\n', 3, [8, 1, 1])
@example(b'""', 1, [1])
@example(b'"', 1, [])
@example(b"a,b\r", 2, [3, 1])
@example(b"a,", 2, [1, 1])
@settings(max_examples=600, deadline=None)
def test_any_text_must_be_cut_as_python_cuts_it(text: bytes, fields: int, sizes) -> None:
    try:
        expected = by_python(text)
    except csv.Error:
        with pytest.raises(MalformedCsv):
            cut(text, fields, [0], sizes)
        return
    wanted = list(range(fields))
    for order in (wanted, wanted[::-1], wanted[-1:]):
        assert cut(text, fields, order, sizes) == [
            [record[place] for place in order] if len(record) == fields else None
            for record in expected
        ]


def test_more_records_than_are_kept_at_once_must_all_come() -> None:
    count = 2 * csv_records.RECORDS_AT_ONCE + 3
    text = b"".join(b"%d,x\n" % n for n in range(count))
    cutter = RecordCutter(2, [0])
    numbers = []
    for records in cutter.cut(text, last=True):
        ((data, offsets),) = records.columns
        numbers += [int(bytes(data[a:b])) for a, b in itertools.pairwise(offsets.tolist())]
    assert numbers == list(range(count))
    assert cutter.unfinished == 0


def test_the_number_of_a_malformed_record_must_be_told() -> None:
    cutter = RecordCutter(1, [0])
    assert len(list(cutter.cut(b"a\n\nb\n", last=False))) == 1
    with pytest.raises(MalformedCsv) as malformed:
        list(cutter.cut(b'c\n"d"e\n', last=True))
    assert malformed.value.record == 3
    assert "d" not in str(malformed.value).replace("record", "").replace("quoted", "")


@pytest.mark.parametrize(
    ("text", "last", "expected"),
    [
        (b"", True, None),
        (b"\r\n\n", True, None),
        (b"a,b", True, (0, 3)),
        (b"a,b", False, None),
        (b"\na,b\r\nc,d", False, (1, 4)),
        (b'"a\n",b\n', False, (0, 6)),
        (b'"a\n', False, None),
    ],
)
def test_the_first_record_must_be_found_or_waited_for(text, last, expected) -> None:
    assert first_record(text, last=last) == expected


def test_an_unfinished_record_must_be_counted() -> None:
    cutter = RecordCutter(1)
    assert not list(cutter.cut(b'"' + b"x" * 99, last=False))
    assert cutter.unfinished == 100
    (records,) = cutter.cut(b'"', last=True)
    assert (np.array(records.stops) - records.starts).tolist() == [101]
