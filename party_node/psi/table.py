"""This party at the table: with whom, over which connection, on what terms; and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from party_node.psi.drive import OnProgress, run_role
from party_node.psi.run_state import PartStore
from party_node.psi.streams import Streams
from protocols.errors import RemoteProtocolError
from protocols.roles import Receive, Role
from protocols.session.psi_negotiation import hear_outcome, tell_outcome
from protocols.session.psi_spec import PsiRole, PsiSpec, session_context
from protocols.suite import Suite

Rows: TypeAlias = npt.NDArray[np.int64]
T = TypeVar("T")

_FIRST_STREAM = 1
_AHEAD_BYTES = 64 << 20
_AHEAD_BYTES_PER_ITEM = 128


@dataclass(frozen=True, slots=True)
class Found:
    """How a round ended for this party."""

    peer_rows: int
    opened: bool
    """Whether the floor was reached."""
    size: int | None
    """How many customers are shared; None where this party does not learn it."""
    rows: Rows | None
    """This party's shared rows in the order both share; None where it does not learn them."""
    total: int | None = None
    """The sum over the shared customers; None where this party does not learn it."""


@dataclass(frozen=True)
class Table:
    """This party at the table: who it is, with whom, over which connection."""

    spec: PsiSpec
    role: PsiRole
    suite: Suite
    private_key: bytes = field(repr=False)
    streams: Streams
    parts: PartStore
    attempt: int
    cores: int
    cache: Path | None
    """Where the receiver of ``oprf`` keeps what it was sent."""
    on_progress: OnProgress

    @property
    def party(self) -> str:
        """This party's id."""
        return self.spec.of(self.role).party_id

    @property
    def peer(self) -> str:
        """The other party's id."""
        return self.spec.of("sender" if self.role == "receiver" else "receiver").party_id

    @property
    def peer_public_key(self) -> bytes:
        """The other party's signature key."""
        terms = self.spec.of("sender" if self.role == "receiver" else "receiver")
        return bytes.fromhex(terms.public_key)

    @property
    def peer_rows(self) -> int:
        """How many rows the other party said it brings."""
        return self.spec.of("sender" if self.role == "receiver" else "receiver").rows

    def run(
        self,
        role: Role[T],
        *,
        part: int,
        step: str,
        items: int = 0,
        peer_brings: int | None = None,
    ) -> T:
        """Run ``role`` on the stream of ``part``; ``items`` bounds how far the peer may get.

        In the first round the peer must announce as many items as it ``peer_brings``, by the
        signed spec, before anything is computed with them.
        """
        stream = self.streams.open(
            _FIRST_STREAM + part, most_bytes=_AHEAD_BYTES + items * _AHEAD_BYTES_PER_ITEM
        )
        if peer_brings is not None:
            role = self._with_agreed_size(role, part, peer_brings)
        return run_role(role, stream, step=step, on_progress=self.on_progress)

    def _with_agreed_size(self, role: Role[T], part: int, agreed: int) -> Role[T]:
        """Run ``role`` unchanged, but check the first size it receives, that of the terms."""
        answer: Any = None
        checked = False
        try:
            while True:
                try:
                    request = role.send(answer)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                answer = yield request
                if checked or not isinstance(request, Receive):
                    continue
                if "size" in request.type.__struct_fields__:
                    self.check_size(part, answer.size, agreed)
                    checked = True
        finally:
            role.close()

    @property
    def learns_the_result(self) -> bool:
        """Whether the spec tells this party the result."""
        return self.spec.to == "both" or self.role == "receiver"

    def context(self, part: str) -> bytes:
        """Return what the messages of one part are bound to."""
        return session_context(self.spec, self.suite, attempt=self.attempt, part=part)

    def agree_on_outcome(self, part: int, opened: bool) -> bool:
        """The receiver tells the sender whether the floor was reached; return what was told."""
        if self.role == "receiver":
            self.run(tell_outcome(opened, peer=self.peer), part=part, step="outcome")
            return opened
        return self.run(hear_outcome(peer=self.peer), part=part, step="outcome")

    def check_size(self, part: int, said: int, agreed: int) -> None:
        """Refuse a peer whose set is not as large as the signed spec says, in the first round."""
        if part < self.spec.buckets and said != agreed:
            raise RemoteProtocolError(
                f"brings {said} items to part {part + 1}; its offer said {agreed}",
                party=self.peer,
                step=self.spec.protocol,
            )
