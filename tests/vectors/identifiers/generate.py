"""Writes gm_1.json with the product's code; the tests compare it with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/identifiers/generate.py
"""

from __future__ import annotations

import json
from pathlib import Path

from protocols.identifiers import RULES_VERSION, held_out, node_tag, normalise, protocol_input
from protocols.suite import get_suite

VALUES = (
    ("phone", "138 0013 8000"),
    ("phone", "+1 415 555 2671"),
    ("resident_id", "11010519491231002x"),
    ("email", " Zhang.San@Example.COM"),
    ("opaque", "Ｎo. 42"),
    ("opaque", "客户 7"),
)
NODE_KEY = bytes(range(32))
SPLIT_SEED = 7
PERCENT = 30


def build() -> dict:
    suite = get_suite("gm")
    vectors = []
    for kind, value in VALUES:
        normalised = normalise(kind, value)
        digest = protocol_input(suite, kind, normalised)
        vectors.append(
            {
                "kind": kind,
                "value": value,
                "normalised": normalised.decode(),
                "protocol_input": digest.hex(),
                "node_tag": node_tag(suite, NODE_KEY, kind, normalised).hex(),
                "held_out": held_out(suite, SPLIT_SEED, PERCENT, digest),
            }
        )
    return {
        "suite": "gm",
        "rules": RULES_VERSION,
        "node_key": NODE_KEY.hex(),
        "split_seed": SPLIT_SEED,
        "percent": PERCENT,
        "vectors": vectors,
    }


if __name__ == "__main__":
    target = Path(__file__).with_name("gm_1.json")
    target.write_text(json.dumps(build(), indent=2, ensure_ascii=False) + "\n", "utf-8")
