"""The parameters are what SPEC.md's formulas and table say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import silent_vole
from protocols.errors import LocalProtocolError
from protocols.silent_vole import parameters as module
from tests.protocols.silent_vole import pair

SPEC = Path(silent_vole.__file__).parent / "SPEC.md"


def test_the_noise_weight_is_the_least_that_gives_kappa_bits_in_whole_batches():
    weight = module.noise_weight()
    exact = 128 / -math.log2(1 - 0.15)
    assert exact <= weight < exact + 8
    assert weight == 552
    assert weight % 8 == 0


@given(st.integers(1, module.MAX_SIZE))
def test_every_size_has_a_code_of_rate_half_at_most_and_trees_that_fill_it(size):
    own = silent_vole.parameters_for(size)
    assert own.outputs >= max(size, 2048)
    assert own.outputs - size < 8 or own.outputs == 2048
    assert 2 * own.outputs <= own.length < 2 * own.outputs + own.trees
    assert own.length == own.outputs + own.parity == own.trees * own.leaves
    assert own.outputs % 8 == own.parity % 8 == 0
    assert own.parity >= own.outputs
    assert 1 << (own.depth - 1) < own.leaves <= 1 << own.depth
    assert own.transfers % 8 == 0
    # No message needs more than one mebibyte.
    assert own.extension_bytes + own.base_vole_bytes < 1 << 20
    assert own.levels_bytes + own.totals_bytes < 1 << 20


def test_the_smallest_code_has_trees_of_eight_leaves():
    own = silent_vole.parameters_for(1)
    assert (own.outputs, own.leaves, own.depth, own.length) == (2048, 8, 3, 4416)


@pytest.mark.parametrize("size", [0, -5, module.MAX_SIZE + 1])
def test_other_sizes_are_refused(size):
    with pytest.raises(LocalProtocolError):
        silent_vole.parameters_for(size)


def spec_rows() -> list[list[int]]:
    """The rows of SPEC.md's table of sizes, as numbers."""
    text = SPEC.read_text(encoding="utf-8")
    _, _, table = text.partition("| entries | trees | leaves | depth | code length |")
    lines = table.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        [1 << int(row[0].removeprefix("2^"))] + [int(cell.replace(",", "")) for cell in row[1:]]
        for row in cells
    ]


def test_the_table_in_the_spec_is_calculated_by_the_code():
    rows = spec_rows()
    assert [row[0] for row in rows] == [2**12, 2**16, 2**20, 2**24]
    for size, *values in rows:
        own = silent_vole.parameters_for(size)
        corrections = own.extension_bytes + own.base_vole_bytes
        sums = own.levels_bytes + own.totals_bytes
        points = 2 * 33, 128 * 33
        computed = [own.trees, own.leaves, own.depth, own.length, own.extension_bytes]
        computed += [own.base_vole_bytes, own.levels_bytes, own.totals_bytes]
        computed.append(corrections + sums + sum(points))
        assert values == computed


def test_messages_are_as_long_as_the_table_says_and_a_few_bytes_of_framing():
    size, *_, total = spec_rows()[0]
    sent = sum(len(data) for *_, data in pair.run(size).transcript.messages)
    assert 0 < sent - total < 100
