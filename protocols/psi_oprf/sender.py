"""The Sender of OPRF-PSI: it answers queries about a set it prepared."""

from __future__ import annotations

from protocols.element_lists import chunks
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.psi_oprf.messages import (
    CHUNK_QUERIES,
    CHUNK_TAGS,
    ELEMENT_BYTES,
    MAX_QUOTA,
    VERSION,
    AnswerTerms,
    BlindedQueries,
    EvaluatedQueries,
    QueryTerms,
    TagChunk,
    TermsSignature,
)
from protocols.psi_oprf.result import OprfAnswered
from protocols.psi_oprf.steps import Session
from protocols.psi_oprf.tag_set import EpochKey, TagSet, epoch_scalar
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import InvalidElement, Suite


def sender(
    tag_set: TagSet,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    key: EpochKey,
    quota_left: int,
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[OprfAnswered]:
    """Sender of OPRF-PSI, SPEC.md §3; references and the adversary as for the Receiver.

    ``tag_set`` is what :func:`~protocols.psi_oprf.tag_set.evaluate_set` made of the Sender's items
    under ``key``. ``quota_left`` is how many more queries this peer may ask under
    it: the caller sets them all aside before the run and takes back what
    :attr:`OprfAnswered.queries` leaves, so that a run that breaks off has cost the peer its quota.

    Learns how many items the Receiver has. Reveals its number of items and which of the Receiver's
    are among them. Raises ``LocalProtocolError`` for unusable arguments and
    ``RemoteProtocolError`` for a peer that asks more than its quota or departs from the protocol.
    """
    own = Session(
        role="sender",
        party=party,
        peer=peer,
        suite=suite,
        context=context,
        private_key=private_key,
        peer_public_key=peer_public_key,
        seed=seed,
    )
    _check_arguments(tag_set, key, quota_left)
    scalar = epoch_scalar(key, suite)

    terms: QueryTerms = yield Receive(peer, QueryTerms)
    own.check(terms)
    statement = own.statement(
        terms.queries,
        key_id=key.id,
        shape=tag_set.tags.shape,
        tag_set=tag_set.digest,
        quota=quota_left,
    )
    own_signature = own.sign(statement)
    # The terms go out even to a peer that asks too much: they tell it the quota.
    yield Send(peer, _answer_terms(own, tag_set, quota_left, own_signature))
    if terms.queries > quota_left:
        raise RemoteProtocolError(
            f"QueryTerms: peer asks {terms.queries} queries, {quota_left} are left of its quota "
            "under this key"
        )
    received: TermsSignature = yield Receive(peer, TermsSignature)
    own.verify("TermsSignature", statement, received.signature)

    sends_tags = terms.cached != tag_set.digest
    if sends_tags:
        yield from _send_tags(peer, tag_set)
    yield from _answer(own, scalar, terms.queries)
    return OprfAnswered(
        own_size=len(tag_set.tags),
        queries=terms.queries,
        sent=sends_tags,
        statement=statement,
        signatures={party: own_signature, peer: received.signature},
    )


def _check_arguments(tag_set: TagSet, key: EpochKey, quota_left: int) -> None:
    if tag_set.key_id != key.id:
        raise LocalProtocolError("the tag set was made under another epoch key")
    if not 0 <= quota_left <= MAX_QUOTA:
        raise LocalProtocolError(f"quota_left must be between 0 and {MAX_QUOTA}")


def _answer_terms(own: Session, tag_set: TagSet, quota_left: int, signature: bytes) -> AnswerTerms:
    tags, tag_bytes = tag_set.tags.shape
    return AnswerTerms(
        version=VERSION,
        suite=own.suite.name,
        party=own.party,
        peer=own.peer,
        context=own.context,
        key_id=tag_set.key_id,
        tags=tags,
        tag_bytes=tag_bytes,
        tag_set=tag_set.digest,
        quota_left=quota_left,
        signature=signature,
    )


def _send_tags(peer: PartyId, tag_set: TagSet) -> Role[None]:
    tags = tag_set.tags
    for chunk in chunks(len(tags), CHUNK_TAGS):
        yield Send(peer, TagChunk(tags[chunk.start : chunk.stop].tobytes()))
        yield Progress("send tags", chunk.stop, len(tags))


def _answer(own: Session, scalar: int, queries: int) -> Role[None]:
    """Evaluate every query under the epoch key, as it comes."""
    for chunk in chunks(queries, CHUNK_QUERIES):
        message: BlindedQueries = yield Receive(own.peer, BlindedQueries)
        chunk.check("BlindedQueries", message.elements, ELEMENT_BYTES)
        try:
            elements = own.suite.group.multiply(scalar, message.elements)
        except InvalidElement as error:
            raise RemoteProtocolError(f"BlindedQueries {chunk.name}: {error}") from None
        yield Send(own.peer, EvaluatedQueries(elements))
        yield Progress("answer", chunk.stop, queries)
