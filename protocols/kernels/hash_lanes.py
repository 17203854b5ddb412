"""Many messages through a Merkle-Damgård hash at once: one message to a lane of wide vectors.

Any processor runs these kernels: LLVM takes the vectors apart where registers are shorter.

SM3 and SHA-256 run in sixteen lanes of 32 bits, SHA-512 in eight of 64. In every step each lane
takes the next block of its message; a lane whose message has ended takes the next message, so
that short and long ones may be mixed. Blocks are laid out in memory, one row to a lane, and turned
into vectors of words inside the compression function.

A message is a prefix all share, optionally the value's length in four bytes (big endian), and a
value. The values lie one after the other, as Arrow lays out a column of text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I1, I8, I64, Value, function
from protocols.kernels.word_lanes import WordLanes

Octets: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.int64]

STATE_WORDS = 8
BLOCK_WORDS = 16
FRAME_BYTES = 4
ROW_BYTES = 64


def load_blocks(lanes: WordLanes, rows: Value) -> list[Value]:
    """Return the sixteen words of every lane's block, which are big endian in the rows."""
    vectors = lanes.load(rows, BLOCK_WORDS)
    # A block of 64-bit words is two vectors long, whose columns are transposed apart.
    parts = BLOCK_WORDS // lanes.lanes
    words = []
    for part in range(parts):
        words += lanes.transpose(vectors[part::parts])
    return [lanes.reverse_bytes(word) for word in words]


@intrinsic
def _copy(_context: Any, target: Any, source: Any, length: Any) -> Any:
    """Copy ``length`` bytes from address ``source`` to ``target``."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        target, source, length = arguments
        pointer = I8.as_pointer()
        copy = function(
            builder, "llvm.memcpy.p0.p0.i64", ir.VoidType(), [pointer, pointer, I64, I1]
        )
        builder.call(
            copy,
            [builder.inttoptr(target, pointer), builder.inttoptr(source, pointer), length, I1(0)],
        )
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


@intrinsic
def reverse_bytes(_context: Any, word: Any) -> Any:
    """Return an unsigned word with its bytes in the opposite order."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return word(word), emit


def digest_batch(
    digest: Callable[..., None],
    initial: npt.NDArray[Any],
    prefix: bytes,
    data: Octets,
    offsets: Indices,
    *,
    framed: bool,
) -> Octets:
    """Return the digests of all messages, a row each, computed by the kernel ``digest``.

    The kernel takes the arguments of :func:`next_blocks` and the array for the digests. ``initial``
    is the hash's initial value, in words of its size; a state is eight of these, a block sixteen.
    The caller has checked that offsets ascend within ``data``.
    """
    word = initial.dtype.itemsize
    lanes, block_bytes = ROW_BYTES // word, BLOCK_WORDS * word
    octets = np.array(bytearray(prefix), np.uint8)
    rest = octets[len(prefix) // block_bytes * block_bytes :]
    head_blocks = -(-(len(rest) + FRAME_BYTES * framed) // block_bytes)
    head = np.zeros((head_blocks + 1) * block_bytes, np.uint8)
    head[: len(rest)] = rest
    digests = np.empty((len(offsets) - 1, STATE_WORDS), initial.dtype)
    digest(
        np.repeat(initial[:, np.newaxis], lanes, axis=1),
        initial.copy(),
        np.zeros((lanes, block_bytes), np.uint8),
        np.full(lanes, -1, np.int64),
        np.zeros(lanes, np.int64),
        np.zeros(2, np.int64),
        octets,
        head,
        int(framed),
        data.ctypes.data,
        # The kernel is compiled for one kind of array only.
        offsets if offsets.flags.carray else offsets.copy(),
        digests,
    )
    return digests.view(np.uint8)


@kernel
def next_blocks(
    state: Any, begin: Any, rows: Any, item: Any, position: Any, progress: Any,
    prefix: Any, head: Any, framed: Any, data_at: Any, offsets: Any,
) -> bool:  # fmt: skip
    """Put the next block of every lane's message into ``rows``; False if there is none left.

    Whole blocks of the prefix come first, the same in every lane.

    ``state``: the chaining values, eight words by lanes; ``begin``: that of a message's first
    block of its own; ``item``: the message in each lane, -1 where there is none; ``position``:
    where in its message each lane's block starts; ``progress``: how many bytes of the prefix
    ``begin`` stands for, and the first message that no lane has begun; ``head``: what whole blocks
    leave of the prefix, in blocks, and a block of zeros; ``data_at``: the values' address.
    """
    lanes, block_bytes = rows.shape
    absorbed = progress[0]
    if len(prefix) - absorbed >= block_bytes:
        for lane in range(lanes):
            for byte in range(block_bytes):
                rows[lane, byte] = prefix[absorbed + byte]
        return True
    start = len(prefix) + FRAME_BYTES * framed
    busy = False
    for lane in range(lanes):
        if item[lane] < 0:
            if progress[1] == len(offsets) - 1:
                continue
            item[lane], position[lane] = progress[1], absorbed
            progress[1] += 1
            for word in range(STATE_WORDS):
                state[word, lane] = begin[word]
        busy = True
        value, length = offsets[item[lane]], offsets[item[lane] + 1] - offsets[item[lane]]
        here, end = position[lane], start + length
        in_head = min(here - absorbed, len(head) - block_bytes)
        row = rows.ctypes.data + lane * block_bytes
        _copy(row, head.ctypes.data + in_head, block_bytes)
        first, last = max(here, start), min(here + block_bytes, end)
        if first < last:
            _copy(row + first - here, data_at + value + first - start, last - first)
        if framed and here < start:
            for byte in range(FRAME_BYTES):
                place = start - FRAME_BYTES + byte - here
                if 0 <= place < block_bytes:
                    rows[lane, place] = (length >> (8 * (FRAME_BYTES - 1 - byte))) & 0xFF
        if here <= end < here + block_bytes:
            rows[lane, end - here] = 0x80
        if _is_last(end, here, block_bytes):
            lengths = rows.view(np.uint64)
            lengths[lane, lengths.shape[1] - 1] = reverse_bytes(np.uint64(8 * end))
    return busy


@kernel
def take_digests(
    state: Any, begin: Any, rows: Any, item: Any, position: Any, progress: Any,
    prefix: Any, framed: Any, offsets: Any, digests: Any,
) -> None:  # fmt: skip
    """Write the digests of the messages that have ended, free their lanes, advance the others."""
    lanes, block_bytes = rows.shape
    if len(prefix) - progress[0] >= block_bytes:
        progress[0] += block_bytes
        for word in range(STATE_WORDS):
            begin[word] = state[word, 0]
        return
    start = len(prefix) + FRAME_BYTES * framed
    for lane in range(lanes):
        if item[lane] < 0:
            continue
        end = start + offsets[item[lane] + 1] - offsets[item[lane]]
        if _is_last(end, position[lane], block_bytes):
            for word in range(STATE_WORDS):
                digests[item[lane], word] = reverse_bytes(state[word, lane])
            item[lane] = -1
        else:
            position[lane] += block_bytes


@kernel
def _is_last(end: Any, here: Any, block_bytes: Any) -> Any:
    """Whether the block at ``here`` has room for the padding: one bit, and the length's field."""
    return end + 1 + block_bytes // 8 <= here + block_bytes
