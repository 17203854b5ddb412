"""Whose message was wrong: with several peers only the role can say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from protocols.errors import RemoteProtocolError
from protocols.roles import PartyId


@contextmanager
def checking_message_of(party: PartyId) -> Iterator[None]:
    """Name ``party`` in any :class:`RemoteProtocolError` raised inside."""
    try:
        yield
    except RemoteProtocolError as error:
        error.party = error.party or party
        raise
