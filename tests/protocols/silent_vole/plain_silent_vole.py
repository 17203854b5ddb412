"""A second implementation of the whole protocol, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``. Elements of F are integers of
128 bits, the high plane in the high 64; a node of a tree is such an integer too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from tests.protocols.base_ot import plain_base_ot
from tests.protocols.base_ot.plain_base_ot import Primitives

VERSION = b"fedcrm-silent-vole/1"
TREES = 552
WORD = 2**64 - 1


def times_x(value: int) -> int:
    return value << 1 & WORD ^ (0x1B if value >> 63 else 0)


def reduced(polynomial: int) -> int:
    """A polynomial over GF(2) of degree below 128, modulo x^64 + x^4 + x^3 + x + 1."""
    for degree in range(127, 63, -1):
        if polynomial >> degree & 1:
            polynomial ^= (1 << 64 | 0x1B) << degree - 64
    return polynomial


def on_planes(value: int, function) -> int:
    return function(value & WORD) | function(value >> 64) << 64


@dataclass(frozen=True)
class Code:
    """The public code for a size: its random words."""

    outputs: int
    length: int
    taps: list[list[int]]
    chosen: list[list[int]]

    def encode(self, vector: list[int], *, twice_as_wide: bool) -> list[int]:
        """Return the first entries of G times ``vector``, as many as the code has rows kept."""
        step = (lambda v: on_planes(v, times_x)) if twice_as_wide else times_x
        head, z = vector[: self.outputs], vector[self.outputs :]
        n = len(z)
        for taps in self.taps:
            for i in range(n):
                for k in range(24):
                    if taps[i] >> k & 1:
                        z[(i + 1 + k) % n] ^= z[i]
                z[(i + 25) % n] ^= step(z[i])
        return [
            head[row] ^ reduce(xor, (z[region[row]] for region in self.chosen))
            for row in range(len(self.chosen[0]))
        ]


def code_words(suite: Primitives, part: str, count: int) -> list[int]:
    key = suite.hash(VERSION + b" code " + part.encode() + b"\0")[:16]
    blocks = b"".join(i.to_bytes(16, "little") for i in range(-(-count // 4)))
    data = bytes(map(xor, suite.encrypt(key, blocks), blocks))
    return [int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(count)]


def code(suite: Primitives, size: int) -> Code:
    outputs = -(-max(size, 2048) // 8) * 8
    length = TREES * -(-2 * outputs // TREES)
    n = length - outputs
    taps = [code_words(suite, f"taps {number}", n) for number in range(2)]
    chosen = []
    for number in range(7):
        start, stop = n * number // 7, n * (number + 1) // 7
        words = code_words(suite, f"region {number}", size)
        chosen.append([start + (word * (stop - start) >> 32) for word in words])
    return Code(outputs, length, taps, chosen)


@dataclass(frozen=True)
class PlainVole:
    outbound: dict[str, list[bytes]]
    a: list[int]
    c: list[int]
    delta: int
    b: list[int]


def run(
    suite: Primitives, size: int, context: bytes, receiver_seed: bytes, sender_seed: bytes
) -> PlainVole:
    public = code(suite, size)
    leaves = public.length // TREES
    depth = (leaves - 1).bit_length()

    keys = {
        name: suite.hash(VERSION + b" " + name.encode() + b"\0" + suite.hash(context))[:16]
        for name in ("left child", "right child", "extension pads")
    }

    def hashed(name: str, node: int) -> int:
        block = node.to_bytes(16, "little")
        return int.from_bytes(suite.encrypt(keys[name], block), "little") ^ node

    def words(seed: bytes, label: bytes, count: int) -> list[int]:
        data = suite.stream(seed, VERSION + b" " + label, 8 * count)
        return [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(count)]

    def bits(seed: bytes, count: int) -> list[int]:
        data = int.from_bytes(suite.stream(seed, VERSION + b" extension", count // 8), "little")
        return [data >> i & 1 for i in range(count)]

    def element(pair: list[int]) -> int:
        return pair[0] | pair[1] << 64

    # What each party draws.
    delta = element(words(sender_seed, b"sender delta", 2))
    roots = words(sender_seed, b"sender roots", 2 * TREES)
    width = -(-(leaves - 1).bit_length() // 8)
    drawn = suite.stream(receiver_seed, VERSION + b" receiver paths", 8 * TREES * width)
    paths: list[int] = []
    for start in range(0, len(drawn), width):
        word = int.from_bytes(drawn[start : start + width], "big")
        path = word % (1 << (leaves - 1).bit_length())
        if path < leaves and len(paths) < TREES:
            paths.append(path)
    beta = words(receiver_seed, b"receiver noise", TREES)
    delta_bits = [delta >> j & 1 for j in range(128)]
    transfers = plain_base_ot.run(
        suite,
        delta_bits,
        context,
        suite.hkdf(receiver_seed, VERSION + b" receiver base transfers"),
        suite.hkdf(sender_seed, VERSION + b" sender base transfers"),
    )

    # Oblivious transfer extension: transfer l TREES + i is of level l of tree i.
    count = depth * TREES
    choices = [1 - (paths[i] >> l & 1) for l in range(depth) for i in range(TREES)]
    t_columns = [bits(pair[0], count) for pair in transfers.pairs]
    u_columns = [
        [x ^ y ^ r for x, y, r in zip(t, bits(pair[1], count), choices, strict=True)]
        for t, pair in zip(t_columns, transfers.pairs, strict=True)
    ]
    t_rows = [sum(t_columns[j][i] << j for j in range(128)) for i in range(count)]
    q_columns = [
        [x ^ (y & d) for x, y in zip(bits(key, count), u, strict=True)]
        for key, u, d in zip(transfers.chosen, u_columns, delta_bits, strict=True)
    ]
    q_rows = [sum(q_columns[j][i] << j for j in range(128)) for i in range(count)]
    extension = b"".join(
        sum(bit << i for i, bit in enumerate(u)).to_bytes(count // 8, "little") for u in u_columns
    )

    # Base VOLE: sums of x^j times column j, for each plane, reduced at the end.
    c_sums, b_sums = ([[0, 0] for _ in range(TREES)] for _ in range(2))
    corrections = b""
    for j, (pair, key) in enumerate(zip(transfers.pairs, transfers.chosen, strict=True)):
        r0, r1 = (words(k, b"base vole", TREES) for k in pair)
        own = words(key, b"base vole", TREES)
        for i in range(TREES):
            sent = r0[i] ^ r1[i] ^ beta[i]
            corrections += sent.to_bytes(8, "little")
            c_sums[i][j // 64] ^= r0[i] << j % 64
            b_sums[i][j // 64] ^= (own[i] ^ (sent if delta_bits[j] else 0)) << j % 64
    c_base = [element([reduced(plane) for plane in planes]) for planes in c_sums]
    b_base = [element([reduced(plane) for plane in planes]) for planes in b_sums]

    # Trees: node p of a level has its children at p and at p + the level's number of nodes.
    def place(tree: int, leaf: int) -> int:
        return tree // 8 * 8 * leaves + 8 * leaf + tree % 8

    b_vector, c_vector, noise = ([0] * public.length for _ in range(3))
    sums = {}
    totals = []
    for i in range(TREES):
        nodes = [roots[2 * i] | roots[2 * i + 1] << 64]
        for level in range(depth):
            left = [hashed("left child", node) for node in nodes]
            right = [hashed("right child", node) for node in nodes]
            right = right[: leaves - len(left)]
            nodes = left + right
            for side, children in ((0, left), (1, right)):
                row = q_rows[level * TREES + i] ^ (delta if side else 0)
                sums[level, side, i] = reduce(xor, children) ^ hashed("extension pads", row)
        totals.append(reduce(xor, nodes) ^ b_base[i])
        for leaf, node in enumerate(nodes):
            b_vector[place(i, leaf)] = node

        # The Receiver: every node but those on the path.
        known: list[int | None] = [None]
        for level in range(depth):
            children = [
                None if node is None else hashed(name, node)
                for name in ("left child", "right child")
                for node in known
            ][:leaves]
            side = 1 - (paths[i] >> level & 1)
            other = (paths[i] & (1 << level) - 1) + side * len(known)
            if other < len(children):
                pad = hashed("extension pads", t_rows[level * TREES + i])
                half = slice(len(known)) if side == 0 else slice(len(known), None)
                seen = reduce(xor, (node for node in children[half] if node is not None), 0)
                children[other] = sums[level, side, i] ^ pad ^ seen
            known = children
        assert [leaf for leaf, node in enumerate(known) if node is None] == [paths[i]]
        rest = reduce(xor, (node for node in known if node is not None))
        known[paths[i]] = totals[i] ^ c_base[i] ^ rest
        for leaf, node in enumerate(known):
            assert node is not None
            c_vector[place(i, leaf)] = node
        noise[place(i, paths[i])] = beta[i]

    levels = b"".join(
        sums[level, side, i].to_bytes(16, "little")
        for level in range(depth)
        for side in range(2)
        for i in range(TREES)
    )
    return PlainVole(
        outbound={
            "r": [transfers.sender_points, extension + corrections],
            "s": [
                transfers.receiver_points,
                levels + b"".join(total.to_bytes(16, "little") for total in totals),
            ],
        },
        a=public.encode(noise, twice_as_wide=False),
        c=public.encode(c_vector, twice_as_wide=True),
        delta=delta,
        b=public.encode(b_vector, twice_as_wide=True),
    )
