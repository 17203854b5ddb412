"""The job review says, in both languages and with the job's numbers, who reads what with whom."""

from __future__ import annotations

import re
from itertools import product

import pytest

from compliance.aggregation_review import colluders_needed, fewest_in_a_sum, review_lines
from protocols.session.horizontal_spec import HorizontalSpec
from tests.compliance.horizontal_specs import PRIVACY, horizontal, pair

METHODS = ("masked_he", "masks", "ckks", "paillier")


def lines(spec: HorizontalSpec, about: str) -> str:
    return " ".join(line.english for line in review_lines(spec) if line.about == about)


def by_trying(parties: int, threshold: int, floor: int) -> int:
    """Fewest colluding parties for which one of the known ways to one contribution is open.

    Signatures are counted one by one: an honest party signs one of two lists, a colluding one both.
    """
    need = max(threshold, floor)
    for colluding in range(1, parties):
        honest = parties - colluding
        two_lists = any(
            colluding + first >= need and colluding + honest - first >= need
            for first in range(honest + 1)
        )
        all_but_one = colluding + 1 >= need
        own_shares = colluding >= threshold
        if two_lists or all_but_one or own_shares:
            return colluding
    return parties


@pytest.mark.parametrize("method", METHODS)
def test_every_topic_must_be_spoken_of_in_both_languages(method: str) -> None:
    for spec in (horizontal(aggregation={"method": method}), pair(method)):
        said = review_lines(spec)
        assert {line.about for line in said} == {"reads", "collusion", "not_protected", "privacy"}
        for line in said:
            assert line.english.endswith(".")
            assert line.chinese.endswith("。")
            assert not re.search(r"[\u4e00-\u9fff]", line.english)
            assert not re.search(
                r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", line.chinese
            )
            numbers = [sorted(re.findall(r"\d+", text)) for text in (line.english, line.chinese)]
            assert set(numbers[0]) == set(numbers[1]), line


@pytest.mark.parametrize("method", ["ckks", "paillier"])
def test_without_masks_one_party_must_be_said_to_be_enough(method: str) -> None:
    spec = horizontal(aggregation={"method": method})
    assert colluders_needed(spec) == 1
    assert "colludes with one party, any of the 5, reads every single contribution" in lines(
        spec, "collusion"
    )
    assert fewest_in_a_sum(spec) == 3


@pytest.mark.parametrize("method", ["masked_he", "masks"])
def test_with_masks_the_number_that_must_collude_must_be_said(method: str) -> None:
    spec = horizontal(aggregation={"method": method})
    assert "colludes with 3 of the 5 parties can read" in lines(spec, "collusion")
    assert "at least 4 contributions" in lines(spec, "reads")
    stricter = horizontal(aggregation={"method": method, "threshold": 5, "minimum_contributors": 5})
    assert "colludes with 4 of the 5 parties can read" in lines(stricter, "collusion")


def test_the_number_must_be_the_fewest_of_all_known_ways() -> None:
    seen = set()
    for threshold, floor in product((4, 5), (3, 4, 5)):
        spec = horizontal(aggregation={"threshold": threshold, "minimum_contributors": floor})
        assert colluders_needed(spec) == by_trying(5, threshold, floor)
        seen.add(colluders_needed(spec))
    assert seen == {3, 4}


def test_two_parties_must_be_told_that_noise_alone_protects_them() -> None:
    spec = pair()
    assert colluders_needed(spec) == 1
    assert "each of the two computes the other's" in lines(spec, "collusion")
    assert "fewer than 3 contributions" in lines(spec, "privacy")
    assert "fewer than 3" not in lines(horizontal(privacy=PRIVACY), "privacy")


def test_what_each_party_spends_must_be_said() -> None:
    assert "There is no differential privacy" in lines(horizontal(), "privacy")
    said = lines(horizontal(privacy=PRIVACY), "privacy")
    assert "epsilon 3 at delta 0.000001" in said


def test_what_is_not_protected_must_be_said() -> None:
    said = lines(horizontal(aggregation={"update_bound": "0.5"}), "not_protected")
    assert "what the bound of 0.5 allows all of them together" in said
    assert "repeating or exchanging a contribution is noticed" in said
    unmasked = lines(horizontal(aggregation={"method": "ckks"}), "not_protected")
    assert "is noticed" not in unmasked
    assert "Nor does anything show that a sum holds" in unmasked
    assert "leave parties out of a sum, down to 4" in said
