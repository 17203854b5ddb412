"""Well-formed messages of every type, found by looking at the types: what mutations start from."""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

import protocols
from party_node.peer_channel import frames
from protocols.session import note_exchange
from protocols.suite import RandomStream
from protocols.wire import Message, encode

_TRIES = 3000
_LENGTHS = (0, 1, 2, 4, 8, 12, 16, 20, 24, 32, 33, 48, 64, 65, 80, 96, 128, 160, 256, 512, 1024)
_NUMBERS = (0, 1, 2, 3, 5, 7, 8, 12, 16, 40, 255, 256, 1000, 65536, 1 << 24, 1 << 31, 1 << 40)
_TEXTS = ("", "a", "bank", "shop", "receiver", "gm", "psi-1", "fedcrm/x-1", "2026-11-21T08:00:00Z")


def message_types() -> list[type[Message]]:
    """Return every message type there is in ``protocols``, and the link's frames."""
    for module in pkgutil.walk_packages(protocols.__path__, "protocols."):
        if not module.name.startswith("protocols.kernels"):
            importlib.import_module(module.name)
    assert frames is not None
    assert note_exchange is not None
    ours = ("protocols.", "party_node.")  # other tests have messages of their own
    found = [
        type_
        for type_ in _below(Message)
        if type_.__module__.startswith(ours) and not type_.__name__.startswith("_")
    ]
    return sorted(found, key=lambda type_: (type_.__module__, type_.__name__))


def _below(type_: type[Message]) -> Iterator[type[Message]]:
    for child in type_.__subclasses__():
        yield child
        yield from _below(child)


def samples(type_: type[Message], stream: RandomStream, count: int) -> list[bytes]:
    """Return up to ``count`` encodings of valid messages of this type, at least one."""
    found: list[bytes] = []
    for _ in range(_TRIES):
        values = {f.name: _value(f.type, stream) for f in msgspec.structs.fields(type_)}
        try:
            data = encode(type_(**values))
        except (ValueError, TypeError, OverflowError):
            continue
        if len(data) <= type_.max_bytes:
            found.append(data)
        if len(found) == count:
            return found
    assert found, f"no valid {type_.__module__}.{type_.__name__} was found: extend the values tried"
    return found


def _value(annotation: Any, stream: RandomStream) -> Any:
    """Return some value of this type."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        return stream.below(2) == 1
    if annotation is int:
        return _pick(_NUMBERS, stream)
    if annotation is str:
        return _pick(_TEXTS, stream)
    if annotation is bytes:
        return stream.bytes(_pick(_LENGTHS, stream))
    if annotation is type(None):
        return None
    if origin is Literal:
        return _pick(inner, stream)
    if origin in (Union, types.UnionType):
        return _value(_pick(inner, stream), stream)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_value(inner[0], stream) for _ in range(stream.below(4)))
    if origin is tuple:
        return tuple(_value(part, stream) for part in inner)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        fields = msgspec.structs.fields(annotation)
        return annotation(**{f.name: _value(f.type, stream) for f in fields})
    raise AssertionError(f"messages have fields of a type that is not made here: {annotation}")


def _pick(choices: Any, stream: RandomStream) -> Any:
    return choices[stream.below(len(choices))]
