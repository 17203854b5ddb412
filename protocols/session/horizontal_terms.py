"""What the parties of a horizontal job agree to train, and how their updates are added up.

Data only. A parameter below the floor its protocol states is refused here, in code; decimals are
strings, because what is signed is its canonical bytes.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from protocols.session.model_terms import Terms, decimal, within

AggregationMethod: TypeAlias = Literal["masked_he", "ckks", "paillier", "masks"]
Strategy: TypeAlias = Literal["fedavg", "fedprox", "fedadam"]
MAX_PARTIES = 100
MASKED: frozenset[AggregationMethod] = frozenset({"masked_he", "masks"})
"""Methods in which pairwise masks cover each contribution."""


class PurchaseTerms(Terms, frozen=True, kw_only=True):
    """How purchase lines become a customer's features and label; alike at every party."""

    rules: Literal["purchases/1"]
    cut: str
    """A date such as 2017-11-30: features look at days up to and with it, the label after it."""
    horizon_days: int
    """Days after the cut in which a customer who buys nothing has left."""
    active_days: int
    """Only customers with a purchase in this many days up to the cut are looked at."""
    history_days: int
    """How many days up to the cut the features look back."""
    categories: tuple[str, ...]
    """Product categories whose share of a customer's spending is a feature; others are one."""
    columns: tuple[str, ...]
    """The features used, of those the rules make, in the order all parties share."""

    def __post_init__(self) -> None:
        """Refuse a window that holds nothing."""
        try:
            valid = date.fromisoformat(self.cut).isoformat() == self.cut
        except ValueError:
            valid = False
        if not valid:
            raise ValueError("cut must be a date such as 2017-11-30")
        within("horizon_days", self.horizon_days, 1, 730)
        within("active_days", self.active_days, 1, 3650)
        within("history_days", self.history_days, self.active_days, 3650)
        for name, values in (("categories", self.categories), ("columns", self.columns)):
            if len(set(values)) != len(values) or not all(values):
                raise ValueError(f"{name} must differ and have names")
        within("number of columns", len(self.columns), 1, 200)
        within("number of categories", len(self.categories), 0, 50)


class LogisticTerms(Terms, frozen=True, kw_only=True, tag_field="kind", tag="logistic_regression"):
    """Logistic regression on the scaled columns."""

    l2: str

    def __post_init__(self) -> None:
        """Refuse a penalty outside [0, 100]."""
        _check_between("l2", self.l2, "0", "100")

    @property
    def kind(self) -> str:
        """What is trained, as it stands in the spec."""
        return "logistic_regression"


class PerceptronTerms(
    Terms, frozen=True, kw_only=True, tag_field="kind", tag="multilayer_perceptron"
):
    """A multilayer perceptron with ReLU between its layers."""

    hidden: tuple[int, ...]
    """Units of each hidden layer, from the input on."""
    l2: str

    def __post_init__(self) -> None:
        """Refuse sizes outside their ranges."""
        within("number of hidden layers", len(self.hidden), 1, 4)
        for units in self.hidden:
            within("hidden", units, 1, 4096)
        _check_between("l2", self.l2, "0", "100")

    @property
    def kind(self) -> str:
        """What is trained, as it stands in the spec."""
        return "multilayer_perceptron"


HorizontalModel: TypeAlias = LogisticTerms | PerceptronTerms


class FederatedTraining(Terms, frozen=True, kw_only=True):
    """Rounds of local training and what is done with their mean (McMahan 2017; Reddi 2021)."""

    strategy: Strategy
    rounds: int
    local_epochs: int
    batch_rows: int
    learning_rate: str
    proximal: str
    """mu of FedProx (Li 2020, §3.2); ``0`` for the other strategies."""
    server_learning_rate: str
    """eta of the server's optimiser; ``1`` for fedavg and fedprox."""
    beta1: str
    beta2: str
    tau: str
    """Adaptivity of FedAdam (Reddi 2021, Algorithm 2)."""

    def __post_init__(self) -> None:
        """Refuse parameters outside their ranges, and ones their strategy does not have."""
        within("rounds", self.rounds, 1, 500)
        within("local_epochs", self.local_epochs, 1, 50)
        within("batch_rows", self.batch_rows, 1, 1_000_000)
        _check_between("learning_rate", self.learning_rate, "0.000001", "10")
        _check_between("server_learning_rate", self.server_learning_rate, "0.000001", "10")
        _check_between("proximal", self.proximal, "0", "100")
        _check_between("beta1", self.beta1, "0", "0.9999")
        _check_between("beta2", self.beta2, "0", "0.99999")
        _check_between("tau", self.tau, "0.000000001", "1")
        if (Decimal(self.proximal) > 0) != (self.strategy == "fedprox"):
            raise ValueError("proximal is fedprox's alone, and must be above 0 there")
        if self.strategy != "fedadam" and Decimal(self.server_learning_rate) != 1:
            raise ValueError("server_learning_rate is fedadam's; it is 1 elsewhere")


class AggregationTerms(Terms, frozen=True, kw_only=True):
    """How updates are added so that nobody sees one party's."""

    method: AggregationMethod
    update_bound: str
    """Coordinates of an update beyond this are cut to it; a decimal."""
    minimum_contributors: int
    """A sum of fewer contributions is never opened."""
    threshold: int
    """Parties whose shares recover the masks of one that dropped out (Bonawitz 2017, t)."""
    key_rounds: int
    """Sums for which one sharing of mask secrets lasts; who was away joins at the next."""
    paillier_bits: int
    """Modulus of ``paillier``; the other methods ignore it."""
    round_deadline_s: int
    """How long a round waits for a party before it goes on without."""

    def __post_init__(self) -> None:
        """Refuse parameters below the protocol's floors (its ``SPEC.md`` §4)."""
        _check_between("update_bound", self.update_bound, "0.001", "1000")
        within("minimum_contributors", self.minimum_contributors, 2, MAX_PARTIES)
        within("threshold", self.threshold, 2, MAX_PARTIES)
        within("key_rounds", self.key_rounds, 1, 64)
        within("round_deadline_s", self.round_deadline_s, 1, 86_400)
        if self.paillier_bits not in (2048, 3072):
            raise ValueError("paillier_bits must be 2048 or 3072")


class PrivacyTerms(Terms, frozen=True, kw_only=True):
    """Differential privacy of one customer at each party, by its own noise alone (DP-SGD)."""

    epsilon: str
    """What each party's part in the whole job may cost; its noise is chosen to meet it."""
    delta: str
    clip_norm: str
    """L2 norm to which one customer's gradient is cut (Abadi 2016)."""

    def __post_init__(self) -> None:
        """Refuse budgets outside their ranges."""
        _check_between("epsilon", self.epsilon, "0.01", "100")
        _check_between("delta", self.delta, "0.000000000001", "0.001")
        _check_between("clip_norm", self.clip_norm, "0.0001", "1000")


def _check_between(name: str, text: str, low: str, high: str) -> None:
    if not Decimal(low) <= decimal(name, text) <= Decimal(high):
        raise ValueError(f"{name} must be in [{low}, {high}]")
