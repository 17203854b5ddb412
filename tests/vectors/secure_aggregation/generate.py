"""Writes gm_*.json with the product's code; the tests compare them with a second implementation.

Run from the repository root: PYTHONPATH=. python tests/vectors/secure_aggregation/generate.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from protocols.suite import get_suite

SUITE = get_suite("gm")
NAMES = ("bakery", "grocer", "kiosk", "market")
# name: (threshold, floor, first sum, sums, who advertises and does not share, who shares and does
# not contribute)
CASES = {
    "gm_1_all_stay": (3, 3, 0, 1, (), ()),
    "gm_2_one_drops": (3, 3, 0, 1, (), ("grocer",)),
    "gm_3_one_shares_nothing": (3, 3, 5, 2, ("market",), ()),
}
LENGTH = 3


def words(name: str) -> list[int]:
    """Return made-up words of a party."""
    place = NAMES.index(name) + 1
    return [place, -1000 * place, (1 << 20) + place]


def build(case: str, federation: Any) -> dict[str, Any]:
    """Return the vector ``case``; ``federation`` is the class of the tests' federation.py."""
    threshold, floor, first, sums, lost, late = CASES[case]
    by = federation(SUITE, NAMES, threshold, floor, sums=sums)
    sent: dict[str, dict[str, str]] = {name: {} for name in NAMES}

    def keep(step: str, party: str, data: bytes) -> bytes:
        sent[party][step] = data.hex()
        return data

    by.change = keep
    by.set_up(0, first, lost=lost)
    number = first + sums - 1
    collection = by.collection(number, LENGTH)
    stayed = [name for name in NAMES if name not in (*lost, *late)]
    for name in stayed:
        note, chunks = by.parties[name].contribute(
            by.terms, number, np.array(words(name), dtype=np.int64)
        )
        collection.contribution(name, keep("contribute", name, note), chunks)
        sent[name]["chunk"] = chunks[0].hex()
    by.consist(collection, stayed)
    by.unmask(collection, stayed)
    opened = by.open(collection, stayed)
    return {
        "suite": "gm",
        "binding": by.binding.hex(),
        "threshold": threshold,
        "floor": floor,
        "epoch": 0,
        "first": first,
        "sums": sums,
        "number": number,
        "parties": {
            name: {
                "private_key": by.parties[name].private_key.hex(),
                "seeds": {
                    purpose: by.parties[name].seed(purpose).hex()
                    for purpose in ("epoch 0", "share 0", f"note {number}", f"list {number}")
                }
                | {"reveal": by.parties[name].seed(f"reveal {number}").hex()},
                "shares": name not in lost,
                "contributes": name in stayed,
                "words": words(name),
                "messages": sent[name],
            }
            for name in NAMES
        },
        "group_key": by.parties[NAMES[0]].shares.group_key.hex(),
        "opening": collection.opening().note().hex(),
        "sum": opened[stayed[0]].words.tolist(),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "protocols" / "secure_aggregation"))
    from federation import Federation  # type: ignore[import-not-found]

    for name in CASES:
        target = Path(__file__).with_name(f"{name}.json")
        target.write_text(json.dumps(build(name, Federation), indent=2) + "\n", "utf-8")
