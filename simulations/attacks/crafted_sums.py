"""The reverse-sum attack on real ciphertexts: an active party reads off what it encrypted.

Weng et al., "Practical Privacy Attacks on Vertical Federated Learning", arXiv 2011.09290: in place
of a gradient each marked row gets a power of two, so that a decrypted sum shows which marked rows
are in it. The passive party is the real role and cannot notice. Where replies are not
re-randomised even an active party with honest gradients can: it knows every ciphertext it made and
looks for the rows whose product is the reply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from gmpy2 import invert, mpz

from models.boosted_trees import passive_party
from models.boosted_trees.gradients import RowEncoding
from models.boosted_trees.messages import (
    FRAME_CIPHERTEXTS,
    CandidateSums,
    ChosenSplits,
    EncryptedGradients,
)
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.row_packing import RowPacking, choose
from models.table import Floats, Mask, Rows
from protocols.paillier import PrivateKey, Summands, generate_private_key
from protocols.roles import Receive, Role, Send
from simulations.attacks.candidate_sums import binned_passive, left_sets
from simulations.attacks.chains import best_correlation, orderings
from simulations.attacks.customers import (
    ACTIVE,
    DATA,
    PASSIVE,
    SUITE,
    SharedCustomers,
    describe,
    draw,
    stream_of,
)
from simulations.attacks.learners import rank_correlation
from simulations.attacks.outcome import Attack, Result, compare
from simulations.attacks.plan import Plan
from simulations.attacks.recorder import record
from simulations.attacks.tree_views import SAMPLING_SEED, tree_options

KEY_BITS = 2048
CARRY_BITS = 3
"""Low bits of a slot left free: junk larger than a gradient can carry into them."""
FEW_ROWS = 20

_WHO = {"model": "boosted trees", "attacker": "active party that chooses plaintexts"}
READ = Attack(
    name="reverse-sum",
    target="rows in passive bins",
    method="powers of two for some rows, root of one tree, real ciphertexts",
    measure="share of all customers whose side of every root candidate is read off",
    baseline="without the sums nothing is known",
    **_WHO,
)
ORDER = Attack(
    name="reverse-sum",
    target="columns of the passive party",
    method="powers of two for some rows, root of one tree, real ciphertexts",
    measure="|rank correlation| of the best chain with the true column over the marked customers, "
    "mean over numeric columns",
    baseline="the same chains with the customers in a random order",
    **_WHO,
)
NAMED = Attack(
    name="reverse-sum",
    target="columns of the passive party, by name",
    method="powers of two for some rows, root of one tree, real ciphertexts",
    measure="|rank correlation| of a column with the chain the attacker takes it for, over the "
    "marked customers, mean over numeric columns",
    baseline="the same chains with the customers in a random order",
    **_WHO,
)
PRODUCTS = Attack(
    name="reverse-sum",
    model="boosted trees",
    attacker="active party",
    target="rows in passive bins",
    method=f"products of known ciphertexts, {FEW_ROWS} rows, one candidate a ciphertext",
    measure="share of (customer, candidate) pairs read off",
    baseline="without the sums nothing is known",
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure the attacks on real ciphertexts, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=300, many=1000)
        found: list[dict[str, float]] = []
        for seed in plan.each_seed(f"crafted sums of {data}"):
            found.append(successes(draw(data, count, seed), seed))
        for attack, protection, without, without_is, protected, with_is in COMPARED:
            yield compare(
                attack,
                protection=protection,
                without_is=without_is,
                with_is=with_is,
                data=describe(data, FEW_ROWS if attack is PRODUCTS else count),
                baseline=[each["chance"] if attack in (ORDER, NAMED) else 0.0 for each in found],
                without=[each[without] for each in found],
                protected=[each[protected] for each in found],
            )


COMPARED = (
    (READ, "masks on junk slots", "read without masks", "junk in the open", "read", "masked"),
    (ORDER, "minimum bin count", "order at 5", "5 rows", "order", "20 rows"),
    (ORDER, "larger bins", "order", "20 rows", "order at 100", "100 rows"),
    (ORDER, "shuffle", "order in order", "canonical order", "order", "shuffled"),
    (NAMED, "shuffle", "named in order", "canonical order", "named", "shuffled"),
    (PRODUCTS, "re-randomisation", "products", "off", "products re-randomised", "on"),
)


def successes(customers: SharedCustomers, seed: int) -> dict[str, float]:
    """Return every figure of one seed, under the names of the table above."""
    found = {}
    usual = crafted_run(customers, tree_options(depth=1, first_tree_active_only=False), seed)
    found["read"] = usual.share_read(masked=True)
    found["read without masks"] = usual.share_read(masked=False)
    found["order"] = found["order in order"] = usual.order()
    found["chance"] = usual.order(by_chance=True)
    found["named"] = usual.named(shuffled=True)
    found["named in order"] = usual.named(shuffled=False)
    for minimum in (5, 100):
        options = tree_options(depth=1, first_tree_active_only=False, minimum_bin_count=minimum)
        found[f"order at {minimum}"] = crafted_run(customers, options, seed).order()
    few = customers.take(np.arange(FEW_ROWS))
    found["products"] = products_read(few, seed, rerandomised=False)
    found["products re-randomised"] = products_read(few, seed, rerandomised=True)
    return found


@cache
def attackers_key() -> PrivateKey:
    """Return the key all runs attack under; making one takes a second."""
    return generate_private_key(KEY_BITS, stream_of(0, "Paillier key"), SUITE)


@dataclass(frozen=True, eq=False)
class CraftedRun:
    """What the attacker read, and the truth it is judged by."""

    customers: SharedCustomers
    seed: int
    packing: RowPacking
    marked: Rows = field(repr=False)
    """Rows that got a power of two, in the order of their bits."""
    read: list[Mask] = field(repr=False)
    """For each candidate, in the order of the reply: which of the marked rows go left."""
    truth: list[tuple[int, Mask]] = field(repr=False)
    """(column, left rows of all customers) of each candidate, in canonical order."""

    def share_read(self, *, masked: bool) -> float:
        """Return the share of customers read off rightly at every candidate.

        Without masks every slot of the reply is in the open, so that each of the k rows of a
        marked ciphertext shows in a slot of its own.
        """
        wanted = sorted(left[self.marked].tobytes() for _, left in self.truth)
        if sorted(mask.tobytes() for mask in self.read) != wanted:
            return 0.0
        if masked:
            return len(self.marked) / self.customers.count
        return self._read_without_masks() / self.customers.count

    def _read_without_masks(self) -> int:
        """Return how many customers unmasked replies to marks in slot 0 would show."""
        k, pitch, rows = self.packing.rows, self.packing.pitch, self.customers.count
        marked = min(pitch - 1, self.packing.ciphertexts(rows))
        shown = np.zeros(rows, np.bool_)
        for at, (_, left) in enumerate(self.truth):
            reply = 0
            for row in np.flatnonzero(left[: marked * k]).tolist():
                reply += 1 << ((k - 1 - row % k) * pitch + row // k)
            slots = [(reply >> (k - 1 - j) * pitch) & ((1 << pitch) - 1) for j in range(k)]
            bits = np.array(
                [slots[row % k] >> (row // k) & 1 for row in range(min(rows, marked * k))], np.bool_
            )
            right = bits == left[: len(bits)]
            shown[: len(bits)] = right if at == 0 else shown[: len(bits)] & right
        return int(shown.sum())

    def order(self, *, by_chance: bool = False) -> float:
        """Return the best chain's correlation with each numeric column, averaged."""
        chains = self._chains(self.read)
        if by_chance:
            order = stream_of(self.seed, "random order").permutation(len(self.marked))
            chains = [chain[order] for chain in chains]
        return best_correlation(chains, self.customers.tables[PASSIVE].take(self.marked))

    def named(self, *, shuffled: bool) -> float:
        """Return the correlation of each numeric column with the chain it is taken for.

        In canonical order the columns' candidates come one column after another; shuffled, the
        attacker can only guess which chain is which column.
        """
        if shuffled:
            chains = self._chains(self.read)
            guess = stream_of(self.seed, "guess").permutation(max(len(chains), len(self._columns)))
            taken = {at: int(guess[n]) for n, at in enumerate(range(len(self._columns)))}
            found = [
                abs(self._with(chains[taken[at]], at)) if taken[at] < len(chains) else 0.0
                for at in self._numeric
            ]
        else:
            found = []
            for at in self._numeric:
                own = [left[self.marked] for column, left in self.truth if column == at]
                total = np.sum(own, axis=0) if own else np.zeros(len(self.marked))
                found.append(abs(self._with(np.asarray(total, np.float64), at)))
        return float(np.mean(found))

    @staticmethod
    def _chains(read: Sequence[Mask]) -> list[Floats]:
        return orderings([mask.astype(np.float64) for mask in read])

    @property
    def _columns(self) -> Sequence[object]:
        return self.customers.tables[PASSIVE].columns

    @property
    def _numeric(self) -> list[int]:
        columns = self.customers.tables[PASSIVE].columns
        return [at for at, column in enumerate(columns) if column.kind == "numeric"]

    def _with(self, estimate: Floats, column: int) -> float:
        values = self.customers.tables[PASSIVE].columns[column].values[self.marked]
        present = ~np.isnan(values)
        return rank_correlation(estimate[present], values[present])


