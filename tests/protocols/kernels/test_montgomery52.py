"""The fields of SM2 and P-256 in eight lanes against Python's integers."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.kernels.lanes import LANES, constant
from protocols.kernels.limbs import LIMBS
from protocols.kernels.montgomery52 import (
    LIMB_BITS,
    P256,
    PRIMES,
    R_BITS,
    SM2,
    STORED,
    Field,
    P256Work,
    Prime,
    Sm2Work,
    operation,
    workspace,
)
from protocols.kernels.montgomery52_batch import (
    CHAIN_STEPS,
    CHAINS,
    copy,
    invert_all,
    load,
    multiply_slots,
    power,
    square_many,
    store,
)

pytestmark = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")
both_primes = pytest.mark.parametrize("kind", [Sm2Work, P256Work], ids=["SM2", "P-256"])

X, Y, OUT = 0, 1, 2
ADD, SUBTRACT, SCALE, FOLD, NEGATE, COMBINATION, CANONICAL, ZERO = range(OUT, OUT + 8)


@operation
def rules(field: Field, x, y) -> None:
    """Every rule of the arithmetic, one result a slot."""
    from llvmlite import ir

    def place(number):
        return ir.Constant(ir.IntType(64), number)

    a, b = field.load(x), field.load(y)
    field.store(place(ADD), field.add(a, b))
    field.store(place(SUBTRACT), field.subtract(a, b))
    field.store(place(SCALE), field.scale(a, 15))
    field.store(place(FOLD), field.fold(field.subtract(field.scale(a, 8), field.scale(b, 8))))
    field.store(place(NEGATE), field.negate_where(constant(-1), a))
    difference = field.subtract_columns(field.columns(a, b), field.square_columns(b), 8)
    field.store(place(COMBINATION), field.reduce(difference))
    field.store_vectors(place(CANONICAL), field.canonical(a))
    field.store_vectors(place(ZERO), [field.zero_mask(field.subtract(a, b))])


@numba.njit
def run_rules(work):
    rules(work, X, Y)


def put(memory: np.ndarray, slot: int, values: list[int]) -> None:
    for lane, value in enumerate(values):
        for k in range(LIMBS):
            memory[slot, k, lane] = value >> LIMB_BITS * k & (1 << LIMB_BITS) - 1


def get(memory: np.ndarray, slot: int) -> list[int]:
    """The slot's eight numbers, after seeing that they are what a workspace may hold."""
    assert (memory[slot] < 1 << LIMB_BITS).all()
    return [
        sum(int(memory[slot, k, lane]) << LIMB_BITS * k for k in range(LIMBS))
        for lane in range(LANES)
    ]


def extremes(p: int) -> st.SearchStrategy[int]:
    """Numbers up to STORED p, of limbs that are all zeros, all ones, or next to a multiple of p."""
    full = (1 << LIMB_BITS) - 1
    patterns = st.lists(st.sampled_from([0, 1, full - 1, full]), min_size=LIMBS, max_size=LIMBS)
    from_limbs = patterns.map(lambda limbs: sum(v << LIMB_BITS * k for k, v in enumerate(limbs)))
    near = st.builds(lambda k, d: k * p + d, st.integers(0, STORED), st.integers(-3, 3))
    numbers = st.one_of(from_limbs, near, st.integers(0, STORED * p))
    return numbers.map(lambda value: max(0, min(value, STORED * p)))


@both_primes
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_every_rule_agrees_with_integers(kind, data):
    p = PRIMES[kind].p
    x, y = (data.draw(st.lists(extremes(p), min_size=LANES, max_size=LANES)) for _ in range(2))
    memory = workspace(OUT + 8)
    put(memory, X, x)
    put(memory, Y, y)
    work = kind(memory.ctypes.data)
    run_rules(work)
    r_inverse = pow(2, -R_BITS, p)
    for slot, expected in (
        (ADD, lambda a, b: a + b),
        (SUBTRACT, lambda a, b: a - b),
        (SCALE, lambda a, _: 15 * a),
        (FOLD, lambda a, b: 8 * (a - b)),
        (NEGATE, lambda a, _: -a),
        (COMBINATION, lambda a, b: (a * b - 8 * b * b) * r_inverse),
    ):
        values = get(memory, slot)
        assert all(value <= STORED * p for value in values)
        assert [v % p for v in values] == [expected(a, b) % p for a, b in zip(x, y, strict=True)]
    assert get(memory, CANONICAL) == [a * r_inverse % p for a in x]
    masks = [int(mask) for mask in memory[ZERO, 0]]
    assert masks == [(2**64 - 1) * ((a - b) % p == 0) for a, b in zip(x, y, strict=True)]


