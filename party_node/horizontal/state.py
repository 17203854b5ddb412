"""What a party keeps of a running horizontal job between one Flower message and the next.

A process serves one message and ends, so everything is in the node's database, sealed under the
job's own key and destroyed with it. The answer to each message is kept as well: the same message
again gets the same answer, another one for the same place is refused, and so no step is ever taken
twice with fresh randomness.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, delete, insert, select

from party_node.errors import JobRefused
from party_node.jobs import Job
from party_node.journal import job_key
from party_node.keys import seal, unseal
from party_node.node import Node
from party_node.store import horizontal_state, transaction
from protocols.session.horizontal_spec import HorizontalSpec

SEED_BYTES = 32


class Answered(msgspec.Struct, frozen=True):
    """An answer that was given, and to what."""

    request: bytes
    """Digest of what was asked."""
    payload: bytes
    letters: dict[str, bytes]
    pieces: int
    """Files of the contribution that went with it."""


class PartyState:
    """The sealed state of one attempt of a job at one party."""

    def __init__(self, node: Node, job: Job[HorizontalSpec]) -> None:
        self._engine = node.engine
        self._suite = node.keys.suite
        self._key = job_key(node.engine, node.keys, job.spec.job_id)
        self._where = {"job_id": job.spec.job_id, "attempt": job.attempt}
        self._pieces = sent_folder(node, job.spec.job_id)

    def get(self, name: str) -> bytes | None:
        """Return what is kept as ``name``."""
        with self._engine.connect() as connection:
            sealed = connection.execute(
                select(horizontal_state.c.sealed).filter_by(name=name, **self._where)
            ).scalar_one_or_none()
        return None if sealed is None else unseal(self._suite, self._key, sealed, self._bind(name))

    def put(self, connection: Connection, name: str, data: bytes) -> None:
        """Keep ``data`` as ``name`` in the caller's transaction, in place of what was there."""
        sealed = seal(self._suite, self._key, data, self._bind(name))
        connection.execute(delete(horizontal_state).filter_by(name=name, **self._where))
        connection.execute(insert(horizontal_state).values(name=name, sealed=sealed, **self._where))

    def seed(self, name: str) -> bytes:
        """Return 32 secret bytes for ``name``, drawn once and kept."""
        known = self.get(f"seed/{name}")
        if known is None:
            known = secrets.token_bytes(SEED_BYTES)
            with transaction(self._engine) as connection:
                self.put(connection, f"seed/{name}", known)
        return known

    # -- answers -----------------------------------------------------------------------------

    def answered(self, place: str, request: bytes) -> Answered | None:
        """Return the answer given at ``place``, or None; refuses another request there."""
        data = self.get(f"answer/{place}")
        if data is None:
            return None
        answer = msgspec.msgpack.decode(data, type=Answered)
        if answer.request != request:
            raise JobRefused(
                f"another request for {place} than the one answered before",
                "the coordinator may not ask for one step in two ways",
            )
        return answer

    def keep_answer(self, connection: Connection, place: str, answer: Answered) -> None:
        """Keep an answer before it is given."""
        self.put(connection, f"answer/{place}", msgspec.msgpack.encode(answer))

    def keep_pieces(self, number: int, pieces: Sequence[bytes]) -> None:
        """Keep a contribution's ciphertexts as files until its sum is opened.

        They are what the coordinator gets, so they are not sealed again.
        """
        folder = self._pieces / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for i, piece in enumerate(pieces):
            (folder / f"{i:05d}").write_bytes(piece)

    def pieces(self, place: str) -> list[bytes]:
        """Return the kept ciphertexts of the contribution ``contribute/<number>``."""
        folder = self._pieces / place.rpartition("/")[2]
        if not folder.is_dir():
            raise JobRefused(f"the sum of {place} was opened already: its contribution is gone")
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    def _bind(self, name: str) -> bytes:
        job_id, attempt = self._where["job_id"], self._where["attempt"]
        return f"fedcrm/horizontal-state/v1/{job_id}/{attempt}/{name}".encode()


def sent_folder(node: Node, job_id: str) -> Path:
    """Return where a job's contributions are kept until their sum is opened."""
    return node.home / "sent" / job_id


def forget_pieces(node: Node, job_id: str) -> None:
    """Delete every contribution that is still kept of a job."""
    shutil.rmtree(sent_folder(node, job_id), ignore_errors=True)