def crafted_run(customers: SharedCustomers, options: TreeOptions, seed: int) -> CraftedRun:
    """Run one tree of depth 1: the real passive party, the attacker in the active one's place."""
    key, rows = attackers_key(), customers.count
    binned = binned_passive(customers, options)
    columns = len(binned.codes)
    packing = choose(
        RowEncoding.of(rows, options), options, passive_columns=columns, key_bits=KEY_BITS
    )
    marks = min(packing.slot_bits - CARRY_BITS, packing.ciphertexts(rows))
    chosen = stream_of(seed, "marked").permutation(packing.ciphertexts(rows))[:marks]
    marked = np.sort(chosen) * packing.rows  # slot 0 of as many ciphertexts: junk stays small
    recording = record(
        {
            ACTIVE: _attacker(key, packing, marked, rows, seed),
            PASSIVE: passive_party.grow_tree(
                tree=0,
                binned=binned,
                options=options,
                active=ACTIVE,
                passive_columns=columns,
                public_key=key.public_key,
                suite=SUITE,
                seed=stream_of(seed, "passive").bytes(32),
                sampling_seed=SAMPLING_SEED,
            ),
        }
    )
    truth = left_sets(binned, np.arange(rows), options.minimum_bin_count)
    read = recording.results[ACTIVE][: len(truth)]
    return CraftedRun(customers, seed, packing, marked, read, truth)


