"""The canonical archive: readable by any zip program, and one file for given contents."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.archive import MEMBERS, read_archive, write_archive
from audit.findings import Findings

CONTENTS = {name: f"contents of {name}\n".encode() for name in MEMBERS}
ARCHIVE = write_archive(CONTENTS)


def findings_of(archive: bytes) -> Findings:
    findings = Findings()
    read_archive(archive, "a.zip", findings)
    return findings


def zipped(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


def canonical_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


@given(st.fixed_dictionaries({name: st.binary(max_size=50) for name in MEMBERS}))
def test_contents_come_back_and_another_program_reads_them(contents: dict[str, bytes]) -> None:
    archive = write_archive(contents)
    findings = Findings()
    spans = read_archive(archive, "a.zip", findings)
    assert not findings
    assert spans is not None
    assert {name: archive[start:end] for name, (start, end) in spans.items()} == contents
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert file.testzip() is None
        assert {info.filename: file.read(info) for info in file.infolist()} == contents
        assert all(info.compress_type == zipfile.ZIP_STORED for info in file.infolist())


def test_bytes_are_those_zipfile_writes_today() -> None:
    def write(file: zipfile.ZipFile) -> None:
        for name in MEMBERS:
            file.writestr(canonical_info(name), CONTENTS[name])

    assert zipped(write) == ARCHIVE


def test_first_header_is_the_one_in_the_specification() -> None:
    data = CONTENTS["README.txt"]
    expected = "504b0304 1400 0000 0000 0000 2100".replace(" ", "")
    assert ARCHIVE[:14].hex() == expected
    assert struct.unpack_from("<IIIHH", ARCHIVE, 14) == (
        zlib.crc32(data),
        len(data),
        len(data),
        len("README.txt"),
        0,
    )


def test_every_flipped_bit_is_found_with_its_place() -> None:
    for at in range(len(ARCHIVE) * 8):
        altered = bytearray(ARCHIVE)
        altered[at // 8] ^= 1 << at % 8
        findings = findings_of(bytes(altered))
        assert findings.any_failed, at
        assert findings[0].place.offset is not None


def test_every_truncation_and_extension_is_found() -> None:
    for length in range(len(ARCHIVE)):
        assert findings_of(ARCHIVE[:length]).any_failed, length
    for altered in (ARCHIVE + b"\x00", b"\x00" + ARCHIVE, ARCHIVE + ARCHIVE):
        assert findings_of(altered).any_failed
    assert [f.place.offset for f in findings_of(ARCHIVE + b"\x00")] == [len(ARCHIVE)]


def bomb(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        file.writestr(canonical_info(name), b"\x00" * 50_000_000, zipfile.ZIP_DEFLATED)


def duplicated(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        file.writestr(canonical_info(name), CONTENTS[name])
    with pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(canonical_info("events.jsonl"), b"others")


def reordered(file: zipfile.ZipFile) -> None:
    for name in reversed(MEMBERS):
        file.writestr(canonical_info(name), CONTENTS[name])


def linked(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        info = canonical_info(name)
        if name == "events.jsonl":
            info.external_attr = 0o120777 << 16
        file.writestr(info, CONTENTS[name])


def travelling(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        file.writestr(canonical_info("../" + name), CONTENTS[name])


def lacking(file: zipfile.ZipFile) -> None:
    for name in MEMBERS[:-1]:
        file.writestr(canonical_info(name), CONTENTS[name])


def with_more(file: zipfile.ZipFile) -> None:
    for name in (*MEMBERS, "more.txt"):
        file.writestr(canonical_info(name), CONTENTS.get(name, b""))


def commented(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        file.writestr(canonical_info(name), CONTENTS[name])
    file.comment = b"hello"


def dated(file: zipfile.ZipFile) -> None:
    for name in MEMBERS:
        info = canonical_info(name)
        info.date_time = (2026, 11, 21, 8, 0, 0)
        file.writestr(info, CONTENTS[name])


@pytest.mark.parametrize(
    "write",
    [bomb, duplicated, reordered, linked, travelling, lacking, with_more, commented, dated],
)
def test_other_archives_are_refused(write: Callable[[zipfile.ZipFile], None]) -> None:
    assert findings_of(zipped(write)).any_failed


def test_size_that_lies_is_refused_without_reading_beyond() -> None:
    for size in (0, 1, 2**31, 2**32 - 1):
        altered = bytearray(ARCHIVE)
        struct.pack_into("<II", altered, 18, size, size)
        assert findings_of(bytes(altered)).any_failed


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing(data: bytes) -> None:
    assert findings_of(data).any_failed
