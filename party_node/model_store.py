"""The node's own halves of trained models: sealed in its database, and in files it can take back.

A half is stored under the job that trained it and the split (``repeat``, from 0) it learned from.
What is sealed here opens with this node's storage key alone: a file made by :func:`export_half` is
a backup of this node, not something to hand to another party.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from models import model_file
from models.model_file import ModelFile, Role
from party_node.errors import NodeError
from party_node.keys import seal, unseal
from party_node.node import Node
from party_node.store import model_halves, transaction
from protocols.errors import DecodeError, LocalProtocolError
from protocols.suite import OpenError, Suite, canonical
from protocols.suite.canonical import Json

FILE_VERSION = 1
MAX_HEADER_BYTES = 4096

_MAGIC = b"fedcrm model half\n"
_LENGTH = struct.Struct(">I")
_IN_DATABASE = "model-halves"
_IN_FILES = "model-half-files"


@dataclass(frozen=True)
class StoredHalf:
    """What a stored half says of itself, and the digest it is known by."""

    kind: str
    role: Role
    digest: str
    """Hex, as the parties name the half in the spec of a scoring job."""
    facts: Mapping[str, Json] = field(repr=False)


def half_digest(suite: Suite, data: bytes) -> str:
    """Return the hex digest a half is known by: the suite's hash of its bytes."""
    return suite.hash(data).hex()


def model_purpose(job_id: str, repeat: int) -> bytes:
    """Return what a sealed model half is bound to."""
    return f"fedcrm/model-half/v1/{job_id}/{repeat}".encode()


def save_half(connection: Connection, node: Node, job_id: str, repeat: int, data: bytes) -> None:
    """Store a half, sealed, in the caller's transaction; it replaces the one of this place.

    ``data`` is a model's ``to_bytes``; raises :class:`LocalProtocolError` for anything else, which
    could be stored but never read again.
    """
    try:
        model_file.read(data)
    except DecodeError as error:
        raise LocalProtocolError(f"not a model half: {error.reason}") from None
    sealed = seal(
        node.keys.suite, node.keys.derived(_IN_DATABASE), data, model_purpose(job_id, repeat)
    )
    connection.execute(delete(model_halves).filter_by(job_id=job_id, repeat=repeat))
    connection.execute(insert(model_halves).values(job_id=job_id, repeat=repeat, sealed=sealed))


def load_half(node: Node, job_id: str, repeat: int) -> bytes:
    """Return the bytes of a stored half; raises :class:`NodeError`."""
    data = _stored(node, job_id, repeat)
    if data is None:
        raise NodeError(
            f"{node.party_id} has no half of the model that job {job_id} trained"
            + (f" on split {repeat + 1}" if repeat else ""),
            "run the job that trains it, or import the half from a file of this node's",
        )
    return data


def find(node: Node, job_id: str, repeat: int = 0) -> StoredHalf:
    """Return what the stored half of a job says of itself; raises :class:`NodeError`."""
    return _described(node, load_half(node, job_id, repeat), f"the stored half of job {job_id}")


