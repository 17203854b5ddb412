"""Drives one horizontal job over a Flower Grid, from where it stands to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flwr.app import ArrayRecord
from flwr.serverapp import Grid

from coordinator.horizontal.exchange import Exchange, PartyLost, Request
from coordinator.horizontal.job_ended import JobEnded
from coordinator.horizontal.key_epochs import KeyEpochs, usable
from coordinator.horizontal.opening_store import OpeningStore
from coordinator.horizontal.polled_grid import PolledGrid
from coordinator.horizontal.recorder import Recorder
from coordinator.horizontal.strategy import SecureAggregation
from protocols.session.horizontal_spec import HorizontalSpec

if TYPE_CHECKING:
    from coordinator.coordinator import Coordinator, JobRecord

_CHECKPOINT = "checkpoint"
_CLOSE_TRIES = 2
"""Who ended the job and does not answer is asked to close it once more."""


@dataclass
class HorizontalDrive:
    """One job; what it needs to go on after a crash is in the coordinator's database and folder."""

    coordinator: Coordinator
    record: JobRecord[HorizontalSpec]
    public_keys: dict[str, bytes]
    gather_s: float = 120.0
    """How long to wait for all parties before going on with those that are there."""
    poll_s: float = 0.05
    _exchange: Exchange = field(init=False)
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the exchange with the parties and the records."""
        spec, attempt = self.record.spec, self.record.attempt
        self._exchange = Exchange(
            spec, self.record.approvals, attempt, self.coordinator.suite, self.public_keys
        )
        self._recorder = Recorder(self.coordinator, spec, attempt)

    def run(self, grid: Grid) -> None:
        """Open the sums that are still to be opened, hand out the last, close the job."""
        spec = self.record.spec
        polled = PolledGrid(grid, deadline_s=spec.aggregation.round_deadline_s, poll_s=self.poll_s)
        store = OpeningStore(
            self.coordinator.home / "horizontal" / spec.job_id / str(self.record.attempt)
        )
        self._recorder.catch_up(store)
        number = self._recorder.next_number()
        strategy = SecureAggregation(
            self._exchange,
            store,
            self._recorder,
            KeyEpochs(self._exchange, self._recorder),
            number,
        )
        self._gather(polled)
        try:
            finished = store.checkpoints()
            if finished is None:
                if strategy.remaining:
                    strategy.start(polled, ArrayRecord(), num_rounds=strategy.remaining)
                finished = self._finish(polled, strategy)
                store.keep_checkpoints(finished)
        except JobEnded as end:
            self._recorder.ended(end)
            if end.status == "refused":
                # Over for good: what the parties kept for a resume is destroyed.
                self._close(polled, {})
                store.forget()
            return
        self._recorder.closed(self._close(polled, finished))
        strategy.take_down_traffic()
        store.forget()

    def _gather(self, grid: Grid) -> None:
        """Wait for the parties' nodes; goes on with enough of them when the time is over."""
        give_up = time.monotonic() + self.gather_s
        while len(list(grid.get_node_ids())) < len(self.record.spec.parties):
            if time.monotonic() > give_up:
                return
            time.sleep(self.poll_s)

    def _finish(self, grid: Grid, strategy: SecureAggregation) -> dict[str, bytes]:
        """Hand out the last opening; return the signed log state of each party that has all."""
        checkpoints: dict[str, bytes] = {}
        for requests in strategy.final_requests(grid):
            messages = self._exchange.messages("finish", requests)
            for answer in self._exchange.answers("finish", grid.send_and_receive(messages)):
                if not isinstance(answer, PartyLost) and usable(answer, refusal_ends=True):
                    strategy.finished(answer)
                    checkpoints[answer.party] = answer.letters.get(_CHECKPOINT, b"")
        if len(checkpoints) < self.record.spec.floor:
            raise JobEnded(
                "failed",
                f"only {len(checkpoints)} parties opened the last sum",
                hint="bring the missing parties back, then go on",
            )
        return checkpoints

    def _close(self, grid: Grid, checkpoints: dict[str, bytes]) -> list[str]:
        """Hand every party the others' log states, and have it destroy what it kept."""
        letters = {f"{_CHECKPOINT}/{party}": note for party, note in checkpoints.items()}
        closed: set[str] = set()
        for _ in range(_CLOSE_TRIES):
            messages = self._exchange.to_every_node("close", grid, lambda _: Request(letters))
            for answer in self._exchange.answers("close", grid.send_and_receive(messages)):
                if not isinstance(answer, PartyLost) and answer.status == "done":
                    closed.add(answer.party)
            if set(checkpoints) <= closed:
                break
        return sorted(closed)
