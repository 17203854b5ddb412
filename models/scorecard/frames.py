"""Lists of ciphertexts in messages of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.blame import checking_message_of
from models.scorecard.messages import FRAME_CIPHERTEXTS, Frame
from protocols.errors import RemoteProtocolError
from protocols.paillier import Ciphertexts, PrivateKey, PublicKey
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import RandomStream


def encrypt_and_send(
    peer: PartyId,
    type_: type[Frame],
    plaintexts: Sequence[int],
    *,
    key: PrivateKey,
    stream: RandomStream,
    progress: Progress,
) -> Role[None]:
    """Send ``plaintexts`` under the sender's own key, each frame as soon as it is encrypted."""
    for frame in frames(len(plaintexts)):
        yield progress
        ciphertexts = key.encrypt(plaintexts[frame], stream)
        yield Send(peer, type_(key.public_key.encode(ciphertexts)))


def receive_frames(
    peer: PartyId, type_: type[Frame], count: int, public_key: PublicKey, progress: Progress
) -> Role[list[Ciphertexts]]:
    """Return ``count`` ciphertexts of ``public_key`` from ``peer``, as they were framed.

    Raises :class:`RemoteProtocolError` naming the peer for another number of them, or bytes that
    are none.
    """
    received = []
    for frame in frames(count):
        yield progress
        message = yield Receive(peer, type_)
        with checking_message_of(peer):
            ciphertexts = public_key.decode(message.ciphertexts)
            if len(ciphertexts) != frame.stop - frame.start:
                raise RemoteProtocolError(f"{type_.__name__} with another number of ciphertexts")
        received.append(ciphertexts)
    return received


def frames(count: int) -> Iterator[slice]:
    """Return what of a list of ``count`` stands in each message."""
    for start in range(0, count, FRAME_CIPHERTEXTS):
        yield slice(start, min(start + FRAME_CIPHERTEXTS, count))
