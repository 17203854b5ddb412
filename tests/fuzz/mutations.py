"""Changing bytes as an attacker would: a bit, a length, a tail, a type, a piece of another."""

from __future__ import annotations

from collections.abc import Callable

from protocols.suite import RandomStream

# Heads of MessagePack: nothing, numbers, texts, bytes, arrays and maps that announce a lot,
# extensions, floating point, and the one byte that is never used.
_HEADS = bytes.fromhex("c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d8d9dadbdcdddedf00807f90a0bfe0ff")
_ANNOUNCE = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + bytes(7),
    b"\xcb\x7f\xf8" + bytes(6),
    b"\x91" * 2000,
    b"\x81" * 2000,
    b"\xff\xfe\xfd",
    b"{" * 500,
    b'"\\ud800"',
)


def mutated(data: bytes, other: bytes, stream: RandomStream) -> bytes:
    """Return ``data`` after one to four changes; ``other`` is what pieces are taken from."""
    for _ in range(1 + stream.below(4)):
        change = _CHANGES[stream.below(len(_CHANGES))]
        data = change(data, other, stream)
    return data


def noise(stream: RandomStream) -> bytes:
    """Return random bytes, short ones more often than long ones."""
    return stream.bytes(stream.below(1 << stream.below(12)))


def _place(data: bytes, stream: RandomStream) -> int:
    # Heads stand at the front: half of the changes go there.
    return stream.below(min(len(data), 16) + 1 if stream.below(2) else len(data) + 1)


def _flip(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    if not data:
        return data
    place = min(_place(data, stream), len(data) - 1)
    return data[:place] + bytes([data[place] ^ 1 << stream.below(8)]) + data[place + 1 :]


def _head(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    place = _place(data, stream)
    return data[:place] + bytes([_HEADS[stream.below(len(_HEADS))]]) + data[place + 1 :]


def _announce(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    place = _place(data, stream)
    return data[:place] + _ANNOUNCE[stream.below(len(_ANNOUNCE))] + data[place:]


def _cut(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    return data[: stream.below(len(data) + 1)]


def _lengthen(data: bytes, other: bytes, stream: RandomStream) -> bytes:
    return data + other[: stream.below(len(other) + 1)] + stream.bytes(stream.below(9))


def _remove(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    place = _place(data, stream)
    return data[:place] + data[place + 1 + stream.below(8) :]


def _splice(data: bytes, other: bytes, stream: RandomStream) -> bytes:
    return data[: _place(data, stream)] + other[_place(other, stream) :]


def _repeat(data: bytes, _: bytes, stream: RandomStream) -> bytes:
    place = _place(data, stream)
    piece = data[place : place + 1 + stream.below(16)]
    return data[:place] + piece * (1 + stream.below(6)) + data[place:]


_CHANGES: tuple[Callable[[bytes, bytes, RandomStream], bytes], ...] = (
    _flip,
    _head,
    _announce,
    _cut,
    _lengthen,
    _remove,
    _splice,
    _repeat,
)
