"""SM3 (GB/T 32905-2016) of many messages at once, sixteen to a pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from protocols.kernels.hash_lanes import (
    STATE_WORDS,
    Indices,
    Octets,
    digest_batch,
    load_blocks,
    next_blocks,
    take_digests,
)
from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import Value
from protocols.kernels.word_lanes import WordLanes

ROUNDS = 64

INITIAL = np.array(
    [
        0x7380166F,
        0x4914B2B9,
        0x172442D7,
        0xDA8A0600,
        0xA96F30BC,
        0x163138AA,
        0xE38DEE4D,
        0xB0FB0E4E,
    ],
    dtype=np.uint32,
)
"""The initial value (§4.1)."""


@intrinsic
def _compress(_context: Any, state: Any, rows: Any) -> Any:
    """Apply CF (§5.3.3) to the states and blocks of sixteen lanes, at these addresses."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        at, rows = arguments
        lanes = WordLanes(builder, 32)
        before = lanes.load(at, STATE_WORDS)
        words = load_blocks(lanes, rows)
        after = list(before)
        for number in range(ROUNDS):
            if number >= 12:  # W_{j+4} is needed in round j (§5.3.2)
                words.append(_expand(lanes, words[number - 12 : number + 4]))
            after = _round(lanes, number, after, words[number], words[number + 4])
        lanes.store(at, [lanes.xor(x, y) for x, y in zip(before, after, strict=True)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


def _expand(lanes: WordLanes, words: list[Value]) -> Value:
    """Return the word after sixteen words of the message (§5.3.2)."""
    mixed = lanes.xor(words[0], words[7], lanes.rotate(words[13], 15))
    permuted = lanes.xor(mixed, lanes.rotate(mixed, 15), lanes.rotate(mixed, 23))
    return lanes.xor(permuted, lanes.rotate(words[3], 7), words[10])


def _round(
    lanes: WordLanes, number: int, state: list[Value], word: Value, later: Value
) -> list[Value]:
    """Return the eight registers after round ``number``; ``later`` is W_{j+4}."""
    a, b, c, d, e, f, g, h = state
    t = 0x79CC4519 if number < 16 else 0x7A879D8A
    t = (t << number % 32 | t >> (32 - number % 32)) & 0xFFFFFFFF
    turned = lanes.rotate(a, 12)
    ss1 = lanes.rotate(lanes.sum(turned, e, lanes.constant(t)), 7)
    ss2 = lanes.xor(ss1, turned)
    if number < 16:
        ff, gg = lanes.xor(a, b, c), lanes.xor(e, f, g)
    else:
        ff, gg = lanes.majority(a, b, c), lanes.choose(e, f, g)
    tt1 = lanes.sum(ff, d, ss2, lanes.xor(word, later))
    tt2 = lanes.sum(gg, h, ss1, word)
    mixed = lanes.xor(tt2, lanes.rotate(tt2, 9), lanes.rotate(tt2, 17))
    return [tt1, a, lanes.rotate(b, 9), c, mixed, e, lanes.rotate(f, 19), g]


@kernel
def _digest(
    state: Any, begin: Any, rows: Any, item: Any, position: Any, progress: Any,
    prefix: Any, head: Any, framed: Any, data_at: Any, offsets: Any, digests: Any,
) -> None:  # fmt: skip
    while next_blocks(
        state, begin, rows, item, position, progress, prefix, head, framed, data_at, offsets
    ):
        _compress(np.intp(state.ctypes.data), np.intp(rows.ctypes.data))
        take_digests(state, begin, rows, item, position, progress, prefix, framed, offsets, digests)


def digest_many(prefix: bytes, data: Octets, offsets: Indices, *, framed: bool) -> Octets:
    """Return the digests, shape (n, 32), of ``prefix`` and each value of ``data``.

    Value i is ``data[offsets[i]:offsets[i + 1]]``; ``framed`` puts its length, four bytes big
    endian, between. The caller has checked that the offsets ascend within the data.
    """
    return digest_batch(_digest, INITIAL, prefix, data, offsets, framed=framed)
