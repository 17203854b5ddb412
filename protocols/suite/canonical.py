"""The canonical form of specs and events: RFC 8785 JSON, restricted.

ASCII keys, strings, booleans, null, arrays, objects and integers up to 2^53 - 1 in magnitude.
Decimals are strings. Decoding refuses floats, duplicate keys, and bytes that do not re-encode to
themselves, so that one value has exactly one byte string and a digest means one thing.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import rfc8785

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32


class CanonicalError(ValueError):
    """A value outside the restricted form, or bytes that are not its canonical encoding."""


def _check(value: object, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise CanonicalError("integer beyond 2^53 - 1")
        return
    if isinstance(value, list):
        for element in value:
            _check(element, depth + 1)
        return
    if isinstance(value, dict):
        for key, element in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise CanonicalError("object keys must be ASCII strings")
            _check(element, depth + 1)
        return
    raise CanonicalError(f"{type(value).__name__} has no place in the canonical form")


def encode(value: Json) -> bytes:
    """Return the canonical bytes of ``value``; raises :class:`CanonicalError`."""
    _check(value)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise CanonicalError("not representable in RFC 8785") from error


def decode(data: bytes) -> Json:
    """Return the value ``data`` encodes; raises :class:`CanonicalError` and nothing else."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise CanonicalError("duplicate key")
        return dict(pairs)

    def no_float(_: str) -> Any:
        raise CanonicalError("floating-point number")

    try:
        value: Json = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=no_duplicates,
            parse_float=no_float,
            parse_constant=no_float,
        )
    except CanonicalError:
        raise
    except (ValueError, RecursionError):
        raise CanonicalError("not JSON") from None
    if encode(value) != data:
        raise CanonicalError("not in canonical form")
    return value
