"""Both languages say everything, in their own words and their own punctuation."""

from __future__ import annotations

import re
import string
from itertools import product
from pathlib import Path

import msgspec
import pytest

from compliance.catalogue import load_catalogue
from compliance.check import evaluate
from party_node.column_values import REASONS
from party_node.datasets import NO_CONSENT
from party_node.primitive_trace import ALLOWED, EXEMPTIONS
from party_node.quality import ColumnWarning, LabelWarning
from protocols.identifiers import Reason
from protocols.session.job_spec import ColumnKind
from protocols.suite import get_suite
from simulations.horizontal.scenario import BUILTIN as HORIZONTAL_BUILTIN
from simulations.horizontal.scenario import ChurnLabelTable
from simulations.horizontal.scenario import load as load_horizontal
from simulations.job import job_spec
from simulations.report import wording
from simulations.report.chinese import CHINESE
from simulations.report.document import PRIMITIVE_USES
from simulations.report.english import ENGLISH
from simulations.report.page import render
from simulations.report.strings import listed
from simulations.report.translations import chinese_of
from simulations.samples import complete_journey, made_purchases, online_retail
from simulations.scenario import BUILTIN, load, made_scenario
from tests.compliance.specs import RETENTION, bank, bank_facts, job, retailer
from tests.simulations.page_reader import Page
from tests.simulations.sample_run import sample_run

HAN = re.compile(r"[\u4e00-\u9fff]")
ROOM = Path(wording.__file__).parent


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_languages_must_have_the_same_strings_and_placeholders() -> None:
    assert list(ENGLISH) == list(CHINESE)
    for key, text in ENGLISH.items():
        assert placeholders(text) == placeholders(CHINESE[key]), key
        assert all(name.isidentifier() for name in placeholders(text)), key


def test_every_string_must_be_used_and_every_use_be_a_string() -> None:
    tables = {"translations.py", "sample_texts.py"}
    tables |= {f"{name}{of}.py" for name in ("english", "chinese") for of in ("", "_results")}
    sources = [*ROOM.glob("*.html"), *(p for p in ROOM.glob("*.py") if p.name not in tables)]
    sources.append(ROOM.parent / "summary.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    direct = set(re.findall(r"\bt\.(\w+)", code)) | set(
        re.findall(r"""\bt\[["'](\w+)["']\]""", code)
    )
    assert direct - {"get", "items"} <= set(ENGLISH)
    prefixes = set(re.findall(r"""["'](\w+_)["'] ~""", code)) | set(re.findall(r'f"(\w+_)\{', code))
    spoken = set(re.findall(r"\w+", code))
    unused = {k for k in ENGLISH if k not in spoken and not k.startswith(tuple(prefixes))}
    assert unused == set()


def test_every_code_a_run_can_bring_must_have_words() -> None:
    wanted = {f"reason_{reason.value}" for reason in Reason}
    wanted |= {f"reason_{code}" for code in (*REASONS.values(), NO_CONSENT)}
    wanted |= {f"warning_{code}" for code in (*ColumnWarning.__args__, *LabelWarning.__args__)}
    wanted |= {f"kind_{kind}" for kind in ColumnKind.__args__}
    wanted |= {f"use_{use}" for use in PRIMITIVE_USES.values()}
    wanted |= {f"verdict_{v}" for v in ("ALLOW", "CONDITIONS", "NEEDS_APPROVAL", "DENY")}
    wanted |= {f"purpose_{p.id}" for p in load_catalogue().purposes}
    wanted |= {f"use_{use}" for p in load_catalogue().purposes for use in p.uses}
    assert wanted <= set(ENGLISH)
    primitives = {p for allowed in ALLOWED.values() for p in allowed}
    assert primitives | {exemption.primitive for exemption in EXEMPTIONS} <= set(PRIMITIVE_USES)


