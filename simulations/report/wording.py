"""The sentences that depend on how a run came out; the page and the summary both use them."""

from __future__ import annotations

from compliance.decision import Decision, Verdict, strictest
from simulations.report import figures
from simulations.report.model import COORDINATOR, Difference, GateReport, RunReport, Which
from simulations.report.strings import Strings, listed

SAME = 0.0005
"""Differences below this are not shown by three decimals."""
_STAGES = ("release", "start", "proposal")


def headline(run: RunReport, t: Strings) -> str:
    """Return what joining was worth, in one sentence with its interval.

    Where there are repeated splits they decide what is said, not the first of them.
    """
    if run.over_repeats is None:
        gain = run.differences.joint_minus_alone
        alone, joint = run.metrics.alone.auc, run.metrics.joint.auc
        sentence = t[f"headline_{gain.sign}"]
    else:
        gain = run.over_repeats.joint_minus_alone
        alone, joint = run.over_repeats.alone_auc.mean, run.over_repeats.joint_auc.mean
        sentence = t[f"repeated_headline_{gain.sign}"]
    return sentence.format(
        active=run.active.party_id,
        partners=partners(run, t),
        joint=figures.metric(joint),
        alone=figures.metric(alone),
        customers=figures.whole(run.held_out.customers),
        repeats=len(run.repeats),
        **_interval(gain, turned=gain.sign == "less"),
    )


def against_pooled(run: RunReport, t: Strings) -> str:
    """Return how the joint model compares with all tables joined in the clear."""
    pooled, gap = run.metrics.pooled, run.differences.joint_minus_pooled
    if pooled is None or gap is None:
        return t["pooled_none"]
    same = max(abs(gap.value), abs(gap.low), abs(gap.high)) < SAME
    if run.repeats:
        sentence = t["pooled_same_first"] if same else t["pooled_other_first"]
    else:
        sentence = t["pooled_same"] if same else t["pooled_other"]
    return sentence.format(
        tables=tables(run, t), pooled=figures.metric(pooled.auc), **_interval(gap, show_sign=True)
    )


def worth_gain(run: RunReport) -> Difference:
    """Return the gain in AUC the run stands for: the mean's where splits were repeated."""
    if run.over_repeats is None:
        return run.differences.joint_minus_alone
    return run.over_repeats.joint_minus_alone


def partners(run: RunReport, t: Strings) -> str:
    """Return the passive parties' names, as a list in a sentence."""
    return listed([party.party_id for party in run.partners], t)


def tables(run: RunReport, t: Strings) -> str:
    """Return what the parties' tables are called together."""
    return t["all_tables"] if len(run.partners) > 1 else t["two_tables"]


def party_name(party: str, t: Strings) -> str:
    """Return what a party is called; the coordinator has a name in every language."""
    return t["coordinator"] if party == COORDINATOR else party


def model_name(run: RunReport, which: Which, t: Strings) -> str:
    """Return what the model ``which`` is called in a sentence or a table."""
    return t[f"model_{which}"].format(
        active=run.active.party_id, partners=partners(run, t), tables=tables(run, t)
    )


def usual_answer(run: RunReport, t: Strings) -> tuple[str, str]:
    """Return the answer most held-out customers have, and the accuracy of always giving it."""
    share = run.held_out.positives / run.held_out.customers
    answer = t["answer_yes"] if share > 0.5 else t["answer_no"]
    return answer, figures.percent_1(max(share, 1 - share), t)


def gain_shares(run: RunReport) -> list[tuple[str, float]]:
    """Return each party's share of the model's gain; empty where nobody told."""
    total = sum(run.gain_by_party.values())
    if total <= 0:
        return []
    return [(party, gain / total) for party, gain in run.gain_by_party.items()]


def own_shares(run: RunReport, party_id: str) -> list[tuple[str, float]]:
    """Return a party's own columns with their shares of its list, most used first."""
    used = {name: amount for name, amount in run.importance[party_id].items() if amount > 0}
    total = sum(used.values())
    return sorted(((n, a / total) for n, a in used.items()), key=lambda pair: -pair[1])


def limits(run: RunReport, t: Strings) -> list[str]:
    """Return what the result does not show; what the data does not show comes with the run."""
    intervals = "limit_repeats" if run.repeats else "limit_interval"
    return [t["limit_simulation"], t[intervals], t["limit_semi_honest"]]


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
