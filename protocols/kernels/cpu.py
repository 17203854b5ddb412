"""What this processor can do. A kernel that needs a feature it lacks would end the process."""

from __future__ import annotations

from functools import cache

from llvmlite import binding
from numba import config

AVX512 = frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"})
IFMA = AVX512 | {"avx512ifma"}
VAES = AVX512 | {"vaes", "aes"}
GFNI = AVX512 | {"gfni", "avx512vbmi"}
CLMUL = AVX512 | {"pclmul", "vpclmulqdq"}


@cache
def features() -> frozenset[str]:
    """Return LLVM's names of the features that kernels may use on this machine.

    Empty when numba was told to compile for another processor (``NUMBA_CPU_NAME``): what that one
    can do is not asked, and portable kernels run on any.
    """
    if config.CPU_NAME not in (None, "", "host"):  # type: ignore[attr-defined]
        return frozenset()
    return frozenset(name for name, there in binding.get_host_cpu_features().items() if there)


def has(wanted: frozenset[str]) -> bool:
    """Return whether all of ``wanted`` is there."""
    return wanted <= features()
