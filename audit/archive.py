"""The canonical zip archive: for given contents there is exactly one file, byte for byte.

Stored, never compressed; the members of :data:`MEMBERS` in that order and no others; no extra
fields, comments, flags or data descriptors; every time 1980-01-01 00:00; every mode 0644; zip64
never. Layout: PKWARE APPNOTE 6.3.10, §4.3.7 (local header), §4.3.12 (central directory), §4.3.16
(end record). Written here field by field rather than by ``zipfile``, because evidence is kept for
years and the bytes a library chooses may change with its version; tests read the result with it.

Reading walks the file from the front and never trusts an offset found in it; nothing is
unpacked to disk, nothing is decompressed, and memory is bounded by the file's own size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

from audit.findings import Findings, Place

MEMBERS = (
    "README.txt",
    "key.json",
    "events.jsonl",
    "checkpoints.jsonl",
    "checkpoint",
    "manifest.json",
)
MAX_ARCHIVE_BYTES = 2**31 - 1

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION_NEEDED = 20
_MADE_BY_UNIX = 3 << 8 | _VERSION_NEEDED
_STORED = 0
_DATE_1980_01_01 = 1 << 5 | 1
_REGULAR_0644 = 0o100644 << 16
_CRC_AT, _SIZES_AT, _SIZES_END = 14, 18, 26


class ArchiveTooLarge(ValueError):
    """Contents beyond what an archive of this format holds."""


def write_archive(contents: Mapping[str, bytes]) -> bytes:
    """Return the one archive of ``contents``, which has exactly the :data:`MEMBERS`."""
    archive = b"".join(piece for _, piece in _pieces(contents))
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise ArchiveTooLarge(f"an archive holds at most {MAX_ARCHIVE_BYTES} bytes")
    return archive


def read_archive(
    archive: bytes, source: str, findings: Findings
) -> dict[str, tuple[int, int]] | None:
    """Return where each member's contents begin and end in ``archive``.

    Every byte that is not the one the format prescribes becomes a finding. None is returned when
    the members cannot be told apart.
    """
    if len(archive) > MAX_ARCHIVE_BYTES:
        findings.failed(Place(source=source), f"larger than {MAX_ARCHIVE_BYTES} bytes")
        return None
    spans: dict[str, tuple[int, int]] = {}
    offset = 0
    for name in MEMBERS:
        span = _walk_member(archive, name, offset, source, findings)
        if span is None:
            return None
        spans[name] = span
        offset = span[1]
    _compare_rebuilt(archive, spans, source, findings)
    return spans


def _walk_member(
    archive: bytes, name: str, offset: int, source: str, findings: Findings
) -> tuple[int, int] | None:
    header = archive[offset : offset + _LOCAL.size + len(name)]
    expected = _local_header(name, crc=0, size=0)
    same = _first_difference(header[:_CRC_AT], expected[:_CRC_AT])
    if same is None:
        same = _first_difference(header[_SIZES_END:], expected[_SIZES_END:], _SIZES_END)
    if same is not None:
        at = Place(source=source, file=name, offset=offset + same)
        findings.failed(
            at, f"the archive is not as prescribed where {name!r} should begin, or ends early"
        )
        return None
    compressed, size = struct.unpack_from("<II", header, _SIZES_AT)
    start = offset + len(header)
    if compressed != size or start + size > len(archive):
        findings.failed(
            Place(source=source, file=name, offset=offset + _SIZES_AT),
            "the stated size does not fit the archive",
        )
        return None
    return start, start + size


def _compare_rebuilt(
    archive: bytes, spans: Mapping[str, tuple[int, int]], source: str, findings: Findings
) -> None:
    """Compare ``archive`` with the one archive of its own contents, piece by piece."""
    view = memoryview(archive)
    contents = {name: view[start:end] for name, (start, end) in spans.items()}
    offset = 0
    for name, piece in _pieces(contents):
        if not isinstance(piece, memoryview):
            difference = _first_difference(archive[offset : offset + len(piece)], piece)
            if difference is not None:
                at = Place(source=source, file=name, offset=offset + difference)
                if offset >= spans[MEMBERS[-1]][1]:
                    findings.failed(at, "the archive's directory is not that of its contents")
                    return
                findings.failed(at, "the contents and their checksum differ")
        offset += len(piece)
    if offset != len(archive):
        findings.failed(
            Place(source=source, offset=offset), f"{len(archive) - offset} bytes follow the end"
        )


def _pieces(
    contents: Mapping[str, bytes | memoryview],
) -> Iterator[tuple[str | None, bytes | memoryview]]:
    """Yield the archive's bytes in order, each piece with the member it belongs to."""
    directory: list[tuple[str, bytes]] = []
    offset = 0
    for name in MEMBERS:
        data = contents[name]
        crc = zlib.crc32(data)
        directory.append((name, _central_header(name, crc=crc, size=len(data), offset=offset)))
        local = _local_header(name, crc=crc, size=len(data))
        yield name, local
        yield name, data
        offset += len(local) + len(data)
    yield from directory
    size = sum(len(record) for _, record in directory)
    count = len(directory)
    yield None, _END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def _local_header(name: str, *, crc: int, size: int) -> bytes:
    fields = (_VERSION_NEEDED, 0, _STORED, 0, _DATE_1980_01_01, crc, size, size, len(name), 0)
    return _LOCAL.pack(b"PK\x03\x04", *fields) + name.encode("ascii")


def _central_header(name: str, *, crc: int, size: int, offset: int) -> bytes:
    fields = (_VERSION_NEEDED, 0, _STORED, 0, _DATE_1980_01_01, crc, size, size, len(name))
    rest = (0, 0, 0, 0, _REGULAR_0644, offset)
    return _CENTRAL.pack(b"PK\x01\x02", _MADE_BY_UNIX, *fields, *rest) + name.encode("ascii")


def _first_difference(found: bytes, expected: bytes, start: int = 0) -> int | None:
    """Return ``start`` plus the index of the first byte that differs or is missing."""
    if found == expected:
        return None
    pairs = zip(found, expected, strict=False)
    differing = (at for at, (have, want) in enumerate(pairs) if have != want)
    return start + next(differing, min(len(found), len(expected)))
