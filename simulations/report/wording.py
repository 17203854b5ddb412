"""The sentences that depend on how a run came out; the page and the summary both use them."""

from __future__ import annotations

from compliance.decision import Decision, Verdict, strictest
from simulations.report import figures
from simulations.report.model import Difference, GateReport, RunReport
from simulations.report.strings import Strings

BEST_SHARE = 0.2
SAME = 0.0005
"""Differences below this are not shown by three decimals."""
_STAGES = ("release", "start", "proposal")


def headline(run: RunReport, t: Strings) -> str:
    """Return what joining was worth, in one sentence with its interval."""
    gain = run.differences.joint_minus_alone
    return t[f"headline_{gain.sign}"].format(
        active=run.active.party_id,
        partner=run.partner.party_id,
        joint=figures.metric(run.metrics.joint.auc),
        alone=figures.metric(run.metrics.alone.auc),
        customers=figures.whole(run.held_out.customers),
        **_interval(gain, turned=gain.sign == "less"),
    )


def against_pooled(run: RunReport, t: Strings) -> str:
    """Return how the joint model compares with both tables joined in the clear."""
    pooled, gap = run.metrics.pooled, run.differences.joint_minus_pooled
    if pooled is None or gap is None:
        return t["pooled_none"]
    same = max(abs(gap.value), abs(gap.low), abs(gap.high)) < SAME
    interval = _interval(gap, show_sign=True)
    return t["pooled_same" if same else "pooled_other"].format(
        pooled=figures.metric(pooled.auc), **interval
    )


def lift(run: RunReport, which: str, t: Strings) -> str:
    """Return how many of the positives the best-scored fifth of customers contains."""
    found = run.curves[which].best_fifth
    return t["lift_sentence"].format(
        which=model_name(run, which, t),
        found=figures.percent(found),
        lift=f"{found / BEST_SHARE:.1f}",
    )


def model_name(run: RunReport, which: str, t: Strings) -> str:
    """Return what the model ``which`` is called in a sentence or a table."""
    return t[f"model_{which}"].format(active=run.active.party_id, partner=run.partner.party_id)


def gain_shares(run: RunReport, t: Strings) -> str:
    """Return whose splits the model's gain comes from; empty where nobody told."""
    total = sum(run.gain_by_party.values())
    if total <= 0:
        return ""
    shares = ", ".join(
        t["importance_share"].format(percent=figures.percent(gain / total), party=party)
        for party, gain in run.gain_by_party.items()
    )
    return t["importance_shares"].format(shares=shares)


def own_shares(run: RunReport, party_id: str) -> list[tuple[str, float]]:
    """Return a party's own columns with their shares of its list, most used first."""
    used = {name: amount for name, amount in run.importance[party_id].items() if amount > 0}
    total = sum(used.values())
    return sorted(((n, a / total) for n, a in used.items()), key=lambda pair: -pair[1])


def gate_outcomes(run: RunReport) -> list[Decision]:
    """Return the strictest decision of every gate; of equal ones the latest stage's."""
    by_gate: dict[str, list[GateReport]] = {}
    for gate in run.gates:
        by_gate.setdefault(gate.gate, []).append(gate)
    return [
        strictest(
            Decision(
                gate=g.gate,
                verdict=Verdict(g.verdict),
                hard=g.hard,
                reason=g.reason,
                articles=g.articles,
                conditions=g.conditions,
            )
            for g in sorted(taken, key=lambda g: _STAGES.index(g.stage))
        )
        for _, taken in sorted(by_gate.items())
    ]


def verify_command(run: RunReport, folder: str = "") -> str:
    """Return the command that checks every bundle of the run, from within or outside ``folder``."""
    prefix = f"{folder}/" if folder else ""
    bundles = " ".join(prefix + run.audit[log].bundle for log in sorted(run.audit))
    return f"fedcrm audit verify --trust {prefix}{run.trust_file} {bundles}"


def _interval(
    difference: Difference, *, turned: bool = False, show_sign: bool = False
) -> dict[str, str]:
    """Return the placeholders of a difference; ``turned`` speaks of a loss as a positive size."""
    if turned:
        return {
            "difference": figures.metric(-difference.value),
            "low": figures.metric(-difference.high),
            "high": figures.metric(-difference.low),
        }
    shown = figures.signed if show_sign or difference.sign == "unclear" else figures.metric
    return {
        "difference": shown(difference.value),
        "low": shown(difference.low),
        "high": shown(difference.high),
    }
