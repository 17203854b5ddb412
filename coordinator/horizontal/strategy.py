"""A Flower Strategy that adds ciphertexts and can open nothing.

``protocols/secure_aggregation/SPEC.md`` §3 has the steps. To Flower a round is one opened sum:
:meth:`SecureAggregation.configure_train` sets up keys where they are due and asks for
contributions, :meth:`SecureAggregation.aggregate_train` adds them, has the parties agree on who is
in the sum and reveal (sealed, to each other) what hides it. What Flower knows as the round's arrays
is the added ciphertext. A sum that cannot be opened is done again under the next number.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

import msgspec
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from coordinator.horizontal.exchange import Answer, Exchange, PartyLost, Request, chunk_record
from coordinator.horizontal.job_ended import JobEnded
from coordinator.horizontal.key_epochs import KeyEpoch, KeyEpochs, usable
from coordinator.horizontal.opening_store import OpeningStore
from coordinator.horizontal.recorder import Absence, Recorder, SumRecord
from models.horizontal.plan import sum_name, sums_of, words_of
from protocols.secure_aggregation import ContributorList, Opening, SumCollection, TooFew
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.phase_report import Phase
from protocols.sum_ciphers import adder
from protocols.wire import encode

MAX_LOST = 3
"""Sums for one piece of work that may be lost before the job fails."""


@dataclass
class _Tried:
    """What is noted of a sum while it is made."""

    number: int
    name: str
    missing: dict[str, Absence] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """Why a party gave no usable answer, in its own words or the coordinator's."""
    received: int = 0
    party_ms: dict[str, int] = field(default_factory=dict)
    lost: str = ""

    def is_of_use(self, answer: Answer | PartyLost) -> TypeGuard[Answer]:
        """Return whether a party did its part, and note why not; raises :class:`JobEnded`."""
        if isinstance(answer, PartyLost):
            if answer.party:
                self.said[answer.party] = answer.reason
            return False
        if not usable(answer):
            self.said[answer.party] = answer.payload.get("message", answer.status)
            return False
        worked = answer.payload.get("work_ms")
        if isinstance(worked, int):
            self.add_ms(answer.party, worked / 1000)
        return True

    def why_lost(self) -> str:
        """Return why there is no sum: what was too few, who is missing, what one of them said."""
        missing = ", ".join(sorted(self.missing)) or "nobody"
        said = "".join(f"; {party}: {self.said[party]}" for party in sorted(self.said)[:1])
        return f"{self.lost}; missing: {missing}{said}"

    def add_ms(self, party: str, seconds: float) -> None:
        """Add to the time noted for ``party``."""
        self.party_ms[party] = self.party_ms.get(party, 0) + round(seconds * 1000)


