"""The trust file: whose key is whose, learned outside the bundles.

A bundle carries the key it was signed with; only a fingerprint obtained another way (read out on
the telephone, printed in the contract) says who holds that key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import msgspec

from audit.checkpoint import SIGNATURE_TYPES, check_origin
from audit.identity import LogIdentity
from protocols.suite import Suite

MAX_TRUST_BYTES = 1 << 20
_FINGERPRINT = re.compile(r"([0-9a-f]{4}){16}")


class TrustError(ValueError):
    """A trust file that cannot be used; the text says why."""


class TrustedParty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One organisation's log and the fingerprint of the key that signs it."""

    origin: str
    suite: str
    fingerprint: str


class _TrustFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    party: list[TrustedParty]


class Trust:
    """The keys a verifier was told to expect, by origin."""

    def __init__(self, parties: Iterable[TrustedParty]) -> None:
        self._parties: dict[str, TrustedParty] = {}
        for party in parties:
            try:
                check_origin(party.origin)
            except ValueError as error:
                raise TrustError(str(error)) from None
            if party.origin in self._parties:
                raise TrustError(f"{party.origin} is listed twice")
            if party.suite not in SIGNATURE_TYPES:
                raise TrustError(
                    f"{party.origin}: the suite must be one of {', '.join(SIGNATURE_TYPES)}"
                )
            if not _FINGERPRINT.fullmatch(_digits(party.fingerprint)):
                raise TrustError(f"{party.origin}: a fingerprint is 64 hex digits")
            self._parties[party.origin] = party
        if not self._parties:
            raise TrustError("the trust file names no party")

    def knows(self, origin: str) -> bool:
        """Tell whether a key is expected for ``origin``."""
        return origin in self._parties

    def expects(self, suite: Suite, origin: str, public_key: bytes) -> bool:
        """Tell whether ``public_key`` is the key expected of ``origin``."""
        party = self._parties.get(origin)
        if party is None or party.suite != suite.name:
            return False
        return _digits(suite.fingerprint(public_key)) == _digits(party.fingerprint)


def read_trust(text: bytes) -> Trust:
    """Return the trust file's contents; raises :class:`TrustError` and nothing else."""
    if len(text) > MAX_TRUST_BYTES:
        raise TrustError(f"a trust file is at most {MAX_TRUST_BYTES} bytes")
    try:
        file = msgspec.convert(tomllib.loads(text.decode("utf-8")), _TrustFile)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise TrustError(f"not a TOML file ({type(error).__name__})") from None
    except msgspec.ValidationError as error:
        raise TrustError(f"not a trust file: {error}") from None
    return Trust(file.party)


def write_trust(identities: Iterable[LogIdentity]) -> str:
    """Return a trust file for ``identities``; whoever writes it vouches for the keys in it."""
    blocks = [
        f"[[party]]\n"
        f'origin = "{identity.origin}"\n'
        f'suite = "{identity.suite.name}"\n'
        f'fingerprint = "{identity.fingerprint}"\n'
        for identity in identities
    ]
    return "\n".join(blocks)


def _digits(fingerprint: str) -> str:
    return "".join(fingerprint.split()).lower()
