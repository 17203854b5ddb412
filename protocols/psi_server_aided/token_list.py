"""From a party's items to the tokens it sends to the coordinator."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protocols.arguments import check_items
from protocols.psi_server_aided.key_agreement import TokenKeys
from protocols.psi_server_aided.messages import TOKEN_BYTES
from protocols.suite import Indices, Items, Suite


@dataclass(frozen=True, slots=True, eq=False)
class OwnTokens:
    """A party's sorted tokens, and the way back to its items."""

    tokens: bytes = field(repr=False)
    """16 bytes each, strictly increasing as byte strings."""
    order: Indices = field(repr=False)
    """Index of the item that the j-th token was made of."""


def tokens(items: Items, keys: TokenKeys, suite: Suite) -> OwnTokens:
    """Return the token of every item, E(K_t, MAC(K_h, item)[:16]), sorted (SPEC.md §3.2).

    ``items`` are distinct 32-byte digests, shape (n, 32). Sorting needs no randomness, so that the
    list is the same bytes whenever it is made again, and its order says nothing that the set of
    tokens does not: the tokens are pseudorandom. Raises ``LocalProtocolError`` for unusable items.
    """
    check_items(items)
    hashed = b"".join(suite.mac(keys.hash_key, item.tobytes())[:TOKEN_BYTES] for item in items)
    unsorted = as_array(suite.encrypt_blocks(keys.token_key, hashed))
    order = np.argsort(unsorted, kind="stable")
    return OwnTokens(unsorted[order].tobytes(), order)


def as_array(tokens: bytes) -> npt.NDArray[np.bytes_]:
    """Return the concatenated tokens as an array that compares as byte strings do.

    NumPy ignores zeros at the end of a byte string, which makes no two 16-byte strings equal.
    """
    return np.frombuffer(tokens, dtype=f"S{TOKEN_BYTES}")
