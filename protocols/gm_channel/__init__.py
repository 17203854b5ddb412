"""The gm channel: an authenticated, encrypted channel of the suite's own, inside TLS. SPEC.md."""

from protocols.gm_channel.handshake import PROOF_PREFIX, ChannelKeys, ChannelTerms
from protocols.gm_channel.initiator import initiator
from protocols.gm_channel.messages import (
    VERSION,
    ChannelAnswer,
    ChannelConfirmation,
    ChannelOffer,
    ChannelProof,
)
from protocols.gm_channel.records import (
    MAX_PAYLOAD_BYTES,
    MAX_RECORD_BYTES,
    OVERHEAD_BYTES,
    REKEY_RECORDS,
    RecordOpener,
    RecordSealer,
)
from protocols.gm_channel.responder import responder

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "MAX_RECORD_BYTES",
    "OVERHEAD_BYTES",
    "PROOF_PREFIX",
    "REKEY_RECORDS",
    "VERSION",
    "ChannelAnswer",
    "ChannelConfirmation",
    "ChannelKeys",
    "ChannelOffer",
    "ChannelProof",
    "ChannelTerms",
    "RecordOpener",
    "RecordSealer",
    "initiator",
    "responder",
]
