"""What a language is here: a table of strings, and how it puts names in a row.

The tables are ``english.ENGLISH`` and ``chinese.CHINESE``; a test holds them to the same keys and
placeholders. What a run itself brings (a title, reasons of gates, provenance) comes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Strings: TypeAlias = Mapping[str, str]


def listed(names: Sequence[str], t: Strings) -> str:
    """Return ``names`` as a list in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return t["list_between"].join(names[:-1]) + t["list_last"] + names[-1]