@dataclass
class SecureAggregation(Strategy):
    """Adds up one job's sums over a Grid whose replies come one by one."""

    exchange: Exchange
    store: OpeningStore
    recorder: Recorder
    epochs: KeyEpochs
    number: int
    """The next sum's number."""
    _grid: Grid = field(init=False, repr=False)
    _epoch: KeyEpoch | None = field(default=None, init=False)
    _state: bytes = field(default=b"", init=False, repr=False)
    """What was learned so far, sealed by a member for those who were away."""
    _state_opened: int = field(default=-1, init=False)
    _reports: dict[str, bytes] = field(default_factory=dict, init=False)
    """With which parties ended, by letter."""
    _started: float = field(default=0.0, init=False)

    def summary(self) -> None:
        """Say nothing: what runs is in the spec all parties signed."""

    @property
    def _spec(self) -> HorizontalSpec:
        return self.exchange.spec

    # -- Flower's hooks ----------------------------------------------------------------------

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the messages that ask each member for its part of the next sum."""
        del server_round, arrays, config
        self._grid = grid
        return self._ask()

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the added ciphertexts of a sum the parties can open; raises JobEnded."""
        del server_round
        for lost in range(MAX_LOST):
            opening, tried = self._try_sum(replies)
            if opening is not None:
                present = len(opening.contributors.contributors)
                members = len(self._present_epoch.enrolled.members)
                metrics = {"contributors": present, "missing": members - present}
                return chunk_record(opening.chunks), MetricRecord(dict(metrics))
            if lost < MAX_LOST - 1:
                replies = self._grid.send_and_receive(self._ask())
        raise JobEnded(
            "failed",
            f"{tried.name}: {MAX_LOST} sums were lost one after another, the last because of "
            f"{tried.why_lost()}",
            party=next(iter(tried.missing)) if len(tried.missing) == 1 else "",
            hint="bring the missing parties back, then go on",
        )

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return nothing: counts of scores are the job's last sum."""
        del server_round, arrays, config, grid
        return ()

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return nothing, as nothing was asked."""
        del server_round, replies
        return None

    # -- asking ------------------------------------------------------------------------------

    @property
    def _opened(self) -> int:
        return len(self.store.numbers())

    @property
    def remaining(self) -> int:
        """How many sums are still to be opened."""
        return sums_of(self._spec) - self._opened

    @property
    def _present_epoch(self) -> KeyEpoch:
        if self._epoch is None:
            raise JobEnded("failed", "no keys were set up")
        return self._epoch

    def _ask(self) -> list[Message]:
        terms = None if self._epoch is None else self._epoch.enrolled.terms
        if terms is None or self.number >= terms.first + terms.sums:
            self._epoch = self.epochs.begin(self._grid, self.number, self._missed_before)
            self._state, self._state_opened = b"", -1
        self._started = time.monotonic()
        self.recorder.sum_started(self.number, sum_name(self._spec, self._opened))
        # The same work may be added again for the same contributors only (SPEC.md §3.4).
        bound = self.store.bound(self._opened)
        members = [m for m in self._present_epoch.ready if not bound or m in bound]
        behind = {member for member in members if self._is_behind(member)}
        able = [member for member in members if member not in behind]
        # Another one each time: one that is away or tells nonsense must not keep others out.
        helper = able[self.number % len(able)] if able and behind else ""
        requests = {
            member: self.catching_up(
                member,
                {
                    "number": self.number.to_bytes(4, "big"),
                    "opened": self._opened.to_bytes(4, "big"),
                }
                | ({"want-state": b""} if member == helper else {}),
            )
            for member in members
        }
        return self.exchange.messages("contribute", requests)

    def catching_up(self, party: str, letters: Mapping[str, bytes]) -> Request:
        """Return a request with what ``party`` lacks of the epoch and of the opened sums."""
        missed = self._missed_by(party)
        keys = self._present_epoch.letters_for(party)
        return Request({**letters, **keys, **missed.letters}, missed.chunks)

    def final_requests(self, grid: Grid) -> Iterator[dict[str, Request]]:
        """Yield what each party needs to end: first those that can open the last sum, then others.

        Where somebody missed the last keys, or nobody has keys after a crash, keys are set up once
        more, so that who came back is told what was learned. :meth:`finished` is to be given the
        answers to the first before the second are asked for.
        """
        self._grid = grid
        requests = self._final()
        if len(requests) < len(self._spec.parties):
            try:
                self._epoch = self.epochs.begin(grid, self.number, self._missed_before)
            except JobEnded:
                if not requests:
                    raise
            else:
                self._state, self._state_opened = b"", -1
                requests |= self._final()
        behind = [party for party in self._present_epoch.ready if party not in requests]
        helper = next((party for party in self._present_epoch.ready if party in requests), "")
        if behind and helper:
            asked = requests[helper]
            requests[helper] = Request({**asked.letters, "want-state": b""}, asked.chunks)
        yield requests
        if behind and self._state:
            yield {party: self.catching_up(party, self._reports) for party in behind}

    def finished(self, answer: Answer) -> None:
        """Keep how a party ended, which confirms the model to who is only told it."""
        self._reports[f"finished/{answer.party}"] = msgspec.msgpack.encode(answer.report)
        self._take_state(answer)

    def _final(self) -> dict[str, Request]:
        """Return what opens the last sums at each member that has the keys."""
        if self._epoch is None:
            return {}
        members = [party for party in self._epoch.ready if not self._is_behind(party)]
        return {party: self.catching_up(party, {}) for party in members}

    def _take_state(self, answer: Answer) -> None:
        if "state" in answer.letters and self._state_opened < self._opened:
            self._state, self._state_opened = answer.letters["state"], self._opened

    def _missed_before(self, party: str) -> Request:
        """Return what ``party`` has to open before its keys of the last epoch are gone."""
        if self._epoch is not None and party not in self._epoch.delivered:
            return Request()
        return self._missed_by(party)

    def _missed_by(self, party: str) -> Request:
        """Return the openings ``party`` has not told it opened, as far as it has their keys.

        Who lacks keys of some gets instead what a member sealed for it, and the openings since.
        """
        opened, letters = self.epochs.opened.get(party, 0), {}
        if self._is_behind(party):
            if not self._state:
                return Request()
            opened, letters = self._state_opened, {"state": self._state}
        numbers = self.store.numbers()[opened:]
        return Request(
            letters | {f"opening/{n}": self.store.note(n) for n in numbers},
            {f"opening/{n}": self.store.chunks(n) for n in numbers},
        )

    @property
    def _first_readable(self) -> int:
        return 0 if self._epoch is None else self._epoch.enrolled.terms.first

    def _is_behind(self, party: str) -> bool:
        """Whether ``party`` lacks sums whose keys it cannot have any more."""
        missed = self.store.numbers()[self.epochs.opened.get(party, 0) :]
        return bool(missed) and missed[0] < self._first_readable

    # -- one sum -----------------------------------------------------------------------------

    def _try_sum(self, replies: Iterable[Message]) -> tuple[Opening | None, _Tried]:
        """Return the opening of the present sum, None if it is lost; its number is used up."""
        epoch = self._present_epoch
        tried = _Tried(self.number, sum_name(self._spec, self._opened))
        self.number += 1
        for party in epoch.enrolled.terms.parties:
            away = party not in epoch.ready
            tried.missing[party] = "next_epoch" if away else "no_answer"
        collection = SumCollection(
            epoch.enrolled.terms,
            self.exchange.public_keys,
            self.exchange.suite,
            enrolled=epoch.enrolled,
            number=tried.number,
            length=words_of(self._spec, self._opened),
            new_adder=lambda: adder(
                epoch.public, self._spec.aggregation.method, self.exchange.suite
            ),
        )
        opening = None
        try:
            self._collect(collection, replies, tried)
            contributors = collection.contributor_list()
            self.store.bind(self._opened, contributors.contributors)
            self._agree(collection, contributors, tried)
            opening = collection.opening()
        except TooFew as error:
            tried.lost = error.reason
        self._record(tried, collection, opening)
        return opening, tried

    def _record(self, tried: _Tried, collection: SumCollection, opening: Opening | None) -> None:
        epoch = self._present_epoch.enrolled.terms.epoch
        for refusal in collection.refused:
            tried.missing.setdefault(refusal.party, "refused")
            tried.said[refusal.party] = f"{refusal.reason} ({refusal.step})"
        if opening is None:
            present = sorted(set(self._present_epoch.enrolled.members) - set(tried.missing))
        else:
            present = list(opening.contributors.contributors)
            self.store.keep(opening)
        record = SumRecord(
            tried.number,
            tried.name,
            "lost" if opening is None else "opened",
            tuple(present),
            {party: why for party, why in tried.missing.items() if party not in present},
            tried.lost,
            tried.received,
            round((time.monotonic() - self._started) * 1000),
            tried.party_ms,
        )
        self.recorder.refused(tried.number, epoch, collection.refused)
        if opening is None:
            self.recorder.sum_lost(record, epoch)
        else:
            self.recorder.sum_opened(record, opening.contributors, epoch, len(opening.chunks))
        self.take_down_traffic()

    def take_down_traffic(self) -> None:
        """Write down what was sent since the last time."""
        self.recorder.traffic(self.exchange.traffic)
        self.exchange.traffic.clear()

    def _collect(
        self, collection: SumCollection, replies: Iterable[Message], tried: _Tried
    ) -> None:
        """Add contributions as they come."""
        for answer in self.exchange.answers("contribute", replies):
            if not tried.is_of_use(answer):
                continue
            self.epochs.told(answer)
            self._present_epoch.delivered.add(answer.party)
            self._take_state(answer)
            if answer.payload.get("behind"):
                tried.missing[answer.party] = "next_epoch"
                continue
            tried.received += sum(map(len, answer.chunks))
            note = answer.letters.get("note", b"")
            started = time.monotonic()
            taken = collection.contribution(answer.party, note, answer.chunks)
            tried.add_ms("coordinator", time.monotonic() - started)
            if taken:
                tried.missing.pop(answer.party, None)
            else:
                tried.missing[answer.party] = "refused"

    def _agree(
        self, collection: SumCollection, contributors: ContributorList, tried: _Tried
    ) -> None:
        """Have the list signed, and what hides the sum revealed to the parties."""
        number = {"number": contributors.number.to_bytes(4, "big")}
        for answer in self._ask_members("consist", {**number, "list": encode(contributors)}, tried):
            collection.signature(answer.party, answer.letters.get("signature", b""))
        signed = collection.signed_list()
        if not self._present_epoch.enrolled.terms.masked:
            return
        for answer in self._ask_members("unmask", {**number, "signed": encode(signed)}, tried):
            collection.revelation(answer.party, answer.letters.get("revelation", b""))

    def _ask_members(
        self, step: Phase, letters: Mapping[str, bytes], tried: _Tried
    ) -> Iterable[Answer]:
        """Yield the answers of those members that have opened their bundles."""
        members = sorted(self._present_epoch.delivered)
        messages = self.exchange.messages(step, dict.fromkeys(members, Request(letters)))
        for answer in self.exchange.answers(step, self._grid.send_and_receive(messages)):
            if tried.is_of_use(answer):
                yield answer
