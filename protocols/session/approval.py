"""Approvals: each party's signature over one statement that names the JobSpec's digest.

The statement's bytes are the caller's (the audit room's joint statement of the approval), so that
one signature both starts the job and stands in every party's log.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocols.errors import DecodeError, VerifyError
from protocols.session.agreed_job import AgreedJob
from protocols.suite import Suite, canonical


def verify_approvals(
    spec: AgreedJob,
    statement: bytes,
    approvals: Mapping[str, bytes],
    pinned: Mapping[str, bytes],
    suite: Suite,
) -> None:
    """Return if every party of ``spec`` signed ``statement`` under the key pinned for it.

    ``pinned`` maps party ids to public keys this verifier obtained itself; a key that only the
    spec names is not believed. Raises :class:`VerifyError` naming the party.
    """
    if set(approvals) != {party.party_id for party in spec.participants}:
        raise VerifyError("approvals are not those of the spec's parties")
    for party in spec.participants:
        key = pinned.get(party.party_id)
        if key is None or key.hex() != party.public_key:
            raise VerifyError("the spec's key is not the one pinned here", party=party.party_id)
    ids = [party.party_id for party in spec.participants]
    wrong = suite.verify_each([(pinned[party], statement, approvals[party]) for party in ids])
    if wrong:
        raise VerifyError("the approval's signature is wrong", party=ids[wrong[0]])


def encode_approvals(approvals: Mapping[str, bytes]) -> bytes:
    """Return the canonical bytes of signatures by party id."""
    return canonical.encode({party: signature.hex() for party, signature in approvals.items()})


def decode_approvals(data: bytes) -> dict[str, bytes]:
    """Return signatures by party id; raises :class:`DecodeError` and nothing else."""
    try:
        signatures = msgspec.convert(canonical.decode(data), dict[str, str])
        return {party: bytes.fromhex(signature) for party, signature in signatures.items()}
    except (canonical.CanonicalError, msgspec.ValidationError, ValueError):
        raise DecodeError("not a set of approvals") from None
