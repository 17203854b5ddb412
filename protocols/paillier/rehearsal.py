"""Every operation once under a new key: loads the kernels, and proves them on this machine."""

from __future__ import annotations

import numpy as np

from protocols.errors import LocalProtocolError
from protocols.paillier.packing import Packing
from protocols.paillier.private_key import generate_private_key
from protocols.paillier.summation import Summands
from protocols.suite import RandomStream, Suite

COUNT = 20
"""More than two eights, and not a multiple of eight."""


def rehearse(suite: Suite, stream: RandomStream) -> None:
    """Run every operation; what is compiled or read from the cache here is not waited for later.

    Takes a 2,048-bit key; the kernels are the same for every size. Raises
    :class:`LocalProtocolError` if a result is not that of the plaintexts.
    """
    key = generate_private_key(2048, stream, suite)
    public_key, values = key.public_key, [at * at - 7 for at in range(COUNT)]
    sealed = public_key.decode(public_key.encode(key.encrypt(values, stream)))
    turned = sealed[::-1]
    factors = [3 - at for at in range(COUNT)]
    summands = Summands(public_key)
    summands.extend(sealed)
    sums = summands.sums(np.arange(COUNT, dtype=np.int64), np.array([0, 3, 3, COUNT]))
    packing = Packing.for_magnitude(COUNT * COUNT, public_key)
    packed = public_key.rerandomise(packing.pack(sealed, public_key), stream)
    backwards = values[::-1]
    right = [
        key.decrypt(result) == [value % int(public_key.n) for value in expected]
        for result, expected in (
            (public_key.encrypt(values, stream), values),
            (public_key.add(sealed, turned), map(int.__add__, values, backwards)),
            (public_key.subtract(sealed, turned), map(int.__sub__, values, backwards)),
            (public_key.multiply(sealed, factors), map(int.__mul__, values, factors)),
            (public_key.add_plaintexts(sealed, factors), map(int.__add__, values, factors)),
            (public_key.shift(sealed, 9), [value << 9 for value in values]),
            (sums, [sum(values[:3]), 0, sum(values[3:])]),
        )
    ]
    unpacked = [value for plain in key.decrypt(packed) for value in packing.unpack(plain)]
    if not all(right) or unpacked[:COUNT] != values:
        raise LocalProtocolError("Paillier encryption gives wrong results on this machine")
