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

_TOLD = ("checkpoint", "completed")
"""Letters with which a party ends, for the others."""
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
            finished = store.told()
            if finished is None:
                if strategy.remaining:
                    strategy.start(polled, ArrayRecord(), num_rounds=strategy.remaining)
                finished = self._finish(polled, strategy)
                store.keep_told(finished)
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
        """Hand out the last opening; return what each party that has all tells the others.

        By letter: its signed log state, and its signature over what the training came to.
        """
        told: dict[str, bytes] = {}
        finished: set[str] = set()
        said: dict[str, str] = {}
        for requests in strategy.final_requests(grid):
            messages = self._exchange.messages("finish", requests)
            for answer in self._exchange.answers("finish", grid.send_and_receive(messages)):
                if isinstance(answer, PartyLost):
                    continue
                if usable(answer, refusal_ends=True):
                    strategy.finished(answer)
                    finished.add(answer.party)
                    for name in _TOLD:
                        told[f"{name}/{answer.party}"] = answer.letters.get(name, b"")
                else:
                    said[answer.party] = answer.payload.get("message", answer.status)
        if len(finished) < self.record.spec.floor:
            raise JobEnded(
                "failed",
                f"only {len(finished)} parties opened the last sum"
                + "".join(f"; {party}: {said[party]}" for party in sorted(said)[:1]),
                hint="bring the missing parties back, then go on",
            )
        return told

    def _close(self, grid: Grid, told: dict[str, bytes]) -> list[str]:
        """Hand every party what the others told, and have it destroy what it kept."""
        finished = {name.partition("/")[2] for name in told}
        closed: set[str] = set()
        for _ in range(_CLOSE_TRIES):
            messages = self._exchange.to_every_node("close", grid, lambda _: Request(told))
            for answer in self._exchange.answers("close", grid.send_and_receive(messages)):
                if not isinstance(answer, PartyLost) and answer.status == "done":
                    closed.add(answer.party)
            if finished <= closed:
                break
        return sorted(closed)
