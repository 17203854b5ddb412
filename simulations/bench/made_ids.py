"""Two files of made identifiers with a known overlap, alike on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from protocols.suite import Words, get_suite

_MOBILE_PREFIXES = np.array([138, 139, 150, 151, 158, 186, 188, 199], dtype=np.int64)
_SEED = b"made identifiers for measuring  "


def write_id_files(
    files: tuple[Path, Path], first_rows: int, second_rows: int, overlap: int, kind: str
) -> Sequence[str]:
    """Write one column ``id``, shuffled, in both; return the identifiers that are in both.

    ``phone``: valid Chinese mobile numbers. ``opaque``: eleven digits.
    """
    total = first_rows + second_rows - overlap
    stream = get_suite("intl").stream(_SEED, b"ids")
    numbers = np.unique(_draw(stream.words(total + total // 50 + 1000), kind))
    numbers = numbers[stream.permutation(len(numbers))][:total]
    sets = numbers[:first_rows], numbers[first_rows - overlap :]
    for path, values in zip(files, sets, strict=True):
        shuffled = values[stream.permutation(len(values))].astype("S11")
        lines = np.empty((len(shuffled), 12), dtype=np.uint8)
        lines[:, :11] = shuffled.view(np.uint8).reshape(len(shuffled), 11)
        lines[:, 11] = ord("\n")
        path.write_bytes(b"id\n" + lines.tobytes())
    return [str(number) for number in numbers[first_rows - overlap : first_rows]]


def _draw(words: Words, kind: str) -> npt.NDArray[np.int64]:
    """Return eleven-digit numbers, not yet distinct; no secret depends on their bias."""
    if kind == "phone":
        prefixes = _MOBILE_PREFIXES[((words >> np.uint64(60)) % np.uint64(8)).astype(np.int64)]
        return np.asarray(prefixes * 10**8 + (words % np.uint64(10**8)).astype(np.int64))
    return np.asarray((words % np.uint64(10**10)).astype(np.int64) + 10**10)