def export_half(node: Node, job_id: str, path: Path, repeat: int = 0) -> StoredHalf:
    """Write a stored half to the new file ``path``, sealed, for its owner's eyes (mode 0600).

    Raises :class:`NodeError` where there is no such half, or ``path`` cannot be made.
    """
    data = load_half(node, job_id, repeat)
    half = _described(node, data, f"the stored half of job {job_id}")
    head = _head(node, job_id, repeat)
    sealed = seal(node.keys.suite, node.keys.derived(_IN_FILES), data, head)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise NodeError(f"{path} exists already", "name a file that does not exist") from None
    except OSError as error:
        raise NodeError(
            f"cannot write {path}: {error.strerror}", "see that its folder is there"
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(head + sealed)
        file.flush()
        os.fsync(descriptor)
    return half


def import_half(node: Node, path: Path) -> StoredHalf:
    """Store the half in ``path`` under the job and split it was exported from.

    Raises :class:`NodeError` for any file that this node did not export, that was changed since,
    or that would replace another half.
    """
    head, job_id, repeat, sealed = _read_file(node, path)
    try:
        data = unseal(node.keys.suite, node.keys.derived(_IN_FILES), sealed, head)
    except OpenError:
        raise NodeError(
            f"{path} does not open with this node's key, or was changed",
            "restore the file, or the keys folder it was made with, from a backup",
        ) from None
    half = _described(node, data, str(path))
    stored = _stored(node, job_id, repeat)
    if stored is not None and stored != data:
        raise NodeError(
            f"another half of the model that job {job_id} trained is stored already",
            f"stored is {half_digest(node.keys.suite, stored)[:16]}..., the file has "
            f"{half.digest[:16]}...",
        )
    if stored is None:
        with transaction(node.engine) as connection:
            save_half(connection, node, job_id, repeat, data)
    return half


def _stored(node: Node, job_id: str, repeat: int) -> bytes | None:
    with node.engine.connect() as connection:
        sealed = connection.execute(
            select(model_halves.c.sealed).filter_by(job_id=job_id, repeat=repeat)
        ).scalar_one_or_none()
    if sealed is None:
        return None
    key = node.keys.derived(_IN_DATABASE)
    try:
        return unseal(node.keys.suite, key, sealed, model_purpose(job_id, repeat))
    except OpenError:
        raise NodeError(
            f"the stored half of the model that job {job_id} trained cannot be opened",
            "it was sealed with another storage key, or the database is damaged: restore both "
            "from one backup",
        ) from None


def _described(node: Node, data: bytes, what: str) -> StoredHalf:
    file: ModelFile
    try:
        file = model_file.read(data)
    except DecodeError as error:
        # It was whole when it was sealed: another release of this software wrote it.
        raise NodeError(
            f"{what} cannot be read: {error.reason}", "use the release that trained the model"
        ) from None
    return StoredHalf(file.kind, file.role, half_digest(node.keys.suite, data), file.facts)


def _head(node: Node, job_id: str, repeat: int) -> bytes:
    """Return what stands before the sealed half in a file, and is sealed with it."""
    statement = canonical.encode(
        {
            "version": FILE_VERSION,
            "suite": node.keys.suite.name,
            "party_id": node.party_id,
            "job_id": job_id,
            "repeat": repeat,
        }
    )
    return _MAGIC + _LENGTH.pack(len(statement)) + statement


def _read_file(node: Node, path: Path) -> tuple[bytes, str, int, bytes]:
    """Return (head, job id, repeat, sealed half) of an exported file."""
    try:
        if path.stat().st_size > model_file.MAX_BYTES + 2 * MAX_HEADER_BYTES:
            raise NodeError(f"{path} is larger than any model half")
        data = path.read_bytes()
    except OSError as error:
        raise NodeError(f"cannot read {path}: {error.strerror}", "name an exported file") from None
    start = len(_MAGIC) + _LENGTH.size
    no_half = NodeError(f"{path} is not an exported model half", "name an exported file")
    if len(data) < start or not data.startswith(_MAGIC):
        raise no_half
    (length,) = _LENGTH.unpack_from(data, len(_MAGIC))
    if length > min(MAX_HEADER_BYTES, len(data) - start):
        raise no_half
    head, sealed = data[: start + length], data[start + length :]
    try:
        stated = canonical.decode(head[start:])
    except ValueError:
        raise no_half from None
    if not isinstance(stated, dict):
        raise no_half
    version, suite, party = (stated.get(name) for name in ("version", "suite", "party_id"))
    if version != FILE_VERSION:
        raise NodeError(
            f"{path} has a format version this release does not know (it knows {FILE_VERSION})",
            "import it with the release that exported it",
        )
    if party != node.party_id or suite != node.keys.suite.name:
        raise NodeError(
            f"{path} was exported by another node or under another suite",
            f"this is {node.party_id} with suite {node.keys.suite.name}; each party keeps its own "
            "half",
        )
    job_id, repeat = stated.get("job_id"), stated.get("repeat")
    if not isinstance(job_id, str) or not isinstance(repeat, int):
        raise no_half
    if head != _head(node, job_id, repeat):
        raise no_half
    return head, job_id, repeat, sealed
