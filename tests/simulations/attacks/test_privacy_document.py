"""docs/privacy.md has a row for everything the command measures, and no row it does not."""

from __future__ import annotations

import re
from pathlib import Path

from simulations.attacks import (
    crafted_sums,
    feature_reconstruction,
    label_inference,
    membership,
    scorecard,
    scorecard_partials,
    split_labels,
    sum_matching,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "privacy.md"


def _measured():
    for name, (_, without, protected) in label_inference.WITHOUT.items():
        yield name, protected, without
    for table in (
        sum_matching.SMALL_NODE_PROTECTIONS,
        sum_matching.ROOT_PROTECTIONS,
        feature_reconstruction.PROTECTIONS,
        membership.PROTECTIONS,
        scorecard.PROTECTIONS,
        scorecard_partials.PROTECTIONS,
    ):
        for name, _, without, _, protected in table:
            yield name, protected, without
    for _, name, _, without, _, protected in crafted_sums.COMPARED:
        yield name, protected, without
    for epsilon in split_labels.EPSILONS:
        yield "label differential privacy", f"epsilon {epsilon:g}", "true labels"
    for cut in split_labels.CUTS[1:]:
        one = "number" if cut == 1 else "numbers"
        yield "narrow cut", f"{cut} {one}", f"{split_labels.CUTS[0]} numbers a customer"


def test_the_document_must_have_a_row_for_every_protection_and_no_other():
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {
        match[1] for match in re.finditer(r"^\| ([^|]+ instead of [^|]+) \|", text, re.MULTILINE)
    }
    measured = {
        f"{name}: {protected} instead of {without}" for name, protected, without in _measured()
    }
    assert rows - {"Protection: with instead of without"} == measured


def test_the_document_must_not_call_a_difference_what_it_does_not_mark():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "fedcrm attack --seeds 10" in text
    active_only = re.findall(r"^\| first tree active-only.*$", text, re.MULTILINE)
    assert len(active_only) == 2
    # Section 1 says that this protection shows no effect: no row of it may carry a mark.
    assert not any("\\*" in row or "^" in row for row in active_only)
