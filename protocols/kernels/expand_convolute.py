"""The two linear maps of an expand-convolute code, in place, on words of GF(2^64).

S. Raghuraman, P. Rindal, T. Tanguy, "Expand-Convolute Codes for Pseudorandom Correlation
Generators from LPN", CRYPTO 2023, §4 and §5. :func:`convolve` multiplies a vector x of n words by
one convolution: for i from 0 to n - 1 in turn, x_i is added to x_(i+k) for each k of 1 to 24 whose
bit k - 1 of ``taps[i]`` is set, and x times x_i (the field's generator times it) to x_(i+25);
indices are taken modulo n, so that what passes the end is added to the beginning, which is not
visited again. :func:`expand` adds to each entry of one vector an entry of another, chosen by a
random word within a region.

A vector is either *words*, one to an entry, or *pairs*, two to an entry: two vectors mapped alike
(the two planes of an element of GF(2^64)^2), which stand and move together. Where both are given,
pairs and words are mapped in one pass.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I1, I8, I32, I64, LANES, VECTOR, Value, constant, function

Words = npt.NDArray[np.uint64]
Taps = npt.NDArray[np.uint32]

TAPS = 24
SPAN = TAPS + 1
MARGIN = 32
"""Entries after a vector's end that :func:`convolve` needs as room; they must be zero."""
TAIL = 0x1B
"""x^64 modulo x^64 + x^4 + x^3 + x + 1."""
ALIGNMENT = 64

_AHEAD = 32  # entries: how far ahead of its use an entry is asked for
_MASK = ir.VectorType(I1, LANES)
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_TAIL = np.uint64(TAIL)


def allocate(entries: int, words: int) -> Words:
    """Return ``entries`` of ``words`` words each, zero, aligned to vectors, of shape (n, words)."""
    count = entries * words
    octets = np.zeros(8 * count + ALIGNMENT, np.uint8)
    start = -octets.ctypes.data % ALIGNMENT
    return octets[start : start + 8 * count].view(np.uint64).reshape(entries, words)


