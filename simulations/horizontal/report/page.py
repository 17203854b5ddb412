"""The page of a horizontal run, in English and Chinese: what every report shares, and its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any

from markupsafe import Markup

from simulations.horizontal.report import wording
from simulations.horizontal.report.model import STEPS, Exchanged, HorizontalReport
from simulations.horizontal.report.strings import LANGUAGES
from simulations.horizontal.report.worth import (
    Overall,
    PartyWorth,
    by_party,
    cost_of,
    gain_of,
    overall,
    within,
)
from simulations.report import figures
from simulations.report.charts import Axis, Charts
from simulations.report.document import document
from simulations.report.model import COORDINATOR
from simulations.report.strings import Strings
from simulations.report.worth import WHICH, Difference, Which

_MOST_ROWS = 12
"""Organisations that fit above each other in a chart; more become dots in a plane."""
_MOST_CELLS = 60
"""Sums drawn one by one in the attendance; of more, equal neighbours are drawn as one."""
_MOST_INCIDENTS = 40
_SECTIONS = (
    "worth",
    "compared",
    "repeats",
    "rounds",
    "reads",
    "learned",
    "privacy",
    "cost",
    "audit",
    "asked",
    "brought",
    "gates",
    "primitives",
    "limits",
    "parameters",
)
_MODELS: dict[Which, str] = {"alone": "each_alone", "joint": "all_together", "pooled": "all_pooled"}


@dataclass(frozen=True)
class _Apart:
    """The chart of every organisation's AUC."""

    title: str
    chart: Markup
    legend: tuple[Which, ...]
    help: str


@dataclass(frozen=True)
class _Attendance:
    """One organisation's row of the attendance."""

    party: str
    runs: tuple[tuple[str, int], ...]
    """(state, how many sums in a row)."""
    told: str
    share: str


@dataclass(frozen=True)
class _Exchange:
    """What one party, or all in one step, sent and received."""

    name: str
    sent: int
    received: int
    messages: int
    seconds: float | None = None


def render(run: HorizontalReport) -> str:
    """Return ``report.html`` for ``run``, in English and Chinese."""
    whole, worths = overall(run), by_party(run)
    return document(
        run,
        "horizontal.html",
        LANGUAGES,
        lambda t: _contents(run, whole, worths, t),
        package="simulations.horizontal.report",
        style="horizontal_style.html",
    )


def _contents(
    run: HorizontalReport, whole: Overall, worths: Sequence[PartyWorth], t: Strings
) -> dict[str, Any]:
    """Return what the page's body shows in one language, beyond what every report does."""
    charts = Charts(t)
    eventful = [one for one in run.sums if one.missing or not one.opened]
    customers = sum(party.customers for party in run.parties)
    how = "clear_how_repeated" if len(run.splits) > 1 else "clear_how"
    return {
        "sections": [s for s in _SECTIONS if s != "repeats" or len(run.splits) > 1],
        "headline": wording.headline(run, whole, t),
        "against_pooled": wording.against_pooled(run, whole, t),
        "presence": wording.presence(run, t),
        "precision": wording.precision(run, t),
        "precise": wording.precise(run),
        "tiles": wording.tiles(run, whole, t),
        "gains": wording.gains(worths, t),
        "limits": wording.limits(run, t),
        "learners": wording.learners(run, t),
        "signed": wording.signed,
        "between": lambda gap: wording.between(gap, t),
        "worths": worths,
        "overall": whole,
        "measured_some": any(worth.alone is not None for worth in worths),
        "unmeasured_some": any(worth.alone is None for worth in worths),
        "models": {which: t[f"short_{which}"] for which in WHICH},
        "named_models": {which: t[key] for which, key in _MODELS.items() if which in whole.within},
        "clear_how": t[how].format(
            repeats=len(run.splits),
            customers=figures.whole(run.splits[0].held_out),
            trained_on=figures.whole(run.splits[0].trained_on),
        ),
        "apart": _apart(worths, charts, t),
        "differences": _differences(whole, charts, t),
        "learning": _learning(run, whole, charts, t),
        "splits": [
            {
                "held_out": split.held_out,
                "alone": within(split, "alone"),
                "joint": within(split, "joint"),
                "gain": gain_of(split),
                "cost": cost_of(split),
            }
            for split in run.splits
        ],
        "attendance": [_attended(run, party.party_id, t) for party in run.parties],
        "some_lost": any(not one.opened for one in run.sums),
        "first_sum": wording.sum_name(run.sums[0], t) if run.sums else "",
        "last_sum": wording.sum_name(run.sums[-1], t) if run.sums else "",
        "incidents": [
            {
                "number": one.number,
                "name": wording.sum_name(one, t),
                "present": len(one.contributors),
                "missing": wording.missing_names(one, t),
                "opened": one.opened,
                "lost": one.lost,
                "seconds": one.seconds,
            }
            for one in eventful[:_MOST_INCIDENTS]
        ],
        "more_incidents": max(0, len(eventful) - _MOST_INCIDENTS),
        "round_s": _round_seconds(run),
        "traffic": _traffic(run),
        "steps": _steps(run),
        "terms": wording.terms(run, t),
        "rejected_in_all": sum(sum(party.rejected.values()) for party in run.parties),
        "left_in_all": sum(party.left for party in run.parties) / customers if customers else 0.0,
    }


