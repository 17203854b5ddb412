"""The privacy ledger: nothing that left is ever missed, and what did not leave is given back."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit.event import Actor, EventDraft, Outcome, check_draft
from compliance.catalogue import load_catalogue
from compliance.decision import Verdict
from compliance.gates import g11_privacy_budget
from models.differential_privacy.accountant import epsilon
from models.differential_privacy.events import GaussianEvent
from party_node.privacy_ledger import (
    LARGEST_EPSILON,
    BudgetExhausted,
    LedgerError,
    PrivacyLedger,
)
from party_node.store import open_database, privacy_accounts, privacy_entries, transaction
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.suite import RandomStream, get_suite
from tests.compliance.horizontal_specs import PRIVACY, horizontal, shop_facts

OK = Outcome(status="success", code="ok")
ROUND = GaussianEvent(1.0, 10.0, 1)
"""One noisy sum over all customers; quick to account for."""
PLAN = (GaussianEvent(1.0, 10.0, 10),)
TOTAL = Decimal(load_catalogue().policy.privacy_epsilon)
DELTA = load_catalogue().policy.privacy_delta


class Log:
    """Takes events as a job's log does: the catalogue refuses what it does not know."""

    def __init__(self) -> None:
        self.events: list[EventDraft] = []

    def __call__(
        self,
        connection: Any,
        type_: str,
        *,
        outcome: Outcome = OK,
        details: Any = None,
        counts: Any = None,
    ) -> None:
        draft = EventDraft(
            type=type_,
            actor=Actor(kind="service", id="node:east", role="party-node", authn="local"),
            outcome=outcome,
            details=details,
            counts=counts,
        )
        assert check_draft(draft).visibility == "local"
        self.events.append(draft)

    @property
    def types(self) -> list[str]:
        """What was logged, without the common beginning."""
        return [event.type.removeprefix("privacy.budget_") for event in self.events]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "node.sqlite")


@pytest.fixture
def log() -> Log:
    return Log()


def job(job_id: str = "churn-1", epsilon_: str = "3", **changes: Any) -> HorizontalSpec:
    privacy = msgspec.structs.replace(PRIVACY, epsilon=epsilon_)
    return horizontal(job_id=job_id, privacy=privacy, **changes)


def of(spec: HorizontalSpec, log: Log, attempt: int = 1) -> PrivacyLedger:
    return PrivacyLedger.of(spec, "east", attempt, log)


def told(steps: int, noise: float = 10.0) -> Decimal:
    """Epsilon of ``steps`` sums at the policy's delta, by the accountant itself."""
    return Decimal(epsilon([GaussianEvent(1.0, noise, steps)], float(DELTA)))


def used(engine: Engine, log: Log) -> Decimal:
    """Epsilon that counts against a job nobody has begun."""
    with transaction(engine) as connection:
        return Decimal(of(job("audit"), log).facts(connection).spent_epsilon)


def close_to(value: str | Decimal, expected: Decimal) -> bool:
    """Whether a shown epsilon is the accountant's, rounded up to six places."""
    return Decimal(0) <= Decimal(value) - expected <= Decimal("0.000002")


# -- one job ------------------------------------------------------------------------------------


def test_a_job_must_reserve_spend_and_give_back_the_rest(engine: Engine, log: Log) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        assert ledger.facts(connection).after_epsilon is None
        facts = ledger.facts(connection, PLAN)
        assert facts.spent_epsilon == "0.000000"
        assert close_to(facts.after_epsilon or "", told(10))
        reserved = ledger.reserve(connection, PLAN)
    assert close_to(reserved.used, told(10))
    assert Decimal(reserved.left) == TOTAL - Decimal(reserved.used)
    assert close_to(str(used(engine, log)), told(10))
    for number in range(3):
        with transaction(engine) as connection:
            balance = ledger.spend(connection, number, [ROUND])
        assert balance.steps == number + 1
        assert balance.used == reserved.used, "what may still be released counts"
    assert close_to(balance.epsilon, told(3))
    with transaction(engine) as connection:
        ledger.settle(connection, "job-stopped")
        ledger.settle(connection, "job-stopped")
    assert close_to(str(used(engine, log)), told(3))
    assert log.types == ["reserved", "spent", "spent", "spent", "settled"]
    last = log.events[-1]
    assert last.counts == {"recipients": 4, "dp_steps": 3}
    assert close_to(str(last.details["epsilon"]), told(3))
    assert close_to(TOTAL - Decimal(str(last.details["balance"])), told(3))
    assert log.events[0].details["recipients"] == ["north", "south", "west", "centre"]


