"""The page in a real browser: nothing runs off its side, and the languages switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulations.report.model import RunReport
from simulations.report.page import render
from tests.simulations.browser import CHROMIUM, SIDEWAYS, SMALLEST_TEXT, in_browser
from tests.simulations.sample_models import multiclass, scorecard
from tests.simulations.sample_models import repeated as repeated_of
from tests.simulations.sample_run import plain_run, repeated, several_parties

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def broad_run() -> RunReport:
    """Long names without a place to break, many parties, every section there is."""
    run = several_parties(title="W" * 24) | {
        name: repeated()[name] for name in ("repeats", "over_repeats")
    }
    run["versions"] = {"x" * 60: "0." + "1" * 90}
    run["primitives"] = {"SM2_XMD:SM3_SSWU_NU_": ["protocols." + "y" * 60]}
    run["psi"]["protocol"] = "server_aided"
    quality: dict[str, Any] = plain_run()["quality"]
    quality["bank"]["columns"][0]["name"] = "z" * 50
    return msgspec.convert(run | {"quality": quality}, RunReport)


def broad_classes() -> RunReport:
    """Several classes with long names, split by split."""
    run = repeated_of(multiclass())
    run["worth"]["names"] = ["W" * 30, "class of the second kind", "x", "y"]
    return msgspec.convert(run, RunReport)


def broad_scorecard() -> RunReport:
    """Long columns and bins, and what was predicted."""
    run = scorecard()
    column = run["points"]["halves"]["bank"][0]
    column["column"] = "V" * 40
    column["bins"][0] |= {"bin": "U" * 50, "points": -1234.5}
    column["bins"][1]["bin"] = "> -123456000 and <= 1.23456e+12 or missing"
    run["train"] |= {"predicted_s": 12345.0, "predicted_bytes": 8_000_000_000}
    return msgspec.convert(run, RunReport)


BROAD = [broad_run, broad_classes, broad_scorecard]


VISIBLE = """
    const seen = (id) => page.document.getElementById(id).offsetHeight > 0;
    const state = () => [page.document.documentElement.lang, seen("en"), seen("zh")];
"""


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("broad", BROAD)
def test_page_must_not_scroll_sideways(
    tmp_path: Path, broad: Callable[[], RunReport], width: int, language: str
) -> None:
    """Nor may text be cut: an element's contents may be wider than it only where it scrolls."""
    measured = in_browser(
        tmp_path,
        render(broad()),
        width,
        SIDEWAYS.format(language=language),
    )
    wide, room, high, out, cut = measured
    assert out == []
    assert wide <= room <= width
    assert high > 3000
    assert cut == []


@pytest.mark.parametrize("broad", BROAD)
def test_smallest_text_must_be_readable(tmp_path: Path, broad: Callable[[], RunReport]) -> None:
    """On a phone, charts with their scaling included."""
    smallest = in_browser(
        tmp_path,
        render(broad()),
        360,
        SMALLEST_TEXT,
    )
    assert smallest >= 11


def test_languages_must_switch_at_the_section_being_read(tmp_path: Path) -> None:
    states = in_browser(
        tmp_path,
        render(broad_run()),
        1280,
        VISIBLE
        + """
        const first = state();
        page.document.getElementById("en-gates").scrollIntoView();
        page.document.querySelector("#en a.language").click();
        const top = page.document.getElementById("zh-gates").getBoundingClientRect().top;
        const second = [...state(), page.document.title];
        page.location.hash = "#en-cost";
        await new Promise((done) => setTimeout(done, 200));
        return [first, second, Math.abs(top) < 100, state()];
        """,
    )
    assert states == [
        ["en", True, False],
        ["zh-CN", False, True, "W" * 24 + " · FedCRM"],
        True,
        ["en", True, False],
    ]


def test_without_scripts_both_languages_must_be_reached_by_their_links(tmp_path: Path) -> None:
    states = in_browser(
        tmp_path,
        render(broad_run()),
        1280,
        VISIBLE
        + """
        const states = [state()];
        for (const link of ["#en a.language", "#zh nav li:last-child a", "#zh a.language"]) {
            page.location.hash = page.document.querySelector(link).getAttribute("href");
            await new Promise((done) => setTimeout(done, 200));
            states.push(state());
        }
        return states;
        """,
        sandbox='sandbox="allow-same-origin"',
    )
    assert states == [
        ["en", True, False],
        ["en", False, True],
        ["en", False, True],
        ["en", True, False],
    ]
