"""Both languages say everything of a horizontal run, in their own words and punctuation."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import get_args

import pytest

from party_node.column_values import REASONS
from party_node.purchases.rejects import BY_RULE
from protocols.identifiers import Reason
from protocols.session.horizontal_terms import (
    AggregationMethod,
    AggregationTerms,
    FederatedTraining,
    LogisticTerms,
    PerceptronTerms,
    PrivacyTerms,
    Strategy,
)
from protocols.session.job_spec import EvaluationTerms
from simulations.horizontal.report import wording
from simulations.horizontal.report.chinese import HORIZONTAL_CHINESE
from simulations.horizontal.report.english import HORIZONTAL_ENGLISH
from simulations.horizontal.report.learned import what_each_learned
from simulations.horizontal.report.model import STEPS, Absence, Kind, What
from simulations.horizontal.report.page import render
from simulations.horizontal.report.strings import IN_CHINESE, IN_ENGLISH
from simulations.report.english import ENGLISH
from tests.simulations.horizontal.sample_report import names, sample_report
from tests.simulations.page_reader import Page

HAN = re.compile(r"[\u4e00-\u9fff]")
ROOM = Path(wording.__file__).parent
SHARED = ("gates", "primitives", "audit", "parameters", "header", "footer", "questions")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_languages_must_have_the_same_strings_and_placeholders() -> None:
    assert list(HORIZONTAL_ENGLISH) == list(HORIZONTAL_CHINESE)
    assert list(IN_ENGLISH) == list(IN_CHINESE)
    for key, text in HORIZONTAL_ENGLISH.items():
        assert placeholders(text) == placeholders(HORIZONTAL_CHINESE[key]), key


def test_every_string_must_be_used_and_every_use_be_a_string() -> None:
    sources = [*ROOM.glob("*.html")]
    sources += [p for p in ROOM.glob("*.py") if p.name not in ("english.py", "chinese.py")]
    own = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    shared = [ROOM.parent.parent / "report" / f"{name}.html" for name in SHARED]
    shared.append(ROOM.parent.parent / "report" / "document.py")
    code = "\n".join([own, *(path.read_text(encoding="utf-8") for path in shared)])
    direct = set(re.findall(r"\bt\.(\w+)", own)) | set(re.findall(r"""\bt\[["'](\w+)["']\]""", own))
    assert direct - {"get", "items"} <= set(IN_ENGLISH)
    # ``t.clear`` would be the table's own method, not a sentence.
    assert not {name for name in direct if hasattr({}, name)} - {"get", "items"}
    prefixes = set(re.findall(r"""["'](\w+_)["'] ~""", code)) | set(re.findall(r'f"(\w+_)\{', code))
    prefixes |= {"headline_", "repeated_headline_"}
    spoken = set(re.findall(r"\w+", code))
    unused = {
        key
        for key in HORIZONTAL_ENGLISH
        if key not in spoken and not key.startswith(tuple(prefixes))
    }
    assert unused == set()


def test_every_code_a_run_can_bring_must_have_words() -> None:
    wanted = {f"reason_{reason.value}" for reason in Reason}
    wanted |= {f"reason_{code}" for code in (*REASONS.values(), *BY_RULE)}
    lines = (ROOM.parents[2] / "party_node" / "purchases" / "lines.py").read_text(encoding="utf-8")
    found = re.findall(r'rejects\.lines\(.*?, rows, "(\w+)"', lines, flags=re.DOTALL)
    assert len(found) >= 6
    wanted |= {f"reason_{code}" for code in found}
    wanted |= {f"method_{method}" for method in get_args(AggregationMethod)}
    wanted |= {f"setting_{strategy}" for strategy in get_args(Strategy)}
    wanted |= {f"absent_{why}" for why in get_args(Absence)}
    wanted |= {f"sum_{what}" for what in get_args(What)}
    wanted |= {f"model_{kind}" for kind in get_args(Kind)}
    wanted |= {f"step_{step}" for step in STEPS}
    assert wanted <= set(IN_ENGLISH)


@pytest.mark.parametrize(
    "terms",
    [
        LogisticTerms,
        PerceptronTerms,
        FederatedTraining,
        AggregationTerms,
        PrivacyTerms,
        EvaluationTerms,
    ],
)
def test_every_parameter_of_the_job_must_have_words(terms: type) -> None:
    named = {f"parameter_{name}" for name in terms.__struct_fields__}  # type: ignore[attr-defined]
    assert named - {"parameter_split_seed", "parameter_threshold"} <= set(IN_ENGLISH)


def test_chinese_must_be_chinese() -> None:
    """Full-width punctuation beside Chinese, none doubled, a space beside Latin and figures."""
    neither = {"of_sums", "setting_fedavg", "setting_fedprox", "setting_fedadam"}
    for key, text in HORIZONTAL_CHINESE.items():
        assert key in neither or HAN.search(text), key
        assert not re.search(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]", text), key
        assert not re.search(r"[，。；：、！？]{2}", text), key
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9{]|[A-Za-z0-9}%][\u4e00-\u9fff]", text), key
        assert not re.search(r"[，。；：、（）“”] | [，。；：、（）“”]", text), key
        assert text.count("（") == text.count("）"), key
        assert text.count("“") == text.count("”"), key
    for key, text in HORIZONTAL_ENGLISH.items():
        if re.search(r"[.?!]$", text):
            assert re.search(r"[。？！]$", HORIZONTAL_CHINESE[key]), key


def test_own_sentences_must_differ_from_the_shared_ones_they_replace() -> None:
    same = {key for key, text in HORIZONTAL_ENGLISH.items() if ENGLISH.get(key) == text}
    assert same == set()


def test_chinese_half_must_be_chinese_but_for_names() -> None:
    page = Page(render(sample_report(splits=2, private=True)))
    english = {text.strip() for text, language in page.words["zh"] if language == "en"}
    ours = {text for text in IN_ENGLISH.values() if len(text) > 20}
    assert not english & ours
    unmarked = [
        text for text, language in page.words["zh"] if language == "zh-CN" and HAN.search(text)
    ]
    assert len(unmarked) > 150


@pytest.mark.parametrize(("parties", "fewest"), [(2, None), (3, None), (3, 2), (5, 3)])
def test_what_a_sum_of_two_tells_must_be_said(parties: int, fewest: int | None) -> None:
    learned = what_each_learned(
        names(parties),
        method="masks",
        columns=3,
        model_parameters=4,
        splits=1,
        private=True,
        contributors_changed=False,
        fewest_contributors=fewest,
    )
    assert set(learned) == {*names(parties), "coordinator"}
    said = " ".join(sentence.english for sentence in learned["retailer-01"])
    pairs = (fewest or parties) < 3
    assert ("the sum less its own" in said) == pairs
    assert ("no single organisation's update" in said) != pairs
    assert "masks" in learned["coordinator"][-1].english
