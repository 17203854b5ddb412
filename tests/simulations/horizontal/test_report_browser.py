"""The page of a horizontal run in a real browser: nothing runs off its side, on any screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from simulations.horizontal.report.model import HorizontalReport
from simulations.horizontal.report.page import render
from tests.simulations.browser import CHROMIUM, SIDEWAYS, SMALLEST_TEXT, in_browser
from tests.simulations.horizontal.sample_report import (
    names,
    one_dropped_each_round,
    plain_report,
    sample_report,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def broad() -> HorizontalReport:
    """Long names without a place to break, and everything that can be there."""
    report = plain_report(
        splits=10,
        dropped=one_dropped_each_round(),
        lost={4},
        private=True,
        title="W" * 24,
        columns=["share: " + "x" * 40, "recency_days"],
        wall_s=36_000.0,
    )
    report["review"] = [{"english": "y" * 60, "chinese": "审阅" * 60}]
    report["sums"][4]["lost"] = "z" * 50
    report["wire"]["retailer-02"]["contribute"]["bytes_sent"] = 987_000_000_000
    plain = msgspec.json.encode(report).replace(b"retailer-05", b"R" * 40)
    return msgspec.json.decode(plain, type=HorizontalReport)


def many() -> HorizontalReport:
    """Fifty parties and a hundred sums."""
    return sample_report(parties=50, rounds=98, dropped={5: names(50)[3:14]})


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize(("made", "language"), [(broad, "en"), (broad, "zh"), (many, "en")])
def test_page_must_not_scroll_sideways(
    tmp_path: Path, made: Callable[[], HorizontalReport], width: int, language: str
) -> None:
    script = SIDEWAYS.format(language=language)
    wide, room, high, out, cut = in_browser(tmp_path, render(made()), width, script)
    assert out == []
    assert wide <= room <= width
    assert high > 3000
    assert cut == []


@pytest.mark.parametrize("made", [broad, many])
def test_smallest_text_must_be_readable(
    tmp_path: Path, made: Callable[[], HorizontalReport]
) -> None:
    assert in_browser(tmp_path, render(made()), 360, SMALLEST_TEXT) >= 11


def test_attendance_must_show_every_state_at_its_place(tmp_path: Path) -> None:
    """What took part is drawn in the same columns for every party, missing or not."""
    script = """
    const rows = [...page.document.querySelectorAll("#en .runs")];
    return rows.map((row) => [...row.children].map(
        (cell) => [cell.className, Math.round(cell.getBoundingClientRect().left)]));
    """
    run = sample_report(dropped=one_dropped_each_round(), lost={4})
    rows = in_browser(tmp_path, render(run), 1280, script)
    assert len(rows) == 5
    assert {state for row in rows for state, _ in row} == {"in", "away", "lost"}
    columns = [[left for _, left in row] for row in rows]
    for row in columns[1:]:
        assert max(abs(a - b) for a, b in zip(row, columns[0], strict=True)) <= 1
