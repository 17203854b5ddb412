"""The parties of a horizontal scenario and the files they bring: a sample's, or their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from party_node.purchases.registration import PurchaseRegistration
from protocols.session.agreed_job import Jurisdiction
from protocols.session.horizontal_terms import PurchaseTerms
from protocols.suite import Suite
from simulations.horizontal.parties import Retailer
from simulations.horizontal.scenario import HorizontalScenario
from simulations.samples import complete_journey, made_purchases, online_retail
from simulations.samples.credit_data import SampleUnavailable
from simulations.samples.purchase_files import PurchaseSample, SplitError
from simulations.scenario_tables import ScenarioError

_KEPT = "sample.json"
_SAMPLE_JURISDICTION: Jurisdiction = "CN"
_SAMPLE_BASIS = "synthetic_or_public_data"


@dataclass(frozen=True)
class Setting:
    """Everybody who takes part, with what they agreed about their purchase lines."""

    retailers: tuple[Retailer, ...]
    purchases: PurchaseTerms
    provenance: tuple[str, ...]
    limits: tuple[str, ...]


def prepare(scenario: HorizontalScenario, folder: Path, suite: Suite) -> Setting:
    """Return the scenario's setting; a sample's files are written into ``folder``.

    Raises :class:`ScenarioError`.
    """
    if scenario.sample is None:
        return _own(scenario)
    sample = _written(scenario, folder, suite)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _KEPT).write_bytes(msgspec.json.encode(sample))
    return _of_sample(scenario, sample, folder)


def placed(scenario: HorizontalScenario, folder: Path) -> Setting:
    """Return the setting an earlier :func:`prepare` made; raises :class:`ScenarioError`."""
    if scenario.sample is None:
        return _own(scenario)
    try:
        sample = msgspec.json.decode((folder / _KEPT).read_bytes(), type=PurchaseSample)
    except (OSError, msgspec.DecodeError):
        raise ScenarioError(
            f"the sample of the run in {folder} is gone", "run it without --resume"
        ) from None
    return _of_sample(scenario, sample, folder)


def _own(scenario: HorizontalScenario) -> Setting:
    table = scenario.purchases
    assert table is not None  # checked when the scenario was read
    try:
        terms = PurchaseTerms(rules="purchases/1", **msgspec.structs.asdict(table))
        retailers = tuple(
            Retailer(
                party.id,
                party.jurisdiction,
                party.legal_basis,
                PurchaseRegistration(
                    name=f"{party.id}-purchases",
                    path=str(scenario.folder / party.file),
                    identifier_column=party.identifier,
                    identifier_kind=party.identifier_kind,
                    columns=party.columns,
                    cancelled_prefix=party.cancelled_prefix,
                    complete_until=party.complete_until,
                    consent_column=party.consent_column,
                    allowed_purposes=party.allowed_purposes,
                    label_purpose=scenario.purpose,
                    minimum_contributors=party.minimum_contributors,
                ),
            )
            for party in scenario.parties
        )
    except ValueError as error:
        raise ScenarioError(
            f"{scenario.source}: {error}", "correct the value in the scenario file"
        ) from None
    for retailer in retailers:
        if not Path(retailer.registration.path).is_file():
            raise ScenarioError(
                f"{scenario.source}: no file {retailer.registration.path}",
                "paths are relative to the scenario file, or to --data",
            )
    return Setting(retailers, terms, scenario.provenance, ())


def _written(scenario: HorizontalScenario, folder: Path, suite: Suite) -> PurchaseSample:
    table = scenario.sample
    assert table is not None  # the caller looked
    try:
        if table.name == "made_purchases":
            return made_purchases.write(
                folder,
                seed=scenario.seed,
                suite=suite,
                parties=table.parties,
                customers=table.rows,
            )
        if table.name == "complete_journey":
            return complete_journey.write(
                folder, seed=scenario.seed, suite=suite, parties=table.parties, split=table.split
            )
        source = scenario.folder / table.file
        if not source.is_file():
            raise ScenarioError(
                f"{scenario.source}: no file {source}",
                "get the UCI table Online Retail and name its folder with --data",
            )
        return online_retail.write(
            folder,
            source=source,
            seed=scenario.seed,
            suite=suite,
            parties=table.parties,
            split="random" if table.split == "random" else "country",
            horizon_days=table.horizon_days,
        )
    except SplitError as error:
        raise ScenarioError(f"{scenario.source}: {error}", "correct [sample]") from None
    except (SampleUnavailable, online_retail.SourceUnusable) as error:
        raise ScenarioError(str(error), error.hint) from None


def _of_sample(scenario: HorizontalScenario, sample: PurchaseSample, folder: Path) -> Setting:
    fewest = min(scenario.aggregation.minimum_contributors, len(sample.files))
    retailers = tuple(
        Retailer(
            file.party_id,
            _SAMPLE_JURISDICTION,
            _SAMPLE_BASIS,
            file.registration(folder.resolve(), minimum_contributors=fewest),
        )
        for file in sample.files
    )
    terms = sample.terms
    if scenario.purchases is not None:
        terms = PurchaseTerms(rules="purchases/1", **msgspec.structs.asdict(scenario.purchases))
    return Setting(retailers, terms, sample.provenance, sample.limits)
