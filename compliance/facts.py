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
    """The purpose the label column serves, where this dataset holds the label.

    A default label serves ``creditworthiness`` and is never called credit need.
    """


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything besides the JobSpec that one party's gates decide by."""

    dataset: DatasetFacts
    minimum_cohort: int | None = None
    """The party's own floor. It may raise the policy's floor and never lowers it."""
    intersection_size: int | None = None
    """Size of the intersection once private set intersection has told it."""
    automatic_approval: bool = False
    """Approval is given by software, as simulations do, and no person reads the job."""
