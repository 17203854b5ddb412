"""The coordinator of server-aided PSI: matches two parties' tokens, and cannot read them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from protocols.arguments import MAX_ITEMS, check_floor
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.psi_server_aided.messages import TOKEN_BYTES, VERSION, MatchAnswer, TokenList
from protocols.psi_server_aided.token_list import as_array
from protocols.roles import PartyId


def match(
    token_lists: Mapping[PartyId, TokenList], *, context: bytes, floor: int
) -> dict[PartyId, MatchAnswer]:
    """Return what to tell each of two parties about the tokens both sent, SPEC.md §3.3.

    ``token_lists`` holds each list under the party it came from. Learns both sizes, how many
    tokens match and where in the lists. Below ``floor`` the answers hold the sizes only.

    Raises ``RemoteProtocolError`` naming the party whose list is of another run, not a whole
    number of tokens, not sorted, or has a token twice; ``LocalProtocolError`` unless there are
    two lists and a floor.
    """
    if len(token_lists) != 2:
        raise LocalProtocolError("tokens are matched between two parties")
    check_floor(floor)
    (first, second) = token_lists
    first_tokens = _checked(token_lists[first], first, second, context)
    second_tokens = _checked(token_lists[second], second, first, context)

    first_matched = _contained(first_tokens, second_tokens)
    second_matched = _contained(second_tokens, first_tokens)
    opened = int(np.count_nonzero(first_matched)) >= floor

    def answer(own: npt.NDArray[np.bool_], peer: npt.NDArray[np.bool_]) -> MatchAnswer:
        matched = np.packbits(own).tobytes() if opened else b""
        return MatchAnswer(VERSION, context, len(own), len(peer), opened, matched)

    return {
        first: answer(first_matched, second_matched),
        second: answer(second_matched, first_matched),
    }


def _checked(
    message: TokenList, party: PartyId, peer: PartyId, context: bytes
) -> npt.NDArray[np.bytes_]:
    """Return the tokens of ``message``; raises unless it is ``party``'s list for this run."""
    if message.version != VERSION:
        raise RemoteProtocolError(f"TokenList: the version is not ours, {VERSION}", party=party)
    if (message.party, message.peer, message.context) != (party, peer, context):
        raise RemoteProtocolError("TokenList: made for another run", party=party)
    if len(message.tokens) % TOKEN_BYTES or len(message.tokens) > MAX_ITEMS * TOKEN_BYTES:
        raise RemoteProtocolError(
            f"TokenList: {len(message.tokens)} bytes are not a list of {TOKEN_BYTES}-byte tokens",
            party=party,
        )
    tokens = as_array(message.tokens)
    if not np.all(tokens[1:] > tokens[:-1]):
        raise RemoteProtocolError("TokenList: not sorted, or a token occurs twice", party=party)
    return tokens


def _contained(
    tokens: npt.NDArray[np.bytes_], among: npt.NDArray[np.bytes_]
) -> npt.NDArray[np.bool_]:
    """Return which of ``tokens`` are in ``among``; both are strictly increasing."""
    if not len(among):
        return np.zeros(len(tokens), dtype=np.bool_)
    places = np.searchsorted(among, tokens)
    contained: npt.NDArray[np.bool_] = among[np.minimum(places, len(among) - 1)] == tokens
    return contained
