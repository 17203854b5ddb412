"""The sentences that depend on how a horizontal run came out; page and summary both use them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compliance.catalogue import load_catalogue
from simulations.horizontal.report.model import HorizontalReport, SumReport, Told
from simulations.horizontal.report.worth import Overall, PartyWorth
from simulations.report import figures
from simulations.report.model import COORDINATOR
from simulations.report.strings import Strings, listed
from simulations.report.worth import Difference, Which

MOST_NAMED = 6
"""Parties a sentence names one by one."""
_OVER_ALL: tuple[Which, ...] = ("joint", "pooled")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Learner:
    """Parties that learned the same, and what."""

    name: str
    sentences: tuple[str, ...]


def headline(run: HorizontalReport, overall: Overall, t: Strings) -> str:
    """Return what joining was worth, in one sentence with its interval."""
    gain = overall.gain
    if gain is None:
        return t["headline_unmeasured"]
    several = len(run.splits) > 1
    key = f"{'repeated_' if several else ''}headline_{gain.sign}"
    return t[key].format(
        count=len(run.parties),
        customers=figures.whole(run.splits[0].held_out),
        repeats=len(run.splits),
        joint=figures.metric(overall.within["joint"]),
        alone=figures.metric(overall.within["alone"]),
        **_interval(gain, turned=gain.sign == "less", sign=gain.sign == "unclear"),
    )


def gains(worths: Sequence[PartyWorth], t: Strings) -> str:
    """Return how many organisations gained and lost, and how many of them clearly."""
    measured = [w for w in worths if w.alone is not None and w.joint is not None]
    changes = [(w.joint or 0.0) - (w.alone or 0.0) for w in measured]
    signs = [w.gain.sign for w in measured if w.gain is not None]
    return t["gains"].format(
        measured=len(measured),
        more=sum(change > 0 for change in changes),
        less=sum(change < 0 for change in changes),
        clearly_more=signs.count("more"),
        clearly_less=signs.count("less"),
    )


def against_pooled(run: HorizontalReport, overall: Overall, t: Strings) -> str:
    """Return whether learning apart and encrypted cost accuracy against joining the tables."""
    if not run.has_pooled:
        return t["pooled_none"]
    shown = {name: figures.metric(overall.over_all[name]) for name in _OVER_ALL}
    if overall.cost is None:
        return t["clear_unmeasured"].format(**shown)
    key = {"unclear": "clear_same", "less": "clear_less", "more": "clear_more"}[overall.cost.sign]
    said = t[key].format(**shown, **_interval(overall.cost, sign=True))
    return said if run.privacy is None else said + t["between_sentences"] + t["clear_noise"]


def precision(run: HorizontalReport, t: Strings) -> str:
    """Return what encryption itself changed; empty where it was not measured."""
    if run.precision is None:
        return ""
    found = run.precision
    key = "precision_kept" if found.largest_difference else "precision_exact"
    if not precise(run):
        key = "precision_broken"
    return t[key].format(
        largest=power_of_ten(found.largest_difference),
        bound=power_of_ten(found.bound),
        parameters=figures.whole(run.model_parameters),
    )


def precise(run: HorizontalReport) -> bool:
    """Whether the model is within the method's stated bound of plain federated averaging."""
    found = run.precision
    return found is None or found.largest_difference <= found.bound


def presence(run: HorizontalReport, t: Strings) -> str:
    """Return who took part in the sums, and how many were lost."""
    count = {
        "count": len(run.parties),
        "sums": len(run.sums),
        "incomplete": sum(bool(one.missing) for one in run.sums),
        "lost": sum(not one.opened for one in run.sums),
    }
    sentences = [t["present_most" if count["incomplete"] else "present_all"].format(**count)]
    if count["lost"]:
        sentences.append(t["present_lost"].format(**count))
    return t["between_sentences"].join(sentences)


def tiles(run: HorizontalReport, overall: Overall, t: Strings) -> list[tuple[str, str]]:
    """Return the figures at the top of the page, each with its label."""
    left = sum(party.left for party in run.parties) / run.customers if run.customers else 0.0
    found = [
        (str(len(run.parties)), t["tile_parties"]),
        (
            figures.whole(run.customers),
            t["tile_all_customers"].format(share=figures.percent(left, t)),
        ),
    ]
    if overall.gain is not None:
        found.append((signed(overall.gain.value), t["tile_joined"]))
    if overall.cost is not None:
        found.append((signed(overall.cost.value), t["tile_clear"]))
    opened = sum(one.opened for one in run.sums)
    found.append((str(opened), t["tile_sums"].format(sums=len(run.sums))))
    if run.privacy is not None and run.privacy.spent:
        largest = max(run.privacy.spent.values())
        label = t["tile_epsilon"].format(epsilon=run.privacy.epsilon)
        found.append((f"{largest:.3g}", label))
    return found


