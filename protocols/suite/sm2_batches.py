"""SM2 signatures verified, and Diffie-Hellman secrets made, many at once.

What is accepted, and every secret, is what :mod:`protocols.suite.sm2_signature` (GB/T
32918.2-2016 §7.1) and :mod:`protocols.suite.sm2_agreement` (NIST SP 800-56A Rev. 3 §5.7.1.2) say of
each alone; only the arithmetic on the curve is shared. Each signature's equation is checked by
itself, not a random combination of all: an SM2 signature holds no point that could be added up,
only its x, and a refused one is known by its place.

Verifying handles public data. An agreement's private key is secret: every scalar takes one sequence
of steps, as :mod:`protocols.suite.short_weierstrass` and :mod:`protocols.kernels.weierstrass` say.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.suite import sm2_curve, sm2_keys, sm2_signature
from protocols.suite.curve_batches import (
    CurveBatches,
    PointArrays,
    integer_rows,
    scalar_rows,
)
from protocols.suite.interface import InvalidElement, InvalidSignature, SignedMessage

_ORDER = int(sm2_curve.N)


def refused(batches: CurveBatches, items: Sequence[SignedMessage]) -> list[int]:
    """Return the indices, ascending, of the items that :func:`sm2_signature.verify` refuses."""
    bad: list[int] = []
    indices, points, s_column, t_column, wanted = [], [], [], [], []
    for index, (public_key, message, signature) in enumerate(items):
        try:
            point = sm2_keys.point(public_key)
            r, s = sm2_signature.decode(signature)
        except (ValueError, InvalidSignature):
            bad.append(index)
            continue
        t = (r + s) % _ORDER
        if t == 0:  # step B5 of the standard
            bad.append(index)
            continue
        e = int.from_bytes(sm2_signature.message_digest(public_key, message), "big")
        indices.append(index)
        points.append(point)
        s_column.append(s)
        t_column.append(t)
        wanted.append((r - e) % _ORDER)
    if not indices:
        return bad

    s_points = batches.multiply_base(scalar_rows(s_column, _ORDER))
    t_points = batches.multiply(scalar_rows(t_column, _ORDER), _arrays(points))
    (xs, _), _ = batches.add(s_points, t_points)
    same_x = (s_points[0] == t_points[0]).all(axis=1)
    for index, x, special, expected in zip(indices, xs, same_x, wanted, strict=True):
        if special:
            good = _verifies_alone(*items[index])
        else:
            good = int.from_bytes(x.tobytes(), "big") % _ORDER == expected
        if not good:
            bad.append(index)
    return sorted(bad)


def _verifies_alone(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature verifies whose s G and t P are equal, or opposite and infinity's.

    What :func:`sm2_signature.verify` says, so that both always say the same: gmssl refuses the
    double of equal points too, which it compares before dividing by Z^2. No one can make such a
    signature but for a digest of their choice.
    """
    try:
        sm2_signature.verify(public_key, message, signature)
    except InvalidSignature:
        return False
    return True


def shared_secrets(
    batches: CurveBatches, private_key: bytes, peer_public_keys: Sequence[bytes]
) -> list[bytes]:
    """Return what :func:`sm2_agreement.shared_secret` does for each of the peers' keys.

    Raises :class:`InvalidElement` with the index of the first that is no point of the curve,
    ``ValueError`` for a private key outside [1, n - 2].
    """
    scalar = sm2_keys.private_scalar(private_key)
    points = []
    for index, public_key in enumerate(peer_public_keys):
        try:
            points.append(sm2_keys.point(public_key))
        except ValueError:
            raise InvalidElement(index) from None
    xs, _ = batches.multiply(scalar_rows([scalar], _ORDER), _arrays(points))
    return [x.tobytes() for x in xs]


def _arrays(points: Sequence[tuple[int, int]]) -> PointArrays:
    return integer_rows([x for x, _ in points]), integer_rows([y for _, y in points])
