"""The user's copy of a real table as several retailers; a made copy where there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from party_node.purchases import PreparedPurchases, training_table
from protocols.suite import get_suite
from simulations.samples import online_retail
from simulations.samples.purchase_files import SplitError

SUITE = get_suite("gm")
REAL = Path(__file__).parents[4] / "shared/data/online_retail/online_retail.csv.gz"


def prepared(folder: Path, **options: Any) -> list[PreparedPurchases]:
    sample = online_retail.write(folder, seed=1, suite=SUITE, **options)
    return [
        training_table(file.registration(folder), sample.terms, SUITE, folder / "rejects.csv")
        for file in sample.files
    ]


def copied(path: Path) -> Path:
    """Write a made table of the same form: 40 British customers, 4 abroad, and nameless lines."""
    rows = []
    for number in range(48):
        customer = f"{12346 + number}" if number < 44 else ""
        country = "United Kingdom" if number < 40 or number >= 46 else "France"
        for month in ("03", "08", "11") if number % 3 else ("08",):
            day = f"2011-{month}-{1 + number % 28:02d} 09:30:00"
            rows.append((f"5{number:03d}{month}", f"A{number % 7}", 3, day, 2.5, customer, country))
            if number % 5 == 0:
                rows.append((f"C{number:03d}{month}", "A1", -1, day, 2.5, customer, country))
    columns = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice"]
    pd.DataFrame(rows, columns=[*columns, "CustomerID", "Country"]).to_csv(path, index=False)
    return path


def test_a_retailer_must_have_the_customers_abroad_and_the_others_share_the_rest(
    tmp_path: Path,
) -> None:
    source = copied(tmp_path / "table.csv.gz")
    made = prepared(tmp_path / "files", source=source)
    assert made[0].facts.customers_in_file == 4
    assert sum(fact.facts.customers_in_file for fact in made[1:]) == 40
    assert sum(fact.facts.lines_in_file for fact in made) == len(pd.read_csv(source))
    rejected = [fact.rejected.get("missing_identifier", 0) for fact in made]
    assert (
        rejected[0]
        == pd.read_csv(source).query("CustomerID.isna() and Country == 'France'").shape[0]
    )
    returns = made[1].table.columns.index("return_lines")
    assert any((fact.table.values[:, returns] > 0).any() for fact in made)


def test_horizons_must_end_with_the_last_whole_day() -> None:
    for horizon, cut in ((30, "2011-11-08"), (90, "2011-09-09")):
        terms = online_retail.terms(horizon)  # type: ignore[arg-type]
        assert (terms.cut, terms.horizon_days) == (cut, horizon)
        assert {"discount_share", "share_of_others"}.isdisjoint(terms.columns)


def test_what_is_not_the_table_must_be_explained(tmp_path: Path) -> None:
    with pytest.raises(online_retail.SourceUnusable, match="there is no file") as caught:
        prepared(tmp_path, source=tmp_path / "absent.csv.gz")
    assert "InvoiceNo, StockCode" in caught.value.hint
    for content in (b"a,b\n1,2\n", b"\x1f\x8b broken"):
        other = tmp_path / "other.csv.gz"
        other.write_bytes(content)
        with pytest.raises(online_retail.SourceUnusable, match="is not the table"):
            prepared(tmp_path, source=other)
    with pytest.raises(SplitError, match="split = 'home_store' is none: random or country"):
        prepared(tmp_path, source=copied(tmp_path / "t.csv"), split="home_store")


@pytest.mark.skipif(not REAL.is_file(), reason="the table does not come with FedCRM")
@pytest.mark.parametrize("split", ["random", "country"])
def test_real_table_must_give_usable_retailers(tmp_path: Path, split: str) -> None:
    made = prepared(tmp_path, source=REAL, split=split)
    assert sum(fact.facts.lines_in_file for fact in made) == 541_909
    assert sum(fact.facts.customers for fact in made) == 1907
    assert sum(fact.facts.churned for fact in made) == 592
    assert sum(fact.rejected["missing_identifier"] for fact in made) == 135_080
    for fact in made:
        assert fact.facts.customers >= 190
        assert 0.25 < fact.facts.churned / fact.facts.customers < 0.4
    assert os.path.getsize(tmp_path / "retailer-1.parquet") > 10_000
