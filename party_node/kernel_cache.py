"""Where compiled kernels are kept between runs: a folder for every state of their source.

numba notices a change of a kernel's own file only, not of a file it takes functions from. A folder
named by the digest of all of them can hold nothing stale. What is in it is run, like the bytecode
beside a Python file: the folder is the user's own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from protocols import kernels
from protocols.suite import get_suite

_KEPT = 3
"""Folders of other states that stay, the newest ones: switching back costs no compilation."""


def prepare() -> Path:
    """Point numba at the folder of this source and return it. Call before any kernel is loaded.

    Child processes inherit it. Where ``NUMBA_CACHE_DIR`` is set already, that folder is left to
    whoever set it.
    """
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    folder = _base() / _source_digest()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        _prune(folder)
    except OSError:
        # A home that cannot be written. Not without a folder: numba would keep its files beside
        # the source, where they can be stale.
        folder = Path(tempfile.mkdtemp(prefix="fedcrm-kernels-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return folder


def compile_once(name: str, work: Callable[[], None]) -> None:
    """Run ``work``, which uses the kernels called ``name``, unless they are in the folder already.

    Call after :func:`prepare`: processes started later find them compiled, where several would
    each compile them at once.
    """
    mark = prepare() / f"{name}.compiled"
    if not mark.exists():
        work()
        mark.touch()


def _base() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "fedcrm" / "kernels"


def _source_digest() -> str:
    sources = sorted(Path(kernels.__path__[0]).glob("*.py"))
    parts = [part for s in sources for part in (s.name.encode() + b"\x00", s.read_bytes(), b"\x00")]
    return get_suite("gm").hash(*parts).hex()[:16]


def _prune(present: Path) -> None:
    others = sorted(
        (f for f in present.parent.iterdir() if f.is_dir() and f != present),
        key=lambda f: f.stat().st_mtime,
        reverse=True,
    )
    for old in others[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
