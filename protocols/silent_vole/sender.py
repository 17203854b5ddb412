"""The Sender of silent VOLE."""

from __future__ import annotations

import numpy as np

from protocols import base_ot
from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId, Receive, Role, Send
from protocols.silent_vole import base_vole, dual_lpn, ggm, ot_extension
from protocols.silent_vole.keys import purpose
from protocols.silent_vole.messages import Corrections, MaskedSums
from protocols.silent_vole.parameters import check_arguments, parameters_for
from protocols.suite import Suite, Words


def sender(
    size: int, *, peer: PartyId, suite: Suite, context: bytes, seed: bytes
) -> Role[tuple[tuple[int, int], Words, Words]]:
    """Sender of silent subfield VOLE, SPEC.md §3; ((delta_low, delta_high), b_low, b_high).

    References, relation, errors and adversary as for the
    :func:`~protocols.silent_vole.receiver.receiver`. Learns nothing of a, under the assumption of
    SPEC.md §4; reveals nothing of delta and b beyond the Receiver's c. delta is uniform, drawn
    from ``seed``, 32 fresh secret bytes.
    """
    own = parameters_for(size)
    check_arguments(context, seed)
    delta = suite.stream(seed, purpose("sender delta")).words(2)
    bits = np.unpackbits(delta.astype("<u8").view(np.uint8), bitorder="little")
    roots = suite.stream(seed, purpose("sender roots")).words(2 * own.trees).reshape(-1, 2)

    base_seed = suite.derive(seed, purpose("sender base transfers"), 32)
    keys = yield from base_ot.receiver(
        bits, peer=peer, suite=suite, context=context, seed=base_seed
    )
    leaves = dual_lpn.allocate_leaves(own)
    sums, totals = yield from ggm.grow(ggm.Hashes.of(suite, context), own, roots, leaves)

    message: Corrections = yield Receive(peer, Corrections)
    lengths = len(message.extension), len(message.base_vole)
    if lengths != (own.extension_bytes, own.base_vole_bytes):
        raise RemoteProtocolError(
            f"Corrections: {lengths[0]} and {lengths[1]} bytes, but a size of {size} asks for "
            f"{own.extension_bytes} and {own.base_vole_bytes}"
        )
    rows = ot_extension.apply(suite, keys, bits, message.extension)
    for side, chosen in enumerate((rows, rows ^ delta)):
        pads = ot_extension.pads(suite, context, chosen)
        sums[:, side] ^= pads.reshape(own.depth, own.trees, 2)
    totals ^= base_vole.apply(suite, keys, bits, message.base_vole)
    yield Send(
        peer, MaskedSums(sums.astype("<u8", copy=False).tobytes(), totals.astype("<u8").tobytes())
    )

    planes = yield from dual_lpn.compress(suite, own, leaves)
    return (int(delta[0]), int(delta[1])), *planes