def test_a_refused_job_must_spend_nothing(engine: Engine, log: Log) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        ledger.settle(connection, "job-refused")
    assert log.types == []
    with transaction(engine) as connection:
        ledger.reserve(connection, PLAN)
        ledger.settle(connection, "job-refused")
    assert used(engine, log) == 0
    assert log.types == ["reserved", "settled"]


def test_the_same_entry_again_must_count_once(engine: Engine, log: Log) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        first = ledger.reserve(connection, PLAN)
        assert ledger.reserve(connection, PLAN) == first
        once = ledger.spend(connection, 0, [ROUND])
        assert ledger.spend(connection, 0, [ROUND]) == once
        ledger.settle(connection, "job-closed")
        assert ledger.spend(connection, 0, [ROUND]).steps == 1, "it was entered before"
    assert log.types == ["reserved", "spent", "settled"]
    assert close_to(str(used(engine, log)), told(1))


def test_other_contents_under_a_used_number_must_be_refused(engine: Engine, log: Log) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        ledger.reserve(connection, PLAN)
        ledger.spend(connection, 0, [ROUND])
        with pytest.raises(LedgerError, match="entered as number 0"):
            ledger.spend(connection, 0, [ROUND, ROUND])
        with pytest.raises(LedgerError, match="another reservation"):
            ledger.reserve(connection, [ROUND])


def test_nothing_must_leave_without_a_reservation_or_after_it_was_settled(
    engine: Engine, log: Log
) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        with pytest.raises(LedgerError, match="reserved no privacy budget"):
            ledger.spend(connection, 0, [ROUND])
        ledger.reserve(connection, PLAN)
        ledger.settle(connection, "job-closed")
        with pytest.raises(LedgerError, match="is settled"):
            ledger.spend(connection, 0, [ROUND])
    assert used(engine, log) == 0


@pytest.mark.parametrize("released", [(GaussianEvent(1.0, 10.0, 11),), (GaussianEvent(1, 9, 1),)])
def test_more_than_was_reserved_must_be_refused_and_recorded(
    engine: Engine, log: Log, released: tuple[GaussianEvent, ...]
) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        ledger.reserve(connection, PLAN)
    with (
        pytest.raises(BudgetExhausted, match="more of 'east_purchases' than it reserved") as error,
        transaction(engine) as connection,
    ):
        ledger.spend(connection, 4, released)
    with transaction(engine) as connection:
        error.value.record(connection)
        assert ledger.balance(connection).steps == 0
    assert log.types == ["reserved", "exhausted"]
    assert log.events[-1].outcome.status == "denied"
    assert log.events[-1].details["reason"] == "more-than-was-reserved"
    assert log.events[-1].counts["sum_number"] == 4


def test_a_release_of_nothing_must_be_refused(engine: Engine, log: Log) -> None:
    with transaction(engine) as connection, pytest.raises(ValueError, match="at least one step"):
        of(job(), log).reserve(connection, [])


def test_a_job_without_a_budget_must_have_no_ledger(log: Log) -> None:
    with pytest.raises(ValueError, match="no privacy budget"):
        PrivacyLedger.of(horizontal(), "east", 1, log)


# -- several attempts and several jobs ------------------------------------------------------------


def test_a_new_attempt_must_give_back_the_old_one_and_keep_what_it_released(
    engine: Engine, log: Log
) -> None:
    first, second = of(job(), log), of(job(), log, attempt=2)
    with transaction(engine) as connection:
        first.reserve(connection, PLAN)
        first.spend(connection, 0, [ROUND])
        facts = second.facts(connection, PLAN)
        assert close_to(facts.spent_epsilon, told(1))
        assert close_to(facts.after_epsilon or "", told(11))
        balance = second.reserve(connection, PLAN)
        assert close_to(balance.used, told(11))
        with pytest.raises(LedgerError, match="is settled"):
            first.spend(connection, 1, [ROUND])
        with pytest.raises(LedgerError, match="abandoned"):
            first.reserve(connection, PLAN)
        assert second.spend(connection, 0, [ROUND]).steps == 2
        second.settle(connection, "job-closed")
    assert close_to(str(used(engine, log)), told(2))


