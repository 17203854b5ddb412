"""What someone who holds a bundle, but not its key, can make of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from audit.archive import MEMBERS, write_archive
from audit.bundle import manifest_file
from audit.checkpoint import parse_checkpoint
from audit.event import decode_event
from audit.identity import identity_of


def contents_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def lines_of(archive: bytes) -> list[bytes]:
    return contents_of(archive)["events.jsonl"].splitlines()


def forged(archive: bytes, *, lines: Sequence[bytes] | None = None, **files: bytes | None) -> bytes:
    """Return a bundle with other entries or files whose sums, sizes and manifest all fit."""
    contents = contents_of(archive)
    identity = identity_of(decode_event(contents["events.jsonl"].splitlines()[0]))
    if lines is not None:
        contents["events.jsonl"] = b"".join(line + b"\n" for line in lines)
    for name, data in files.items():
        if data is not None:
            contents[{"checkpoints": "checkpoints.jsonl"}.get(name, name)] = data
    checkpoint, _ = parse_checkpoint(contents["checkpoint"], digest_bytes=32)
    withheld = sum(
        line.startswith(b'{"leaf_hash"') for line in contents["events.jsonl"].splitlines()
    )
    summary: dict[str, int | str] = {
        "root_hash": checkpoint.root_hash.hex(),
        "tree_size": checkpoint.tree_size,
        "withheld": withheld,
    }
    contents["manifest.json"] = manifest_file(identity, summary, contents)
    return write_archive({name: contents[name] for name in MEMBERS})
