"""What running a kernel loads."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from protocols.kernels import gf64, jit
import numpy as np

@jit.kernel
def total(numbers):
    return numbers.sum()

assert total(np.arange(5)) == 10
sys.exit(1 if "scipy.linalg" in sys.modules else 0)
"""


def test_running_a_kernel_does_not_load_scipy(tmp_path):
    program = tmp_path / "runs_a_kernel.py"
    program.write_text(PROGRAM, encoding="utf-8")
    assert subprocess.run([sys.executable, program], check=False).returncode == 0
