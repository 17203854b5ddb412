"""Countersigning: parties that reached the same statement sign it for each other's records.

Each party builds the statement for itself from what it saw; nobody signs bytes a peer supplied. A
peer whose signature does not verify over *this party's* bytes either cheats or saw something else,
and the role ends with its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.errors import VerifyError
from protocols.roles import ReceiveEach, Role, Send
from protocols.suite import InvalidSignature, Suite
from protocols.wire import Message


class StatementSignature(Message, frozen=True):
    """The sender's signature over the statement both sides hold already."""

    max_bytes = 256

    signature: bytes


def countersign(
    statement: bytes,
    *,
    party: str,
    private_key: bytes,
    peer_keys: Mapping[str, bytes],
    suite: Suite,
    seed: bytes,
) -> Role[dict[str, bytes]]:
    """Sign ``statement``, collect and verify each peer's signature over the same bytes.

    Learns and reveals nothing but that the statements are equal. Returns signatures by party.
    Raises :class:`VerifyError` naming the first peer (in the order of ``peer_keys``) that signed
    something else. Adversary: malicious; the signature scheme's unforgeability is assumed.
    """
    entropy = suite.stream(seed, b"fedcrm/countersign/v1").bytes(32)
    signatures = {party: suite.sign(private_key, statement, entropy)}
    for peer in peer_keys:
        yield Send(peer, StatementSignature(signatures[party]))
    answers = yield ReceiveEach(tuple(peer_keys), StatementSignature)
    for peer, key in peer_keys.items():
        try:
            suite.verify(key, statement, answers[peer].signature)
        except InvalidSignature:
            raise VerifyError("signed another statement than ours", party=peer) from None
        signatures[peer] = answers[peer].signature
    return signatures
