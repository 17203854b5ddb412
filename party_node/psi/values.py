"""The column of numbers that ``--reveal sum`` adds up: read, checked, and kept beside the items."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from party_node.errors import DatasetError
from party_node.psi.key_columns import UNUSABLE_NUMBER, KeyRound, MatchKey, Rejects
from party_node.psi.table_in import Stamp, read_texts
from protocols.psi_sum import TOTAL_LIMIT, VALUE_LIMIT

Values = npt.NDArray[np.int64]

_WHOLE = re.compile(r"\s*\+?([0-9]{1,10})\s*", re.ASCII)


def read_values(
    path: Path, column: str, part: KeyRound, key: MatchKey, *, since: Stamp
) -> tuple[KeyRound, Values, Rejects]:
    """Return the rows whose value can be summed, their values, and the rows that are left out.

    A value is a whole number from 0 up to, not including, 2^32: amounts with decimals are brought
    in the smallest unit. Raises ``DatasetError`` for a column that is not there, and for values
    that add up to more than a sum can hold.
    """
    numbers = np.array([_number(text) for text in read_texts(path, column, part.rows, since=since)])
    usable = numbers >= 0
    values = numbers[usable].astype(np.int64)
    if int(values.sum()) >= TOTAL_LIMIT:
        raise DatasetError(
            f"the values of column {column!r} add up to {TOTAL_LIMIT:,} or more",
            "use a larger unit, thousands for example",
        )
    rejects = Rejects.of(key, part.rows[~usable], UNUSABLE_NUMBER)
    kept = KeyRound(np.ascontiguousarray(part.items[usable]), part.rows[usable])
    return kept, values, rejects


def _number(text: str | None) -> int:
    """Return the number, or -1 for anything that is none."""
    found = None if text is None else _WHOLE.fullmatch(text)
    number = -1 if found is None else int(found[1])
    return number if number < VALUE_LIMIT else -1
