"""Randomness computed ahead of the plaintexts it will hide."""

from __future__ import annotations

from threading import Lock
from typing import NoReturn

from protocols.errors import LocalProtocolError
from protocols.paillier.ciphertexts import Ciphertexts


class Obfuscators:
    """Encryptions of zero, each of which is handed out once, in order.

    A second use would show the difference of two plaintexts. They live in memory only: there is no
    encoding of them, and copying or pickling one raises ``TypeError``.
    """

    def __init__(self, ciphertexts: Ciphertexts) -> None:
        self._prepared = ciphertexts
        self._used = 0
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many are left."""
        return len(self._prepared) - self._used

    def take(self, count: int) -> Ciphertexts:
        """Hand out the next ``count``; raises :class:`LocalProtocolError` if fewer are left."""
        with self._lock:
            if count > len(self):
                raise LocalProtocolError(
                    f"{count} obfuscators are needed and {len(self)} are left: prepare more"
                )
            first, self._used = self._used, self._used + count
            return self._prepared[first : self._used]

    def __reduce__(self) -> NoReturn:
        raise TypeError("obfuscators are secret and used once: they cannot be copied or stored")
