"""What this party's datasets have told each recipient about one customer, over all jobs.

Differential privacy is lost for good with every noisy release, so releases are counted for each
dataset, recipient and purpose, whatever job they were for, and composed together. A job reserves
what it plans to release before it starts. Each release is entered in the transaction that makes
it ready to leave, so a process killed in between counts one that did not leave and never misses
one that did. In the end what was not spent is given back: a refused job spends nothing, an
aborted one what it released.

What the ledger does not know: whether two datasets hold the same customers, whether recipients
pool what they got, and what a restored backup of the node's database forgot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Literal, Protocol, TypeAlias

from sqlalchemy import Connection, insert, select

from audit.catalogue import DetailValue
from audit.event import Outcome
from compliance.catalogue import Policy, load_catalogue
from compliance.facts import PrivacyFacts
from models.differential_privacy.accountant import epsilon
from models.differential_privacy.events import GaussianEvent
from party_node.errors import NodeError
from party_node.store import privacy_accounts, privacy_entries
from protocols.session.horizontal_spec import HorizontalSpec
from protocols.session.horizontal_terms import PrivacyTerms

ACCOUNTANT = "renyi-opacus"
"""How epsilons are composed, as events name it: ``models/differential_privacy/accountant.py``."""
LARGEST_EPSILON = "1000000000"
"""Stands for itself and for everything above, infinity among it."""

_Mechanism: TypeAlias = tuple[float, float]
"""Sampling rate and noise multiplier."""
_Steps: TypeAlias = Counter[_Mechanism]
"""How often each mechanism was, or may be, applied."""
_Attempt: TypeAlias = tuple[str, int]
_Kind: TypeAlias = Literal["reserved", "spent", "settled"]


class Recorder(Protocol):
    """Appends an event to the log; ``partial(job.event, node)`` is one."""

    def __call__(
        self,
        connection: Connection,
        type_: str,
        *,
        outcome: Outcome = ...,
        details: dict[str, DetailValue] | None = ...,
        counts: dict[str, int] | None = ...,
    ) -> object: ...


class LedgerError(NodeError):
    """A release that was not reserved, or one entered before with other contents."""


class BudgetExhausted(NodeError):
    """A budget does not allow a reservation or a release.

    The transaction must be rolled back; then :meth:`record` logs the refusal in one of its own.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        *,
        recorder: Recorder,
        details: dict[str, DetailValue],
        counts: dict[str, int],
    ) -> None:
        super().__init__(message, hint)
        self._recorder = recorder
        self._details = details
        self._counts = counts

    def record(self, connection: Connection) -> None:
        """Append the event of the refusal in the caller's transaction."""
        self._recorder(
            connection,
            "privacy.budget_exhausted",
            outcome=Outcome(status="denied", code="privacy-budget"),
            details=self._details,
            counts=self._counts,
        )


@dataclass(frozen=True)
class Balance:
    """How a job and the budgets it draws on stand; decimals, epsilons rounded up."""

    recipient: str
    """The one with least left."""
    used: str
    """Epsilon that counts against its budget, at the policy's delta."""
    left: str
    """What remains of the policy's epsilon; ``0`` where nothing does."""
    epsilon: str
    """What this job has cost so far in all its attempts, at the job's own delta."""
    steps: int
    """Applications of a mechanism this epsilon is of."""


