"""Searches files and captured traffic for the identifiers of a run's inputs, in many disguises.

Every identifier is turned into needles: the text as it was written, its normalised forms, these as
hexadecimal, base64 (all three alignments, both alphabets), UTF-16 and 64-bit integers or floats,
and the unkeyed SM3 and SHA-256 digests of the normalised forms and the protocol input. A needle of
a digest is its first 12 bytes, so a truncated digest is found too. Haystacks are searched as they
are and again inside whatever opens without a key: zip, gzip, zlib, raw deflate, Parquet, SQLite.

Not found: text in compression formats not named here, an identifier split by other bytes (base64
with line breaks), keyed digests and ciphertext (the point of them), and identifiers shorter than
8 bytes, which occur by chance.

Each haystack is read once: the 8 bytes before every position, times an odd constant, index a table
of 2^24 flags; the few positions that pass are looked up in the sorted needles and compared in full.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import phonenumbers
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protocols.identifiers import IdentifierKind, Unusable, normalise, protocol_input
from protocols.suite import Suite

ANCHOR = 8
DIGEST_PREFIX = 12
MAX_DEPTH = 5
MAX_INFLATED = 1 << 30
_TABLE_BITS = 24
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 1 << 22


class Unscannable(Exception):
    """A haystack that announces a format but does not open: nothing is skipped silently."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier in one haystack. ``identifier`` is its index: the text is not repeated."""

    where: str
    form: str
    identifier: int
    offset: int


def scan(
    paths: Iterable[Path],
    wire_bytes: Mapping[str, bytes],
    secrets: Sequence[str],
    suite: Suite,
    *,
    kind: IdentifierKind = "phone",
) -> list[Finding]:
    """Return where any of ``secrets`` (identifiers as written in the inputs) is found.

    ``paths`` are files or folders, whose names are searched too; ``wire_bytes`` maps a name to
    what was captured. One finding per (haystack, form, identifier): the first.
    """
    needles = Needles(secrets, kind, suite)
    findings: list[Finding] = []
    for name, data in _haystacks(paths, wire_bytes):
        for where, layer in layers(name, data):
            findings.extend(needles.findings(where, layer))
    return findings


class Needles:
    """Every disguise of every identifier, ready to be looked for."""

    def __init__(self, secrets: Sequence[str], kind: IdentifierKind, suite: Suite) -> None:
        """Prepare the needles of ``secrets``, about 130 for each."""
        self._needles: dict[bytes, tuple[int, str]] = {}
        for index, secret in enumerate(secrets):
            for form, needle in _disguises(secret, kind, suite):
                self._needles.setdefault(needle, (index, form))
        self._patterns = list(self._needles)
        joined = b"".join(pattern[-ANCHOR:] for pattern in self._patterns)
        anchors = np.frombuffer(joined, dtype="<u8")
        self._order = np.argsort(anchors, kind="stable")
        self._anchors = anchors[self._order]
        self._table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[_slot(self._anchors)] = True

    def __len__(self) -> int:
        """Return how many byte strings are looked for."""
        return len(self._patterns)

    def findings(self, where: str, data: bytes) -> Iterator[Finding]:
        """Yield the first occurrence of each (form, identifier) in ``data``."""
        seen: set[tuple[int, str]] = set()
        for end in self._candidates(data):
            for pattern in self._ending_in(data[end - ANCHOR : end]):
                start = end - len(pattern)
                if start < 0 or data[start:end] != pattern:
                    continue
                identity = self._needles[pattern]
                if identity not in seen:
                    seen.add(identity)
                    index, form = identity
                    yield Finding(where, form, index, start)

    def _candidates(self, data: bytes) -> Iterator[int]:
        """Yield every position of ``data`` before which some needle's last 8 bytes stand."""
        if not self._patterns:
            return
        for begin in range(0, max(len(data) - ANCHOR + 1, 0), _CHUNK):
            chunk = memoryview(data)[begin : begin + _CHUNK + ANCHOR - 1]
            ends: list[NDArray[np.int64]] = []
            for shift in range(ANCHOR):
                count = (len(chunk) - shift) // ANCHOR
                if count <= 0:
                    continue
                words = np.frombuffer(chunk, dtype="<u8", count=count, offset=shift)
                maybe = np.flatnonzero(self._table[_slot(words)])
                places = np.searchsorted(self._anchors, words[maybe])
                places[places == len(self._anchors)] = 0
                hits = maybe[self._anchors[places] == words[maybe]]
                ends.append(hits * ANCHOR + shift + ANCHOR)
            if ends:
                yield from (begin + int(end) for end in np.sort(np.concatenate(ends)))

    def _ending_in(self, anchor: bytes) -> Iterator[bytes]:
        word = np.frombuffer(anchor, dtype="<u8")[0]
        first = np.searchsorted(self._anchors, word, side="left")
        last = np.searchsorted(self._anchors, word, side="right")
        for place in range(int(first), int(last)):
            yield self._patterns[int(self._order[place])]


