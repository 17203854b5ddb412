"""Between the bytes TenSEAL writes and reads and the residues that travel and are kept.

TenSEAL offers no other way to a ciphertext's integers than its serialised form: a protobuf message
around what SEAL saves, which is a header, fixed fields and the residues, packed by Zstandard. Only
bytes this process made itself are taken apart here, and TenSEAL reads only bytes put together here
from residues that were checked: what peers send never reaches its decoders.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from protocols.errors import LocalProtocolError

_MAGIC = b"\x5e\xa1\x10"
_HEADER = struct.Struct("<3sBBBHQ")
"""SEAL's ``Serialization::SEALHeader``: magic and its own size, version, packing, total size."""
_PLAIN, _ZSTANDARD = 0, 2


@dataclass(frozen=True, slots=True)
class SealFrame:
    """Everything in a saved SEAL object but its residues: alike for all objects of one kind."""

    version: tuple[int, int]
    fields: bytes

    @classmethod
    def of(cls, saved: bytes, fields: int, residues: int) -> tuple[SealFrame, bytes]:
        """Return the frame and the residues of what SEAL saved.

        ``fields`` and ``residues`` are the lengths of the two parts. Raises
        :class:`LocalProtocolError` if this SEAL writes something else.
        """
        body, version = _body(saved, fields + residues)
        return cls(version, body[:fields]), body[fields:]

    def take_apart(self, saved: bytes, residues: int) -> bytes:
        """Return the residues of an object of the same kind; raises as :meth:`of` does."""
        frame, data = self.of(saved, len(self.fields), residues)
        if frame != self:
            raise LocalProtocolError("SEAL wrote an object of another kind than asked for")
        return data

    def put_together(self, residues: bytes) -> bytes:
        """Return what SEAL loads as the object with these residues; not packed."""
        size = _HEADER.size + len(self.fields) + len(residues)
        header = _HEADER.pack(_MAGIC, *self.version, _PLAIN, 0, size)
        return header + self.fields + residues


def saved_object(message: bytes) -> bytes:
    """Return the one SEAL object inside a protobuf message of TenSEAL's."""
    start = message.find(_MAGIC)
    if start < 0 or start + _HEADER.size > len(message):
        raise LocalProtocolError("TenSEAL wrote no SEAL object")
    size = _HEADER.unpack_from(message, start)[-1]
    return message[start : start + size]


def field(number: int, data: bytes) -> bytes:
    """Return a length-delimited protobuf field (Protocol Buffers, "Encoding", LEN)."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def packed_field(number: int, value: int) -> bytes:
    """Return a packed repeated protobuf field of one unsigned integer."""
    return field(number, _varint(value))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _body(saved: bytes, length: int) -> tuple[bytes, tuple[int, int]]:
    if len(saved) < _HEADER.size:
        raise LocalProtocolError("TenSEAL wrote no SEAL object")
    magic, major, minor, packing, reserved, size = _HEADER.unpack_from(saved)
    body = saved[_HEADER.size :]
    if magic != _MAGIC or reserved or size != len(saved) or packing not in (_PLAIN, _ZSTANDARD):
        raise LocalProtocolError("TenSEAL wrote a SEAL object in a form this release cannot read")
    if packing == _ZSTANDARD:
        import pyarrow as pa  # noqa: PLC0415 - only where ciphertexts are made

        try:
            body = pa.Codec("zstd").decompress(body, decompressed_size=length, asbytes=True)
        except OSError:
            raise LocalProtocolError("SEAL's object does not unpack to its size") from None
    if len(body) != length:
        raise LocalProtocolError("SEAL's object has not the size of its kind")
    return body, (major, minor)