def test_chinese_must_be_chinese() -> None:
    """Full-width punctuation beside Chinese, none doubled, a space beside Latin and figures."""
    neither = {"language", "list_last", "list_between", "between_sentences", "between_parts"}
    neither |= {"colon", "percent", "estimate", "in_brackets", "chart_per_cent", "measure_of"}
    neither |= {"other_language", "root", "summary_learned", "bin_or", "points_woe"}
    neither |= {f"measure_{name}" for name in ("auc", "ks", "rmse", "mae", "r2")}
    for key, text in CHINESE.items():
        assert key in neither or HAN.search(text), key
        assert not re.search(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]", text), key
        assert not re.search(r"[，。；：、！？]{2}", text), key
        words = text.replace("{tables}", CHINESE["all_tables"])
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9{]|[A-Za-z0-9}%][\u4e00-\u9fff]", words), (
            key
        )
        assert not re.search(r"[，。；：、（）“”] | [，。；：、（）“”]", text), key
        assert text.count("（") == text.count("）"), key
        assert text.count("“") == text.count("”"), key
    sentence = re.compile(r"[.?!]$")
    for key, text in ENGLISH.items():
        if sentence.search(text) and key not in ("between_sentences",):
            assert re.search(r"[。？！]$", CHINESE[key]), key


@pytest.mark.parametrize("t", [ENGLISH, CHINESE])
def test_names_must_be_listed_as_the_language_lists(t: dict[str, str]) -> None:
    assert listed([], t) == ""
    assert listed(["a"], t) == "a"
    assert listed(["a", "b"], t) == {"en": "a and b", "zh-CN": "a 和 b"}[t["language"]]
    assert listed(["a", "b", "c"], t) == {"en": "a, b and c", "zh-CN": "a、b 和 c"}[t["language"]]


def test_text_must_be_marked_with_the_language_it_is_in() -> None:
    run = sample_run(provenance=["An English sentence nobody translated.", "一句中文。"])
    read = Page(render(run))
    for half, language, other in (("en", "en", "zh-CN"), ("zh", "zh-CN", "en")):
        words = read.words[half]
        assert words
        for text, marked in words:
            assert marked in ("en", "zh-CN")
            if marked == "en":
                assert not HAN.search(text), text
        by_text = {text.strip(): marked for text, marked in words}
        assert by_text[{"en": "Limits of this result", "zh": "结果的局限"}[half]] == language
        assert other in {marked for _, marked in words}
        assert by_text["An English sentence nobody translated."] == "en"
        assert by_text["一句中文。"] == "zh-CN"
    assert read.attributes[0] == ("html", "lang", "en")


def test_each_half_must_lead_to_the_other() -> None:
    read = Page(render(sample_run()))
    switches = [a for a in read.attributes if a[:2] == ("a", "hreflang")]
    assert [value for _, _, value in switches] == ["zh-CN", "en"]
    assert {"#zh", "#en"} <= set(read.values("href"))
    text = render(sample_run())
    assert "@supports selector(:has(a))" in text  # older browsers show both halves


def test_packaged_scenarios_must_be_told_in_chinese() -> None:
    scenarios = [load(name) for name in BUILTIN]
    for scenario in (*scenarios, made_scenario(4, 12_000, 1)):
        keys = {party.id: f"{number:02x}" for number, party in enumerate(scenario.parties)}
        times = {"created_at": "2026-11-21T08:00:00Z", "expires_at": "2026-11-28T08:00:00Z"}
        spec = job_spec(scenario, keys, job_id="job-1", **times)
        texts = [spec.title, spec.label.meaning]
        texts += [*scenario.provenance_sentences, *scenario.limit_sentences]
        for text in texts:
            assert HAN.search(chinese_of(text) or ""), text


def test_packaged_horizontal_scenarios_must_be_told_in_chinese() -> None:
    for name in HORIZONTAL_BUILTIN:
        scenario = load_horizontal(name, {})
        for text in (scenario.title, scenario.label.meaning, *scenario.provenance):
            assert HAN.search(chinese_of(text) or ""), text
    assert HAN.search(chinese_of(ChurnLabelTable().meaning) or "")