@both_primes
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_products_and_squares_agree_with_integers(kind, data):
    p = PRIMES[kind].p
    x, y = (data.draw(st.lists(extremes(p), min_size=LANES, max_size=LANES)) for _ in range(2))
    memory = workspace(5)
    put(memory, 0, x)
    put(memory, 1, y)
    work = kind(memory.ctypes.data)
    multiply_slots(work, 2, 0, 1)
    square_many(work, 3, 0, 2, 2)  # x^4 and y^4
    r_inverse = pow(2, -R_BITS, p)
    assert [v % p for v in get(memory, 2)] == [
        a * b * r_inverse % p for a, b in zip(x, y, strict=True)
    ]
    for slot, values in ((3, x), (4, y)):
        assert [v % p for v in get(memory, slot)] == [v**4 * r_inverse**3 % p for v in values]


@pytest.mark.parametrize("prime", [SM2, P256], ids=["SM2", "P-256"])
def test_chains_lead_to_the_exponent(prime):
    exponents = [1]
    for base, squarings, factor in CHAINS[prime].tolist():
        exponents.append((exponents[base] << squarings) + exponents[factor])
    assert exponents[-1] == (prime.p - 3) // 4


@both_primes
def test_powers_and_inverses(kind):
    p, chain = PRIMES[kind].p, CHAINS[PRIMES[kind]]
    count = 5
    numbers = [[(7 ** (LANES * i + lane) * 3) % p for lane in range(LANES)] for i in range(count)]
    memory = workspace(count * (2 + CHAIN_STEPS))
    work = kind(memory.ctypes.data)
    for i, row in enumerate(numbers):
        put(memory, i, [PRIMES[kind].montgomery(value) for value in row])
    results = power(work, chain, 0, count, count)
    for i, row in enumerate(numbers):
        expected = [PRIMES[kind].montgomery(pow(value, (p - 3) // 4, p)) for value in row]
        assert [v % p for v in get(memory, results + i)] == expected
    invert_all(work, chain, 0, 2, 3, count)  # slots 0, 2 and 4; 1 and 3 stay
    for i, row in enumerate(numbers):
        expected = [pow(value, -1, p) if i % 2 == 0 else value for value in row]
        assert [v % p for v in get(memory, i)] == [PRIMES[kind].montgomery(v) for v in expected]


@both_primes
@pytest.mark.parametrize("rows", [1, 7, 8, 11])
def test_loading_and_storing_is_canonical_and_stays_in_its_rows(kind, rows):
    p = PRIMES[kind].p
    numbers = [0, 1, p - 1, p, p + 1, 2**256 - 1, 2**255, 2**64, 2**52 - 1, 2**208, 5][:rows]
    octets = b"".join(n.to_bytes(32, "big") for n in numbers)
    words = np.frombuffer(octets, ">u8").astype(np.uint64).reshape(-1, 4)
    written = np.full((rows, 4), 99, np.uint64)
    memory = workspace(4)
    work = kind(memory.ctypes.data)
    for row in range(0, rows, LANES):
        load(work, 0, words, row)
        copy(work, 1, 0)
        store(work, 1, written, row, 2)
    result = [int.from_bytes(r.astype(">u8").tobytes(), "big") for r in written]
    assert result == [n % p for n in numbers]


def emitter(p: Prime = SM2) -> Field:
    from llvmlite import ir

    function = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "f")
    return Field(ir.IRBuilder(function.append_basic_block()), p, ir.Constant(ir.IntType(64), 0))


def test_an_operation_that_might_overflow_cannot_be_emitted():
    field = emitter()
    large = field.scale(field.constant(1), 17)
    with pytest.raises(ArithmeticError, match="16 p"):
        field.square(large)
    with pytest.raises(ArithmeticError, match="64 p"):
        field.fold(field.scale(large, 4))
    with pytest.raises(ArithmeticError, match="2\\^62"):
        field.scale(large, 1 << 10)
    assert field.fold(large).bound < STORED


@pytest.mark.parametrize("p", [2**255 - 19, 2**256 - 189, 2**52 - 1])
def test_other_primes_are_refused(p):
    with pytest.raises(ValueError, match="-1 modulo 2\\^52"):
        Prime(p)
