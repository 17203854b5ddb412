"""Terms of two parties that fit each other, to be changed by a test."""

from __future__ import annotations

from typing import Any

from protocols.session.psi_spec import KeyTerms, PsiSpec, PsiTerms, agree_on_spec

RUN, CREATED = "psi-0123456789abcdef", "2026-11-21T08:00:00Z"
PHONE = KeyTerms(kinds=("phone",), match="all", rules="fedcrm-identifiers/1")


def terms(side: str, **changes: Any) -> PsiTerms:
    """The receiver is the bank, the sender the shop; 1,000 rows each."""
    name, key = ("bank", "aa" * 33) if side == "receiver" else ("shop", "bb" * 33)
    fields: dict[str, Any] = {
        "party_id": name,
        "role": side,
        "public_key": key,
        "certificate_digest": "cc" * 32,
        "legal_basis": "CN13_1",
        "minimum_cohort": 50,
        "rows": 1000,
        "cores": 2,
        "protocol": "auto",
        "cached": False,
        "values": False,
        "reveal": "list",
        "to": "both",
        "suite": "gm",
        "purpose": "overlap",
        "key": PHONE,
    }
    return PsiTerms(**(fields | changes))


def spec(
    receiver: dict[str, Any] | None = None, sender: dict[str, Any] | None = None, **both: Any
) -> PsiSpec:
    """What the two parties agree on, with changes of one side or of both."""
    return agree_on_spec(
        RUN,
        CREATED,
        terms("receiver", **(both | (receiver or {}))),
        terms("sender", **(both | (sender or {}))),
    )
