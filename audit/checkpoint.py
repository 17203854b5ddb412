"""Signed checkpoints: C2SP signed-note and tlog-checkpoint, both v1.0.0.

The text of a checkpoint is three lines: origin, tree size, base64 of the root hash. The note's
signature line names the origin again. Suite ``intl`` signs with C2SP's type 0x01, Ed25519, and its
key id is the one C2SP prescribes, the first four bytes of SHA-256 over ``name || 0x0A || type ||
key``: other verifiers of signed notes read these. SM2 has no type byte assigned by C2SP, so for
suite ``gm`` the type is 0xff followed by ``sm2-sm3-v1``; the public key is the 65-byte
uncompressed point and the signature is DER. Our choice for this own type: the key id is made with
the *suite's* hash, SM3, where C2SP recommends SHA-256.

Stricter than C2SP: extension lines are refused, and origins are a narrow set of ASCII strings.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from protocols.suite import InvalidSignature, Suite

Sign: TypeAlias = Callable[[bytes], bytes]
"""Signs a message with the log's private key, which stays with its owner."""

SIGNATURE_TYPES = {"gm": b"\xffsm2-sm3-v1", "intl": b"\x01"}
MAX_NOTE_BYTES = 65_535
MAX_SIGNATURES = 64
KEY_ID_BYTES = 4

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_NAME = re.compile(r"[^\s+]+")


class CheckpointError(ValueError):
    """Bytes that are not a checkpoint signed by the expected key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A commitment to the first ``tree_size`` entries of the log ``origin``."""

    origin: str
    tree_size: int
    root_hash: bytes

    def text(self) -> bytes:
        """Return the note text that is signed."""
        root = base64.b64encode(self.root_hash).decode("ascii")
        return f"{self.origin}\n{self.tree_size}\n{root}\n".encode()


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


def check_origin(origin: str) -> None:
    """Raise ``ValueError`` unless ``origin`` can name a log (and its key) in a note."""
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            "a log's origin is 1 to 128 ASCII letters, digits, '.', '_', '/' and '-', "
            "beginning with a letter or digit"
        )


def key_id(suite: Suite, name: str, public_key: bytes) -> bytes:
    """Return the four bytes that tell a verifier which key made a signature."""
    signed_type = SIGNATURE_TYPES[suite.name]
    return suite.hash(name.encode(), b"\n", signed_type, public_key)[:KEY_ID_BYTES]


def verifier_key(suite: Suite, name: str, public_key: bytes) -> str:
    """Return the key in signed-note's text form ``name+hex(key id)+base64(type || key)``."""
    material = base64.b64encode(SIGNATURE_TYPES[suite.name] + public_key).decode("ascii")
    return f"{name}+{key_id(suite, name, public_key).hex()}+{material}"


def sign_checkpoint(
    checkpoint: Checkpoint, *, suite: Suite, public_key: bytes, sign: Sign
) -> bytes:
    """Return the signed note; raises :class:`CheckpointError` if ``sign`` used another key."""
    check_origin(checkpoint.origin)
    signature = sign(checkpoint.text())
    note = render_note(checkpoint, suite=suite, public_key=public_key, signature=signature)
    verify_checkpoint(note, suite=suite, origin=checkpoint.origin, public_key=public_key)
    return note


def render_note(
    checkpoint: Checkpoint, *, suite: Suite, public_key: bytes, signature: bytes
) -> bytes:
    """Return the note of ``checkpoint`` with the one signature line of the log's own key."""
    keyed = key_id(suite, checkpoint.origin, public_key) + signature
    line = f"— {checkpoint.origin} {base64.b64encode(keyed).decode('ascii')}\n"
    return checkpoint.text() + b"\n" + line.encode()


def verify_checkpoint(note: bytes, *, suite: Suite, origin: str, public_key: bytes) -> Checkpoint:
    """Return the checkpoint of a note that ``public_key`` signed under the name ``origin``.

    Signatures by other keys are ignored, as signed-note requires. Raises
    :class:`CheckpointError`, and nothing else, for any other bytes.
    """
    checkpoint, signatures = parse_checkpoint(note, digest_bytes=suite.digest_bytes)
    if checkpoint.origin != origin:
        raise CheckpointError("the checkpoint is of another log")
    expected = key_id(suite, origin, public_key)
    ours = [s for s in signatures if s.name == origin and hmac.compare_digest(s.key_id, expected)]
    if not ours:
        raise CheckpointError("no signature line names the log's key")
    for signature in ours:
        try:
            suite.verify(public_key, checkpoint.text(), signature.signature)
        except InvalidSignature:
            raise CheckpointError("the signature does not verify under the log's key") from None
    return checkpoint


def parse_checkpoint(
    note: bytes, *, digest_bytes: int
) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    """Return what a note says, unverified; raises :class:`CheckpointError` and nothing else."""
    text, signatures = _parse_note(note)
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "":
        raise CheckpointError("a checkpoint is exactly origin, tree size and root hash")
    origin, size, root = lines[:3]
    if not _ORIGIN.fullmatch(origin):
        raise CheckpointError("the origin line is malformed")
    if not _SIZE.fullmatch(size) or int(size) >= 2**53:
        raise CheckpointError("the tree size is malformed")
    root_hash = _base64(root, "root hash")
    if len(root_hash) != digest_bytes:
        raise CheckpointError(f"the root hash must be {digest_bytes} bytes")
    return Checkpoint(origin, int(size), root_hash), signatures


def _parse_note(note: bytes) -> tuple[str, tuple[NoteSignature, ...]]:
    if len(note) > MAX_NOTE_BYTES:
        raise CheckpointError(f"a note is at most {MAX_NOTE_BYTES} bytes")
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError("the note is not UTF-8") from None
    if any(character < " " and character != "\n" for character in content):
        raise CheckpointError("the note has control characters")
    if not content.endswith("\n"):
        raise CheckpointError("the note does not end with a newline")
    text, separator, block = content.rpartition("\n\n")
    if not separator or not block:
        raise CheckpointError("the note has no signature")
    lines = block.split("\n")[:-1]
    if len(lines) > MAX_SIGNATURES:
        raise CheckpointError(f"a note has at most {MAX_SIGNATURES} signatures")
    return text + "\n", tuple(_parse_signature(line) for line in lines)


def _parse_signature(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _NAME.fullmatch(parts[1]):
        raise CheckpointError("a signature line is an em dash, a name and base64")
    keyed = _base64(parts[2], "signature")
    if len(keyed) <= KEY_ID_BYTES:
        raise CheckpointError("a signature line is too short")
    return NoteSignature(parts[1], keyed[:KEY_ID_BYTES], keyed[KEY_ID_BYTES:])


def _base64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointError(f"the {what} is not base64") from None
    # base64 leaves padding bits free; only the encoding that we would write is accepted.
    if base64.b64encode(data).decode("ascii") != text:
        raise CheckpointError(f"the {what} is not canonical base64")
    return data
