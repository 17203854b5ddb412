"""Looks for the parties' secrets, in every form they could have, in what somebody else has seen."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Message

from tests.leak_scan import layers

ANCHOR = 8
WINDOW = 24
"""Bytes of an array that are looked for: two or three numbers beside each other."""
_DIFFERENT = 7
"""Bytes of such a window that must differ, so that it is nothing of chance."""


@dataclass
class Secrets:
    """What the parties have and nobody else may see: byte strings, by what they are."""

    forms: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, secret: bytes) -> None:
        """Look for a key or a seed: as it is, in hex, in base64."""
        if len(set(secret)) < _DIFFERENT:
            return
        self.forms.setdefault(secret, name)
        self.forms.setdefault(secret.hex().encode(), f"{name}, hex")
        self.forms.setdefault(base64.b64encode(secret)[: len(secret)], f"{name}, base64")

    def add_numbers(self, name: str, numbers: Any) -> None:
        """Look for an array: every few numbers of it, as each type and in both byte orders."""
        array = np.ascontiguousarray(numbers).reshape(-1)
        types = ["f8"] if array.dtype.kind == "f" else ["i8", "f8", "u4"]
        for kind in types:
            for order in "<>":
                as_kind = array.astype(np.int64) % (1 << 32) if kind == "u4" else array
                self._add_windows(f"{name}, {order}{kind}", as_kind.astype(f"{order}{kind}"))

    def _add_windows(self, name: str, array: Any) -> None:
        data, size = array.tobytes(), array.itemsize
        for start in range(0, min(len(data), 20_000) - WINDOW + 1, size):
            window = data[start : start + WINDOW]
            at = _anchor(window)
            if len(set(window[at : at + ANCHOR])) >= _DIFFERENT - 2:
                self.forms.setdefault(window, name)

    def prepared(self) -> Search:
        """Return a search for all of them."""
        return Search(self.forms)


class Search:
    """Finds byte strings by eight bytes of each that are least likely to stand anywhere."""

    def __init__(self, forms: Mapping[bytes, str]) -> None:
        self._forms = [(form, _anchor(form), name) for form, name in forms.items()]
        anchors = b"".join(form[at : at + ANCHOR] for form, at, _ in self._forms)
        words = np.frombuffer(anchors, "<u8")
        self._order = np.argsort(words, kind="stable")
        self._words = words[self._order]

    def found(self, seen: Mapping[str, bytes]) -> list[tuple[str, str]]:
        """Return which secret stands where."""
        hits: set[tuple[str, str]] = set()
        for where, data in seen.items():
            for place, word in self._candidates(data):
                low = int(np.searchsorted(self._words, word))
                high = int(np.searchsorted(self._words, word, "right"))
                for index in self._order[low:high]:
                    form, at, name = self._forms[index]
                    if place >= at and data.startswith(form, place - at):
                        hits.add((where, name))
        return sorted(hits)

    def _candidates(self, data: bytes) -> Iterator[tuple[int, Any]]:
        for shift in range(ANCHOR):
            count = (len(data) - shift) // ANCHOR
            if count <= 0:
                return
            words = np.frombuffer(data, "<u8", count, shift)
            places = np.minimum(np.searchsorted(self._words, words), len(self._words) - 1)
            for i in np.flatnonzero(self._words[places] == words):
                yield int(i) * ANCHOR + shift, words[i]


def _anchor(form: bytes) -> int:
    return max(
        range(len(form) - ANCHOR + 1), key=lambda at: (len(set(form[at : at + ANCHOR])), -at)
    )


# -- what somebody has seen -------------------------------------------------------------------


def of_message(message: Message) -> bytes:
    """Return all bytes of a Flower message."""
    if message.has_error():
        return str(message.error.reason).encode()
    content = message.content
    parts = [_bytes(v) for r in content.config_records.values() for v in r.values()]
    parts += [array.data for r in content.array_records.values() for array in r.values()]
    parts += [str(v).encode() for r in content.metric_records.values() for v in r.values()]
    return b"\x00".join(parts)


def of_folder(folder: Path) -> dict[str, bytes]:
    """Return all files below, and what is inside databases and compressed streams."""
    seen: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            seen |= dict(layers(str(path), path.read_bytes()))
    return seen


def of_object(root: object) -> bytes:
    """Return everything an object holds, and what that holds, but for modules and classes."""
    return b"\x00".join(_held(root, set()))


def _held(found: Any, known: set[int]) -> Iterable[bytes]:
    if id(found) in known or isinstance(found, type):
        return
    known.add(id(found))
    if isinstance(found, bytes | bytearray | str | int | float):
        yield _bytes(found)
    elif isinstance(found, np.ndarray):
        yield found.tobytes()
    elif isinstance(found, Message):
        yield of_message(found)
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _held(key, known)
            yield from _held(value, known)
    elif isinstance(found, list | tuple | set | frozenset):
        for each in found:
            yield from _held(each, known)
    else:
        names = getattr(found, "__struct_fields__", ()) or getattr(found, "__slots__", ())
        fields = {name: getattr(found, name, None) for name in names}
        for value in (fields | getattr(found, "__dict__", {})).values():
            if type(value).__module__.partition(".")[0] in _OURS or _is_plain(value):
                yield from _held(value, known)


_OURS = {"coordinator", "protocols", "audit", "flwr", "numpy"}


def _is_plain(value: object) -> bool:
    return type(value).__module__ == "builtins"


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()
