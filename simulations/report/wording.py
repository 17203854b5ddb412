"""The sentences that depend on how a run came out; the page and the summary both use them."""

from __future__ import annotations

import re
from decimal import Decimal

from compliance.decision import Decision, Verdict, strictest
from simulations.report import figures
from simulations.report.model import (
    COORDINATOR,
    GateReport,
    PartyReport,
    ReportedRun,
    RunReport,
)
from simulations.report.readable import ColumnPoints
from simulations.report.scales import Scale, measured
from simulations.report.strings import Strings, listed
from simulations.report.worth import Classes, Difference, Numbers, Which

_STAGES = ("release", "start", "proposal")
_INTERVAL = re.compile(r"(> [-+.0-9e]+ and )?<= [-+.0-9e]+|> [-+.0-9e]+")
_NUMBER = re.compile(r"(<=|>) (\S+)")
_BINS = {
    "missing": "bin_missing",
    "any other": "bin_any_other",
    "any value": "bin_any_value",
}
"""What ``models.scorecard`` calls the bins that are neither an interval nor levels."""


_LAYERS = {"own columns": "layer_own", "all parties": "layer_joint"}
"""What ``party_node.learning`` calls the parts of a network."""


def headline(run: RunReport, t: Strings) -> str:
    """Return what joining was worth, in one sentence with its interval.

    Where there are repeated splits they decide what is said, not the first of them.
    """
    scale, gain = Scale.of(run), worth_gain(run)
    if run.over_repeats is None:
        sentence = t[f"headline_{run.objective}_{gain.sign}"]
        alone, joint = (measured(run, which, scale.first) for which in ("alone", "joint"))
    else:
        sentence = t[f"repeated_headline_{run.objective}_{gain.sign}"]
        alone, joint = (
            means[scale.first].mean for means in (run.over_repeats.alone, run.over_repeats.joint)
        )
    return sentence.format(
        active=run.active.party_id,
        partners=partners(run, t),
        joint=scale.shown(scale.first, joint, t),
        alone=scale.shown(scale.first, alone, t),
        customers=figures.whole(run.held_out.customers),
        repeats=len(run.repeats),
        **_interval(scale, gain, t, turned=gain.sign == "less"),
    )


def against_pooled(run: RunReport, t: Strings) -> str:
    """Return how the joint model compares with all tables joined in the clear."""
    gap, scale = run.worth.differences.joint_minus_pooled, Scale.of(run)
    if gap is None:
        return t["pooled_none"]
    if run.repeats:
        sentence = t["pooled_same_first"] if scale.is_nothing(gap) else t["pooled_other_first"]
    else:
        sentence = t["pooled_same"] if scale.is_nothing(gap) else t["pooled_other"]
    said = sentence.format(
        tables=tables(run, t),
        measure=scale.name(scale.first, t),
        pooled=scale.shown(scale.first, measured(run, "pooled", scale.first), t),
        **_interval(scale, gap, t, show_sign=True),
    )
    if run.train.model != "split_network":
        return said
    true_labels = t["pooled_true_labels"].format(active=run.active.party_id)
    return f"{said}{t['between_sentences']}{true_labels}"


def worth_gain(run: RunReport) -> Difference:
    """Return the difference the run stands for: the mean's where splits were repeated."""
    if run.over_repeats is None:
        return run.worth.differences.joint_minus_alone
    return run.over_repeats.joint_minus_alone


def tiles(run: RunReport, t: Strings) -> list[tuple[str, str]]:
    """Return the figures at the top of the page, each with its label."""
    found = [
        (
            figures.whole(run.psi.sizes[party.party_id]),
            t["tile_customers"].format(party=party.party_id),
        )
        for party in run.parties
    ]
    common = t["tile_common"] if len(run.partners) > 1 else t["tile_shared"]
    found.append((figures.whole(run.psi.intersection), common))
    scale = Scale.of(run)
    gain = t["tile_gain_points"] if run.objective == "multiclass" else t["tile_gain"]
    measure = scale.head(scale.first, t)
    found.append((scale.gap(worth_gain(run).value), gain.format(measure=measure)))
    if isinstance(run.worth, Classes) or not run.worth.reach:
        second = scale.measures[-1]
        alone = scale.shown(second, measured(run, "alone", second), t)
        label = t["tile_second"].format(measure=scale.head(second, t), alone=alone)
        found.append((scale.shown(second, measured(run, "joint", second), t), label))
    else:
        joint, alone_reach = (run.worth.reach[which][1] for which in ("joint", "alone"))
        label = t["tile_lift"].format(
            share=figures.percent(joint.share, t), alone=figures.times(alone_reach.lift)
        )
        found.append((figures.times(joint.lift), label))
    return found


