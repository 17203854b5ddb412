"""The Sender of VOLE-PSI."""

from __future__ import annotations

import numpy as np

from protocols import silent_vole
from protocols.kernels.tags import indices
from protocols.psi_vole import steps
from protocols.psi_vole.result import Offered
from protocols.roles import PartyId, Progress, Role
from protocols.suite import Items, Suite


def sender(
    items: Items,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    seed: bytes,
) -> Role[Offered]:
    """Sender of VOLE-PSI, SPEC.md §3; reference, arguments and errors as for the Receiver.

    Learns the peer's size and nothing else. Reveals its size, and which items of the peer it also
    has. Adversary: a semi-honest peer, as for :func:`~protocols.psi_vole.receiver.receiver`.
    """
    own = steps.Party("sender", party, peer, suite, context, seed, items)
    terms = yield from steps.agree_on_terms(own, b"")
    if not (own.size and terms.size):
        return Offered(own.size, terms.size, np.arange(own.size))

    hashes = steps.Hashes(own, terms.size, terms.salt)
    delta, low, high = yield from silent_vole.sender(
        hashes.okvs.columns, peer=peer, suite=suite, context=context, seed=steps.vole_seed(own)
    )
    # The rows come after the VOLE, whose messages the Receiver waits for, and before its a + P,
    # which this role waits for.
    rows, values = hashes.place(own)
    yield Progress("place", own.size, own.size)
    yield from steps.receive_masked(own, (low, high), delta)

    width = steps.tag_bytes(terms.size, own.size)
    records = yield from hashes.records(own, rows, (low, high), width, (values, delta))
    del rows, values, low, high
    yield from steps.send_tags(own, records, width)
    return Offered(own.size, terms.size, indices(records))
