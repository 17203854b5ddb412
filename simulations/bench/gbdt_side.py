"""One side of a measured training as a process: told by one JSON argument, a line of JSON back."""

from __future__ import annotations

import json
import sys

import msgspec

from party_node import kernel_cache


def main(arguments: list[str]) -> None:
    """Run the side that :mod:`simulations.bench.gbdt` asks for."""
    kernel_cache.prepare()
    from simulations.bench.gbdt_training import SideOptions, run_side  # noqa: PLC0415

    options = msgspec.json.decode(arguments[0], type=SideOptions)
    sys.stdout.write(json.dumps(run_side(options)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
