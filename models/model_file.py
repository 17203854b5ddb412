"""The file of one party's half of a model: named arrays and stated facts, in safetensors form.

Not pickle, and not what PyTorch or scikit-learn write by default: reading those runs code that
whoever wrote the file chose. A safetensors file (format of safetensors 0.8: an eight-byte little
endian header length, a JSON header, the arrays' bytes) holds numbers and text and can do nothing.

Everything that is not an array stands in one metadata entry, ``fedcrm``, as canonical JSON
(:mod:`protocols.suite.canonical`): the format version, the model's kind, the party's role and the
model's own facts. It is one entry because the library orders several as its hash map does, another
order in every process. Floats belong into arrays: canonical JSON has none, and arrays keep every
bit. The same content always gives the same bytes, so that a digest names one half.

``facts["columns"]``, for models that need columns, lists them in order, each
``{"name": ..., "kind": "numeric" | "categorical"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from protocols.errors import DecodeError, LocalProtocolError
from protocols.suite import canonical
from protocols.suite.canonical import Json

FORMAT_VERSION = 1
MAX_BYTES = 1 << 28
METADATA_ENTRY = "fedcrm"

Role: TypeAlias = Literal["active_party", "passive_party", "party"]
"""``party``: of a horizontal job, where every party keeps the same whole model."""
Array: TypeAlias = npt.NDArray[Any]

_FIELDS = {"version", "kind", "role", "facts"}
_ROLES: dict[str, Role] = {role: role for role in get_args(Role)}
_KIND = re.compile(r"[a-z][a-z_]{0,39}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_./-]{0,99}")
# safetensors has more; what no model of ours writes is refused rather than guessed at.
_DTYPES = {"F32": "f4", "F64": "f8", "BOOL": "b1", "U8": "u1"} | {
    "I8": "i1",
    "I16": "i2",
    "I32": "i4",
    "I64": "i8",
}


@dataclass(frozen=True, eq=False)
class ModelFile:
    """One half of a model, as it is stored.

    ``kind`` is the model's kind as the JobSpec names it. ``facts`` is canonical JSON; ``arrays``
    are float32, float64, int8 to int64, uint8 or bool, floats finite, of any shape.
    """

    kind: str
    role: Role
    facts: Mapping[str, Json] = field(repr=False)
    arrays: Mapping[str, Array] = field(repr=False)

    def array(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> Array:
        """Return the array ``name``, which must be of this numpy type and shape.

        ``None`` in ``shape`` stands for any length. Raises :class:`DecodeError`.
        """
        if name not in self.arrays:
            raise DecodeError(f"a {self.kind} half without its array {name}")
        array = self.arrays[name]
        fits = len(array.shape) == len(shape) and all(
            want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            raise DecodeError(f"array {name} of a {self.kind} half has another type or shape")
        return array

    def fact(self, name: str) -> Json:
        """Return the fact ``name``; raises :class:`DecodeError` if the file states none."""
        if name not in self.facts:
            raise DecodeError(f"a {self.kind} half that does not state its {name}")
        return self.facts[name]


def encode(file: ModelFile) -> bytes:
    """Return the one byte string of ``file``; raises :class:`LocalProtocolError`."""
    try:
        return _encode(file)
    except ValueError as error:
        raise LocalProtocolError(f"not a model half that can be stored: {error}") from None


def decode(
    data: bytes, *, kind: str, role: Role, arrays: Collection[str] | None = None
) -> ModelFile:
    """Return the half that ``data`` encodes, which must be of this ``kind`` and ``role``.

    ``arrays``, if given, are the names of all its arrays. Raises :class:`DecodeError`, and nothing
    else, for every byte string that :func:`encode` does not make of such a half.
    """
    file = read(data)
    if file.kind != kind:
        raise DecodeError(f"half of a {file.kind} model; {kind} is needed")
    if file.role != role:
        raise DecodeError(f"half of the {_spoken(file.role)}; the {_spoken(role)}'s is needed")
    if arrays is not None and set(arrays) != set(file.arrays):
        missing, extra = set(arrays) - set(file.arrays), set(file.arrays) - set(arrays)
        differences = [f"without {name}" for name in sorted(missing)]
        differences += [f"with {name}" for name in sorted(extra)]
        raise DecodeError(f"a {kind} half {', '.join(differences)}")
    return file


def read(data: bytes) -> ModelFile:
    """Return the half that ``data`` encodes, of whatever kind and role it says it is.

    Raises :class:`DecodeError` and nothing else, as :func:`decode`.
    """
    if len(data) > MAX_BYTES:
        raise DecodeError(f"a model half of {len(data)} bytes; at most {MAX_BYTES}")
    header = _header(data)
    kind, role, facts = _stated(header)
    for name, entry in header.items():
        if name != "__metadata__":
            _check_entry(name, entry)
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, OverflowError):
        _refuse()
    for array in arrays.values():
        array.flags.writeable = False
    file = ModelFile(kind, role, facts, arrays)
    try:
        canonical_bytes = _encode(file)
    except ValueError as error:
        raise DecodeError(f"not a model half: {error}") from None
    if canonical_bytes != data:
        raise DecodeError("a model half that is not in canonical form")
    return file


def _encode(file: ModelFile) -> bytes:
    """Return the bytes of ``file``; raises ``ValueError`` if it cannot be stored."""
    if not _KIND.fullmatch(file.kind) or file.role not in _ROLES:
        raise ValueError("no kind of model, or no role")
    for name, array in file.arrays.items():
        _check_array(name, array)
    statement = canonical.encode(
        {
            "version": FORMAT_VERSION,
            "kind": file.kind,
            "role": file.role,
            "facts": dict(file.facts),
        }
    )
    # Contiguous and little endian: the library takes an array's memory as it lies.
    laid_out = {
        # ascontiguousarray would make a single value a vector.
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in file.arrays.items()
    }
    data = save(laid_out, {METADATA_ENTRY: statement.decode()})
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; at most {MAX_BYTES}")
    return data


def _check_array(name: str, array: Array) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("an array's name is lower-case letters, digits and _./-")
    if array.dtype.newbyteorder("<") not in (np.dtype(code) for code in _DTYPES.values()):
        raise ValueError(f"array {name} is of a type that has no place in the format")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"array {name} holds a number that is not finite")
    if array.dtype.kind == "b" and (np.asarray(array, order="C").view(np.uint8) > 1).any():
        raise ValueError(f"array {name} holds a truth value that is neither 0 nor 1")


def _header(data: bytes) -> dict[str, Any]:
    """Return the safetensors header as JSON; the library checks it, but does not give it out."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        _refuse()
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        _refuse()
    if not isinstance(header, dict):
        _refuse()
    return header


