"""A second implementation of the whole protocol, from SPEC.md §3 and §4, in plain integers.

It computes both parties at once and uses nothing of ``protocols``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.protocols.plain_suites import PlainSuite, pack
from tests.protocols.suite import plain_gm

VERSION = "fedcrm-psi-ecdh/2"
CHUNK = 8192


@dataclass(frozen=True)
class PlainParty:
    name: str
    role: str
    private_key: bytes
    seed: bytes
    items: list[bytes]

    def purpose(self, name: str) -> bytes:
        return f"{VERSION} {self.role} {name}".encode()


@dataclass(frozen=True)
class PlainRun:
    outbound: dict[str, list[bytes]]
    sizes: dict[str, int | None]
    positions: dict[str, list[int]]
    statement: bytes
    signatures: dict[str, bytes]


def chunks(name: str, parts: list[bytes]) -> list[bytes]:
    assert len(parts) <= CHUNK
    return [pack([name, b"".join(parts)])] if parts else []


def run(
    suite: PlainSuite,
    receiver: PlainParty,
    sender: PlainParty,
    *,
    context: bytes,
    floor: int,
    reveal: str,
    to: str,
) -> PlainRun:
    parties = {"receiver": receiver, "sender": sender}
    other = {"receiver": sender, "sender": receiver}
    dst = VERSION.encode() + b" " + suite.hash(context)
    size_for_both = reveal == "list" or to == "both"

    def stream(party: PlainParty, purpose: str) -> plain_gm.Stream:
        return suite.stream(party.seed, party.purpose(purpose))

    order, scalar, blinded, shuffle, evaluated = {}, {}, {}, {}, {}
    for role, party in parties.items():
        scalar[role] = suite.scalar(stream(party, "scalar"))
        order[role] = stream(party, "order").permutation(len(party.items))
        points = [suite.hash_to_group(party.items[i], dst) for i in order[role]]
        blinded[role] = [suite.multiply(scalar[role], point) for point in points]
        # The shuffle of a party's items is the other party's secret.
        shuffle[role] = stream(other[role], "shuffle").permutation(len(party.items))
    for role in parties:
        by = other[role].role
        doubled = [suite.multiply(scalar[by], x) for x in blinded[role]]
        evaluated[role] = [doubled[i] for i in shuffle[role]]

    shared = set(evaluated["receiver"]) & set(evaluated["sender"])
    opened = reveal == "list" and len(shared) >= floor
    lists = [blinded["receiver"], evaluated["receiver"], blinded["sender"]]
    if size_for_both:
        lists.append(evaluated["sender"])
    transcript = suite.hash(b"".join(suite.hash(b"".join(parts)) for parts in lists))
    statement = json.dumps(
        {
            "context": context.hex(),
            "floor": floor,
            "intersection": len(shared) if size_for_both else None,
            "opened": opened,
            "receiver": receiver.name,
            "reveal": reveal,
            "sender": sender.name,
            "sizes": {party.name: len(party.items) for party in parties.values()},
            "suite": suite.name,
            "to": to,
            "transcript": transcript.hex(),
            "version": VERSION,
        },
        separators=(",", ":"),
        sort_keys=True,
    ).encode()

    outbound, sizes, positions, signatures = {}, {}, {}, {}
    for role, party in parties.items():
        peer = other[role]
        entropy = suite.hkdf(party.seed, party.purpose("signature entropy"), 32)
        signatures[party.name] = suite.sign(
            party.private_key, b"fedcrm/psi-size/v2\0" + statement, entropy
        )
        terms = [VERSION, suite.name, party.name, peer.name, role, context, floor, reveal, to]
        messages = [pack(["Terms", *terms, len(party.items)])]
        messages += chunks("BlindedItems", blinded[role])
        if role == "sender" or size_for_both:
            messages += chunks("EvaluatedItems", evaluated[peer.role])
        messages.append(pack(["SizeStatement", statement, signatures[party.name]]))
        if opened and (role == "sender" or to == "both"):
            messages += chunks("Opening", [i.to_bytes(4, "big") for i in shuffle[peer.role]])
        outbound[party.name] = messages

        sizes[party.name] = len(shared) if role == "receiver" or size_for_both else None
        positions[party.name] = []
        if opened and (role == "receiver" or to == "both"):
            sent = [shuffle[role][evaluated[role].index(x)] for x in shared]
            positions[party.name] = sorted(
                (order[role][i] for i in sent), key=lambda i: party.items[i]
            )
    return PlainRun(outbound, sizes, positions, statement, signatures)
