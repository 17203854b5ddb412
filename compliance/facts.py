"""What a party knows and the JobSpec does not say: arguments of every decision."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Stage: TypeAlias = Literal["proposal", "start", "release"]
"""When gates run: at proposal, again at start, again before anything is released."""


class DatasetFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the evaluating party's own catalogue says about the dataset it brings."""

    party_id: str
    name: str
    allowed_purposes: tuple[str, ...]
    """Purposes the people in the table were told of, by the owner's own record."""
    label_purpose: str | None = None
    """The purpose the label serves, where this dataset holds it or gives rise to it.

    A default label serves ``creditworthiness`` and is never called credit need.
    """


class PrivacyFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the party's own privacy ledger says of its dataset, for the recipient with least left.

    Epsilons are decimals, composed by the ledger and rounded up; ``1000000000`` is that or more.
    """

    recipient: str
    """The recipient of this job against whose budget most is counted, this job included."""
    delta: str
    """The delta at which both epsilons hold; a decimal."""
    spent_epsilon: str
    """What counts without this job: releases of earlier jobs, and what running ones may release."""
    after_epsilon: str | None = None
    """The same with all this job may release; None until the party has planned its releases."""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything besides the JobSpec that one party's gates decide by."""

    dataset: DatasetFacts
    minimum_cohort: int | None = None
    """The party's own floor. It may raise the policy's floor and never lowers it."""
    intersection_size: int | None = None
    """Size of the intersection once private set intersection has told it."""
    minimum_contributors: int | None = None
    """The fewest contributions this party lets its own be added to, by its own record."""
    contributors: int | None = None
    """Contributions in the smallest sum this party has opened, once it has opened one."""
    privacy: PrivacyFacts | None = None
    """The ledger's balance, where the job has a privacy budget."""
    automatic_approval: bool = False
    """Approval is given by software, as simulations do, and no person reads the job."""