def _convolve_eight(builder: Any, address: Value, taps: Value, width: int) -> None:
    """Emit eight entries' turn; ``width`` words make an entry.

    The window of entries that the eight reach stays in registers. An entry is copied to every
    place of a vector, and its tap bits, each repeated for every word of an entry, select where it
    is added.
    """
    per_vector = LANES // width
    own = LANES // per_vector
    vectors = own + SPAN * width // LANES + 1
    window = builder.inttoptr(address, VECTOR.as_pointer())
    bits = builder.inttoptr(taps, I32.as_pointer())
    x = [builder.load(builder.gep(window, [I32(k)]), align=8) for k in range(vectors)]
    for v in range(own):
        for j in range(per_vector):
            word = builder.load(builder.gep(bits, [I32(v * per_vector + j)]), align=4)
            chosen = builder.zext(builder.and_(word, I32((1 << TAPS) - 1)), I64)
            if width == 2:
                deposit = function(builder, "llvm.x86.bmi.pdep.64", I64, [I64, I64])
                chosen = builder.call(deposit, [chosen, I64(0x5555555555555555)])
                chosen = builder.or_(chosen, builder.shl(chosen, I64(1)))
            first, last = width * (j + 1), width * (j + SPAN) - 1
            chosen = builder.shl(chosen, I64(first))
            copies = _shuffle(builder, x[v], [width * j + k % width for k in range(LANES)])
            for k in range(first // LANES, last // LANES + 1):
                lanes = builder.trunc(builder.lshr(chosen, I64(LANES * k)), I8)
                x[v + k] = _add_where(builder, x[v + k], builder.bitcast(lanes, _MASK), copies)
        # These entries are final: times x, they go 25 entries on, to places in two vectors.
        whole, part = divmod(SPAN * width, LANES)
        turned = _shuffle(builder, _times_x(builder, x[v]), [k - part for k in range(LANES)])
        for k, chosen_lanes in ((whole, range(part, LANES)), (whole + 1, range(part))):
            mask = ir.Constant(_MASK, [int(lane in chosen_lanes) for lane in range(LANES)])
            x[v + k] = _add_where(builder, x[v + k], mask, turned)
    for k in range(vectors):
        builder.store(x[k], builder.gep(window, [I32(k)]), align=8)


def _shuffle(builder: Any, vector: Value, lanes: list[int]) -> Value:
    order = ir.Constant(ir.VectorType(I32, LANES), [lane % LANES for lane in lanes])
    return builder.shuffle_vector(vector, vector, order)


def _times_x(builder: Any, vector: Value) -> Value:
    carried = builder.ashr(vector, constant(63))
    return builder.xor(builder.shl(vector, constant(1)), builder.and_(carried, constant(TAIL)))


def _add_where(builder: Any, vector: Value, mask: Value, addend: Value) -> Value:
    return builder.xor(vector, builder.select(mask, addend, constant(0)))


@intrinsic
def _convolve_pairs_eight(_context: Any, address: Any, taps: Any) -> Any:
    """Convolve eight pairs from ``address`` on, by the taps at ``taps``."""

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        _convolve_eight(builder, arguments[0], arguments[1], 2)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@intrinsic
def _convolve_words_eight(_context: Any, address: Any, taps: Any) -> Any:
    """Convolve eight words from ``address`` on, by the taps at ``taps``."""

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        _convolve_eight(builder, arguments[0], arguments[1], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@kernel
def _wrap(vector: Any, length: Any) -> None:
    for i in range(SPAN):
        for k in range(vector.shape[1]):
            vector[i, k] ^= vector[length + i, k]
            vector[length + i, k] = np.uint64(0)


@kernel
def _convolve_pairs_avx512(pairs: Any, taps: Any) -> None:
    length = taps.shape[0]
    at, tap = np.intp(pairs.ctypes.data), np.intp(taps.ctypes.data)
    for i in range(0, length, 8):
        _convolve_pairs_eight(at + 16 * i, tap + 4 * i)
    _wrap(pairs, length)


@kernel
def _convolve_both_avx512(pairs: Any, words: Any, taps: Any) -> None:
    length = taps.shape[0]
    at, tap = np.intp(pairs.ctypes.data), np.intp(taps.ctypes.data)
    word = np.intp(words.ctypes.data)
    for i in range(0, length, 8):
        _convolve_pairs_eight(at + 16 * i, tap + 4 * i)
        _convolve_words_eight(word + 8 * i, tap + 4 * i)
    _wrap(pairs, length)
    _wrap(words, length)


@kernel
def _times_x_portable(word: Any) -> Any:
    return (word << _ONE) ^ (_TAIL & (np.uint64(0) - (word >> _TOP)))


@kernel
def _convolve_pairs_portable(pairs: Any, taps: Any) -> None:
    """A tap's bit becomes a mask: the compiler makes vectors of the inner loop."""
    length = taps.shape[0]
    for i in range(length):
        low, high, bits = pairs[i, 0], pairs[i, 1], np.uint64(taps[i])
        for k in range(TAPS):
            mask = np.uint64(0) - ((bits >> np.uint64(k)) & _ONE)
            pairs[i + 1 + k, 0] ^= low & mask
            pairs[i + 1 + k, 1] ^= high & mask
        pairs[i + SPAN, 0] ^= _times_x_portable(low)
        pairs[i + SPAN, 1] ^= _times_x_portable(high)
    _wrap(pairs, length)


@kernel
def _convolve_words_portable(words: Any, taps: Any) -> None:
    length = taps.shape[0]
    for i in range(length):
        word, bits = words[i, 0], np.uint64(taps[i])
        for k in range(TAPS):
            words[i + 1 + k, 0] ^= word & (np.uint64(0) - ((bits >> np.uint64(k)) & _ONE))
        words[i + SPAN, 0] ^= _times_x_portable(word)
    _wrap(words, length)


@intrinsic
def _prefetch(_context: Any, address: Any) -> Any:
    """Ask the processor to have what is at ``address`` near."""

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        octets = I8.as_pointer()
        ask = function(builder, "llvm.prefetch.p0", ir.VoidType(), [octets, I32, I32, I32])
        read, near, data = I32(0), I32(3), I32(1)
        builder.call(ask, [builder.inttoptr(arguments[0], octets), read, near, data])
        return context.get_dummy_value()

    return types.void(types.intp), emit


@kernel
def _entry(random: Any, start: Any, length: Any) -> Any:
    """Return the entry of the region that a 32-bit random word chooses.

    All unsigned: of a signed index the compiled code would ask whether it counts from the end.
    """
    return np.uint64(start) + ((np.uint64(random) * np.uint64(length)) >> np.uint64(32))


@kernel
def _expand_pairs_avx512(out: Any, pairs: Any, start: Any, length: Any, random: Any) -> None:
    at = np.intp(pairs.ctypes.data)
    last = random.shape[0] - 1
    for i in range(out.shape[0]):
        _prefetch(at + 16 * np.intp(_entry(random[min(i + _AHEAD, last)], start, length)))
        j = _entry(random[i], start, length)
        low, high = out[i, 0] ^ pairs[j, 0], out[i, 1] ^ pairs[j, 1]
        out[i, 0], out[i, 1] = low, high


@kernel
def _expand_both_avx512(
    out: Any, out_words: Any, pairs: Any, words: Any, start: Any, length: Any, random: Any
) -> None:
    at, word_at = np.intp(pairs.ctypes.data), np.intp(words.ctypes.data)
    last = random.shape[0] - 1
    for i in range(out.shape[0]):
        ahead = np.intp(_entry(random[min(i + _AHEAD, last)], start, length))
        _prefetch(at + 16 * ahead)
        _prefetch(word_at + 8 * ahead)
        j = _entry(random[i], start, length)
        low, high = out[i, 0] ^ pairs[j, 0], out[i, 1] ^ pairs[j, 1]
        out[i, 0], out[i, 1] = low, high
        out_words[i, 0] ^= words[j, 0]


@kernel
def _expand_pairs_portable(out: Any, pairs: Any, start: Any, length: Any, random: Any) -> None:
    for i in range(out.shape[0]):
        j = _entry(random[i], start, length)
        out[i, 0] ^= pairs[j, 0]
        out[i, 1] ^= pairs[j, 1]


@kernel
def _expand_words_portable(out: Any, words: Any, start: Any, length: Any, random: Any) -> None:
    for i in range(out.shape[0]):
        out[i, 0] ^= words[_entry(random[i], start, length), 0]


def convolve(pairs: Words, words: Words | None, taps: Taps, *, portable: bool) -> None:
    """Convolve ``len(taps)`` pairs, and as many words where given, in place.

    ``pairs`` has shape (n + MARGIN, 2), ``words`` (n + MARGIN, 1), the margins zero, before and
    after; n is a multiple of eight and at least MARGIN.
    """
    length = len(taps)
    if length % 8 or length < MARGIN or taps.dtype != np.uint32 or not taps.flags.c_contiguous:
        raise ValueError(f"taps must be a multiple of eight 32-bit words, at least {MARGIN}")
    _check(pairs, 2, length + MARGIN)
    if words is not None:
        _check(words, 1, length + MARGIN)
    if portable:
        cast(Any, _convolve_pairs_portable)(pairs, taps)
        if words is not None:
            cast(Any, _convolve_words_portable)(words, taps)
    elif words is None:
        cast(Any, _convolve_pairs_avx512)(pairs, taps)
    else:
        cast(Any, _convolve_both_avx512)(pairs, words, taps)


def expand(
    out: tuple[Words, Words | None],
    source: tuple[Words, Words | None],
    region: range,
    random: Taps,
    *,
    portable: bool,
) -> None:
    """Add, to each entry of ``out``, the one of ``source`` that its random word chooses.

    Both are pairs and, where there are any, words. Entry i of ``out`` takes entry
    ``region.start + floor(random[i] len(region) / 2^32)`` of the source.
    """
    (out_pairs, out_words), (pairs, words) = out, source
    _check(pairs, 2, region.stop)
    _check(out_pairs, 2, len(out_pairs))
    if not 0 <= region.start < region.stop or region.step != 1:
        raise ValueError("the region must be a part of the source")
    if random.dtype != np.uint32 or random.ndim != 1 or not len(out_pairs) == len(random) > 0:
        raise ValueError("there must be a random 32-bit word for each entry")
    if (out_words is None) != (words is None):
        raise ValueError("out and source must both have words, or neither")
    bounds = (region.start, len(region), random)
    if words is None or out_words is None:
        run = _expand_pairs_portable if portable else _expand_pairs_avx512
        cast(Any, run)(out_pairs, pairs, *bounds)
        return
    _check(words, 1, region.stop)
    _check(out_words, 1, len(out_pairs))
    if portable:
        cast(Any, _expand_pairs_portable)(out_pairs, pairs, *bounds)
        cast(Any, _expand_words_portable)(out_words, words, *bounds)
    else:
        cast(Any, _expand_both_avx512)(out_pairs, out_words, pairs, words, *bounds)


def _check(vector: Words, width: int, entries: int) -> None:
    if vector.ndim != 2 or vector.shape[1] != width or len(vector) < entries:
        raise ValueError(f"a vector must have {entries} entries of {width} words")
    if vector.dtype != np.uint64 or not vector.flags.c_contiguous:
        raise ValueError("a vector must be contiguous 64-bit words")