def _slot(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (words * _MULTIPLIER) >> np.uint64(64 - _TABLE_BITS)


def _disguises(secret: str, kind: IdentifierKind, suite: Suite) -> Iterator[tuple[str, bytes]]:
    """Yield (form, bytes) for everything that gives ``secret`` away without a key."""
    forms = {"as written": secret}
    try:
        normalised = normalise(kind, secret)
    except Unusable:
        normalised = b""
    if normalised:
        forms["normalised"] = normalised.decode()
        if kind == "phone":
            forms |= _phone_forms(normalised.decode())
        yield from _digest("protocol input", protocol_input(suite, kind, normalised))
    for form, text in forms.items():
        data = text.encode()
        if len(data) < ANCHOR:
            continue
        yield form, data
        yield f"{form}, UTF-16", text.encode("utf-16-le")
        yield from _encodings(form, data)
        yield from _digest(f"SM3 of {form}", suite.hash(data))
        yield from _digest(f"SHA-256 of {form}", hashlib.sha256(data).digest())
        if text.isascii() and text.isdigit():
            yield from _integers(form, int(text))


def _phone_forms(e164: str) -> dict[str, str]:
    number = phonenumbers.parse(e164)
    national = str(number.national_number)
    forms = {"without plus": e164.removeprefix("+"), "national": national}
    if len(national) == 11:
        parts = (national[:3], national[3:7], national[7:])
        forms |= {"spaced": " ".join(parts), "dashed": "-".join(parts)}
    return forms


def _digest(form: str, digest: bytes) -> Iterator[tuple[str, bytes]]:
    prefix = digest[:DIGEST_PREFIX]
    yield form, prefix
    yield from _encodings(form, prefix)


def _encodings(form: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"{form}, hex", data.hex().encode()
    yield f"{form}, hex", data.hex().upper().encode()
    for alignment in range(3):
        # Only characters that depend on nothing but ``data``: the bytes around it are unknown.
        first, known = (alignment * 8 + 5) // 6, (alignment + len(data)) * 8 // 6
        encoded = base64.b64encode(bytes(alignment) + data)[first:known]
        yield f"{form}, base64", encoded
        yield f"{form}, base64", encoded.translate(bytes.maketrans(b"+/", b"-_"))


def _integers(form: str, value: int) -> Iterator[tuple[str, bytes]]:
    if not 1 << 32 <= value < 1 << 63:
        return  # too many zero bytes to be told from chance, or too long for the type
    for order in "<>":
        yield f"{form}, integer", struct.pack(f"{order}q", value)
        yield f"{form}, float", struct.pack(f"{order}d", value)


def _haystacks(
    paths: Iterable[Path], wire_bytes: Mapping[str, bytes]
) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            yield f"name of {file}", str(file).encode()
            if file.is_file():
                yield str(file), file.read_bytes()
    yield from wire_bytes.items()


def layers(name: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield ``data`` itself and, recursively, everything in it that opens without a key.

    Raises :class:`Unscannable` for a Parquet or SQLite file that does not open, and when more
    than 1 GiB would come out of one stream or streams nest deeper than 5.
    """
    yield name, data
    inner = list(_opened(name, data))
    if inner and depth == MAX_DEPTH:
        raise Unscannable(f"{name}: nested deeper than {MAX_DEPTH}")
    for inner_name, content in inner:
        yield from layers(inner_name, content, depth + 1)


_STREAMS = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04")


def _opened(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PAR1"):
        yield f"{name} > parquet", _parquet_text(name, data)
        return
    if data.startswith(b"SQLite format 3\x00"):
        yield f"{name} > sqlite", _sqlite_text(name, data)
        return
    found_at_start = False
    for match in _STREAMS.finditer(data):
        start, magic = match.start(), match.group()
        if magic == b"PK\x03\x04":
            content = _zip_member(name, data, start)
        else:
            content = _inflate(name, data, start, 31 if magic[0] == 0x1F else 15)
        if content:
            found_at_start |= start == 0
            yield f"{name} > {start}", content
    if not found_at_start and (content := _inflate(name, data, 0, -15, complete=True)):
        yield f"{name} > deflate", content


def _inflate(name: str, data: bytes, start: int, window: int, complete: bool = False) -> bytes:
    """Return what the stream at ``start`` inflates to, ``b""`` if it is none."""
    inflater = zlib.decompressobj(window)
    out = bytearray()
    for begin in range(start, len(data), 1 << 16):
        try:
            out += inflater.decompress(data[begin : begin + (1 << 16)], MAX_INFLATED)
        except zlib.error:
            # Bytes that only looked like a stream; what came out before is still searched.
            return b"" if complete else bytes(out)
        if inflater.eof:
            break
        if len(out) > MAX_INFLATED or inflater.unconsumed_tail:
            raise Unscannable(f"{name}: more than {MAX_INFLATED} bytes come out of one stream")
    return bytes(out) if inflater.eof or not complete else b""


def _zip_member(name: str, data: bytes, start: int) -> bytes:
    """Return a deflated member by its local header; a stored one stands in the open already."""
    header = data[start : start + 30]
    if len(header) < 30:
        return b""
    method, name_length, extra_length = struct.unpack("<8xH16xHH", header)
    if method != zlib.DEFLATED:
        return b""
    return _inflate(name, data, start + 30 + name_length + extra_length, -15)


def _parquet_text(name: str, data: bytes) -> bytes:
    try:
        table = pq.read_table(BytesIO(data))
    except Exception as error:
        raise Unscannable(f"{name}: Parquet that does not open") from error
    return b"\n".join(_as_bytes(value) for column in table.columns for value in column.to_pylist())


def _sqlite_text(name: str, data: bytes) -> bytes:
    # A database in WAL mode does not open from memory; the two bytes say rollback mode instead.
    data = data[:18] + b"\x01\x01" + data[20:]
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = [
            row
            for (table,) in tables.fetchall()
            for row in connection.execute(f'SELECT * FROM "{table.replace(chr(34), chr(34) * 2)}"')
        ]
    except sqlite3.Error as error:
        raise Unscannable(f"{name}: SQLite that does not open") from error
    finally:
        connection.close()
    return b"\n".join(_as_bytes(value) for row in rows for value in row)


def _as_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
