"""Writes gm_*.json with the product's code; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/gm_channel/generate.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocols.gm_channel import ChannelTerms, RecordSealer, initiator, responder
from protocols.suite import get_suite

SUITE = get_suite("gm")
ROLES = {"bank": initiator, "retailer": responder}
PEER = {"bank": "retailer", "retailer": "bank"}
# name: (spec digest, attempt)
CASES = {
    "gm_1": (bytes.fromhex("5ec0") * 16, 1),
    "gm_2_before_the_spec": (b"", 0),
}
PAYLOADS = (b"", b"first", bytes(range(256)) * 3)


def build(name: str, drive: Callable[..., Any]) -> dict[str, Any]:
    """Return the vector ``name``; ``drive`` runs roles against each other (tests/drive.py)."""
    spec_digest, attempt = CASES[name]
    signing = {
        "bank": SUITE.generate_signing_key(b"\x01" * 32),
        "retailer": SUITE.generate_signing_key(b"\x02" * 32),
    }
    certificates = {party: SUITE.hash(f"certificate of {party}".encode()) for party in PEER}
    seeds = {"bank": bytes(range(32)), "retailer": bytes(range(32, 64))}
    results, transcript = drive(
        {
            party: role(
                ChannelTerms(
                    party=party,
                    peer=PEER[party],
                    suite=SUITE,
                    spec_digest=spec_digest,
                    attempt=attempt,
                    certificate_digest=certificates[party],
                    peer_certificate_digest=certificates[PEER[party]],
                    private_key=signing[party][0],
                    peer_public_key=signing[PEER[party]][1],
                ),
                seed=seeds[party],
            )
            for party, role in ROLES.items()
        }
    )
    return {
        "suite": "gm",
        "spec_digest": spec_digest.hex(),
        "attempt": attempt,
        "payloads": [payload.hex() for payload in PAYLOADS],
        "parties": {
            party: {
                "private_key": signing[party][0].hex(),
                "public_key": signing[party][1].hex(),
                "certificate_digest": certificates[party].hex(),
                "seed": seeds[party].hex(),
                "messages": [data.hex() for by, _, _, data in transcript.messages if by == party],
                "sending": results[party].sending.hex(),
                "records": records(results[party].sending),
            }
            for party in PEER
        },
    }


def records(secret: bytes) -> list[str]:
    """Return the records of the payloads, and the one that closes."""
    sealer = RecordSealer(SUITE, secret)
    return [*(sealer.seal(payload).hex() for payload in PAYLOADS), sealer.close().hex()]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from drive import drive as run

    for case in CASES:
        target = Path(__file__).with_name(f"{case}.json")
        target.write_text(json.dumps(build(case, run), indent=2) + "\n", "utf-8")
