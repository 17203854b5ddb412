"""Who learned what from a horizontal run: sentences in both languages.

``protocols/secure_aggregation/SPEC.md`` §5 is the source. It is about what was opened to whom when
everybody kept to the protocol; who reads more by colluding stands in the job's review.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.session.horizontal_terms import AggregationMethod
from simulations.horizontal.report.chinese import HORIZONTAL_CHINESE
from simulations.horizontal.report.english import HORIZONTAL_ENGLISH
from simulations.horizontal.report.model import Told
from simulations.report import figures
from simulations.report.model import COORDINATOR


def what_each_learned(
    parties: Sequence[str],
    *,
    method: AggregationMethod,
    columns: int,
    model_parameters: int,
    splits: int,
    private: bool,
    contributors_changed: bool,
    fewest_contributors: int | None = None,
) -> dict[str, tuple[Told, ...]]:
    """Return what each party and the coordinator learned beyond their own data.

    ``contributors_changed`` says whether two opened sums had different contributors,
    ``fewest_contributors`` how many the smallest opened sum had, by default all parties.
    """
    spec = _told("spec", columns=figures.whole(columns))
    noised = "_private" if private else ""
    party = [
        spec,
        _told(f"statistics{noised}"),
        _told("rounds", parameters=figures.whole(model_parameters)),
        _told(f"evaluation{noised}"),
        _told("contributors"),
    ]
    if splits > 1:
        party.append(_told("repeated", repeats=str(splits)))
    if contributors_changed:
        party.append(_told("difference"))
    if private:
        party.append(_told("private"))
    pairs = (fewest_contributors or len(parties)) < 3
    if pairs:
        party.append(_told("pair"))
    party.append(_told("no_rows_of_pairs" if pairs else "no_rows"))
    coordinator = (
        spec,
        _told("contributors"),
        _told("coordinator_traffic"),
        _told("coordinator_masks" if method == "masks" else "coordinator_nothing"),
    )
    return {name: tuple(party) for name in parties} | {COORDINATOR: coordinator}


def _told(key: str, **values: str) -> Told:
    name = f"learned_{key}"
    return Told(
        english=HORIZONTAL_ENGLISH[name].format(**values),
        chinese=HORIZONTAL_CHINESE[name].format(**values),
    )
