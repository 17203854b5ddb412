"""Phase ``match``: what the coordinator matched is compared between the parties, then used."""

from __future__ import annotations

from functools import partial
from typing import Any

from party_node.phases.align import settle, token_keys
from party_node.phases.context import PhaseContext
from party_node.plan import psi_step
from protocols.errors import RemoteProtocolError
from protocols.intersection import Intersection
from protocols.psi_server_aided import MatchAnswer, confirm_matches, tokens
from protocols.wire import decode


def match(context: PhaseContext) -> dict[str, Any]:
    """Confirm each of the coordinator's answers with the peer it concerns; settle the alignment."""
    return settle(context, {peer: _confirm(context, peer) for peer in context.psi_peers})


def _confirm(context: PhaseContext, peer: str) -> Intersection:
    node = context.node
    if peer not in context.inbox:
        raise RemoteProtocolError(f"no answer about {peer}", party="coordinator")
    answer = decode(context.inbox[peer], MatchAnswer)
    keys = token_keys(context, peer)
    own = tokens(context.dataset.protocol_inputs, keys, context.suite)
    return context.driver.run_step(
        psi_step(context.spec, context.passive_of(peer)),
        partial(
            confirm_matches,
            answer,
            own=own,
            keys=keys,
            party=node.party_id,
            peer=peer,
            suite=context.suite,
            context=context.binding,
            floor=context.spec.cohort_floor,
            private_key=node.keys.signing_key,
            peer_public_key=node.pinned_keys()[peer],
        ),
        inputs=context.inputs(context.inbox[peer], own.tokens),
        encode_result=Intersection.to_bytes,
        decode_result=Intersection.from_bytes,
    )
