"""What both roles of the base oblivious transfers do alike: check, split, derive keys."""

from __future__ import annotations

from protocols.arguments import MAX_CONTEXT_BYTES, check_seed
from protocols.base_ot.messages import MAX_TRANSFERS, VERSION
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.suite import Suite

KEY_BYTES = 32


def check_arguments(count: int, context: bytes, seed: bytes) -> None:
    """Check what the caller passes; raises :class:`LocalProtocolError`."""
    if not 1 <= count <= MAX_TRANSFERS:
        raise LocalProtocolError(f"{count} base oblivious transfers; 1 to {MAX_TRANSFERS}")
    if not 1 <= len(context) <= MAX_CONTEXT_BYTES:
        raise LocalProtocolError(f"context must be 1 to {MAX_CONTEXT_BYTES} bytes")
    check_seed(seed)


def purpose(role: str, name: str) -> bytes:
    """Return the label under which a role's seed yields its randomness for ``name``."""
    return f"{VERSION} {role} {name}".encode("ascii")


def check_length(where: str, points: bytes, count: int, suite: Suite) -> None:
    """Return if ``points`` are as long as ``count`` encoded points; else the peer lied."""
    width = suite.points.point_bytes
    if len(points) != count * width:
        raise RemoteProtocolError(f"{where}: {len(points)} bytes, not {count} points of {width}")


def split(points: bytes, suite: Suite) -> list[bytes]:
    """Return the encoded points one by one."""
    width = suite.points.point_bytes
    return [points[start : start + width] for start in range(0, len(points), width)]


def derive_keys(
    suite: Suite, context: bytes, sender_points: bytes, receiver_points: bytes, shared: bytes
) -> list[bytes]:
    """Return the key of each transfer from its shared point, 32 bytes each.

    The hash also takes the context, the transfer's index and everything both sides sent for this
    transfer (A, C and P_j), so that no key of another transfer, session or pair of messages can be
    had from the same shared point.
    """
    prefix = VERSION.encode("ascii") + b" key\x00" + suite.hash(context) + sender_points
    pairs = zip(split(receiver_points, suite), split(shared, suite), strict=True)
    return [
        suite.hash(prefix, index.to_bytes(4, "big"), received, point)
        for index, (received, point) in enumerate(pairs)
    ]
