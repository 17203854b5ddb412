"""Before any test loads a kernel: compiled code of another state of the source is never used.

Processes that tests start inherit the folder through the environment.
"""

from __future__ import annotations

from party_node import kernel_cache

kernel_cache.prepare()
