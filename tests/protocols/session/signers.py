"""Keys of a few parties, and a small spec they all signed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from protocols.session.decoded_spec import decode_spec
from protocols.session.job_spec import JobSpec
from protocols.suite import canonical, get_suite
from tests.protocols.session.specs import plain_spec

SUITE = get_suite("gm")


@dataclass(frozen=True)
class Signer:
    """A party's key pair."""

    private_key: bytes
    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        return SUITE.sign(self.private_key, message, bytes(32))


@cache
def signer(name: str) -> Signer:
    """Return the key pair of ``name``, the same in every run."""
    return Signer(*SUITE.generate_signing_key(SUITE.hash(name.encode())))


def spec(**changes: object) -> JobSpec:
    """Return a spec that names the signers ``bank`` and ``retailer``."""
    plain = plain_spec()
    for party in plain["parties"]:
        party["public_key"] = signer(party["party_id"]).public_key.hex()
    return decode_spec(canonical.encode(plain | changes))