@dataclass(frozen=True)
class PrivacyLedger:
    """The ledger as one attempt of one job sees it. Use every method in a write transaction."""

    job_id: str
    attempt: int
    dataset: str
    purpose: str
    recipients: tuple[str, ...]
    agreed: PrivacyTerms
    policy: Policy
    recorder: Recorder = field(repr=False)

    @classmethod
    def of(
        cls, spec: HorizontalSpec, party_id: str, attempt: int, recorder: Recorder
    ) -> PrivacyLedger:
        """Return the ledger for ``party_id``'s part in ``spec``.

        Every other party opens each sum, so each is a recipient, whatever the outputs say. Raises
        ``ValueError`` for a job without a privacy budget.
        """
        if spec.privacy is None:
            raise ValueError("this job names no privacy budget")
        return cls(
            job_id=spec.job_id,
            attempt=attempt,
            dataset=spec.participant(party_id).dataset_name,
            purpose=spec.purpose,
            recipients=tuple(
                party.party_id for party in spec.participants if party.party_id != party_id
            ),
            agreed=spec.privacy,
            policy=load_catalogue().policy,
            recorder=recorder,
        )

    # -- what the gates ask --------------------------------------------------------------------

    def facts(
        self, connection: Connection, planned: Sequence[GaussianEvent] | None = None
    ) -> PrivacyFacts:
        """Return what gate G11 decides by; nothing is written.

        ``planned`` is all this attempt may release. Without it what the attempt reserved counts;
        before it reserved anything, that is not known.
        """
        own = self._own(connection)
        others = self._others(connection)
        is_known = planned is not None or bool(own.now.reserved)
        plan = own.now.counted if planned is None else _steps(planned) | own.now.spent
        before = {name: others[name] + own.earlier for name in self.recipients}
        recipient, after = self._worst({name: before[name] + plan for name in self.recipients})
        return PrivacyFacts(
            recipient=recipient,
            delta=self.policy.privacy_delta,
            spent_epsilon=_decimal(_cost(before[recipient], self.policy.privacy_delta)),
            after_epsilon=_decimal(after) if is_known else None,
        )

    def balance(self, connection: Connection) -> Balance:
        """Return how the job stands: what it has released so far, and what is left."""
        own = self._own(connection)
        others = self._others(connection)
        released = own.earlier + own.now.spent
        return self._balance(
            {name: others[name] + own.earlier + own.now.counted for name in self.recipients},
            released,
        )

    # -- the entries ---------------------------------------------------------------------------

    def reserve(self, connection: Connection, planned: Sequence[GaussianEvent]) -> Balance:
        """Set aside all that this attempt may release; earlier attempts of the job are settled.

        Returns how the job stands once all of it is released. The same reservation again changes
        nothing. Raises :class:`BudgetExhausted` where it would exceed the policy's budget for a
        recipient, or the job would cost more than was agreed (what earlier attempts released
        counts), and :class:`LedgerError` for a second, different reservation.
        """
        plan = _steps(planned)
        own = self._own(connection)
        if own.is_superseded:
            raise LedgerError(f"attempt {self.attempt} of job {self.job_id} was abandoned")
        if own.now.reserved and own.now.reserved != plan:
            raise LedgerError(
                f"another reservation stands for attempt {self.attempt} of job {self.job_id}"
            )
        others = self._others(connection)
        whole = own.earlier + plan
        totals = {name: others[name] + whole for name in self.recipients}
        balance = self._balance(totals, whole)
        if own.now.reserved:
            return balance
        self._check(balance)
        for attempt in own.open_earlier:
            self._enter(connection, "settled", (), attempt=attempt)
        connection.execute(
            insert(privacy_accounts),
            [
                {
                    "job_id": self.job_id,
                    "attempt": self.attempt,
                    "recipient": name,
                    "dataset": self.dataset,
                    "purpose": self.purpose,
                }
                for name in self.recipients
            ],
        )
        self._enter(connection, "reserved", planned)
        details = self._details(balance) | {"recipients": list(self.recipients)}
        self._record(connection, "privacy.budget_reserved", details, balance)
        return balance

    def spend(
        self, connection: Connection, number: int, released: Sequence[GaussianEvent]
    ) -> Balance:
        """Enter a release in the transaction that makes it ready to leave, before it does.

        ``number`` names the release within the attempt: the number of the first sum that these
        noisy values are sent for. The same values sent again for a later sum are no new release;
        the same entry again changes nothing. Raises :class:`BudgetExhausted` for more than was
        reserved, and :class:`LedgerError` for a release entered before with other contents, one
        without a reservation, and one after the attempt was settled.
        """
        steps = _steps(released)
        own = self._own(connection)
        if number in own.now.releases:
            if own.now.releases[number] != steps:
                raise LedgerError(
                    f"another release is entered as number {number} of attempt {self.attempt}",
                    "nothing may leave under a number that was used",
                )
            return self.balance(connection)
        if not own.now.reserved or own.now.is_settled:
            state = "is settled" if own.now.is_settled else "reserved no privacy budget"
            raise LedgerError(f"attempt {self.attempt} of job {self.job_id} {state}")
        if not own.now.spent + steps <= own.now.reserved:
            raise self._exhausted(
                "more-than-was-reserved",
                f"job {self.job_id} would release more of {self.dataset!r} than it reserved",
                self.balance(connection),
                number,
            )
        self._enter(connection, "spent", released, number=number)
        balance = self.balance(connection)
        self._record(
            connection, "privacy.budget_spent", self._details(balance), balance, number=number
        )
        return balance

    def settle(self, connection: Connection, reason: str) -> None:
        """Give back what was reserved and not spent: nothing more leaves in this attempt.

        ``reason`` is a short code, such as ``job-closed``. Doing it again, or for an attempt that
        reserved nothing, changes nothing.
        """
        own = self._own(connection)
        if not own.now.reserved or own.now.is_settled:
            return
        self._enter(connection, "settled", ())
        balance = self.balance(connection)
        details = self._details(balance) | {"reason": reason}
        self._record(connection, "privacy.budget_settled", details, balance)

    # -- reading -------------------------------------------------------------------------------

    def _own(self, connection: Connection) -> _Own:
        rows = _read(connection, [self.job_id])
        return _Own(self.attempt, {number: entries for (_, number), entries in rows.items()})

    def _others(self, connection: Connection) -> dict[str, _Steps]:
        """Return what other jobs count against each recipient's budget."""
        accounts = connection.execute(
            select(
                privacy_accounts.c.job_id, privacy_accounts.c.attempt, privacy_accounts.c.recipient
            )
            .filter_by(dataset=self.dataset, purpose=self.purpose)
            .where(privacy_accounts.c.job_id != self.job_id)
        ).all()
        entries = _read(connection, sorted({row.job_id for row in accounts}))
        totals: dict[str, _Steps] = {name: Counter() for name in self.recipients}
        for row in accounts:
            if row.recipient in totals:
                totals[row.recipient].update(entries[row.job_id, row.attempt].counted)
        return totals

    # -- judging -------------------------------------------------------------------------------

    def _worst(self, totals: dict[str, _Steps]) -> tuple[str, float]:
        """Return the recipient against whose budget most counts, and how much."""
        costs: dict[frozenset[tuple[_Mechanism, int]], float] = {}
        worst: tuple[str, float] | None = None
        for name in self.recipients:
            # Most recipients stand alike; composing is what takes time.
            key = frozenset(totals[name].items())
            if key not in costs:
                costs[key] = _cost(totals[name], self.policy.privacy_delta)
            if worst is None or costs[key] > worst[1]:
                worst = name, costs[key]
        if worst is None:
            raise ValueError("a job has at least one recipient besides the party itself")
        return worst

    def _balance(self, totals: dict[str, _Steps], released: _Steps) -> Balance:
        recipient, used = self._worst(totals)
        left = Decimal(self.policy.privacy_epsilon) - Decimal(_decimal(used))
        return Balance(
            recipient=recipient,
            used=_decimal(used),
            left=str(max(left, Decimal(0))),
            epsilon=_decimal(_cost(released, self.agreed.delta)),
            steps=released.total(),
        )

    def _check(self, balance: Balance) -> None:
        if Decimal(balance.epsilon) > Decimal(self.agreed.epsilon):
            raise self._exhausted(
                "more-than-was-agreed",
                f"job {self.job_id} would cost an epsilon of {balance.epsilon}; the parties agreed "
                f"on {self.agreed.epsilon}",
                balance,
                hint="earlier attempts of the job count; propose a new job",
            )
        if Decimal(balance.used) > Decimal(self.policy.privacy_epsilon):
            raise self._exhausted(
                "budget-used-up",
                f"{self.dataset!r} would have told {balance.recipient} an epsilon of "
                f"{balance.used}; the policy allows {self.policy.privacy_epsilon}",
                balance,
                hint="a smaller budget or fewer rounds may fit; what was released stays released",
            )

    def _exhausted(
        self, reason: str, message: str, balance: Balance, number: int | None = None, hint: str = ""
    ) -> BudgetExhausted:
        return BudgetExhausted(
            message,
            hint,
            recorder=self.recorder,
            details=self._details(balance) | {"reason": reason},
            counts=self._counts(balance, number),
        )

    # -- writing -------------------------------------------------------------------------------

    def _enter(
        self,
        connection: Connection,
        kind: _Kind,
        events: Sequence[GaussianEvent],
        *,
        number: int = 0,
        attempt: int | None = None,
    ) -> None:
        place = {
            "job_id": self.job_id,
            "attempt": self.attempt if attempt is None else attempt,
            "kind": kind,
            "number": number,
        }
        contents = [
            {"rate": event.rate, "noise_multiplier": event.noise_multiplier, "steps": event.steps}
            for event in events
        ] or [{"rate": 0.0, "noise_multiplier": 0.0, "steps": 0}]
        connection.execute(
            insert(privacy_entries),
            [{**place, "position": i, **entry} for i, entry in enumerate(contents)],
        )

    def _record(
        self,
        connection: Connection,
        type_: str,
        details: dict[str, DetailValue],
        balance: Balance,
        *,
        number: int | None = None,
    ) -> None:
        self.recorder(connection, type_, details=details, counts=self._counts(balance, number))

    def _details(self, balance: Balance) -> dict[str, DetailValue]:
        return {
            "dataset": self.dataset,
            "recipient": balance.recipient,
            "epsilon": balance.epsilon,
            "delta": self.agreed.delta,
            "accountant": ACCOUNTANT,
            "balance": balance.left,
        }

    def _counts(self, balance: Balance, number: int | None) -> dict[str, int]:
        counts = {"recipients": len(self.recipients), "dp_steps": balance.steps}
        return counts if number is None else counts | {"sum_number": number}


