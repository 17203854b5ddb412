"""The steps both roles of VOLE-PSI take, named as in SPEC.md §3.

A step that sends or receives is a generator for ``yield from``; none draws randomness other than
from the party's seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from protocols.arguments import check_binding, check_item_array, check_seed
from protocols.element_lists import chunks
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.kernels import gf64, tags
from protocols.okvs import DuplicateKeys, EncodingFailure, Okvs, Rows
from protocols.psi_vole.messages import (
    CHUNK_BYTES,
    SALT_BYTES,
    VERSION,
    WORD_BYTES,
    MaskedColumns,
    RoleName,
    Tags,
    Terms,
)
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import Items, Octets, Suite, Words

STATISTICAL_BITS = 40
"""sigma: a run gives a wrong result with probability about 2^-40."""
MAX_ENCODINGS = 4
"""Salts tried before giving up; one fails with probability below 2^-40 (protocols/okvs)."""

_HASH_KEY_BYTES = 16
_CHUNK_ROWS = 8192  # decoded, corrected and hashed at once, in the second-level cache
_REPORT_ROWS = 16 * _CHUNK_ROWS

Planes = tuple[Words, Words]
"""Elements of GF(2^64)^2, low coordinates and high coordinates apart."""


@dataclass(frozen=True, slots=True)
class Party:
    """One party's view of the run: who, on what terms, with which secrets."""

    role: RoleName
    party: PartyId
    peer: PartyId
    suite: Suite
    context: bytes
    seed: bytes = field(repr=False)
    items: Items = field(repr=False)

    def __post_init__(self) -> None:
        check_binding(party=self.party, peers=(self.peer,), context=self.context)
        check_seed(self.seed)
        # Not check_items: its sort would cost as much as the encoding, which finds duplicates.
        check_item_array(self.items)

    @property
    def size(self) -> int:
        """How many items this party brings."""
        return len(self.items)

    @property
    def portable(self) -> bool:
        """Whether the portable kernels compute."""
        return self.suite.kernels == "portable"

    def purpose(self, name: str) -> bytes:
        """Return the label under which ``seed`` yields this role's randomness for ``name``."""
        return f"{VERSION} {self.role} {name}".encode("ascii")


class Hashes:
    """What the salt of a run fixes for both parties: the OKVS's rows, H and H' (SPEC.md §3).

    Each use has its own key, derived from the salt and the session's context.
    """

    def __init__(self, own: Party, receiver_size: int, salt: bytes) -> None:
        def derive(purpose: str, length: int) -> bytes:
            info = f"{VERSION} {purpose} ".encode("ascii") + own.context
            return own.suite.derive(salt, info, length)

        self.okvs = Okvs(receiver_size, suite=own.suite, seed=derive("okvs", 32))
        self._value = own.suite.block_hash(derive("value", _HASH_KEY_BYTES))
        self._tag = own.suite.block_hash(derive("tag", _HASH_KEY_BYTES))

    def place(self, own: Party) -> tuple[Rows, Words]:
        """Return the rows of the own items, and H of each in the rows' order.

        Raises ``LocalProtocolError`` if two items begin with the same 16 bytes.
        """
        keys = np.array(own.items.view("<u8")[:, :2], dtype=np.uint64, order="C")
        try:
            rows, placed = self.okvs.rows(keys)
        except DuplicateKeys as repeated:
            raise LocalProtocolError(
                f"items {repeated.first} and {repeated.second} are the same; "
                "remove duplicates before matching"
            ) from None
        values = np.empty(len(placed), np.uint64)
        hashes = np.empty((min(_CHUNK_ROWS, len(placed)), 2), np.uint64)
        for start in range(0, len(placed), _CHUNK_ROWS):
            chunk = placed[start : start + _CHUNK_ROWS]
            self._value.hash_blocks(chunk, hashes[: len(chunk)])
            values[start : start + _CHUNK_ROWS] = hashes[: len(chunk), 0]
        return rows, values

    def records(
        self,
        own: Party,
        rows: Rows,
        planes: Planes,
        width: int,
        correction: tuple[Words, tuple[int, int]] | None = None,
    ) -> Role[Words]:
        """Return the own items' tags of ``width`` bytes, as sorted records (kernels/tags.py).

        An item's tag is H' of what ``planes`` decode to at its row; ``correction`` is values to
        be multiplied by an element of GF(2^64)^2 and added before.
        """
        records = np.empty((len(rows), 2), np.uint64)
        low = np.empty(min(_CHUNK_ROWS, len(rows)), np.uint64)
        high, blocks = np.empty_like(low), np.empty((len(low), 2), np.uint64)
        for start in range(0, len(rows), _CHUNK_ROWS):
            stop = min(start + _CHUNK_ROWS, len(rows))
            count = stop - start
            self.okvs.decode(rows, planes, (low[:count], high[:count]), start)
            if correction is not None:
                values, delta = correction
                for factor, plane in zip(delta, (low, high), strict=True):
                    gf64.scale_into(
                        factor, values[start:stop], plane[:count], portable=own.portable
                    )
            blocks[:count, 0], blocks[:count, 1] = low[:count], high[:count]
            self._tag.hash_blocks(blocks[:count], blocks[:count])
            tags.make_records(blocks[:count], rows.places[start:stop], width, records[start:stop])
            if stop % _REPORT_ROWS == 0 or stop == len(rows):
                yield Progress("tags", stop, len(rows))
        tags.sort_records(records, np.empty_like(records))
        return records


