"""The page of a run on shared customers, in English and Chinese."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from simulations.report import wording
from simulations.report.charts import Axis, Charts
from simulations.report.chinese import CHINESE
from simulations.report.document import document
from simulations.report.english import ENGLISH
from simulations.report.model import RunReport
from simulations.report.scales import Scale, estimated, has_interval
from simulations.report.strings import Strings
from simulations.report.worth import Classes, Ranking, Which

_CALIBRATION_STEP = 0.2
_MOST_ROWS = 8
"""Names that fit above each other in a chart."""
_REPEATED = {
    "binary": ("auc", "ks"),
    "regression": ("rmse", "r2"),
    "multiclass": ("accuracy", "auc"),
}
"""Measures shown split by split; ``metrics.json`` has all."""
_WORTH_CHARTS = ("intervals", "roc", "calibration", "found")
_SECTIONS = (
    "asked",
    "learned",
    "worth",
    "reach",
    "decisions",
    "classes",
    "repeats",
    "points",
    "importance",
    "layers",
    "quality",
    "gates",
    "primitives",
    "cost",
    "audit",
    "limits",
    "parameters",
)


def render(run: RunReport) -> str:
    """Return ``report.html`` for ``run``, in English and Chinese."""
    return document(run, "body.html", {"en": ENGLISH, "zh": CHINESE}, lambda t: _contents(run, t))


def _contents(run: RunReport, t: Strings) -> dict[str, Any]:
    """Return what the page's body shows in one language, beyond what every report does."""
    scale, charts = Scale.of(run), _charts(run, t)
    return {
        "sections": _sections(run),
        "scale": scale,
        "heads": {
            measure: scale.head(measure, t, interval=has_interval(run, measure))
            for measure in scale.measures
        },
        "with_interval": [m for m in scale.measures if has_interval(run, m)],
        "repeated": [
            (
                t["measure_of"].format(measure=scale.head(measure, t), which=t[f"short_{which}"]),
                which,
                measure,
            )
            for measure in _REPEATED[run.objective]
            for which in ("alone", "joint")
        ],
        "models": {which: wording.model_name(run, which, t) for which in run.models},
        "charts": charts,
        "titles": _titles(run, t),
        "shown_charts": [name for name in _WORTH_CHARTS if name in charts],
        "used": {party: wording.own_shares(run, party) for party in run.importance},
    }


def _sections(run: RunReport) -> list[str]:
    """Return the sections this run has something for, in order."""
    empty = {
        "reach": isinstance(run.worth, Classes) or not run.worth.reach,
        "decisions": not isinstance(run.worth, Ranking),
        "classes": not isinstance(run.worth, Classes),
        "repeats": not run.repeats,
        "points": run.points is None,
        "importance": not run.importance,
        "layers": not run.layers,
    }
    return [section for section in _SECTIONS if not empty.get(section)]


def _titles(run: RunReport, t: Strings) -> dict[str, str]:
    """Return the charts' titles by name."""
    scale = Scale.of(run)
    names = ("roc", "calibration", "lift", "gain", "found")
    intervals = t["chart_intervals"].format(measure=scale.head(scale.first, t))
    return {"intervals": intervals, **{name: t[f"chart_{name}"] for name in names}}


def _charts(run: RunReport, t: Strings) -> dict[str, Markup]:
    """Return the page's charts by name; pooled is drawn first, so that joint stays visible."""
    charts, titles, worth = Charts(t), _titles(run, t), run.worth
    order: list[Which] = [which for which in ("pooled", "alone", "joint") if which in run.models]
    drawn = {"intervals": _intervals(run, charts, t)}
    if isinstance(worth, Classes):
        return drawn | _found(worth, order, charts, t)
    calibration = {
        which: [(p, y) for p, y, _ in worth.curves[which].calibration]
        for which in order
        if which != "pooled"
    }
    ends = [end for points in calibration.values() for point in points for end in point]
    if isinstance(worth, Ranking):
        steps = int(max(ends) / _CALIBRATION_STEP) + 1
        axis = Axis.of_shares(min(1.0, steps * _CALIBRATION_STEP))
        drawn["roc"] = charts.lines(
            titles["roc"],
            t["chart_roc_x"],
            t["chart_roc_y"],
            [(which, t[f"short_{which}"], worth.curves[which].roc) for which in order],
            axis=Axis.of_shares(),
        )
    else:
        axis = Axis.of_numbers(min(ends), max(ends))
    drawn["calibration"] = charts.lines(
        titles["calibration"],
        t[f"chart_calibration_x_{run.objective}"],
        t[f"chart_calibration_y_{run.objective}"],
        [(which, t[f"short_{which}"], points) for which, points in calibration.items()],
        axis=axis,
        dots=True,
    )
    if worth.reach:
        drawn["gain"] = charts.lines(
            titles["gain"],
            t["chart_gain_x"],
            t[f"chart_gain_y_{run.objective}"],
            [(which, t[f"short_{which}"], worth.curves[which].gain) for which in order],
            axis=Axis.of_shares(),
        )
        drawn["lift"] = charts.bars(
            titles["lift"],
            t["chart_lift_x"],
            t["chart_lift_y"],
            [(which, t[f"short_{which}"], worth.reach[which]) for which in run.models],
        )
    return drawn


def _found(worth: Classes, order: list[Which], charts: Charts, t: Strings) -> dict[str, Markup]:
    """Return the chart of every class's recall; with too many classes there is the table only."""
    rows = [
        (
            name,
            [
                (which, t[f"short_{which}"], recall)
                for which in order
                if (recall := worth.by_class[which][k].recall) is not None
            ],
        )
        for k, name in enumerate(worth.names)
        if worth.customers[k]
    ]
    if len(rows) > _MOST_ROWS:
        return {}
    return {"found": charts.dots(t["chart_found"], t["chart_found_x"], rows, Axis.of_shares())}


def _intervals(run: RunReport, charts: Charts, t: Strings) -> Markup:
    """Return the chart of every model's first measure with its interval."""
    scale = Scale.of(run)
    found = {which: estimated(run, which, scale.first) for which in run.models}
    ends = [end for numbers in found.values() for end in numbers]
    label = scale.head(scale.first, t)
    if isinstance(run.worth, Ranking):
        axis = Axis.of_tenths(min(0.5, *ends))
    elif isinstance(run.worth, Classes):
        axis = Axis.of_tenths(min(ends), per_cent=True)
        label = t["chart_per_cent"].format(measure=label)
    else:
        axis = Axis.of_numbers(min(ends), max(ends))
    rows = [
        (which, t[f"short_{which}"], numbers, scale.estimate(scale.first, numbers, t))
        for which, numbers in found.items()
    ]
    return charts.intervals(_titles(run, t)["intervals"], label, rows, axis)
