"""Sums over one level of GGM trees that stand side by side.

A level is an array of nodes, 16 bytes each as two words, in rows of one node per tree: node p of
tree i is entry ``p trees + i``. The left children come first, then the right ones, which may be
fewer. The loops are plain; both twins are this one code, in which the compiler finds the vectors.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from protocols.kernels.jit import kernel

Words = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


@kernel
def _sum_rows(words: Any, first: Any, last: Any, out: Any) -> None:
    """Write the exclusive or of rows first to last - 1 to ``out``, eight rows at a time.

    Rows are numbered without a sign: of a signed index the compiled code would ask whether it
    counts from the end, and the loop over columns would not become vectors.
    """
    one, first, last = np.uint64(1), np.uint64(first), np.uint64(last)
    whole = last - (last - first) % np.uint64(8)
    out[:] = np.uint64(0)
    for a in range(first, whole, np.uint64(8)):
        b = a + one
        c = b + one
        d = c + one
        e = d + one
        f = e + one
        g = f + one
        h = g + one
        for k in range(words.shape[1]):
            front = (words[a, k] ^ words[b, k]) ^ (words[c, k] ^ words[d, k])
            back = (words[e, k] ^ words[f, k]) ^ (words[g, k] ^ words[h, k])
            out[k] ^= front ^ back
    for row in range(whole, last):
        for k in range(words.shape[1]):
            out[k] ^= words[row, k]


@kernel
def _sum_sides(words: Any, left: Any, out: Any) -> None:
    _sum_rows(words, 0, left, out[0])
    _sum_rows(words, left, words.shape[0], out[1])


@kernel
def _complete(words: Any, paths: Any, level: Any, known: Any, sums: Any, totals: Any) -> None:
    rows = words.shape[0]
    left = np.int64(1) << level
    below = left - 1
    for i in range(paths.shape[0]):  # what was grown from a node nobody told us
        for row in (paths[i] & below, left + (paths[i] & below)):
            if row < rows:
                words[row, 2 * i] = words[row, 2 * i + 1] = np.uint64(0)
    _sum_rows(words, 0, left, sums[0])
    _sum_rows(words, left, rows, sums[1])
    for i in range(paths.shape[0]):
        side = 1 - (paths[i] >> level & 1)
        row = side * left + (paths[i] & below)
        for half in range(2):
            column = 2 * i + half
            totals[i, half] = sums[0, column] ^ sums[1, column]
            if row < rows:
                sibling = known[i, half] ^ sums[side, column]
                words[row, column] = sibling
                totals[i, half] ^= sibling


def sum_sides(nodes: Words, left: int, trees: int, out: Words) -> None:
    """Write each tree's sum of left children and of right children to ``out``, (2, trees, 2).

    ``left`` counts all trees' left children.
    """
    words = _rows(nodes, left, trees)
    if out.shape != (2, trees, 2) or not out.flags.c_contiguous:
        raise ValueError("out must hold one node per side and tree")
    cast(Any, _sum_sides)(words, left // trees, out.reshape(2, -1))


def complete(nodes: Words, paths: Indices, level: int, known: Words, totals: Words) -> None:
    """Put the missing children right, in a level grown from 2^level parents with one missing.

    In tree i the parent that was missing is the one numbered by the low ``level`` bits of
    ``paths[i]``; bit ``level`` says which of its children stays missing, and ``known[i]`` is the
    sum of all children on the other side, from which the other child follows. The missing ones are
    set to zero. Where the level is cut short before the other child there is none to find. Writes
    each tree's sum of all nodes to ``totals``.
    """
    trees = len(paths)
    words = _rows(nodes, trees << level, trees)
    if known.shape != (trees, 2) or totals.shape != (trees, 2):
        raise ValueError("known and totals must hold one node per tree")
    sums = np.empty((2, 2 * trees), np.uint64)
    cast(Any, _complete)(words, paths, level, known, sums, totals)


def _rows(nodes: Words, left: int, trees: int) -> Words:
    """Return the nodes in rows of one per tree."""
    if not nodes.flags.c_contiguous or nodes.ndim != 2 or nodes.shape[1] != 2:
        raise ValueError("nodes must be contiguous, two words each")
    if left % trees or len(nodes) % trees or not left <= len(nodes) <= 2 * left:
        raise ValueError("a level is whole rows, no more right children than left ones")
    return nodes.reshape(-1, 2 * trees)
