"""The Receiver of silent VOLE."""

from __future__ import annotations

import numpy as np

from protocols import base_ot
from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId, Receive, Role, Send
from protocols.silent_vole import base_vole, dual_lpn, ggm, ot_extension
from protocols.silent_vole.keys import purpose
from protocols.silent_vole.messages import Corrections, MaskedSums
from protocols.silent_vole.parameters import KAPPA, check_arguments, parameters_for
from protocols.suite import Suite, Words


def receiver(
    size: int, *, peer: PartyId, suite: Suite, context: bytes, seed: bytes
) -> Role[tuple[Words, Words, Words]]:
    """Receiver of silent subfield VOLE, SPEC.md §3; (a, c_low, c_high), ``size`` words each.

    E. Boyle et al., "Efficient Two-Round OT Extension and Silent Non-Interactive Secure
    Computation", CCS 2019, §4 and §6, with the code of S. Raghuraman, P. Rindal, T. Tanguy, CRYPTO
    2023. For the Sender's delta and b, over GF(2^64): c_low = b_low + delta_low a, and c_high =
    b_high + delta_high a. Learns nothing of delta or b beyond c; reveals nothing of a, under the
    assumption of SPEC.md §4, which is heuristic. Adversary: semi-honest. ``seed`` is 32 fresh
    secret bytes, ``context`` the session's. Raises :class:`LocalProtocolError` for arguments out
    of range and :class:`RemoteProtocolError` for messages of a wrong length and invalid points.
    """
    own = parameters_for(size)
    check_arguments(context, seed)
    paths_stream = suite.stream(seed, purpose("receiver paths"))
    paths = np.array([paths_stream.below(own.leaves) for _ in range(own.trees)], np.int64)
    values = suite.stream(seed, purpose("receiver noise")).words(own.trees)

    base_seed = suite.derive(seed, purpose("receiver base transfers"), 32)
    pairs = yield from base_ot.sender(
        KAPPA, peer=peer, suite=suite, context=context, seed=base_seed
    )
    # On each level the transfer gives the sum of the side that the path does not take.
    sides = 1 - ggm.sides(own, paths)
    extension, rows = ot_extension.correct(suite, pairs, sides.reshape(-1).astype(np.uint8))
    base_corrections, shares = base_vole.correct(suite, pairs, values)
    del pairs
    yield Send(peer, Corrections(extension, base_corrections))

    pads = ot_extension.pads(suite, context, rows).reshape(own.depth, own.trees, 2)
    message: MaskedSums = yield Receive(peer, MaskedSums)
    lengths = len(message.levels), len(message.totals)
    if lengths != (own.levels_bytes, own.totals_bytes):
        raise RemoteProtocolError(
            f"MaskedSums: {lengths[0]} and {lengths[1]} bytes, but a size of {size} asks for "
            f"{own.levels_bytes} and {own.totals_bytes}"
        )
    levels = np.frombuffer(message.levels, "<u8").reshape(own.depth, 2, own.trees, 2)
    known = np.where(sides[:, :, None] == 1, levels[:, 1], levels[:, 0]) ^ pads
    leaves = dual_lpn.allocate_leaves(own)
    totals = yield from ggm.grow_punctured(ggm.Hashes.of(suite, context), own, paths, known, leaves)
    # The Sender's total and base share, less all other leaves and the own base share: the leaf
    # that is missing, plus delta times the noise there.
    missing = np.frombuffer(message.totals, "<u8").reshape(own.trees, 2) ^ totals ^ shares
    places = ggm.rows_of(own, paths)
    leaves[places] = missing
    return (yield from dual_lpn.compress_with_noise(suite, own, leaves, places, values))
