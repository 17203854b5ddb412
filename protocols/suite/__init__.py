"""Cryptographic suites: every primitive is reached through one object.

``get_suite("gm")`` returns the Chinese national suite (国密), ``get_suite("intl")`` the
international one. Nothing here imports anything else of this project, so that an auditor's
verifier stays small enough to read.
"""

from __future__ import annotations

from protocols.suite.gm import GmSuite
from protocols.suite.interface import (
    Group,
    InvalidElement,
    InvalidSignature,
    OpenError,
    RandomStream,
    Suite,
)
from protocols.suite.intl import IntlSuite

__all__ = [
    "Group",
    "InvalidElement",
    "InvalidSignature",
    "OpenError",
    "RandomStream",
    "Suite",
    "get_suite",
]


_SUITES: dict[str, type[GmSuite | IntlSuite]] = {"gm": GmSuite, "intl": IntlSuite}


def get_suite(name: str) -> Suite:
    """Return the suite called ``name``; raises ``ValueError`` naming the suites there are."""
    if name not in _SUITES:
        raise ValueError(f"unknown suite {name!r}; this release has: {', '.join(_SUITES)}")
    return _SUITES[name]()
