"""The leak scanner finds every form it claims to find, and nothing in clean data."""

from __future__ import annotations

import base64
import gzip
import hashlib
import sqlite3
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifiers import normalise, protocol_input
from protocols.suite import get_suite
from simulations.samples.phones import made_numbers
from tests.leak_scan import Finding, Needles, Unscannable, layers, scan

SUITE = get_suite("gm")
SECRETS = ["13912345678", "+86 186-0000-1111", "０１０８８８８７７７７"]
NATIONAL = b"13912345678"
E164 = b"+8613912345678"
NOISE = SUITE.stream(bytes(32), b"noise").bytes(4096)


@pytest.fixture(scope="module")
def needles() -> Needles:
    return Needles(SECRETS, "phone", SUITE)


def found(needles: Needles, data: bytes) -> set[int]:
    return {
        finding.identifier
        for where, layer in layers("here", data)
        for finding in needles.findings(where, layer)
    }


def in_zip(data: bytes, method: int) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a/b.txt", data)
    return out.getvalue()


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


def in_parquet(column: list[str] | list[int] | list[bytes]) -> bytes:
    out = BytesIO()
    pq.write_table(pa.table({"n": [1] * len(column), "c": column}), out, compression="zstd")
    return out.getvalue()


def in_sqlite(value: str | int | bytes, *, wal: bool) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute('CREATE TABLE "odd ""name" (v)')
    connection.execute('INSERT INTO "odd ""name" VALUES (?)', (value,))
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data[:18] + b"\x02\x02" + data[20:] if wal else data


def digests() -> list[bytes]:
    normalised = normalise("phone", SECRETS[0])
    texts = (normalised, normalised.removeprefix(b"+"), NATIONAL)
    return [
        *(SUITE.hash(text) for text in texts),
        *(hashlib.sha256(text).digest() for text in texts),
        protocol_input(SUITE, "phone", normalised),
    ]


PLANTED = {
    "national": NATIONAL,
    "with 86": b"8613912345678",
    "E.164": E164,
    "spaced": b"139 1234 5678",
    "dashed": b"139-1234-5678",
    "inside other digits": b"00" + NATIONAL + b"9",
    "UTF-16": NATIONAL.decode().encode("utf-16-le"),
    "hex": NATIONAL.hex().encode(),
    "hex of E.164": E164.hex().upper().encode(),
    "base64": base64.b64encode(NATIONAL),
    "base64, one byte before": base64.b64encode(b"x" + NATIONAL + b"tail"),
    "base64, two bytes before": base64.b64encode(b"xy" + NATIONAL + b"tail"),
    "little-endian integer": struct.pack("<q", int(NATIONAL)),
    "big-endian integer": struct.pack(">q", int(NATIONAL)),
    "float": struct.pack("<d", float(int(NATIONAL))),
} | {
    f"digest {number}, {name}": encoded
    for number, digest in enumerate(digests())
    for name, encoded in {
        "raw": digest,
        "truncated": digest[:16],
        "hex": digest.hex().encode(),
        "HEX": digest.hex().upper().encode(),
        "base64": base64.b64encode(digest),
        "base64, one byte before": base64.b64encode(b"x" + digest),
        "base64, two bytes before": base64.b64encode(b"xy" + digest),
        "base64url": base64.urlsafe_b64encode(digest),
    }.items()
}


@pytest.mark.parametrize("form", PLANTED)
def test_planted_form_must_be_found(needles: Needles, form: str) -> None:
    for before in (b"", b"a", NOISE[:13], NOISE):
        assert found(needles, before + PLANTED[form]) == {0}
        assert found(needles, before + PLANTED[form] + NOISE[7:99]) == {0}


