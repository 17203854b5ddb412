"""What an operator is told when a node cannot go on, with a hint where there is something to do."""

from __future__ import annotations


class NodeError(Exception):
    """Base of a node's errors: ``message`` for people, ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DatasetError(NodeError):
    """A table that cannot be read as the dataset was registered."""


class JobRefused(NodeError):
    """This node does not run the job: a gate, a signature or a floor says no."""


class PeerUnreachable(NodeError):
    """A peer did not connect, or did not come back, within the deadline."""


class DeadlineExceeded(NodeError):
    """A peer is connected but did not send what was awaited in time."""


class JobStopped(NodeError):
    """Somebody asked for the job to stop; its journal stays, so it can be resumed."""


class AttemptAbandoned(NodeError):
    """The two journals no longer fit together: a new attempt with fresh seeds must start."""


class ForeignPrimitive(NodeError):
    """A cryptographic primitive outside the job's suite and its printed exceptions was used."""
