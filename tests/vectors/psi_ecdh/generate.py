"""Writes gm_*.json with the product's code; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/psi_ecdh/generate.py
"""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

from protocols import wire
from protocols.identifiers import normalise, protocol_input
from protocols.intersection import Intersection
from protocols.psi_ecdh import receiver, sender
from protocols.roles import Receive, Role, Send
from protocols.suite import get_suite

SUITE = get_suite("gm")
CONTEXT = bytes.fromhex("5ec0") * 16
# name: (numbers of the bank's customers, of the retailer's, floor)
CASES = {
    "gm_1": ((7, 1, 5, 3, 9), (2, 3, 5, 8, 7, 6), 3),
    "gm_2_below_the_floor": ((7, 1, 5, 3, 9), (2, 3, 5, 8, 7, 6), 4),
    "gm_3_nothing_shared": ((1, 2), (3,), 1),
    "gm_4_empty": ((), (3, 4), 1),
}


def items(numbers: tuple[int, ...]) -> list[bytes]:
    return [
        protocol_input(SUITE, "opaque", normalise("opaque", f"customer {number}"))
        for number in numbers
    ]


def build(name: str) -> dict:
    bank_numbers, retailer_numbers, floor = CASES[name]
    keys = {
        "bank": SUITE.generate_signing_key(b"\x01" * 32),
        "retailer": SUITE.generate_signing_key(b"\x02" * 32),
    }
    seeds = {"bank": bytes(range(32)), "retailer": bytes(range(32, 64))}
    sets = {"bank": items(bank_numbers), "retailer": items(retailer_numbers)}
    roles: dict[str, Role[Intersection]] = {
        party: play(
            sets[party],
            party=party,
            peer=peer,
            suite=SUITE,
            context=CONTEXT,
            floor=floor,
            private_key=keys[party][0],
            peer_public_key=keys[peer][1],
            seed=seeds[party],
        )
        for play, party, peer in ((receiver, "bank", "retailer"), (sender, "retailer", "bank"))
    }
    outbound, results = run(roles)
    return {
        "suite": "gm",
        "context": CONTEXT.hex(),
        "floor": floor,
        "receiver": "bank",
        "sender": "retailer",
        "parties": {
            party: {
                "private_key": keys[party][0].hex(),
                "public_key": keys[party][1].hex(),
                "seed": seeds[party].hex(),
                "items": [item.hex() for item in sets[party]],
                "outbound": [data.hex() for data in outbound[party]],
                "positions": results[party].positions,
                "signature": results[party].signatures[party].hex(),
            }
            for party in roles
        },
        "statement": results["bank"].statement.decode(),
    }


def run(
    roles: dict[str, Role[Intersection]],
) -> tuple[dict[str, list[bytes]], dict[str, Intersection]]:
    """Run two roles against each other; return what each sent, and their results."""
    outbound: dict[str, list[bytes]] = {party: [] for party in roles}
    inbox: dict[str, deque[bytes]] = {party: deque() for party in roles}
    waiting: dict[str, Receive | None] = dict.fromkeys(roles)
    results: dict[str, Intersection] = {}
    while len(results) < len(roles):
        for party, role in roles.items():
            try:
                while party not in results:
                    awaited = waiting[party]
                    if awaited is not None and not inbox[party]:
                        break
                    value = awaited and wire.decode(inbox[party].popleft(), awaited.type)
                    request = role.send(value)
                    waiting[party] = request if isinstance(request, Receive) else None
                    if isinstance(request, Send):
                        outbound[party].append(wire.encode(request.message))
                        inbox[request.to].append(outbound[party][-1])
            except StopIteration as stop:
                results[party] = stop.value
    return outbound, results


if __name__ == "__main__":
    for case in CASES:
        target = Path(__file__).with_name(f"{case}.json")
        target.write_text(json.dumps(build(case), indent=2) + "\n", "utf-8")
