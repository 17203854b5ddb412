"""A second implementation of the whole protocol, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``. Sums are decrypted by trying
numbers in turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.protocols.base_ot.plain_base_ot import P256, SM2, Curve, Point
from tests.protocols.plain_suites import PlainSuite, pack
from tests.protocols.suite import plain_gm

VERSION = "fedcrm-psi-sum/1"
CHUNK = 8192
CURVES = {"gm": SM2, "intl": P256}


@dataclass(frozen=True)
class PlainParty:
    name: str
    role: str
    private_key: bytes
    seed: bytes
    items: list[bytes]
    values: list[int] = field(default_factory=list)

    def purpose(self, name: str) -> bytes:
        return f"{VERSION} {self.role} {name}".encode()


@dataclass(frozen=True)
class PlainRun:
    outbound: dict[str, list[bytes]]
    sizes: dict[str, int | None]
    totals: dict[str, int | None]
    statement: bytes
    signatures: dict[str, bytes]


def scalars(curve: Curve, stream: plain_gm.Stream, count: int) -> list[int]:
    return [1 + stream.below(curve.n - 1) for _ in range(count)]


def sum_points(curve: Curve, points: list[Point]) -> Point:
    total: Point = None
    for point in points:
        total = curve.add(total, point)
    return total


def logarithm(curve: Curve, point: Point) -> int:
    number, multiple = 0, None
    while multiple != point:
        number, multiple = number + 1, curve.add(multiple, curve.g)
    return number


def run(
    suite: PlainSuite,
    receiver: PlainParty,
    sender: PlainParty,
    *,
    context: bytes,
    floor: int,
    to: str,
) -> PlainRun:
    curve = CURVES[suite.name]
    parties = {"receiver": receiver, "sender": sender}
    dst = VERSION.encode() + b" " + suite.hash(context)

    def stream(party: PlainParty, purpose: str) -> plain_gm.Stream:
        return suite.stream(party.seed, party.purpose(purpose))

    scalar, order, blinded = {}, {}, {}
    for role, party in parties.items():
        scalar[role] = suite.scalar(stream(party, "scalar"))
        order[role] = stream(party, "order").permutation(len(party.items))
        hashed = [suite.hash_to_group(party.items[i], dst) for i in order[role]]
        blinded[role] = [suite.multiply(scalar[role], element) for element in hashed]
    shuffle = stream(sender, "shuffle").permutation(len(receiver.items))
    doubled = [suite.multiply(scalar["sender"], x) for x in blinded["receiver"]]
    evaluated = [doubled[i] for i in shuffle]

    (key,) = scalars(curve, stream(sender, "encryption key"), 1)
    public_key = curve.multiply(key, curve.g)
    ciphertexts = []
    draws = scalars(curve, stream(sender, "encryption"), len(sender.items))
    for r, i in zip(draws, order["sender"], strict=True):
        value = curve.multiply(sender.values[i], curve.g)
        second = curve.add(curve.multiply(r, public_key), value)
        ciphertexts.append((curve.multiply(r, curve.g), second))

    matching = [
        place
        for place, x in enumerate(blinded["sender"])
        if suite.multiply(scalar["receiver"], x) in set(evaluated)
    ]
    size = len(matching) if len(matching) >= floor else None

    sum_: list[Point] = []
    share: Point = None
    total = None
    if size is not None:
        (t,) = scalars(curve, stream(receiver, "re-randomisation"), 1)
        sum_ = [
            curve.add(
                sum_points(curve, [ciphertexts[place][half] for place in matching]),
                curve.multiply(t, base),
            )
            for half, base in ((0, curve.g), (1, public_key))
        ]
        share = curve.multiply(key, sum_[0])
        total = logarithm(curve, curve.add(sum_[1], curve.negate(share)))

    encoded = [curve.encode(first) + curve.encode(second) for first, second in ciphertexts]
    assert max(len(encoded), len(evaluated)) <= CHUNK
    lists = [b"".join(blinded["receiver"]), b"".join(evaluated)]
    lists.append(b"".join(blinded["sender"]) + b"".join(encoded))
    digests = [suite.hash(curve.encode(public_key))]
    digests += [suite.hash(data) for data in lists if data]
    shown = [curve.encode(point) for point in sum_][: 2 if to == "both" else 1]

    def state(parts: list[bytes], total: int | None) -> bytes:
        return json.dumps(
            {
                "context": context.hex(),
                "floor": floor,
                "intersection": size,
                "opened": size is not None,
                "receiver": receiver.name,
                "sender": sender.name,
                "sizes": {party.name: len(party.items) for party in parties.values()},
                "suite": suite.name,
                "to": to,
                "total": total,
                "transcript": suite.hash(b"".join(parts)).hex(),
                "version": VERSION,
            },
            separators=(",", ":"),
            sort_keys=True,
        ).encode()

    def signature(party: PlainParty, name: str, statement: bytes) -> bytes:
        entropy = suite.hkdf(party.seed, party.purpose(f"{name} signature entropy"), 32)
        return suite.sign(party.private_key, b"fedcrm/psi-sum/v1\0" + statement, entropy)

    outbound: dict[str, list[bytes]] = {}
    for role, party in parties.items():
        peer = receiver if role == "sender" else sender
        terms = [VERSION, suite.name, party.name, peer.name, role, context, floor, to]
        outbound[role] = [pack(["Terms", *terms, len(party.items)])]
    to_sender, to_receiver = outbound["receiver"], outbound["sender"]
    to_receiver.append(pack(["EncryptionKey", curve.encode(public_key)]))
    if sender.items:
        to_receiver.append(pack(["ValuedItems", b"".join(blinded["sender"]), b"".join(encoded)]))
    if receiver.items:
        to_sender.append(pack(["BlindedItems", b"".join(blinded["receiver"])]))
        to_receiver.append(pack(["EvaluatedItems", b"".join(evaluated)]))
    count = b"\xc0" if size is None else pack(size)
    to_sender.append(b"\x92" + pack("Cardinality") + count)

    statement = state(digests, None)
    name = "SizeStatement"
    signatures = {p.name: signature(p, name, statement) for p in parties.values()}
    for role, party in parties.items():
        outbound[role].append(pack([name, statement, signatures[party.name]]))
    if size is not None:
        to_sender.append(pack(["EncryptedSum", b"".join(shown)]))
        to_receiver.append(pack(["DecryptionShare", curve.encode(share)]))
        if to == "both":
            digests += [suite.hash(b"".join(shown)), suite.hash(curve.encode(share))]
            statement, name = state(digests, total), "SumStatement"
            signatures = {p.name: signature(p, name, statement) for p in parties.values()}
            for role, party in parties.items():
                outbound[role].append(pack([name, statement, signatures[party.name]]))
    return PlainRun(
        outbound={party.name: outbound[role] for role, party in parties.items()},
        sizes={receiver.name: len(matching), sender.name: size},
        totals={receiver.name: total, sender.name: total if to == "both" else None},
        statement=statement,
        signatures=signatures,
    )