def test_attempts_together_must_not_cost_more_than_was_agreed(engine: Engine, log: Log) -> None:
    agreed = str(told(10).quantize(Decimal("0.01")) + Decimal("0.01"))
    first, second = (of(job(epsilon_=agreed), log, attempt) for attempt in (1, 2))
    with transaction(engine) as connection:
        first.reserve(connection, PLAN)
        first.spend(connection, 0, [ROUND])
        with pytest.raises(BudgetExhausted, match=f"agreed on {agreed}") as error:
            second.reserve(connection, PLAN)
        error.value.record(connection)
    assert log.events[-1].details["reason"] == "more-than-was-agreed"


def test_the_budget_must_be_of_one_dataset_one_purpose_and_one_recipient(
    engine: Engine, log: Log
) -> None:
    fine = (GaussianEvent(1.0, 2.0, 1),)
    assert told(1, 2.0) < 3 < TOTAL < told(10, 2.0)
    known = 0
    with transaction(engine) as connection:
        for number in range(10):
            ledger = of(job(f"job-{number}"), log)
            try:
                ledger.reserve(connection, fine)
            except BudgetExhausted as error:
                error.record(connection)
                break
            ledger.spend(connection, 0, fine)
            ledger.settle(connection, "job-closed")
            known = number + 1
        assert 1 < known < 10
        assert log.events[-1].details["reason"] == "budget-used-up"
        last = of(job("last"), log)
        facts = last.facts(connection, fine)
        decision = g11_privacy_budget.decide(
            job("last"), "start", shop_facts(privacy=facts), load_catalogue()
        )
        assert decision.verdict is Verdict.DENY
        assert close_to(facts.spent_epsilon, told(known, 2.0))
        assert close_to(facts.after_epsilon or "", told(known + 1, 2.0))
        elsewhere = PrivacyLedger.of(job("last"), "north", 1, log)
        other = msgspec.structs.replace(job("last"), purpose="credit_need")
        for untouched in (elsewhere, of(other, log)):
            assert untouched.facts(connection, fine).spent_epsilon == "0.000000"


def test_the_recipient_with_least_left_must_decide(engine: Engine, log: Log) -> None:
    three = job("three", parties=3, aggregation={"threshold": 3})
    with transaction(engine) as connection:
        of(three, log).reserve(connection, PLAN)
        facts = of(job(), log).facts(connection, PLAN)
    assert facts.recipient in ("north", "south")
    assert close_to(facts.spent_epsilon, told(10))
    assert close_to(facts.after_epsilon or "", told(20))


def test_an_immeasurable_cost_must_not_pass_for_a_small_one(engine: Engine, log: Log) -> None:
    tiny = (GaussianEvent(1.0, 1e-9, 1),)
    with transaction(engine) as connection:
        facts = of(job(), log).facts(connection, tiny)
        assert facts.after_epsilon == LARGEST_EPSILON
        with pytest.raises(BudgetExhausted):
            of(job(), log).reserve(connection, tiny)


# -- crashes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_a_killed_process_must_not_have_sent_what_is_not_counted(
    engine: Engine, log: Log, tmp_path: Path, before: bool
) -> None:
    ledger = of(job(), log)
    with transaction(engine) as connection:
        ledger.reserve(connection, PLAN)
    engine.dispose()
    sent = tmp_path / "sent"
    child = os.fork()
    if child == 0:
        own = open_database(tmp_path / "node.sqlite")
        with transaction(own) as connection:
            ledger.spend(connection, 0, [ROUND])
            if before:
                os.kill(os.getpid(), signal.SIGKILL)
        sent.write_text("it left")
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert sent.exists() is not before
    with transaction(engine) as connection:
        assert ledger.balance(connection).steps == (0 if before else 1)
        assert ledger.spend(connection, 0, [ROUND]).steps == 1


def test_the_tables_must_take_no_change(engine: Engine, log: Log) -> None:
    with transaction(engine) as connection:
        of(job(), log).reserve(connection, PLAN)
        row = connection.execute(select(privacy_entries)).mappings().one()
    for statement in (
        update(privacy_entries).values(steps=0),
        delete(privacy_entries),
        delete(privacy_accounts),
        insert(privacy_entries).prefix_with("OR REPLACE").values(**dict(row) | {"steps": 1}),
    ):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction(engine) as connection,
        ):
            connection.execute(statement)


