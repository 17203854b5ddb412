"""What both roles of OPRF-PSI share: the session, and the terms both sign."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.arguments import check_seed, check_session
from protocols.errors import RemoteProtocolError, VerifyError
from protocols.psi_oprf.messages import (
    SIGNATURE_PREFIX,
    VERSION,
    AnswerTerms,
    QueryTerms,
)
from protocols.roles import PartyId
from protocols.suite import InvalidSignature, Suite, canonical


@dataclass(frozen=True, slots=True)
class Session:
    """One party's view of the run: who, on what terms, with which secrets."""

    role: str
    party: PartyId
    peer: PartyId
    suite: Suite
    context: bytes
    private_key: bytes = field(repr=False)
    peer_public_key: bytes
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_session(
            party=self.party,
            peers=(self.peer,),
            suite=self.suite,
            context=self.context,
            private_key=self.private_key,
        )
        check_seed(self.seed)

    def purpose(self, name: str) -> bytes:
        """Return the label under which ``seed`` yields this role's randomness for ``name``."""
        return f"{VERSION} {self.role} {name}".encode("ascii")

    def check(self, terms: QueryTerms | AnswerTerms) -> None:
        """Return if the peer takes the run to be what this party does."""
        where = type(terms).__name__
        if terms.version != VERSION:
            raise RemoteProtocolError(f"{where}: peer's protocol version is not ours, {VERSION}")
        if terms.suite != self.suite.name:
            raise RemoteProtocolError(f"{where}: peer's suite is not ours, {self.suite.name}")
        if (terms.party, terms.peer) != (self.peer, self.party):
            raise RemoteProtocolError(f"{where}: peer's run is between other parties")
        if terms.context != self.context:
            raise RemoteProtocolError(
                f"{where}: peer's context is not ours; "
                "both must run the same signed spec and attempt"
            )

    def statement(
        self, queries: int, *, key_id: bytes, shape: tuple[int, ...], tag_set: bytes, quota: int
    ) -> bytes:
        """Return the statement of the terms, canonical JSON, the same at both parties."""
        receiver, sender = self.party, self.peer
        if self.role == "sender":
            receiver, sender = sender, receiver
        tags, tag_bytes = shape
        return canonical.encode(
            {
                "version": VERSION,
                "suite": self.suite.name,
                "context": self.context.hex(),
                "receiver": receiver,
                "sender": sender,
                "queries": queries,
                "quota_left": quota,
                "key": key_id.hex(),
                "tags": tags,
                "tag_bytes": tag_bytes,
                "tag_set": tag_set.hex(),
            }
        )

    def sign(self, statement: bytes) -> bytes:
        """Return this party's signature over prefix and statement, hedged from the seed."""
        entropy = self.suite.derive(self.seed, self.purpose("signature entropy"), 32)
        return self.suite.sign(self.private_key, SIGNATURE_PREFIX + statement, entropy)

    def verify(self, where: str, statement: bytes, signature: bytes) -> None:
        """Return if ``signature`` is the peer's over the statement; raises ``VerifyError``."""
        try:
            self.suite.verify(self.peer_public_key, SIGNATURE_PREFIX + statement, signature)
        except InvalidSignature as error:
            raise VerifyError(f"{where}: {error}") from None
