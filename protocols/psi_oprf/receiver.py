"""The Receiver of OPRF-PSI: a small set against a large, prepared one."""

from __future__ import annotations

import numpy as np

from protocols.arguments import check_items
from protocols.element_lists import chunks, turns
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.kernels.sorting import find_rows
from protocols.psi_oprf.messages import (
    CHUNK_QUERIES,
    CHUNK_TAGS,
    ELEMENT_BYTES,
    VERSION,
    AnswerTerms,
    BlindedQueries,
    EvaluatedQueries,
    QueryTerms,
    TagChunk,
    TermsSignature,
)
from protocols.psi_oprf.result import OprfMatched
from protocols.psi_oprf.steps import Session
from protocols.psi_oprf.tag_set import (
    TagSet,
    digest_of_chunks,
    group_dst,
    is_ascending,
    tag_length,
    tags_of,
)
from protocols.roles import PartyId, Progress, Receive, Role, Send
from protocols.suite import InvalidElement, Items, Octets, Suite


def receiver(
    items: Items,
    *,
    party: PartyId,
    peer: PartyId,
    suite: Suite,
    context: bytes,
    cached: TagSet | None,
    private_key: bytes,
    peer_public_key: bytes,
    seed: bytes,
) -> Role[OprfMatched]:
    """Receiver of OPRF-PSI, SPEC.md §3 (Jarecki and Liu, SCN 2010).

    ``items`` are distinct 32-byte digests, shape (n, 32); ``cached`` is the tag set a former run
    with this peer returned, if any; ``context``, keys and ``seed`` as in the other protocols.

    Learns the Sender's number of items and which own items are among them, and keeps tags that
    tell nothing without queries. Reveals its number of items; whether it tells what matched is
    another step (:func:`~protocols.psi_oprf.answers.tell_matches`). Adversary: a semi-honest peer
    (one-more gap Diffie-Hellman for the Sender, DDH for the Receiver, random oracle). Raises
    ``LocalProtocolError`` for unusable arguments and for more items than the Sender still answers,
    ``RemoteProtocolError`` for a peer that departs from the protocol.
    """
    own = Session(
        role="receiver",
        party=party,
        peer=peer,
        suite=suite,
        context=context,
        private_key=private_key,
        peer_public_key=peer_public_key,
        seed=seed,
    )
    item_order = check_items(items)

    digest = b"" if cached is None else cached.digest
    yield Send(peer, QueryTerms(VERSION, suite.name, party, peer, context, len(items), digest))
    terms: AnswerTerms = yield Receive(peer, AnswerTerms)
    statement = _check_terms(own, terms, len(items))
    own_signature = own.sign(statement)
    yield Send(peer, TermsSignature(own_signature))

    received = cached is None or cached.digest != terms.tag_set
    if received:
        tag_set = yield from _receive_tags(own, terms)
    else:
        assert cached is not None
        tag_set = cached
        if (cached.key_id, cached.tags.shape) != (terms.key_id, (terms.tags, terms.tag_bytes)):
            raise RemoteProtocolError("AnswerTerms: the digest is that of another tag set")
    own_tags = yield from _query(own, items, tag_set)

    places = find_rows(tag_set.tags, own_tags)
    # In the order of the items' bytes, which both parties have and which no run changes.
    positions = item_order[places[item_order] >= 0]
    return OprfMatched(
        own_size=len(items),
        peer_size=terms.tags,
        positions=positions,
        places=places[positions],
        tag_set=tag_set,
        received=received,
        statement=statement,
        signatures={party: own_signature, peer: terms.signature},
    )


def _check_terms(own: Session, terms: AnswerTerms, queries: int) -> bytes:
    """Return the statement of the terms if the Sender's signature over it is good."""
    own.check(terms)
    statement = own.statement(
        queries,
        key_id=terms.key_id,
        shape=(terms.tags, terms.tag_bytes),
        tag_set=terms.tag_set,
        quota=terms.quota_left,
    )
    own.verify("AnswerTerms", statement, terms.signature)
    if queries > terms.quota_left:
        raise LocalProtocolError(
            f"{queries} items, but the peer answers {terms.quota_left} more queries under its "
            "present key (its quota): bring fewer items, or wait for its next key"
        )
    if terms.tag_bytes < tag_length(terms.tags, queries):
        raise RemoteProtocolError(
            f"AnswerTerms: tags of {terms.tag_bytes} bytes are too short for {queries} queries "
            f"against {terms.tags}"
        )
    return statement


def _receive_tags(own: Session, terms: AnswerTerms) -> Role[TagSet]:
    """Receive the tag set the terms announce."""
    tags = np.empty((terms.tags, terms.tag_bytes), dtype=np.uint8)
    digests = []
    for chunk in chunks(terms.tags, CHUNK_TAGS):
        message: TagChunk = yield Receive(own.peer, TagChunk)
        chunk.check("TagChunk", message.tags, terms.tag_bytes)
        rows = np.frombuffer(message.tags, dtype=np.uint8).reshape(-1, terms.tag_bytes)
        tags[chunk.start : chunk.stop] = rows
        if not is_ascending(tags[max(chunk.start - 1, 0) : chunk.stop]):
            raise RemoteProtocolError(f"TagChunk {chunk.name}: tags are not in ascending order")
        digests.append(own.suite.hash(message.tags))
        yield Progress("receive tags", chunk.stop, terms.tags)
    if digest_of_chunks(own.suite, terms.key_id, tags.shape, digests) != terms.tag_set:
        raise RemoteProtocolError("TagChunk: not the tag set that AnswerTerms names")
    return TagSet(terms.key_id, tags, terms.tag_set)


def _query(own: Session, items: Items, tag_set: TagSet) -> Role[Octets]:
    """Return the tags of ``items``, which the Sender evaluates without seeing them."""
    group = own.suite.group
    scalar = group.random_scalar(own.suite.stream(own.seed, own.purpose("scalar")))
    dst = group_dst(tag_set.key_id)
    length = tag_set.tags.shape[1]
    own_tags = np.empty((len(items), length), dtype=np.uint8)
    parts = chunks(len(items), CHUNK_QUERIES)
    for action, chunk in turns(parts, parts):
        batch = items[chunk.start : chunk.stop]
        if action == "send":
            yield Send(own.peer, BlindedQueries(group.hash_and_multiply(scalar, batch, dst)))
            yield Progress("blind", chunk.stop, len(items))
        else:
            message: EvaluatedQueries = yield Receive(own.peer, EvaluatedQueries)
            chunk.check("EvaluatedQueries", message.elements, ELEMENT_BYTES)
            try:
                elements = group.divide(scalar, message.elements)
            except InvalidElement as error:
                raise RemoteProtocolError(f"EvaluatedQueries {chunk.name}: {error}") from None
            own_tags[chunk.start : chunk.stop] = tags_of(
                own.suite, tag_set.key_id, batch, elements, length
            )
            yield Progress("unblind", chunk.stop, len(items))
    return own_tags