# -- any order of it all ------------------------------------------------------------------------


class Killed(Exception):
    """The process ends before the transaction does."""


AGREED, ALLOWED = "1.5", "2"
"""Budgets of a job and of a recipient, which a few releases reach."""


class Story:
    """Jobs that reserve, release, are killed, replayed, abandoned and settled.

    ``left`` is what really left, each release once; the ledger may say more and never less.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "node.sqlite"
        self.engine = open_database(self.path)
        self.log = Log()
        self.attempt = {"one": 1, "two": 1}
        self.noise = dict.fromkeys(self.attempt, 20.0)
        self.left: dict[tuple[str, int, int], GaussianEvent] = {}
        self.entered: dict[tuple[str, int, int], GaussianEvent] = {}
        self.began: set[tuple[str, int]] = set()

    def ledger(self, name: str, attempt: int) -> PrivacyLedger:
        whole = of(job(name, AGREED), self.log, attempt)
        policy = msgspec.structs.replace(whole.policy, privacy_epsilon=ALLOWED)
        return replace(whole, policy=policy)

    def reserve(self, name: str, newer: int, noise: float, steps: int, dies: str) -> None:
        attempt = self.attempt[name] + newer
        try:
            with transaction(self.engine) as connection:
                self.ledger(name, attempt).reserve(connection, [GaussianEvent(1.0, noise, steps)])
                if dies == "before":
                    raise Killed
        except (BudgetExhausted, LedgerError, Killed):
            return
        self.attempt[name] = attempt
        self.noise[name] = noise
        self.began.add((name, attempt))

    def release(self, name: str, older: int, number: int, steps: int, dies: str) -> None:
        place = (name, self.attempt[name] + older, number)
        event = GaussianEvent(1.0, self.noise[name], steps)
        try:
            with transaction(self.engine) as connection:
                self.ledger(*place[:2]).spend(connection, number, [event])
                if dies == "before":
                    raise Killed
        except (BudgetExhausted, LedgerError, Killed):
            return
        self.entered[place] = event
        if dies == "no":
            self.left[place] = event

    def settle(self, name: str, older: int) -> None:
        with transaction(self.engine) as connection:
            self.ledger(name, self.attempt[name] + older).settle(connection, "job-closed")

    def restart(self) -> None:
        self.engine.dispose()
        self.engine = open_database(self.path)

    def check(self) -> None:
        counted = used(self.engine, self.log)
        assert counted >= cost(self.left.values())
        assert counted >= cost(self.entered.values())
        assert counted <= Decimal(ALLOWED)
        for name in self.attempt:
            own = [event for place, event in self.left.items() if place[0] == name]
            assert cost(own) <= Decimal(AGREED)

    def end(self) -> None:
        for place in sorted(self.began):
            with transaction(self.engine) as connection:
                self.ledger(*place).settle(connection, "job-closed")
        assert close_to(used(self.engine, self.log), cost(self.entered.values()))
        self.engine.dispose()


def cost(events: Iterable[GaussianEvent]) -> Decimal:
    total: Counter[float] = Counter()
    for event in events:
        total[event.noise_multiplier] += event.steps
    whole = [GaussianEvent(1.0, noise, steps) for noise, steps in sorted(total.items())]
    return Decimal(epsilon(whole, float(DELTA)))


def happening(stream: RandomStream) -> tuple[str, tuple[Any, ...]]:
    """Return what happens next, and how; Hypothesis' own lists stay too short to fill a budget."""

    def one_of(*choices: Any) -> Any:
        return choices[stream.below(len(choices))]

    name, older = one_of("one", "two"), one_of(0, 0, 0, -1)
    dies = one_of("no", "no", "no", "before", "between")
    what = one_of(
        "reserve", "reserve", "release", "release", "release", "release", "settle", "restart"
    )
    how = {
        "reserve": (name, one_of(0, 1), one_of(12.0, 20.0), 6 + stream.below(10), dies),
        "release": (name, older, stream.below(4), 2 + stream.below(5), dies),
        "settle": (name, older),
        "restart": (),
    }
    return what, how[what]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_whatever_happens_nothing_that_left_must_be_missed(seed: bytes) -> None:
    stream = get_suite("intl").stream(seed, b"story")
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for _ in range(25):
            what, how = happening(stream)
            getattr(story, what)(*how)
            story.check()
        story.end()
