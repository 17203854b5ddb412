"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from compliance.catalogue import Clause, load_catalogue
from compliance.decision import Verdict
from simulations.report import figures, wording
from simulations.report.charts import Charts
from simulations.report.model import RunReport
from simulations.report.strings import ENGLISH, Strings

_CALIBRATION_STEP = 0.2


def render(run: RunReport, t: Strings = ENGLISH) -> str:
    """Return ``report.html`` for ``run`` in the language of ``t``."""
    environment = Environment(
        loader=PackageLoader("simulations.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    outcomes = wording.gate_outcomes(run)
    cited = dict.fromkeys(article for outcome in outcomes for article in outcome.articles)
    shown = [which for which, _ in run.shown_metrics()]
    return environment.get_template("report.html").render(
        run=run,
        t=t,
        figures=figures,
        headline=wording.headline(run, t),
        against_pooled=wording.against_pooled(run, t),
        lifts=[wording.lift(run, which, t) for which in ("alone", "joint")],
        names={which: wording.model_name(run, which, t) for which in shown},
        charts=_charts(run, t),
        gain_shares=wording.gain_shares(run, t),
        used={party: wording.own_shares(run, party) for party in run.importance},
        outcomes=outcomes,
        open_questions=[o for o in outcomes if o.verdict is Verdict.NEEDS_APPROVAL],
        refusals=[o for o in outcomes if o.verdict is Verdict.DENY],
        clauses=_clauses(list(cited)),
        reasons=sorted({reason for counts in run.rejects.values() for reason in counts}),
        verify=wording.verify_command(run),
        limits=(t["limit_simulation"], t["limit_interval"], t["limit_semi_honest"], *run.limits),
    )


def _charts(run: RunReport, t: Strings) -> dict[str, str]:
    """Return the page's charts by name; pooled is drawn first, so that joint stays visible."""
    charts = Charts()
    order = [which for which in ("pooled", "alone", "joint") if which in run.curves]
    named = [(which, t[f"short_{which}"], run.curves[which]) for which in order]
    calibrated = [(which, name, c.calibration) for which, name, c in named if which != "pooled"]
    highest = max(value for _, _, tenths in calibrated for p, y, _ in tenths for value in (p, y))
    highest = min(1.0, (int(highest / _CALIBRATION_STEP) + 1) * _CALIBRATION_STEP)
    return {
        "intervals": charts.intervals(
            t["chart_intervals"],
            [
                (which, wording.model_name(run, which, t), metrics)
                for which, metrics in run.shown_metrics()
            ],
        ),
        "roc": charts.lines(
            t["chart_roc"],
            t["chart_roc_x"],
            t["chart_roc_y"],
            [(which, name, c.roc) for which, name, c in named],
        ),
        "gain": charts.lines(
            t["chart_gain"],
            t["chart_gain_x"],
            t["chart_gain_y"],
            [(which, name, c.gain) for which, name, c in named],
        ),
        "calibration": charts.lines(
            t["chart_calibration"],
            t["chart_calibration_x"],
            t["chart_calibration_y"],
            [(which, name, [(p, y) for p, y, _ in tenths]) for which, name, tenths in calibrated],
            dots=True,
            highest=highest,
        ),
    }


def _clauses(ids: list[str]) -> list[tuple[str, Clause | None]]:
    """Return the catalogue's entry of every clause id; None for one it does not have."""
    known = {clause.id: clause for clause in load_catalogue().clauses}
    return [(id_, known.get(id_)) for id_ in ids]
