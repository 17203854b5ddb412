"""A registration that contradicts itself is refused, in words that say where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from party_node.purchases import LineColumns, PurchaseRegistration
from tests.party_node.purchases.purchase_lines import COLUMNS, registered


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name is empty"),
        ({"path": ""}, "path is empty"),
        ({"identifier_column": "day"}, "column 'day' is used twice"),
        ({"consent_column": "customer"}, "column 'customer' is used twice"),
        ({"consent_column": ""}, "a column's name is empty"),
        ({"allowed_purposes": ()}, "could be used for nothing"),
        ({"label_purpose": ""}, "label_purpose is empty"),
        ({"minimum_contributors": 1}, r"must be in \[2, 100\]"),
        ({"minimum_contributors": 101}, r"must be in \[2, 100\]"),
        ({"cancelled_prefix": ""}, "how a basket's number begins"),
        (
            {"cancelled_prefix": "C", "columns": LineColumns(time="day", amount="amount")},
            "name its column",
        ),
        ({"complete_until": "20240331"}, "a date such as 2017-12-31"),
        ({"complete_until": "2024-02-30"}, "a date such as 2017-12-31"),
    ],
)
def test_contradiction_must_be_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(registered(Path("till.csv")), **changes)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"time": "day"}, "the column of the amount"),
        ({"time": "day", "amount": "a", "unit_price": "b", "quantity": "c"}, "of the amount, or"),
        ({"time": "day", "unit_price": "b"}, "unit_price needs quantity"),
    ],
)
def test_a_mapping_without_an_amount_must_be_refused(columns: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LineColumns(**columns)


def test_registration_must_come_back_from_a_file_as_it_was() -> None:
    registration = registered(Path("till.csv"), consent_column="agreed", cancelled_prefix="C")
    again = msgspec.json.decode(msgspec.json.encode(registration), type=PurchaseRegistration)
    assert again == registration
    assert registration.columns_read == ("customer", "agreed", *COLUMNS.names)
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.json.decode(b'{"colour": 1}', type=PurchaseRegistration)
