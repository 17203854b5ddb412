"""A second implementation of both roles, from SPEC.md §3 and §4, in plain integers.

The VOLE's results are given to it; it uses nothing of ``protocols``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.protocols.kernels.plain_gf64 import times
from tests.protocols.okvs.plain_okvs import PlainOkvs, block_hash
from tests.protocols.plain_suites import PLAIN, pack

VERSION = "fedcrm-psi-vole/1"


@dataclass(frozen=True)
class PlainParty:
    name: str
    role: str
    seed: bytes
    items: list[bytes]


@dataclass(frozen=True)
class PlainVole:
    delta: tuple[int, int]
    mask: list[int]
    sender: tuple[list[int], list[int]]
    receiver: tuple[list[int], list[int]]


@dataclass(frozen=True)
class PlainRun:
    outbound: dict[str, list[bytes]]
    positions: list[int]
    order: list[int]
    answer: bytes


class PlainHashes:
    def __init__(self, suite: str, size: int, salt: bytes, context: bytes) -> None:
        def derive(purpose: str, length: int) -> bytes:
            return PLAIN[suite].hkdf(salt, f"{VERSION} {purpose} ".encode() + context, length)

        self.okvs = PlainOkvs(suite, size, derive("okvs", 32))
        self._value = block_hash(suite, derive("value", 16))
        self._tag = block_hash(suite, derive("tag", 16))

    def value(self, item: bytes) -> int:
        return int.from_bytes(self._value(item[:16])[:8], "little")

    def tag(self, low: int, high: int, width: int) -> bytes:
        return self._tag(low.to_bytes(8, "little") + high.to_bytes(8, "little"))[:width]


def tag_bytes(receiver_size: int, sender_size: int) -> int:
    width = 1
    while 2 ** (8 * width) < 2**40 * sender_size * max(receiver_size, sender_size // 2):
        width += 1
    return width


def chunks(name: str, entries: list[bytes]) -> list[bytes]:
    if not entries:
        return []
    length = (1 << 20) // len(entries[0])
    parts = [entries[start : start + length] for start in range(0, len(entries), length)]
    return [pack([name, b"".join(part)]) for part in parts]


def salt_of(suite: str, receiver: PlainParty) -> bytes:
    return PLAIN[suite].stream(receiver.seed, f"{VERSION} receiver salt".encode()).bytes(32)


def run(
    suite: str, receiver: PlainParty, sender: PlainParty, *, context: bytes, vole: PlainVole
) -> PlainRun:
    salt = salt_of(suite, receiver)
    hashes = PlainHashes(suite, len(receiver.items), salt, context)
    outbound = {
        own.name: [
            pack(
                [
                    "Terms",
                    VERSION,
                    suite,
                    own.name,
                    peer.name,
                    own.role,
                    context,
                    len(own.items),
                    salt if own is receiver else b"",
                ]
            )
        ]
        for own, peer in ((receiver, sender), (sender, receiver))
    }
    width = tag_bytes(len(receiver.items), len(sender.items))

    keys = [item[:16] for item in receiver.items]
    encoded = hashes.okvs.encode(keys, [hashes.value(item) for item in receiver.items])
    masked = [p ^ a for p, a in zip(encoded, vole.mask, strict=True)]
    columns = [word.to_bytes(8, "little") for word in masked]
    outbound[receiver.name] += chunks("MaskedColumns", columns)

    keyed = [
        [b ^ times(delta, column) for b, column in zip(plane, masked, strict=True)]
        for delta, plane in zip(vole.delta, vole.sender, strict=True)
    ]

    def sender_tag(item: bytes) -> bytes:
        value = hashes.value(item)
        low, high = (
            hashes.okvs.decode(plane, item[:16]) ^ times(delta, value)
            for delta, plane in zip(vole.delta, keyed, strict=True)
        )
        return hashes.tag(low, high, width)

    sent = sorted((sender_tag(item), index) for index, item in enumerate(sender.items))
    outbound[sender.name] += chunks("Tags", [tag for tag, _ in sent])

    def receiver_tag(item: bytes) -> bytes:
        low, high = (hashes.okvs.decode(plane, item[:16]) for plane in vole.receiver)
        return hashes.tag(low, high, width)

    own_tags = [receiver_tag(item) for item in receiver.items]
    tags = {tag for tag, _ in sent}
    bits = sum(1 << i for i, (tag, _) in enumerate(sent) if tag in own_tags)
    return PlainRun(
        outbound,
        [i for i, tag in enumerate(own_tags) if tag in tags],
        [index for _, index in sent],
        bits.to_bytes(-(-len(sent) // 8), "little"),
    )
