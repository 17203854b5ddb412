"""Made tables and a scenario over them, small enough for tests."""

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
suite = "{suite}"
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
{partners}
[label]
column = "wants_credit"
{label}
meaning = "asked for credit"
purpose = "credit_need"

[alignment]
protocol = "{protocol}"

[model]
{model}

[evaluation]
held_out_percent = 40
minimum_held_out = 10
repeats = {repeats}

[retention]
days = 30
"""

PARTNER = """
[[parties]]
id = "{id}"
role = "passive_party"
file = "{id}.csv"
identifier = "mobile"
identifier_kind = "phone"
numeric = ["spend"]
categorical = ["home"]
jurisdiction = "CN"
legal_basis = "synthetic_or_public_data"
allowed_purposes = ["credit_need"]
minimum_cohort = {floor}
"""


def write_job(
    folder: Path,
    *,
    rows: int = 240,
    floor: int = 50,
    trees: int = 3,
    partners: tuple[str, ...] = ("retailer",),
    suite: str = "gm",
    protocol: str = "ecdh",
    repeats: int = 1,
    model: str = "",
    label: str = 'positive = "1"',
) -> Path:
    """Write the tables and the scenario into ``folder``; return the scenario's path.

    ``model`` and ``label`` replace those tables' lines. The label column is 0 or 1, with
    ``number`` in its lines a number, with ``classes`` one of low, middle and high.
    Each table lacks another eighth of the customers: of 240, two parties share 180.
    """
    draw = np.random.default_rng(11)  # noqa: TID251
    bank: list[tuple[object, ...]] = []
    others: list[list[tuple[object, ...]]] = [[] for _ in partners]
    for i in range(rows):
        phone = f"138{i:08d}"
        written = f"+86 {phone[:3]} {phone[3:7]} {phone[7:]}"
        income, job = draw.normal(50, 15), draw.choice(["fixed", "freelance", ""])
        spend = draw.normal(20, 8, len(partners))
        home = draw.choice(["own", "rent"], len(partners))
        want = income * 0.02 + spend.sum() * 0.12 + (home[0] == "rent") + draw.normal()
        wish = want - 1.7 - 2.4 * len(partners)
        if "number" in label:
            said: object = f"{wish:.3f}"
        elif "classes" in label:
            said = "low" if wish < -0.6 else "high" if wish > 0.6 else "middle"
        else:
            said = int(wish > 0)
        if i % 8 != 7:
            bank.append((phone, f"{income:.2f}", job, said))
        for at, other in enumerate(others):
            if i % 8 != 3 - at:
                other.append((written, f"{spend[at]:.2f}", home[at]))
    header = ("phone", "income", "job", "wants_credit")
    for name, head, table in [
        ("bank", header, bank),
        *((p, ("mobile", "spend", "home"), t) for p, t in zip(partners, others, strict=True)),
    ]:
        draw.shuffle(table)  # type: ignore[arg-type]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([head, *table])
    path = folder / "small.toml"
    path.write_text(
        SCENARIO.format(
            floor=floor,
            label=label,
            model=model or f"trees = {trees}\ndepth = 2\nbins = 8",
            suite=suite,
            protocol=protocol,
            repeats=repeats,
            partners="".join(PARTNER.format(id=p, floor=floor) for p in partners),
        )
    )
    return path