def _attacker(
    key: PrivateKey, packing: RowPacking, marked: Rows, rows: int, seed: int
) -> Role[list[Mask]]:
    """Return which marked rows are left of each candidate, as the decrypted slots show it."""
    values = [0] * rows
    for bit, row in enumerate(marked.tolist()):
        values[row] = 1 << (bit + CARRY_BITS)
    plaintexts = packing.plaintexts(values)
    stream = stream_of(seed, "encryption")
    for start in range(0, len(plaintexts), FRAME_CIPHERTEXTS):
        frame = key.encrypt(plaintexts[start : start + FRAME_CIPHERTEXTS], stream)
        yield Send(PASSIVE, EncryptedGradients(key.public_key.encode(frame)))
    reply = yield Receive(PASSIVE, CandidateSums)
    yield Send(PASSIVE, ChosenSplits(((),)))
    read = []
    for plaintext in key.decrypt(key.public_key.decode(reply.ciphertexts)):
        sums = packing.unpack(plaintext)
        read += [_bits(total >> CARRY_BITS, len(marked)) for total in sums]
    return read


def _bits(value: int, count: int) -> Mask:
    return np.array([value >> at & 1 for at in range(count)], np.bool_)


def products_read(customers: SharedCustomers, seed: int, *, rerandomised: bool) -> float:
    """Return the share of (row, candidate) pairs found by matching products of ciphertexts.

    The ciphertexts are real, of the first tree's gradients; a reply has one candidate a ciphertext
    and is re-randomised or not. Both halves' 2^10 products are matched against each reply.
    """
    key, rows = attackers_key(), customers.count
    public, squared = key.public_key, mpz(key.public_key.n) ** 2
    options = tree_options(minimum_bin_count=5)
    rate = float(customers.labels.mean())
    plaintexts = [round((rate - label) * (1 << 16)) for label in customers.labels.tolist()]
    sent = key.encrypt(plaintexts, stream_of(seed, "encryption of few"))
    summands = Summands(public)
    summands.extend(sent)
    truth = left_sets(binned_passive(customers, options), np.arange(rows), 5)
    positions = [np.flatnonzero(left) for _, left in truth]
    replies = summands.sums(
        np.concatenate(positions), np.cumsum([0, *(len(each) for each in positions)])
    )
    if rerandomised:
        replies = public.rerandomise(replies, stream_of(seed, "re-randomisation of few"))

    known = [mpz(value) for value in sent.integers()]
    half = rows // 2
    first, second = _products(known[:half], squared), _products(known[half:], squared)
    subset_of = {product: subset for subset, product in enumerate(first)}
    inverses = [invert(product, squared) for product in second]
    right = 0
    for reply, (_, left) in zip(replies.integers(), truth, strict=True):
        for subset, inverse in enumerate(inverses):
            other = subset_of.get(mpz(reply) * inverse % squared)
            if other is not None:
                read = np.concatenate([_bits(other, half), _bits(subset, rows - half)])
                right += int((read == left).sum())
                break
    return right / (rows * len(truth)) if truth else 0.0


def _products(values: Sequence[mpz], modulus: mpz) -> list[mpz]:
    """Return the product of every subset of ``values``; bit i of a position is value i."""
    products = [mpz(1)]
    for value in values:
        products += [product * value % modulus for product in products]
    return products
