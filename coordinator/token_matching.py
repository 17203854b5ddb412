"""The coordinator's part in server-aided PSI: it matches tokens that it cannot read."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.errors import RemoteProtocolError
from protocols.psi_server_aided import TokenList, match
from protocols.session.job_spec import JobSpec
from protocols.wire import decode, encode


def match_tokens(
    spec: JobSpec, binding: bytes, outboxes: Mapping[str, Mapping[str, bytes]]
) -> dict[str, dict[str, bytes]]:
    """Return, by party and peer, the answer about the tokens both sent for each other.

    ``binding`` is the session's (spec digest and attempt); ``outboxes`` holds by party and peer
    what the parties sent with their reports. Raises :class:`RemoteProtocolError` naming the party
    that sent something else.
    """
    active = spec.active_party.party_id
    answers: dict[str, dict[str, bytes]] = {party.party_id: {} for party in spec.parties}
    for passive in (party.party_id for party in spec.passive_parties):
        lists = {
            active: _token_list(outboxes, active, passive),
            passive: _token_list(outboxes, passive, active),
        }
        for party, answer in match(lists, context=binding, floor=spec.cohort_floor).items():
            answers[party][passive if party == active else active] = encode(answer)
    return answers


def _token_list(outboxes: Mapping[str, Mapping[str, bytes]], party: str, peer: str) -> TokenList:
    try:
        data = outboxes[party][peer]
    except KeyError:
        raise RemoteProtocolError(f"sent no tokens for {peer}", party=party) from None
    try:
        return decode(data, TokenList)
    except RemoteProtocolError as error:
        error.party = party
        raise