def _apart(worths: Sequence[PartyWorth], charts: Charts, t: Strings) -> _Apart | None:
    """Return the chart of every organisation's AUC; None where nobody has one."""
    known = [
        (worth.party_id, worth.alone, worth.joint)
        for worth in worths
        if worth.alone is not None and worth.joint is not None
    ]
    if not known:
        return None
    areas = [area for _, *both in known for area in both]
    axis = Axis.of_numbers(min(areas), max(areas))
    if len(known) > _MOST_ROWS:
        dots = [(alone, joint) for _, alone, joint in known]
        chart = charts.lines(
            t["chart_scatter"],
            t["chart_scatter_x"],
            t["chart_scatter_y"],
            [("joint", t["together"], dots)],
            axis=axis,
            joined=False,
            dots=True,
        )
        return _Apart("chart_scatter", chart, (), t["chart_scatter_help"])
    rows: list[tuple[str, list[tuple[str, str, float]]]] = [
        (
            party,
            [("alone", t["short_alone"], alone), ("joint", t["short_joint"], joint)],
        )
        for party, alone, joint in known
    ]
    chart = charts.dots(t["chart_apart"], t["chart_apart_x"], rows, axis, shown=figures.metric)
    return _Apart("chart_apart", chart, ("alone", "joint"), "")


def _differences(whole: Overall, charts: Charts, t: Strings) -> Markup | None:
    """Return the chart of what joining was worth, and what learning apart cost."""
    gaps: list[tuple[Which, str, Difference]] = []
    if whole.gain is not None:
        gaps.append(("joint", t["joint_minus_alone"], whole.gain))
    if whole.cost is not None:
        gaps.append(("pooled", t["joint_minus_pooled"], whole.cost))
    if not gaps:
        return None
    ends = [end for _, _, gap in gaps for end in (gap.low, gap.high)]
    rows = [
        (which, name, (gap.value, gap.low, gap.high), wording.estimate(gap, t))
        for which, name, gap in gaps
    ]
    axis = Axis.of_numbers(min(0.0, *ends), max(0.0, *ends))
    return charts.intervals(t["chart_differences"], t["chart_differences_x"], rows, axis)


def _learning(run: HorizontalReport, whole: Overall, charts: Charts, t: Strings) -> Markup | None:
    """Return the chart of the joint model's AUC by round, over the pooled model's as a line."""
    if len(run.learning) < 2:
        return None
    points = [(float(number), area) for number, area in run.learning]
    first, last = points[0][0], points[-1][0]
    series: list[tuple[str, str, list[tuple[float, float]]]] = []
    areas = [area for _, area in points]
    if "pooled" in whole.over_all:
        level = whole.over_all["pooled"]
        series.append(("pooled", t["short_pooled"], [(first, level), (last, level)]))
        areas.append(level)
    series.append(("joint", t["short_joint"], points))
    return charts.lines(
        t["chart_learning"],
        t["chart_learning_x"],
        t["chart_learning_y"],
        series,
        axis=Axis.of_rounds(round(first), round(last)),
        upward=Axis.of_numbers(min(areas), max(areas)),
    )


def _attended(run: HorizontalReport, party: str, t: Strings) -> _Attendance:
    states = []
    for one in run.sums:
        state = "away" if party in one.missing else "in"
        states.append(state if one.opened or state == "away" else "lost")
    runs = [(state, 1) for state in states]
    if len(states) > _MOST_CELLS:
        runs = [(state, len(list(equal))) for state, equal in groupby(states)]
    return _Attendance(
        party,
        tuple(runs),
        wording.attendance(run, party, t),
        t["of_sums"].format(present=sum(state != "away" for state in states), sums=len(run.sums)),
    )


def _round_seconds(run: HorizontalReport) -> float | None:
    """Return the median training round; a sum that was lost took its time as well."""
    rounds = [one.seconds for one in run.sums if one.what == "round"]
    return median(rounds) if rounds else None


def _traffic(run: HorizontalReport) -> list[_Exchange]:
    """Return what each party sent and received; the coordinator last."""
    ids = [party.party_id for party in run.parties if party.party_id in run.wire]
    if COORDINATOR in run.wire:
        ids.append(COORDINATOR)
    return [
        _added(party, list(run.wire[party].values()), seconds=_own_work(run, party))
        for party in ids
    ]


def _own_work(run: HorizontalReport, party: str) -> float | None:
    """Return the mean of a party's own work in the training rounds it took part in."""
    worked = [
        one.party_s[party] for one in run.sums if one.what == "round" and party in one.party_s
    ]
    return sum(worked) / len(worked) if worked else None


def _steps(run: HorizontalReport) -> list[_Exchange]:
    """Return what all parties sent and received, step by step."""
    of_parties = [steps for party, steps in run.wire.items() if party != COORDINATOR]
    return [
        _added(step, found)
        for step in STEPS
        if (found := [steps[step] for steps in of_parties if step in steps])
    ]


def _added(name: str, parts: Sequence[Exchanged], *, seconds: float | None = None) -> _Exchange:
    return _Exchange(
        name,
        sum(part.bytes_sent for part in parts),
        sum(part.bytes_received for part in parts),
        sum(part.messages_sent for part in parts),
        seconds,
    )
