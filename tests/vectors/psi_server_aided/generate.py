"""Writes gm_*.json with the product's code; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/psi_server_aided/generate.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from protocols.identifiers import normalise, protocol_input
from protocols.psi_server_aided import (
    VERSION,
    TokenList,
    agree_keys,
    confirm_matches,
    match,
    tokens,
)
from protocols.suite import get_suite
from protocols.wire import encode

SUITE = get_suite("gm")
CONTEXT = bytes.fromhex("5ec0") * 16
PEER = {"bank": "retailer", "retailer": "bank"}
# name: (numbers of the bank's customers, of the retailer's, floor)
CASES = {
    "gm_1": ((7, 1, 5, 3, 9), (2, 3, 5, 8, 7, 6, 11, 12, 13), 3),
    "gm_2_below_the_floor": ((7, 1, 5, 3, 9), (2, 3, 5, 8, 7, 6, 11, 12, 13), 4),
    "gm_3_nothing_shared": ((1, 2), (3,), 1),
    "gm_4_empty": ((), (3, 4), 1),
}


def items(numbers: tuple[int, ...]) -> list[bytes]:
    return [
        protocol_input(SUITE, "opaque", normalise("opaque", f"customer {number}"))
        for number in numbers
    ]


def build(name: str, drive: Callable[..., Any]) -> dict[str, Any]:
    """Return the vector ``name``; ``drive`` runs roles against each other (tests/drive.py)."""
    *numbers, floor = CASES[name]
    sets = {party: items(chosen) for party, chosen in zip(PEER, numbers, strict=True)}
    signing = {
        "bank": SUITE.generate_signing_key(b"\x01" * 32),
        "retailer": SUITE.generate_signing_key(b"\x02" * 32),
    }
    seeds = {
        "bank": {"keys": bytes(range(32)), "matches": bytes(range(32, 64))},
        "retailer": {"keys": bytes(range(64, 96)), "matches": bytes(range(96, 128))},
    }

    def session(party: str, step: str) -> dict[str, Any]:
        return {
            "party": party,
            "peer": PEER[party],
            "suite": SUITE,
            "context": CONTEXT,
            "private_key": signing[party][0],
            "peer_public_key": signing[PEER[party]][1],
            "seed": seeds[party][step],
        }

    keys, key_transcript = drive({party: agree_keys(**session(party, "keys")) for party in PEER})
    own = {
        party: tokens(np.frombuffer(b"".join(sets[party]), np.uint8).reshape(-1, 32), key, SUITE)
        for party, key in keys.items()
    }
    lists = {
        party: TokenList(VERSION, party, PEER[party], CONTEXT, own[party].tokens) for party in PEER
    }
    answers = match(lists, context=CONTEXT, floor=floor)
    results, transcript = drive(
        {
            party: confirm_matches(
                answers[party],
                own=own[party],
                keys=keys[party],
                floor=floor,
                **session(party, "matches"),
            )
            for party in PEER
        }
    )
    return {
        "suite": "gm",
        "context": CONTEXT.hex(),
        "floor": floor,
        "keys": {
            "token": keys["bank"].token_key.hex(),
            "hash": keys["bank"].hash_key.hex(),
            "match": keys["bank"].match_key.hex(),
        },
        "parties": {
            party: {
                "private_key": signing[party][0].hex(),
                "public_key": signing[party][1].hex(),
                "seeds": {step: seed.hex() for step, seed in seeds[party].items()},
                "items": [item.hex() for item in sets[party]],
                "key_messages": sent(key_transcript, party),
                "token_list": encode(lists[party]).hex(),
                "answer": encode(answers[party]).hex(),
                "messages": sent(transcript, party),
                "positions": results[party].positions.tolist(),
                "signature": results[party].signatures[party].hex(),
            }
            for party in PEER
        },
        "statement": results["bank"].statement.decode(),
    }


def sent(transcript: Any, party: str) -> list[str]:
    """Return the messages of ``party``, in order."""
    return [data.hex() for sender, _, _, data in transcript.messages if sender == party]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from drive import drive as run

    for case in CASES:
        target = Path(__file__).with_name(f"{case}.json")
        target.write_text(json.dumps(build(case, run), indent=2) + "\n", "utf-8")
