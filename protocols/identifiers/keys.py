"""What becomes of a normalised identifier: a node's own tag, and a protocol's input (SPEC.md §4).

The two never meet: a tag is keyed and stays in its node; a protocol input is the same at every
party and goes into a protocol that hides it.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import LocalProtocolError
from protocols.identifiers.normalise import RULES_VERSION, IdentifierKind
from protocols.suite import Suite

PROTOCOL_INPUT_DOMAIN = b"fedcrm/protocol-input"
COMPOSITE_INPUT_DOMAIN = b"fedcrm/composite-input"
NODE_TAG_DOMAIN = b"fedcrm/node-tag"
HELD_OUT_DOMAIN = b"fedcrm/held-out"

PROTOCOL_INPUT_BYTES = 32
MIN_NODE_KEY_BYTES = 16
MAX_SPLIT_SEED = 2**53 - 1


def node_tag(suite: Suite, node_key: bytes, kind: IdentifierKind, normalised: bytes) -> bytes:
    """Return the node's own keyed digest of an identifier, ``suite.digest_bytes`` long.

    For the exclusion list, the participation index and the guard. The rules' version is left out
    so that an exclusion outlives a change of rules for every value the change does not respell.
    """
    if len(node_key) < MIN_NODE_KEY_BYTES:
        raise LocalProtocolError(f"a node key is at least {MIN_NODE_KEY_BYTES} bytes")
    return suite.mac(node_key, framed(NODE_TAG_DOMAIN, kind.encode("ascii"), normalised))


def protocol_input(suite: Suite, kind: IdentifierKind, normalised: bytes) -> bytes:
    """Return the 32-byte unkeyed digest that the matching protocols compare.

    It is not anonymous: identifiers are few enough to try them all. Treat it as the identifier.
    """
    return protocol_inputs(suite, kind, (normalised,))[0]


def protocol_inputs(suite: Suite, kind: IdentifierKind, normalised: Sequence[bytes]) -> list[bytes]:
    """Return the :func:`protocol_input` of each identifier, in their order."""
    frame = framed(PROTOCOL_INPUT_DOMAIN, RULES_VERSION.encode("ascii"), kind.encode("ascii"))
    return [
        suite.hash(frame + len(item).to_bytes(4, "big") + item)[:PROTOCOL_INPUT_BYTES]
        for item in normalised
    ]


def held_out(suite: Suite, split_seed: int, percent: int, protocol_input: bytes) -> bool:
    """Return whether a customer belongs to the test set, alike at both parties.

    ``percent`` of the customers do, give or take chance; ``split_seed`` (0 to 2^53 - 1, from the
    signed JobSpec) picks another set. Not secret from the peer, who computes the same.
    """
    if not 0 <= percent <= 100:
        raise LocalProtocolError("percent held out must be between 0 and 100")
    if not 0 <= split_seed <= MAX_SPLIT_SEED:
        raise LocalProtocolError("the split seed must be between 0 and 2^53 - 1")
    if len(protocol_input) != PROTOCOL_INPUT_BYTES:
        raise LocalProtocolError(f"a protocol input is {PROTOCOL_INPUT_BYTES} bytes")
    digest = suite.hash(framed(HELD_OUT_DOMAIN, split_seed.to_bytes(8, "big"), protocol_input))
    return int.from_bytes(digest[:8], "big") * 100 < percent << 64


def framed(*fields: bytes) -> bytes:
    """Return the fields, each after its length in four bytes, so that no two lists collide."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)
