"""Writes gm_*.json and intl_*.json; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/psi_ecdh/generate.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protocols.psi_ecdh import receiver, sender
from protocols.psi_ecdh.messages import Reveal, To
from protocols.suite import get_suite

CONTEXT = bytes.fromhex("5ec0") * 16


class Case(NamedTuple):
    """Numbers of the bank's and the retailer's customers, and the terms."""

    bank: tuple[int, ...]
    retailer: tuple[int, ...]
    floor: int
    reveal: Reveal = "list"
    to: To = "both"


USUAL = ((7, 1, 5, 3, 9), (2, 3, 5, 8, 7, 6), 3)
CASES = {
    f"{suite}_{name}": (suite, case)
    for suite in ("gm", "intl")
    for name, case in {
        "1": Case(*USUAL),
        "2_below_the_floor": Case(*USUAL[:2], 4),
        "3_nothing_shared": Case((1, 2), (3,), 1),
        "4_empty": Case((), (3, 4), 1),
        "5_list_to_receiver": Case(*USUAL, "list", "receiver"),
        "6_size_to_both": Case(*USUAL, "size", "both"),
        "7_size_to_receiver": Case(*USUAL, "size", "receiver"),
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
    roles = {
        party: play(
            np.frombuffer(b"".join(sets[party]), dtype=np.uint8).reshape(-1, 32),
            party=party,
            peer=peer,
            suite=suite,
            context=CONTEXT,
            floor=case.floor,
            reveal=case.reveal,
            to=case.to,
            private_key=keys[party][0],
            peer_public_key=keys[peer][1],
            seed=seeds[party],
        )
        for play, party, peer in ((receiver, "bank", "retailer"), (sender, "retailer", "bank"))
    }
    results, transcript = drive(roles)
    return {
        "suite": suite_name,
        "context": CONTEXT.hex(),
        "floor": case.floor,
        "reveal": case.reveal,
        "to": case.to,
        "receiver": "bank",
        "sender": "retailer",
        "parties": {
            party: {
                "private_key": keys[party][0].hex(),
                "public_key": keys[party][1].hex(),
                "seed": seeds[party].hex(),
                "items": [item.hex() for item in sets[party]],
                "outbound": [data.hex() for by, _, _, data in transcript.messages if by == party],
                "size": results[party].size,
                "positions": results[party].positions.tolist(),
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