@pytest.mark.parametrize(
    "said",
    [
        *map(complete_journey.said, ("home_store", "random", "dirichlet:0.5")),
        *map(online_retail.said, ("country", "random")),
        (made_purchases.PROVENANCE, made_purchases.LIMITS),
    ],
)
def test_samples_of_purchases_must_be_told_in_chinese(
    said: tuple[tuple[str, ...], tuple[str, ...]],
) -> None:
    provenance, limits = said
    assert provenance
    assert limits
    for text in (*provenance, *limits):
        assert HAN.search(chinese_of(text) or ""), text


def test_exemptions_and_editions_must_be_told_in_chinese() -> None:
    for exemption in EXEMPTIONS:
        assert HAN.search(chinese_of(exemption.reason) or ""), exemption.reason
    for clause in load_catalogue().clauses:
        assert HAN.search(chinese_of(clause.edition) or ""), clause.edition


@pytest.mark.parametrize(
    ("basis", "purpose", "use", "jurisdiction"),
    [
        *product(
            [basis.id for basis in load_catalogue().legal_bases if basis.jurisdiction != "EU"],
            ["credit_need"],
            ["research_only", "marketing"],
            ["CN"],
        ),
        *product(
            [basis.id for basis in load_catalogue().legal_bases if basis.jurisdiction != "CN"],
            ["credit_need"],
            ["research_only", "marketing"],
            ["EU"],
        ),
        ("synthetic_or_public_data", "creditworthiness", "research_only", "CN"),
        ("synthetic_or_public_data", "creditworthiness", "research_only", "EU"),
        ("synthetic_or_public_data", "churn", "research_only", "CN"),
    ],
)
def test_every_gate_that_lets_a_job_pass_must_be_told_in_chinese(
    basis: str, purpose: str, use: str, jurisdiction: str
) -> None:
    small = use == "research_only"
    terms = {
        "legal_basis": basis,
        "jurisdiction": jurisdiction,
        "minimum_cohort": 50 if small else 1000,
    }
    long = {"row_map_days": 90, "model_days": 2000} if small else {}
    spec = job(
        bank_terms=bank(**terms),
        retailer_terms=retailer(**terms),
        purpose=purpose,
        output_use=use,
        retention=msgspec.structs.replace(RETENTION, **long),
    )
    said = 0
    for size in (None, 2000):
        for stage in ("proposal", "start"):
            told = bank_facts(
                allowed_purposes=(purpose,),
                label_purpose=purpose,
                intersection_size=size,
                automatic_approval=small,
            )
            for decision in evaluate(spec, stage=stage, facts=told, suite=get_suite("gm")):
                if decision.stops:
                    continue
                said += 1
                for text in (decision.reason, *decision.conditions):
                    assert HAN.search(chinese_of(text) or ""), text
    assert said >= 16


def test_both_legal_questions_must_be_told_in_chinese() -> None:
    terms = {"legal_basis": "synthetic_or_public_data"}
    spec = job(
        bank_terms=bank(**terms),
        retailer_terms=retailer(**terms, jurisdiction="EU"),
        purpose="creditworthiness",
        output_use="research_only",
    )
    told = bank_facts(automatic_approval=True)
    decisions = evaluate(spec, stage="proposal", facts=told, suite=get_suite("gm"))
    (question,) = [decision.reason for decision in decisions if decision.gate == "G15"]
    answer = chinese_of(question)
    assert answer is not None
    assert "征信业务" in answer
    assert "《人工智能法》" in answer


def test_findings_one_after_the_other_must_all_be_told() -> None:
    small = (
        "Splits may leave 5 customers on a side, fewer than the policy's 10: sums of so few can be "
        "matched with single customers."
    )
    sampled = (
        "One-side sampling shows the passive parties which customers have large gradients, and "
        "with that most labels of the rarer class."
    )
    assert chinese_of(f"{small} {sampled}") == f"{chinese_of(small)}{chinese_of(sampled)}"
    assert chinese_of(f"{small} Nobody wrote this down.") is None


def test_unknown_text_must_have_no_chinese() -> None:
    assert chinese_of("A sentence nobody wrote down.") is None
    assert chinese_of("Days kept after the job ends: moon 3.") is None
