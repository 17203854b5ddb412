"""Events of sums that parties add up encrypted, and of what a dataset's privacy budget pays for.

A horizontal job opens a sequence of sums (``protocols/secure_aggregation/SPEC.md``). Every party
of the job may see most of these events, so none of them counts customers: how many each party has
travels inside the encryption.
"""

from __future__ import annotations

from typing import Final

from audit.event_type import EventType, event_type

_SUM = "sum_number epoch contributors missing"
# Of the job: epsilon at delta. Of the dataset: balance, what is left of the policy's epsilon for
# the recipient with least left. Steps, and so epsilon, tell how many customers a party has: these
# events are local.
_BUDGET = "dataset recipient epsilon delta accountant balance"

SUM_EVENTS: Final[tuple[EventType, ...]] = (
    event_type(
        "epoch.begun",
        "A roster of parties was agreed, whose keys serve a run of sums.",
        details="roster_digest scheme parties",
        counts="epoch first_sum sums parties threshold floor",
    ),
    event_type(
        "epoch.keys_destroyed",
        "This party's secrets for a run of sums were destroyed.",
        visibility="local",
        details="reason method",
        counts="epoch sums",
        ends="deletion.intended",
    ),
    event_type(
        "sum.contributed",
        "This party's part of a sum was made and is handed over; nobody can read it alone.",
        details="step scheme key_id roster_digest chunks_digest model_digest dp_used",
        counts="sum_number epoch opened ciphertexts bytes",
    ),
    event_type(
        "sum.list_signed",
        "This party signed who contributed to a sum; it signs one list for each sum.",
        details="step roster_digest contributors_digest sum_digest",
        counts=_SUM,
    ),
    event_type(
        "sum.shares_revealed",
        "This party revealed, to the other parties only, its shares of what hides a sum.",
        details="step contributors_digest",
        counts=_SUM + " signatures",
    ),
    event_type(
        "sum.opened",
        "A sum was opened at this party; the details name who contributed to it.",
        details="step scheme contributors_digest sum_digest model_digest parties",
        counts=_SUM + " signatures bytes duration_ms",
    ),
    event_type(
        "sum.parties_missing",
        "Parties on the roster gave no contribution to a sum; it goes on without them.",
        details="step reason contributors_digest parties",
        counts=_SUM,
    ),
    event_type(
        "sum.lost",
        "A sum could not be opened; its number is not used again, its work is done anew.",
        details="step reason party",
        counts=_SUM + " threshold floor",
    ),
    event_type(
        "sum.contribution_refused",
        "The coordinator left a contribution out of a sum, for the reason given.",
        details="step party reason error chunks_digest",
        counts="sum_number epoch bytes",
    ),
    event_type(
        "sum.added",
        "The coordinator added the contributions to a sum; it cannot open it.",
        details="step scheme contributors_digest sum_digest",
        counts=_SUM + " ciphertexts bytes duration_ms",
    ),
    event_type(
        "privacy.budget_reserved",
        "A part of a dataset's privacy budget was set aside for a job.",
        visibility="local",
        details=_BUDGET + " recipients",
        counts="recipients dp_steps",
    ),
    event_type(
        "privacy.budget_spent",
        "A noisy release is handed over; what it costs is counted whether or not it arrives.",
        visibility="local",
        details=_BUDGET,
        counts="recipients dp_steps sum_number",
    ),
    event_type(
        "privacy.budget_settled",
        "A job releases nothing more; what it had set aside and not spent was given back.",
        visibility="local",
        details=_BUDGET + " reason",
        counts="recipients dp_steps",
    ),
    event_type(
        "privacy.budget_exhausted",
        "A release was refused, because the privacy budget does not allow it.",
        visibility="local",
        details=_BUDGET + " reason",
        counts="recipients dp_steps sum_number",
    ),
)