@pytest.mark.parametrize(
    "container",
    [
        lambda data: in_zip(data, zipfile.ZIP_DEFLATED),
        lambda data: in_zip(data, zipfile.ZIP_STORED),
        lambda data: b"junk before" + in_zip(data, zipfile.ZIP_DEFLATED),
        lambda data: in_zip(data, zipfile.ZIP_DEFLATED)[:-30],
        gzip.compress,
        lambda data: NOISE + gzip.compress(data) + NOISE,
        lambda data: NOISE + zlib.compress(data, 9),
        raw_deflate,
        lambda data: in_zip(gzip.compress(data), zipfile.ZIP_DEFLATED),
        lambda data: in_zip(in_parquet([data]), zipfile.ZIP_DEFLATED),
        lambda data: in_sqlite(gzip.compress(data), wal=False),
    ],
)
def test_content_of_containers_must_be_searched(needles: Needles, container: object) -> None:
    text = b"a line\n" * 40 + b"number," + E164 + b"\n"
    assert callable(container)
    assert found(needles, container(text)) == {0}


@pytest.mark.parametrize("column", [["13912345678"], [13912345678], [E164]])
def test_parquet_columns_must_be_searched(needles: Needles, column: list[str]) -> None:
    assert found(needles, in_parquet(column)) == {0}


@pytest.mark.parametrize("wal", [False, True])
@pytest.mark.parametrize("value", ["13912345678", 13912345678, E164])
def test_sqlite_values_must_be_searched(
    needles: Needles, value: str | int | bytes, wal: bool
) -> None:
    assert found(needles, in_sqlite(value, wal=wal)) == {0}


def test_each_identifier_must_be_told_apart(needles: Needles) -> None:
    text = b"x 13912345678 y 18600001111 z 01088887777"
    assert found(needles, text) == {0, 1, 2}
    assert found(needles, SECRETS[2].encode()) == {2}
    assert found(needles, b"13912345679 and 3912345678") == set()


def test_files_names_and_traffic_must_be_searched(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "log.txt").write_bytes(b"ok\nfor 13912345678\n")
    (tmp_path / "13912345678.csv").write_bytes(b"nothing")
    findings = scan([tmp_path], {"bank to retailer": b"\x00" + E164}, SECRETS, SUITE)
    assert {Path(f.where.removeprefix("name of ")).name for f in findings} == {
        "log.txt",
        "13912345678.csv",
        "bank to retailer",
    }
    in_log = [f for f in findings if f.where.endswith("log.txt")]
    assert Finding(in_log[0].where, "as written", 0, 7) in in_log
    assert "1391" not in repr([f.form for f in findings])


@pytest.mark.parametrize("data", [b"PAR1 is no table", b"SQLite format 3\x00 is no database"])
def test_file_that_does_not_open_must_not_pass_silently(data: bytes) -> None:
    with pytest.raises(Unscannable):
        list(layers("here", data))


def test_other_kinds_and_unusable_identifiers_must_be_found_as_written() -> None:
    secrets = ["somebody@example.com", "not a number at all", "short"]
    needles = Needles(secrets, "email", SUITE)
    assert found(needles, b"<somebody@example.com>") == {0}
    assert found(needles, SUITE.hash(b"somebody@example.com").hex().encode()) == {0}
    assert found(needles, b"it is not a number at all.") == {1}
    assert found(needles, b"short") == set()


@settings(max_examples=30, deadline=None)
@given(
    before=st.binary(max_size=40), after=st.binary(max_size=40), form=st.sampled_from([*PLANTED])
)
def test_surroundings_must_not_hide_a_form(
    needles: Needles, before: bytes, after: bytes, form: str
) -> None:
    assert 0 in found(needles, before + PLANTED[form] + after)


def test_clean_random_data_must_give_no_findings() -> None:
    stream = SUITE.stream(bytes(32), b"clean")
    secrets = made_numbers(500, SUITE.stream(bytes(32), b"numbers"))
    data = stream.bytes(5_000_000)
    wire = {
        "random": data,
        "hex": data[:2_000_000].hex().encode(),
        "base64": base64.b64encode(data),
    }
    assert scan([], wire, secrets, SUITE) == []
    assert scan([], {"empty": b"", "tiny": b"1391"}, secrets, SUITE) == []


def test_boundary_of_a_chunk_must_not_hide_a_form(
    needles: Needles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.leak_scan._CHUNK", 64)
    for lead in range(140):
        assert found(needles, bytes(lead) + NATIONAL + bytes(70)) == {0}
