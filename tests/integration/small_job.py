"""A made pair of tables and a scenario over them, small enough for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

SCENARIO = """
name = "small"
title = "Made tables for a test"
purpose = "credit_need"
output_use = "research_only"
agreement = "test-agreement-1"
seed = 7
pooled_on_this_machine = "synthetic"

[[parties]]
id = "bank"
role = "active_party"
file = "bank.csv"
identifier = "phone"
identifier_kind = "phone"
numeric = ["income"]
categorical = ["job"]
jurisdiction = "CN"
legal_basis = "synthetic_or_public_data"
allowed_purposes = ["credit_need"]
minimum_cohort = {floor}

[[parties]]
id = "retailer"
role = "passive_party"
file = "retailer.csv"
identifier = "mobile"
identifier_kind = "phone"
numeric = ["spend"]
categorical = ["home"]
jurisdiction = "CN"
legal_basis = "synthetic_or_public_data"
allowed_purposes = ["credit_need"]
minimum_cohort = {floor}

[label]
column = "wants_credit"
positive = "1"
meaning = "asked for credit"
purpose = "credit_need"

[model]
trees = {trees}
depth = 2
bins = 8

[evaluation]
held_out_percent = 40
minimum_held_out = 10

[retention]
days = 30
"""


def write_job(folder: Path, *, rows: int = 240, floor: int = 50, trees: int = 3) -> Path:
    """Write both tables and the scenario into ``folder``; return the scenario's path."""
    draw = np.random.default_rng(11)  # noqa: TID251
    bank, retailer = [], []
    for i in range(rows):
        phone = f"138{i:08d}"
        income, spend = draw.normal(50, 15), draw.normal(20, 8)
        job, home = draw.choice(["fixed", "freelance", ""]), draw.choice(["own", "rent"])
        want = income * 0.02 + spend * 0.12 + (home == "rent") + draw.normal() > 4.1
        if i % 8 != 7:
            bank.append((phone, f"{income:.2f}", job, int(want)))
        if i % 8 != 3:
            retailer.append((f"+86 {phone[:3]} {phone[3:7]} {phone[7:]}", f"{spend:.2f}", home))
    draw.shuffle(bank)
    draw.shuffle(retailer)
    _write(folder / "bank.csv", ("phone", "income", "job", "wants_credit"), bank)
    _write(folder / "retailer.csv", ("mobile", "spend", "home"), retailer)
    path = folder / "small.toml"
    path.write_text(SCENARIO.format(floor=floor, trees=trees))
    return path


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
