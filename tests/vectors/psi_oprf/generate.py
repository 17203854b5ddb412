"""Writes gm_*.json and intl_*.json; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/psi_oprf/generate.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from protocols.psi_oprf import (
    draw_epoch_key,
    evaluate_set,
    hear_matches,
    receiver,
    sender,
    tell_matches,
)
from protocols.suite import get_suite

CONTEXT = bytes.fromhex("5ec0") * 16
EPOCH_SEED = bytes(range(64, 96))


class Case(NamedTuple):
    """Numbers of the bank's and the retailer's customers, and the terms."""

    bank: tuple[int, ...]
    retailer: tuple[int, ...]
    cached: bool = False
    quota: int = 1000
    quota_left: int = 10


USUAL = ((7, 1, 5), (2, 3, 5, 8, 7, 6, 11, 12, 13))
CASES = {
    f"{suite}_{name}": (suite, case)
    for suite in ("gm", "intl")
    for name, case in {
        "1": Case(*USUAL),
        "2_cached": Case(*USUAL, cached=True),
        "3_nothing_shared": Case((1, 2), (3,), quota=1 << 30),
        "4_no_query": Case((), (3, 4)),
        "5_empty_set": Case((1, 2), ()),
    }.items()
}


def build(name: str, drive: Callable[..., Any]) -> dict[str, Any]:
    """Return the vector ``name``; ``drive`` runs roles against each other (tests/drive.py)."""
    suite_name, case = CASES[name]
    suite = get_suite(suite_name, "portable")
    signing = {
        "bank": suite.generate_signing_key(b"\x01" * 32),
        "retailer": suite.generate_signing_key(b"\x02" * 32),
    }
    seeds = {"bank": bytes(range(32)), "retailer": bytes(range(32, 64))}
    sets = {
        party: [suite.hash(f"customer {number}".encode()) for number in numbers]
        for party, numbers in (("bank", case.bank), ("retailer", case.retailer))
    }
    arrays = {
        party: np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)
        for party, digests in sets.items()
    }
    key = draw_epoch_key(suite, EPOCH_SEED)
    made = finished(evaluate_set(arrays["retailer"], suite=suite, key=key, quota=case.quota))

    def session(party: str, peer: str) -> dict[str, Any]:
        return {
            "party": party,
            "peer": peer,
            "suite": suite,
            "context": CONTEXT,
            "private_key": signing[party][0],
            "peer_public_key": signing[peer][1],
            "seed": seeds[party],
        }

    cached = made.tag_set if case.cached else None
    results, transcript = drive(
        {
            "bank": receiver(arrays["bank"], cached=cached, **session("bank", "retailer")),
            "retailer": sender(
                made.tag_set,
                key=key,
                quota_left=case.quota_left,
                **session("retailer", "bank"),
            ),
        }
    )
    told, answers = drive(
        {
            "bank": tell_matches(results["bank"].places, peer="retailer"),
            "retailer": hear_matches(len(made.order), len(case.bank), peer="bank"),
        }
    )
    messages = transcript.messages + answers.messages
    positions = {"bank": results["bank"].positions, "retailer": made.order[told["retailer"]]}
    return {
        "suite": suite_name,
        "context": CONTEXT.hex(),
        "cached": case.cached,
        "quota": case.quota,
        "quota_left": case.quota_left,
        "receiver": "bank",
        "sender": "retailer",
        "epoch": {"seed": EPOCH_SEED.hex(), "id": key.id.hex(), "scalar": key.scalar.hex()},
        "tags": [tag.tobytes().hex() for tag in made.tag_set.tags],
        "order": made.order.tolist(),
        "tag_set": made.tag_set.digest.hex(),
        "parties": {
            party: {
                "private_key": signing[party][0].hex(),
                "public_key": signing[party][1].hex(),
                "seed": seeds[party].hex(),
                "items": [item.hex() for item in sets[party]],
                "outbound": [data.hex() for by, _, _, data in messages if by == party],
                "positions": positions[party].tolist(),
                "signature": results[party].signatures[party].hex(),
            }
            for party in ("bank", "retailer")
        },
        "statement": results["bank"].statement.decode(),
    }


def finished(generator: Any) -> Any:
    """Return what ``generator`` returns at its end."""
    try:
        while True:
            next(generator)
    except StopIteration as stop:
        return stop.value


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from drive import drive as run

    for case_name in CASES:
        target = Path(__file__).with_name(f"{case_name}.json")
        target.write_text(json.dumps(build(case_name, run), indent=2) + "\n", "utf-8")