class _Entries:
    """What one attempt of one job has entered."""

    def __init__(self) -> None:
        self.reserved: _Steps = Counter()
        self.releases: dict[int, _Steps] = {}
        self.is_settled = False

    @property
    def spent(self) -> _Steps:
        """All it has released."""
        total: _Steps = Counter()
        for steps in self.releases.values():
            total.update(steps)
        return total

    @property
    def counted(self) -> _Steps:
        """What counts against budgets: until it is settled, all it may still release."""
        return self.spent if self.is_settled else self.reserved | self.spent


class _Own:
    """An attempt's entries, and what the other attempts of its job mean for it."""

    def __init__(self, attempt: int, entries: dict[int, _Entries]) -> None:
        self.now = entries.get(attempt, _Entries())
        self.is_superseded = any(number > attempt for number in entries)
        before = {number: held for number, held in entries.items() if number < attempt}
        self.open_earlier = sorted(n for n, held in before.items() if not held.is_settled)
        self.earlier: _Steps = Counter()
        """What earlier attempts released; reserving for this one settles them."""
        for held in before.values():
            self.earlier.update(held.spent)


def _read(connection: Connection, job_ids: Sequence[str]) -> dict[_Attempt, _Entries]:
    found: dict[_Attempt, _Entries] = {}
    for job_id in job_ids:
        for row in connection.execute(select(privacy_entries).filter_by(job_id=job_id)):
            held = found.setdefault((row.job_id, row.attempt), _Entries())
            steps: _Steps = Counter({(row.rate, row.noise_multiplier): row.steps})
            match row.kind:
                case "reserved":
                    held.reserved.update(steps)
                case "spent":
                    held.releases.setdefault(row.number, Counter()).update(steps)
                case "settled":
                    held.is_settled = True
    return found


def _steps(events: Iterable[GaussianEvent]) -> _Steps:
    total: _Steps = Counter()
    for event in events:
        total[event.rate, event.noise_multiplier] += event.steps
    if not total:
        raise ValueError("a release is at least one step of a mechanism")
    return total


def _cost(steps: _Steps, delta: str) -> float:
    """Return the epsilon of ``steps`` composed, at ``delta``."""
    events = [
        GaussianEvent(rate=rate, noise_multiplier=noise, steps=count)
        for (rate, noise), count in sorted(steps.items())
        if count
    ]
    return epsilon(events, float(delta)) if events else 0.0


def _decimal(value: float) -> str:
    """Return ``value`` as a decimal of six places, never below it."""
    if not math.isfinite(value) or value >= float(LARGEST_EPSILON):
        return LARGEST_EPSILON
    return str(Decimal(value).quantize(Decimal("0.000001"), rounding=ROUND_CEILING))