def sum_name(one: SumReport, t: Strings) -> str:
    """Return what a sum was for."""
    return t[f"sum_{one.what}"].format(round=one.round)


def missing_names(one: SumReport, t: Strings) -> str:
    """Return who is not in a sum, and why; of many, the first ones."""
    said = [t[f"absent_{why}"].format(party=party) for party, why in one.missing.items()]
    return shortened(said, t)


def attendance(run: HorizontalReport, party: str, t: Strings) -> str:
    """Return which sums a party took part in, in words."""
    missed = [sum_name(one, t) for one in run.sums if party in one.missing]
    told = {"party": party, "sums": len(run.sums), "present": len(run.sums) - len(missed)}
    if not missed:
        return t["attended_all"].format(**told)
    if len(missed) > MOST_NAMED:
        return t["attended_many"].format(**told)
    return t["attended_some"].format(**told, missing=listed(missed, t))


def learners(run: HorizontalReport, t: Strings) -> list[Learner]:
    """Return what each learned; parties that learned the same stand together."""
    by_sentences: dict[tuple[Told, ...], list[str]] = {}
    for party, sentences in run.learned.items():
        if party != COORDINATOR:
            by_sentences.setdefault(sentences, []).append(party)
    found = [
        Learner(
            t["every_organisation"] if len(names) == len(run.parties) else shortened(names, t),
            tuple(sentence.said(t) for sentence in sentences),
        )
        for sentences, names in by_sentences.items()
    ]
    if COORDINATOR in run.learned:
        said = tuple(sentence.said(t) for sentence in run.learned[COORDINATOR])
        found.append(Learner(t["coordinator"], said))
    return found


def terms(run: HorizontalReport, t: Strings) -> list[tuple[str, str]]:
    """Return (parties, their terms): jurisdiction, legal basis, smallest sum they are added in."""
    found: dict[str, list[str]] = {}
    for party in run.parties:
        basis = load_catalogue().legal_basis(party.legal_basis)
        english = t["language"] == "en"
        summary = (basis.summary_en if english else basis.summary_zh) if basis else ""
        said = t["term_of"].format(
            jurisdiction=party.jurisdiction,
            basis=summary or party.legal_basis,
            others=max(party.minimum_contributors, run.floor) - 1,
        )
        found.setdefault(said, []).append(party.party_id)
    every = t["every_organisation"]
    return [
        (every if len(names) == len(run.parties) else shortened(names, t), said)
        for said, names in found.items()
    ]


def limits(run: HorizontalReport, t: Strings) -> list[str]:
    """Return what the result does not show; what the data does not show comes with the run."""
    intervals = "limit_repeats" if len(run.splits) > 1 else "limit_interval"
    found = [t["limit_simulation"], t[intervals], t["limit_poison"]]
    if run.privacy is None:
        found.append(t["limit_model"])
    return [*found, t["limit_customers"]]


def shortened(names: Sequence[str], t: Strings) -> str:
    """Return names as a list in a sentence, of which the first ones stand for many."""
    if len(names) <= MOST_NAMED:
        return listed(names, t)
    first = t["list_between"].join(names[: MOST_NAMED - 1])
    return t["and_others"].format(names=first, more=len(names) - MOST_NAMED + 1)


def signed(value: float) -> str:
    """Return a difference of AUCs with its sign."""
    text = figures.quantity(value, 3)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def between(gap: Difference, t: Strings) -> str:
    """Return the interval of a difference of AUCs."""
    return t["range"].format(low=signed(gap.low), high=signed(gap.high))


def estimate(gap: Difference, t: Strings) -> str:
    """Return a difference of AUCs with its interval, in words."""
    return t["estimate"].format(value=signed(gap.value), low=signed(gap.low), high=signed(gap.high))


def power_of_ten(value: float) -> str:
    """Return a small positive number with two digits and a power of ten."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    digits = f"{value / 10.0**exponent:.1f}".replace("-", "−")
    return f"{digits}\u00a0×\u00a010{str(exponent).translate(_SUPERSCRIPT)}"


def _interval(gap: Difference, *, turned: bool = False, sign: bool = False) -> dict[str, str]:
    """Return the placeholders of a difference; ``turned`` speaks of a fall as a positive size."""
    ends = {"difference": gap.value, "low": gap.low, "high": gap.high}
    if turned:
        ends = {"difference": -gap.value, "low": -gap.high, "high": -gap.low}
    return {name: signed(end) if sign else figures.quantity(end, 3) for name, end in ends.items()}
