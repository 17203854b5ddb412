"""What a model's protocol costs, in counts; the node turns them into seconds before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from protocols.roles import PartyId

Operation: TypeAlias = Literal[
    "key_generations",
    "encryptions",
    "public_encryptions",
    "rerandomisations",
    "decryptions",
    "preparations",
    "additions",
    "products",
    "subtractions",
    "squarings",
    "factor_bits",
    "encodings",
    "decodings",
    "table_cells",
]
"""Kinds of work, one for each call of :mod:`protocols.paillier`, counted by ciphertext.

=================== ==============================================================================
key_generations     ``generate_private_key``, once
encryptions         ``PrivateKey.encrypt``, or ``prepare`` and ``encrypt_with`` together
public_encryptions  ``PublicKey.encrypt``
rerandomisations    ``PublicKey.rerandomise``
decryptions         ``PrivateKey.decrypt``
preparations        ``Summands.extend``
additions           ``Summands.sums``: one for each position
products            ``PublicKey.add`` and ``add_plaintexts``
subtractions        ``PublicKey.subtract``
squarings           ``PublicKey.shift``: bits for each ciphertext; ``Packing.pack`` shifts by
                    ``slot_bits`` for each value but the last of a ciphertext, and adds as often
factor_bits         ``PublicKey.multiply``: bits of the factor for each ciphertext
encodings           ``PublicKey.encode``
decodings           ``PublicKey.decode``
table_cells         one look at one cell of a table in the clear: rows times columns, each time they
                    are gone through
=================== ==============================================================================
"""


Operations: TypeAlias = Mapping[Operation, int]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Counts of one training or scoring, as its terms and the tables' shapes let expect them."""

    bytes: Mapping[str, int]
    """By message type: encoded bytes of all its messages between all parties."""
    messages: Mapping[str, int]
    """By message type: how many."""
    checkpoints: int
    """Steps that end with a stored result, at each party."""
    stages: tuple[Mapping[PartyId, Operations], ...]
    """What the parties compute, by party and kind, in stages one after the other.

    In a stage the parties work at the same time, each on what another has sent so far: while the
    active party encrypts rows, the passive ones add up those that arrived. Where a stage comes
    again, for each tree or batch, its counts are of all of them together.
    """
    calls: Mapping[PartyId, Operations] = field(default_factory=dict)
    """How many calls do that work, by party and kind.

    A call costs something of its own: it starts threads, and vector instructions compute whole
    groups of ciphertexts, however many are asked for. With few ciphertexts in a call it matters.
    """