def balance(run: RunReport, t: Strings) -> str:
    """Return what the held-out customers are like, and what knowing no more would give."""
    scale, worth = Scale.of(run), run.worth
    customers = figures.whole(run.held_out.customers)
    if isinstance(worth, Numbers):
        return t["balance_regression"].format(
            customers=customers, usual=scale.shown("rmse", worth.usual_rmse, t)
        )
    if isinstance(worth, Classes):
        share = worth.customers[worth.commonest] / run.held_out.customers
        return t["balance_multiclass"].format(
            customers=customers,
            classes=len(worth.names),
            name=worth.names[worth.commonest],
            share=figures.percent_1(share, t),
        )
    positives = run.held_out.positives or 0
    return t["balance_binary"].format(
        customers=customers,
        positives=figures.whole(positives),
        share=figures.percent_1(positives / run.held_out.customers, t),
    )


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
    share = (run.held_out.positives or 0) / run.held_out.customers
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


def may_name(run: RunReport, party: PartyReport) -> bool:
    """Whether a party's columns may stand in this report one by one.

    A partner's may where the tables are about nobody, or where it approved that the active party
    gets its points.
    """
    joint = run.points.joint if run.points is not None else {}
    return run.names_columns or party.role == "active_party" or party.party_id in joint


def shown_points(run: RunReport) -> dict[str, tuple[ColumnPoints, ...]]:
    """Return a scorecard's columns by party, as far as they may stand in this report.

    The joint table where there is one: every party approved that the active party gets it.
    """
    if run.points is None:
        return {}
    if run.points.joint:
        return run.points.joint
    return {
        party: columns
        for party, columns in run.points.halves.items()
        if run.names_columns or party == run.active.party_id
    }


def points_kept(run: RunReport, t: Strings) -> list[str]:
    """Return how many of its columns each party's half of a scorecard has, in sentences."""
    if run.points is None:
        return []
    return [
        t["points_kept"].format(
            party=party.party_id,
            kept=len(run.points.halves[party.party_id]),
            columns=len(party.columns),
        )
        for party in run.parties
        if party.party_id in run.points.halves
    ]


def bin_text(text: str, t: Strings) -> str:
    """Return what a bin holds in the language of ``t``; its owner's node says it in English.

    Levels of a category stand as they are.
    """
    parts = []
    for part in text.split(" or "):
        if _INTERVAL.fullmatch(part):
            ends = (_NUMBER.sub(_edge, end) for end in part.split(" and "))
            parts.append(t["bin_and"].join(ends))
        else:
            parts.append(t[_BINS[part]] if part in _BINS else part)
    return t["bin_or"].join(parts)


def points_places(run: RunReport) -> int:
    """Return how many decimals a scorecard's points have."""
    assert run.points is not None
    tables = [*run.points.halves.values(), *run.points.joint.values()]
    points = [bin_.points for columns in tables for column in columns for bin_ in column.bins]
    points += [] if run.points.start is None else [run.points.start]
    return next((d for d in range(4) if all(round(p, d) == p for p in points)), 4)


def layer_text(layer: str, t: Strings) -> str:
    """Return what a network's layer is called; its owner's node says it in English."""
    part, _, number = layer.rpartition(" ")
    return t[_LAYERS[part]].format(number=number) if part in _LAYERS else layer


def _edge(found: re.Match[str]) -> str:
    """Return one end of an interval, on one line, every digit as it was."""
    number = f"{Decimal(found[2]):,f}".replace("-", "−")
    return f"{'≤' if found[1] == '<=' else '>'}\u00a0{number}"


def limits(run: RunReport, t: Strings) -> list[str]:
    """Return what the result does not show; what the data does not show comes with the run."""
    intervals = "limit_repeats" if run.repeats else "limit_interval"
    return [t["limit_simulation"], t[intervals], t["limit_semi_honest"]]


def gate_outcomes(run: ReportedRun) -> list[Decision]:
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


def verify_command(run: ReportedRun, folder: str = "") -> str:
    """Return the command that checks every bundle of the run, from within or outside ``folder``."""
    prefix = f"{folder}/" if folder else ""
    bundles = " ".join(prefix + run.audit[log].bundle for log in sorted(run.audit))
    return f"fedcrm audit verify --trust {prefix}{run.trust_file} {bundles}"


def _interval(
    scale: Scale, gap: Difference, t: Strings, *, turned: bool = False, show_sign: bool = False
) -> dict[str, str]:
    """Return the placeholders of a difference; ``turned`` speaks of a fall as a positive size."""
    ends = {"difference": gap.value, "low": gap.low, "high": gap.high}
    if turned:
        ends = {"difference": -gap.value, "low": -gap.high, "high": -gap.low}
    signed = show_sign or gap.sign == "unclear"
    return {
        name: scale.gap_with_unit(end, t, signed=signed)
        if name == "difference"
        else scale.gap(end, signed=signed)
        for name, end in ends.items()
    }
