"""Cryptographic suites: every primitive is reached through one object.

``get_suite("gm")`` returns the Chinese national suite (国密), ``get_suite("intl")`` the
international one. Nothing here imports anything else of this project but the kernels, and these
only for bulk work, so that an auditor's verifier stays small enough to read.
"""

from __future__ import annotations

from protocols.suite.gm import GmSuite
from protocols.suite.interface import (
    BlockHash,
    Group,
    Indices,
    InvalidElement,
    InvalidSignature,
    Items,
    Octets,
    OpenError,
    PointGroup,
    RandomStream,
    Suite,
    Words,
)
from protocols.suite.intl import IntlSuite

__all__ = [
    "BlockHash",
    "Group",
    "Indices",
    "InvalidElement",
    "InvalidSignature",
    "Items",
    "Octets",
    "OpenError",
    "PointGroup",
    "RandomStream",
    "Suite",
    "Words",
    "get_suite",
]


_SUITES: dict[str, type[GmSuite | IntlSuite]] = {"gm": GmSuite, "intl": IntlSuite}
_KERNELS = ("auto", "portable")


def get_suite(name: str, kernels: str = "auto") -> Suite:
    """Return the suite called ``name``, computing in bulk by ``kernels``.

    ``auto`` is the processor's vector instructions where all the kernels' are there, ``portable``
    the same results without them, on any machine. Which it is, is looked up at the first bulk
    operation. Raises ``ValueError`` naming what there is.
    """
    if name not in _SUITES:
        raise ValueError(f"unknown suite {name!r}; this release has: {', '.join(_SUITES)}")
    if kernels not in _KERNELS:
        raise ValueError(f"unknown kernels {kernels!r}; there are: {', '.join(_KERNELS)}")
    return _SUITES[name](kernels)