@dataclass(frozen=True, slots=True)
class Encoding:
    """The Receiver's items as an OKVS."""

    salt: bytes
    hashes: Hashes
    rows: Rows = field(repr=False)
    solution: Words = field(repr=False)


def encode(own: Party) -> Role[Encoding]:
    """Encode the Receiver's items under the first salt of its seed that allows it."""
    stream = own.suite.stream(own.seed, own.purpose("salt"))
    for _ in range(MAX_ENCODINGS):
        salt = stream.bytes(SALT_BYTES)
        hashes = Hashes(own, own.size, salt)
        rows, values = hashes.place(own)
        # Zeros for the free columns: the mask a of SPEC.md §3 covers every column.
        solution = np.zeros(rows.columns, np.uint64)
        try:
            hashes.okvs.encode(rows, values, solution)
        except EncodingFailure:
            continue
        if own.size:
            yield Progress("encode", own.size, own.size)
        return Encoding(salt, hashes, rows, solution)
    raise LocalProtocolError(
        f"the items have no encoding under {MAX_ENCODINGS} salts, which cannot be chance: "
        "they are not digests"
    )


def agree_on_terms(own: Party, salt: bytes) -> Role[Terms]:
    """Exchange :class:`Terms`; return the peer's."""
    yield Send(
        own.peer,
        Terms(
            version=VERSION,
            suite=own.suite.name,
            party=own.party,
            peer=own.peer,
            role=own.role,
            context=own.context,
            size=own.size,
            salt=salt,
        ),
    )
    terms: Terms = yield Receive(own.peer, Terms)
    if terms.version != VERSION:
        raise RemoteProtocolError(f"Terms: peer's protocol version is not ours, {VERSION}")
    if terms.suite != own.suite.name:
        raise RemoteProtocolError(f"Terms: peer's suite is not ours, {own.suite.name}")
    if (terms.party, terms.peer) != (own.peer, own.party):
        raise RemoteProtocolError("Terms: peer's run is between other parties")
    if terms.role == own.role:
        raise RemoteProtocolError(f"Terms: both sides run the {own.role}; one must be the other")
    if terms.context != own.context:
        raise RemoteProtocolError(
            "Terms: peer's context is not ours; both must run the same signed spec and attempt"
        )
    return terms


def vole_seed(own: Party) -> bytes:
    """Return the seed of the silent VOLE, which draws nothing this role draws."""
    return own.suite.derive(own.seed, own.purpose("silent vole"), 32)


def tag_bytes(receiver_size: int, sender_size: int) -> int:
    """Return how long tags are, so that chance makes two equal with probability at most 2^-40.

    A Sender's tag can equal one of the Receiver's, or another of the Sender's own: sizes n and n'
    allow n n' and n' (n' - 1) / 2 pairs, of which the greater number decides.
    """
    pairs = sender_size * max(receiver_size, sender_size // 2)
    bits = STATISTICAL_BITS + (pairs - 1).bit_length()
    return -(-bits // 8)


def send_masked(own: Party, solution: Words, mask: Words) -> Role[None]:
    """Send a + P. From here on nothing that depends on the own items may end the role."""
    solution ^= mask
    for chunk in chunks(len(solution), CHUNK_BYTES // WORD_BYTES):
        columns = solution[chunk.start : chunk.stop].astype("<u8", copy=False).tobytes()
        yield Send(own.peer, MaskedColumns(columns))
        yield Progress("mask", chunk.stop, len(solution))


def receive_masked(own: Party, planes: Planes, delta: tuple[int, int]) -> Role[None]:
    """Receive a + P, and turn the planes of b into those of k = b + delta (a + P)."""
    for chunk in chunks(len(planes[0]), CHUNK_BYTES // WORD_BYTES):
        message: MaskedColumns = yield Receive(own.peer, MaskedColumns)
        chunk.check("MaskedColumns", message.columns, WORD_BYTES)
        columns = np.frombuffer(message.columns, "<u8").astype(np.uint64)
        for factor, plane in zip(delta, planes, strict=True):
            part = plane[chunk.start : chunk.stop]
            gf64.scale_into(factor, columns, part, portable=own.portable)
        yield Progress("unmask", chunk.stop, len(planes[0]))


def send_tags(own: Party, records: Words, width: int) -> Role[None]:
    """Send the sorted tags."""
    for chunk in chunks(len(records), CHUNK_BYTES // width):
        out = np.empty((chunk.stop - chunk.start, width), np.uint8)
        tags.write_tags(records[chunk.start : chunk.stop], width, out)
        yield Send(own.peer, Tags(out.tobytes()))
        yield Progress("send tags", chunk.stop, len(records))


def match_tags(
    own: Party, records: Words, peer_size: int, width: int
) -> Role[tuple[Octets, Octets]]:
    """Receive the Sender's tags; return 0 or 1 for each own record and for each tag."""
    in_records, in_tags = np.zeros(own.size, np.uint8), np.zeros(peer_size, np.uint8)
    last, reached = np.zeros(2, np.uint64), 0
    for chunk in chunks(peer_size, CHUNK_BYTES // width):
        message: Tags = yield Receive(own.peer, Tags)
        chunk.check("Tags", message.tags, width)
        octets = np.frombuffer(message.tags, np.uint8).reshape(-1, width)
        received = np.empty((len(octets), 2), np.uint64)
        if not tags.read_tags(octets, last, received):
            raise RemoteProtocolError(f"Tags {chunk.name}: not in ascending order, or repeated")
        part = in_tags[chunk.start : chunk.stop]
        reached = tags.merge(records, received, reached, in_records, part)
        yield Progress("match", chunk.stop, peer_size)
    return in_records, in_tags
