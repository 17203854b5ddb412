"""How a kernel is compiled: without the interpreter's lock, kept on disk, typed as it is written.

numba compiles a kernel on its first call and keeps the machine code in its cache folder, as Python
does with bytecode. The cache notices a change of the kernel's own file only, not of a file it takes
functions from: whoever starts a process points the cache at a folder of its own for every state of
this package (``party_node/kernel_cache.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic as numba_intrinsic
from numba.np import linalg

Function = TypeVar("Function", bound=Callable[..., Any])


def _load_without_scipy() -> None:
    """Load now, with no BLAS to find, the part of numba that looks for one when it is loaded.

    It would import SciPy for that, which takes every process that runs a kernel as long as all the
    rest of numba. BLAS is for products of matrices, and no kernel has any.
    """

    def absent() -> None:
        raise ImportError("kernels multiply no matrices")

    ensure_blas = linalg.ensure_blas
    linalg.ensure_blas = absent
    try:
        import numba.np.arraymath  # noqa: F401, PLC0415 - for its effect, here
    finally:
        linalg.ensure_blas = ensure_blas


_load_without_scipy()


def kernel(function: Function) -> Function:
    """Return ``function`` compiled: nothing of it may be a Python object but arrays and numbers."""
    compiled: Any = numba.njit(nogil=True, cache=True)(function)
    return cast(Function, compiled)


def intrinsic(function: Callable[..., Any]) -> Any:
    """Return a function that kernels can call and whose body is LLVM instructions.

    As ``numba.extending.intrinsic``: ``function`` takes a typing context and argument types, and
    returns a signature and a function that emits the instructions.
    """
    return numba_intrinsic(function)
