"""A second implementation of the whole protocol, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``: the group, hash, stream and
signature are those of ``tests.protocols.suite.plain_gm``, and MessagePack is written by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.protocols.suite import plain_gm

VERSION = "fedcrm-psi-ecdh/1"
CHUNK = 1024


@dataclass(frozen=True)
class PlainParty:
    name: str
    role: str
    private_key: bytes
    seed: bytes
    items: list[bytes]

    def stream(self, purpose: str) -> plain_gm.Stream:
        return plain_gm.Stream(self.seed, f"{VERSION} {self.role} {purpose}".encode())


@dataclass(frozen=True)
class PlainRun:
    outbound: dict[str, list[bytes]]
    positions: dict[str, list[int]]
    statement: bytes
    signatures: dict[str, bytes]


def pack(value: object) -> bytes:
    """MessagePack, the shortest form of each type."""
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 + len(value)]) + b"".join(map(pack, value))
    if isinstance(value, str):
        data = value.encode()
        head = bytes([0xA0 + len(data)]) if len(data) < 32 else bytes([0xD9, len(data)])
        return head + data
    if isinstance(value, bytes):
        if len(value) < 1 << 8:
            return bytes([0xC4, len(value)]) + value
        return b"\xc5" + len(value).to_bytes(2, "big") + value
    assert isinstance(value, int)
    if value < 128:
        return bytes([value])
    if value < 1 << 8:
        return bytes([0xCC, value])
    return b"\xcd" + value.to_bytes(2, "big")


def chunks(name: str, parts: list[bytes]) -> list[bytes]:
    return [
        pack([name, b"".join(parts[start : start + CHUNK])])
        for start in range(0, len(parts), CHUNK)
    ]


def element(point: tuple[int, int]) -> bytes:
    return point[0].to_bytes(32, "big")


def run(receiver: PlainParty, sender: PlainParty, context: bytes, floor: int) -> PlainRun:
    parties = {"receiver": receiver, "sender": sender}
    other = {"receiver": sender, "sender": receiver}
    tag = VERSION.encode() + b" " + plain_gm.sm3(context) + b"-with-SM2_XMD:SM3_SSWU_NU_"

    order, scalar, blinded, shuffle, evaluated = {}, {}, {}, {}, {}
    for role, party in parties.items():
        scalar[role] = 1 + party.stream("scalar").below(plain_gm.N - 1)
        order[role] = party.stream("order").permutation(len(party.items))
        points = [plain_gm.encode_to_curve(party.items[i], tag) for i in order[role]]
        blinded[role] = [element(plain_gm.multiply(scalar[role], point)) for point in points]
        # The shuffle of a party's items is the other party's secret.
        shuffle[role] = other[role].stream("shuffle").permutation(len(party.items))
    for role in parties:
        by = other[role].role
        doubled = [
            element(plain_gm.multiply(scalar[by], plain_gm.lift(int.from_bytes(x, "big"))))
            for x in blinded[role]
        ]
        evaluated[role] = [doubled[i] for i in shuffle[role]]

    shared = sorted(set(evaluated["receiver"]) & set(evaluated["sender"]))
    lists = [blinded["receiver"], evaluated["receiver"], blinded["sender"], evaluated["sender"]]
    transcript = plain_gm.sm3(
        b"".join((32 * len(parts)).to_bytes(8, "big") + b"".join(parts) for parts in lists)
    )
    statement = json.dumps(
        {
            "context": context.hex(),
            "floor": floor,
            "intersection": len(shared),
            "opened": len(shared) >= floor,
            "receiver": receiver.name,
            "sender": sender.name,
            "sizes": {party.name: len(party.items) for party in parties.values()},
            "suite": "gm",
            "transcript": transcript.hex(),
            "version": VERSION,
        },
        separators=(",", ":"),
        sort_keys=True,
    ).encode()

    outbound, positions, signatures = {}, {}, {}
    for role, party in parties.items():
        peer = other[role]
        entropy = plain_gm.hkdf(party.seed, f"{VERSION} {role} signature entropy".encode(), 32)
        signatures[party.name] = plain_gm.sign(
            party.private_key, b"fedcrm/psi-size/v1\0" + statement, entropy
        )
        terms = [VERSION, "gm", party.name, peer.name, role, context, floor, len(party.items)]
        messages = [pack(["Terms", *terms])]
        messages += chunks("BlindedItems", blinded[role])
        messages += chunks("EvaluatedItems", evaluated[peer.role])
        messages.append(pack(["SizeStatement", statement, signatures[party.name]]))
        positions[party.name] = []
        if len(shared) >= floor:
            indices = [i.to_bytes(4, "big") for i in shuffle[peer.role]]
            messages += chunks("Opening", indices)
            sent = [shuffle[role][evaluated[role].index(x)] for x in shared]
            positions[party.name] = [order[role][i] for i in sent]
        outbound[party.name] = messages
    return PlainRun(outbound, positions, statement, signatures)