def _stated(header: Mapping[str, Any]) -> tuple[str, Role, dict[str, Json]]:
    """Return (kind, role, facts) of the header's one metadata entry."""
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get(METADATA_ENTRY), str):
        raise DecodeError(f"not a model half: it has no metadata entry {METADATA_ENTRY}")
    try:
        statement = canonical.decode(metadata[METADATA_ENTRY].encode())
    except ValueError:
        _refuse()
    if not isinstance(statement, dict) or "version" not in statement:
        _refuse()
    version = statement["version"]
    # `True == 1`: a version is a number and no truth value.
    if type(version) is not int or version != FORMAT_VERSION:
        named = version if type(version) is int else "that is no number"
        raise DecodeError(f"a model half of format version {named}; known is {FORMAT_VERSION}")
    kind, role, facts = (statement.get(name) for name in ("kind", "role", "facts"))
    if not (
        set(statement) == _FIELDS
        and isinstance(kind, str)
        and _KIND.fullmatch(kind)
        and isinstance(role, str)
        and role in _ROLES
        and isinstance(facts, dict)
    ):
        _refuse()
    return kind, _ROLES[role], facts


def _check_entry(name: str, entry: object) -> None:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not _NAME.fullmatch(name) or not isinstance(dtype, str):
        _refuse()
    if dtype not in _DTYPES:
        raise DecodeError(f"array {name} is of a type that has no place in the format")


def _spoken(role: str) -> str:
    return role.replace("_", " ")


def _refuse() -> NoReturn:
    # From None, and without the library's text: it can quote the file.
    raise DecodeError("not a model half") from None
