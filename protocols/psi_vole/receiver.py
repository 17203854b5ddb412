"""The Receiver of VOLE-PSI."""

from __future__ import annotations

import numpy as np

from protocols import silent_vole
from protocols.kernels.tags import matched_indices
from protocols.psi_vole import steps
from protocols.psi_vole.result import Matched
from protocols.roles import PartyId, Role
from protocols.suite import Items, Suite


def receiver(
    items: Items,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    seed: bytes,
) -> Role[Matched]:
    """Receiver of VOLE-PSI, SPEC.md §3.

    Raghuraman and Rindal, "Blazing Fast PSI from Improved OKVS and Subfield VOLE", CCS 2022,
    Figure 9, semi-honest (SPEC.md §8 has the differences).

    ``items`` are distinct 32-byte digests, one to a row, shape (n, 32) and contiguous; ``context``
    the session's binding (1 to 1,024 bytes), ``seed`` 32 fresh secret bytes.

    Learns the peer's size, and which own items the peer also has. Reveals its size. Adversary: a
    semi-honest peer (a variant of learning parity with noise, the block cipher as an ideal one).
    Raises ``LocalProtocolError`` for unusable arguments, ``RemoteProtocolError`` for a peer that
    departs from the protocol.
    """
    own = steps.Party("receiver", party, peer, suite, context, seed, items)
    encoding = yield from steps.encode(own)
    terms = yield from steps.agree_on_terms(own, encoding.salt)
    if not (own.size and terms.size):
        return Matched(own.size, terms.size, np.empty(0, np.int64), bytes(-(-terms.size // 8)))

    hashes, rows, solution = encoding.hashes, encoding.rows, encoding.solution
    del encoding
    mask, low, high = yield from silent_vole.receiver(
        rows.columns, peer=peer, suite=suite, context=context, seed=steps.vole_seed(own)
    )
    yield from steps.send_masked(own, solution, mask)
    del solution, mask

    width = steps.tag_bytes(own.size, terms.size)
    records = yield from hashes.records(own, rows, (low, high), width)
    del rows, low, high
    in_records, in_tags = yield from steps.match_tags(own, records, terms.size, width)
    return Matched(
        own_size=own.size,
        peer_size=terms.size,
        positions=matched_indices(records, in_records),
        answer=np.packbits(in_tags, bitorder="little").tobytes(),
    )
