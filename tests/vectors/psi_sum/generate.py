"""Writes gm_*.json and intl_*.json; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/psi_sum/generate.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protocols.psi_sum import receiver, sender
from protocols.psi_sum.messages import To
from protocols.suite import get_suite

CONTEXT = bytes.fromhex("5ec0") * 16


class Case(NamedTuple):
    """Numbers of the bank's customers; the retailer's, with their values; and the terms."""

    bank: tuple[int, ...]
    retailer: dict[int, int]
    floor: int
    to: To = "both"


USUAL = ((7, 1, 5, 3, 9), {2: 40, 3: 125, 5: 0, 8: 2**32 - 1, 7: 310, 6: 77}, 3)
CASES = {
    f"{suite}_{name}": (suite, case)
    for suite in ("gm", "intl")
    for name, case in {
        "1": Case(*USUAL),
        "2_below_the_floor": Case(*USUAL[:2], 4),
        "3_nothing_shared": Case((1, 2), {3: 5}, 1),
        "4_empty": Case((), {3: 5, 4: 6}, 1),
        "5_to_receiver": Case(*USUAL, "receiver"),
        "6_zero": Case((1, 2), {2: 0, 1: 0}, 1),
    }.items()
}


def build(name: str, drive: Callable[..., Any]) -> dict[str, Any]:
    """Return the vector ``name``; ``drive`` runs roles against each other (tests/drive.py)."""
    suite_name, case = CASES[name]
    suite = get_suite(suite_name, "portable")
    keys = {
        "bank": suite.generate_signing_key(b"\x01" * 32),
        "retailer": suite.generate_signing_key(b"\x02" * 32),
    }
    seeds = {"bank": bytes(range(32)), "retailer": bytes(range(32, 64))}
    sets = {
        party: [suite.hash(f"customer {number}".encode()) for number in numbers]
        for party, numbers in (("bank", case.bank), ("retailer", case.retailer))
    }
    values = list(case.retailer.values())

    def arguments(party: str, peer: str) -> dict[str, Any]:
        return {
            "party": party,
            "peer": peer,
            "suite": suite,
            "context": CONTEXT,
            "floor": case.floor,
            "to": case.to,
            "private_key": keys[party][0],
            "peer_public_key": keys[peer][1],
            "seed": seeds[party],
        }

    def rows(party: str) -> Any:
        return np.frombuffer(b"".join(sets[party]), dtype=np.uint8).reshape(-1, 32)

    roles = {
        "bank": receiver(rows("bank"), **arguments("bank", "retailer")),
        "retailer": sender(
            rows("retailer"), np.array(values, dtype=np.int64), **arguments("retailer", "bank")
        ),
    }
    results, transcript = drive(roles)
    return {
        "suite": suite_name,
        "context": CONTEXT.hex(),
        "floor": case.floor,
        "to": case.to,
        "receiver": "bank",
        "sender": "retailer",
        "parties": {
            party: {
                "private_key": keys[party][0].hex(),
                "public_key": keys[party][1].hex(),
                "seed": seeds[party].hex(),
                "items": [item.hex() for item in sets[party]],
                "values": values if party == "retailer" else [],
                "outbound": [data.hex() for by, _, _, data in transcript.messages if by == party],
                "size": results[party].size,
                "total": results[party].total,
                "signature": results[party].signatures[party].hex(),
            }
            for party in roles
        },
        "statement": results["bank"].statement.decode(),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from drive import drive as run

    for case_name in CASES:
        target = Path(__file__).with_name(f"{case_name}.json")
        target.write_text(json.dumps(build(case_name, run), indent=2) + "\n", "utf-8")
