"""The Receiver tells the Sender what matched: a step of its own, for whoever agreed to it.

The roles end without it, so that a floor can be enforced before anything is told.
"""

from __future__ import annotations

import numpy as np

from protocols.element_lists import chunks
from protocols.errors import RemoteProtocolError
from protocols.psi_oprf.messages import CHUNK_PLACES, PLACE_BYTES, MatchedTags, Matches
from protocols.roles import PartyId, Receive, Role, Send
from protocols.suite import Indices


def tell_matches(places: Indices, *, peer: PartyId) -> Role[None]:
    """Send :attr:`~protocols.psi_oprf.result.OprfMatched.places` to the Sender ``peer``."""
    yield Send(peer, Matches(len(places)))
    for chunk in chunks(len(places), CHUNK_PLACES):
        data = places[chunk.start : chunk.stop].astype(">u4").tobytes()
        yield Send(peer, MatchedTags(data))


def hear_matches(tags: int, queries: int, *, peer: PartyId) -> Role[Indices]:
    """Return which of the Sender's ``tags`` matched one of ``queries``, as places in its list.

    They come in the order both parties share, that of the items' bytes. Raises
    ``RemoteProtocolError`` for places that repeat or do not exist.
    """
    told: Matches = yield Receive(peer, Matches)
    if told.count > min(tags, queries):
        raise RemoteProtocolError("Matches: more matches than queries or tags")
    places = np.empty(told.count, dtype=np.int64)
    for chunk in chunks(told.count, CHUNK_PLACES):
        message: MatchedTags = yield Receive(peer, MatchedTags)
        chunk.check("MatchedTags", message.places, PLACE_BYTES)
        places[chunk.start : chunk.stop] = np.frombuffer(message.places, dtype=">u4")
    ascending = np.sort(places)
    if (ascending >= tags).any() or (ascending[1:] == ascending[:-1]).any():
        raise RemoteProtocolError("MatchedTags: not distinct places in our tag list")
    return places
