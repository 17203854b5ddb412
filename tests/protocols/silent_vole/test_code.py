"""The smallest code's generator matrix: what compression multiplies by, and without light rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from protocols.kernels.expand_convolute import MARGIN, allocate, convolve
from protocols.silent_vole import dual_lpn, parameters_for
from protocols.silent_vole.parameters import ASSUMED_DISTANCE
from protocols.suite import get_suite
from tests.protocols.base_ot import plain_base_ot
from tests.protocols.silent_vole.plain_silent_vole import code

ROWS = 400
"""How many rows of the smallest code, of 2,048, the tests look at."""


@pytest.fixture(scope="module", params=["gm", "intl"])
def parity(request):
    """The suite's name, and the first rows of G after the identity: the code of unit vectors."""
    own = parameters_for(ROWS)
    # The code's random words are those of the second implementation, so that this checks ours.
    plain = code(plain_base_ot.BY_NAME[request.param], ROWS)
    taps = [np.array(words, np.uint32) for words in plain.taps]
    columns = np.zeros((own.parity, ROWS), np.uint64)
    for column in range(0, own.parity, 2):  # two unit vectors at a time, as two planes
        z = allocate(own.parity + MARGIN, 2)
        z[column, 0] = z[column + 1, 1] = 1
        for words in taps:
            convolve(z, None, words, portable=True)
        for plane in range(2):
            rows = np.bitwise_xor.reduce([z[chosen, plane] for chosen in plain.chosen], axis=0)
            columns[column + plane] = rows
    return request.param, np.ascontiguousarray(columns.T)


def compressed(suite: str, vector: np.ndarray) -> np.ndarray:
    role = dual_lpn.compress(get_suite(suite), parameters_for(ROWS), vector)
    while True:
        try:
            next(role)
        except StopIteration as stop:
            return stop.value[0]


@pytest.mark.parametrize("column", [0, 1, 399, 400, 2047, 2048, 3000, 4415])
def test_compression_multiplies_by_the_generator_matrix(parity, column):
    suite, matrix = parity
    own = parameters_for(ROWS)
    vector = dual_lpn.allocate_leaves(own)
    vector[column, 0] = 1
    if column < own.outputs:
        expected = (np.arange(ROWS) == column).astype(np.uint64)
    else:
        expected = matrix[:, column - own.outputs]
    assert np.array_equal(compressed(suite, vector), expected)


def test_no_row_and_no_sum_of_two_is_light(parity):
    """A condition that the assumed distance implies; it does not imply the distance."""
    _, matrix = parity
    length = parameters_for(ROWS).length
    lightest = min(np.count_nonzero(row) + 1 for row in matrix)
    for first, second in itertools.combinations(range(0, ROWS, 3), 2):
        lightest = min(lightest, np.count_nonzero(matrix[first] ^ matrix[second]) + 2)
    assert lightest / length > 0.5 > ASSUMED_DISTANCE


def test_entries_are_elements_of_the_field_and_not_bits(parity):
    _, matrix = parity
    assert len(np.unique(matrix)) > 0.99 * matrix.size
    ones = np.unpackbits(matrix.view(np.uint8)).mean()
    assert 0.45 < ones < 0.55
