"""The page says what the run says, escapes what a file brought, and needs nothing but itself."""

from __future__ import annotations

import html
import json
import re
import shutil
import string
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from markupsafe import Markup
from sklearn.metrics import roc_auc_score, roc_curve

from simulations.report import figures, wording
from simulations.report.charts import Charts
from simulations.report.measures import curve, difference, metrics
from simulations.report.model import Metrics, RunReport, metrics_json
from simulations.report.page import render
from simulations.report.strings import ENGLISH
from tests.simulations.sample_run import made_scores, plain_run, sample_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page(HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def with_gate(gate: str, **changes: object) -> RunReport:
    gates = [g | changes if g["gate"] == gate else g for g in plain_run()["gates"]]
    return sample_run(gates=gates)


def test_page_must_need_nothing_else_and_be_well_formed() -> None:
    text = render(sample_run())
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|\bon\w+=", text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = page.values("href")
    assert targets
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    for reference in page.values("aria-labelledby"):
        assert set(reference.split()) <= set(ids)
    assert render(sample_run()) == text


def test_page_must_say_what_the_run_says() -> None:
    run = sample_run()
    said = Page(render(run)).text
    alone, joint = run.metrics.alone, run.metrics.joint
    for expected in (
        wording.headline(run, ENGLISH),
        "3,919", "4,008", "3,521",
        figures.metric(alone.auc), figures.metric(alone.auc_low), figures.metric(joint.ks),
        "not anonymous",
        *run.learned["bank"], *run.learned["retailer"], *run.provenance, *run.limits,
        "duplicate identifier", "40.4 MB", "95.3 s",
        "0c" * 32, "1d" * 32, run.spec_digest,
        "fedcrm audit verify --trust trust.toml bank.zip retailer.zip",
        "learning_rate", "3.11.9", "79 %", "20261121", "personal data (PIPL Art. 23)",
    ):  # fmt: skip
        assert expected in said, expected


def test_columns_must_be_compared_within_their_party_only() -> None:
    run = sample_run()
    assert wording.own_shares(run, "bank") == [("Seniority", 0.6), ("Income", 0.3), ("Job", 0.1)]
    assert wording.own_shares(run, "retailer") == [("Price", 0.79), ("Age", 0.21)]
    text = Page(render(run)).text
    assert "20 % comes from splits of bank, 80 % comes from splits of retailer" in text
    unused = sample_run(importance={"bank": {"Income": 0.0}}, gain_by_party={"bank": 0.0})
    assert "no column of this party was used" in Page(render(unused)).text


def test_text_from_a_scenario_must_be_escaped_everywhere() -> None:
    hostile = "<script>alert('x')</script>\"&"
    run = plain_run(
        title=hostile,
        agreement=hostile,
        label=hostile,
        provenance=[hostile],
        limits=[hostile],
        learned={"bank": [hostile]},
        versions={hostile: hostile},
        parameters={hostile: hostile},
        rejects={"bank": {hostile: 1}},
        importance={"bank": {hostile: 0.5}},
        pooled_on_this_machine=hostile,
    )
    for gate in run["gates"]:
        gate |= {"reason": hostile, "articles": [hostile], "conditions": [hostile]}
    text = render(msgspec.convert(run, RunReport))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 14
    assert "script" not in Page(text).tags


def test_chart_must_escape_names_and_describe_its_numbers() -> None:
    shown = Metrics(auc=0.8, auc_low=0.7, auc_high=0.9, ks=0.4)
    drawn = Charts().intervals("a < b", [("joint", "<b>", shown)])
    assert isinstance(drawn, Markup)
    assert "<b>" not in drawn
    assert "&lt;b&gt; 0.800 (0.700 to 0.900)" in drawn
    assert "a &lt; b" in drawn


def test_charts_must_stay_inside_their_picture() -> None:
    low = {"auc": 0.31, "auc_low": 0.22, "auc_high": 0.41, "ks": 0.1}
    run = sample_run(metrics={"alone": low, "joint": low | {"auc_high": 1.0}, "pooled": low})
    text = render(run)
    for box, body in re.findall(r'<svg viewBox="0 0 ([\d ]+)".*?>(.*?)</svg>', text):
        width, height = map(float, box.split())
        pairs = [p.split(",") for q in re.findall(r'points="(.*?)"', body) for p in q.split()]
        pairs += re.findall(r'cx="(.*?)" cy="(.*?)"', body)
        pairs += re.findall(r'x1="(.*?)" y1="(.*?)"', body) + re.findall(
            r'x2="(.*?)" y2="(.*?)"', body
        )
        assert pairs
        for x, y in pairs:
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height
    assert text.count("<svg") == 4


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        ((0.2, 0.1, 0.3), "better: AUC .* a gain of 0.200 \\(95 % interval 0.100 to 0.300\\)"),
        ((-0.2, -0.3, -0.1), "worse: AUC .* a loss of 0.200 \\(95 % interval 0.100 to 0.300\\)"),
        ((0.01, -0.01, 0.03), "no difference .* \\+0.010 .*−0.010 to \\+0.030, which includes"),
        ((-0.01, -0.03, 0.0), "no difference .* −0.010 .*−0.030 to 0.000, which includes"),
    ],
)
def test_headline_must_follow_the_interval(gap: tuple[float, float, float], words: str) -> None:
    value, low, high = gap
    run = sample_run(
        differences={
            "joint_minus_alone": {"value": value, "low": low, "high": high},
            "joint_minus_pooled": {"value": 0.0, "low": 0.0, "high": 0.0},
        }
    )
    assert re.search(words, wording.headline(run, ENGLISH))
    assert "gives the same" in wording.against_pooled(run, ENGLISH)


def test_run_without_pooling_must_say_so() -> None:
    run = plain_run(pooled_on_this_machine="no")
    del run["metrics"]["pooled"], run["differences"]["joint_minus_pooled"], run["curves"]["pooled"]
    report = msgspec.convert(run, RunReport)
    text = Page(render(report)).text
    assert "were not joined in the clear" in text
    assert "joint minus pooled" not in text
    facts = metrics_json(report)
    assert set(facts["metrics"]) == {"alone", "joint"}
    assert set(facts["differences"]) == {"joint_minus_alone"}


def test_question_for_legal_must_stand_before_the_headline() -> None:
    run = with_gate("G15", verdict="NEEDS_APPROVAL", hard=False, reason="Legal: may we?")
    text = Page(render(run)).text
    assert text.index("A legal answer is needed") < text.index("Joined with retailer")
    assert "This run went on because" in text
    assert "people have to decide" in text
    assert "A legal answer is needed" not in Page(render(sample_run())).text
    refused = Page(render(with_gate("G03", verdict="DENY", reason="Never."))).text
    assert refused.index("does not allow this") < refused.index("Joined with retailer")


def test_strictest_and_latest_decision_of_a_gate_must_be_shown() -> None:
    gates = plain_run()["gates"]
    strict = {"verdict": "DENY", "reason": "No.", "articles": ["PIPL-14"]}
    gates[1] |= strict  # one party, at proposal
    outcomes = {o.gate: o for o in wording.gate_outcomes(sample_run(gates=gates))}
    assert [*outcomes] == ["G02", "G03", "G15"]
    assert outcomes["G03"].reason == "No."
    assert set(outcomes["G03"].articles) == {"PIPL-6", "PIPL-14"}
    assert outcomes["G02"].reason == "bank says so at release."
    assert outcomes["G02"].conditions == ("see to it",)


def test_clauses_cited_must_be_explained_from_the_catalogue() -> None:
    run = with_gate("G15", articles=["NFRA-73", "made-up-9"])
    page = Page(render(run))
    assert "check before quoting" in page.text
    assert "银行保险机构数据安全管理办法" in page.text
    assert {"clause-NFRA-73", "clause-made-up-9"} <= set(page.values("id"))


def test_every_string_must_be_used_and_every_use_be_a_string() -> None:
    rooms = Path(wording.__file__).parent
    sources = [*rooms.glob("*.html"), *(p for p in rooms.glob("*.py") if p.name != "strings.py")]
    sources.append(rooms.parent / "summary.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    direct = set(re.findall(r"\bt\.(\w+)", code)) | set(
        re.findall(r"""\bt\[["'](\w+)["']\]""", code)
    )
    assert direct - {"get"} <= set(ENGLISH)
    prefixes = set(re.findall(r"""["'](\w+_)["'] ~""", code)) | set(re.findall(r'f"(\w+_)\{', code))
    spoken = set(re.findall(r"\w+", code))
    unused = {k for k in ENGLISH if k not in spoken and not k.startswith(tuple(prefixes))}
    assert unused == set()
    for text in ENGLISH.values():
        assert all(
            name is None or name.isidentifier() for _, name, _, _ in string.Formatter().parse(text)
        )


def test_metrics_json_must_hold_the_keys_of_the_design() -> None:
    facts = json.loads(json.dumps(metrics_json(sample_run()), allow_nan=False))
    assert facts["parties"] == ["bank", "retailer"]
    assert set(facts["psi"]) >= {"protocol", "sizes", "intersection", "wall_s", "bytes"}
    assert facts["psi"]["sizes"] == {"bank": 3919, "retailer": 4008}
    assert set(facts["train"]) >= {"model", "rounds", "wall_s", "bytes"}
    for which in ("alone", "joint", "pooled"):
        assert set(facts["metrics"][which]) >= {"auc", "ks"}
    assert set(facts["learned"]) == {"bank", "retailer"}
    assert facts["audit"]["bank"] == {"events": 61, "root": "0c" * 32, "bundle": "bank.zip"}
    assert {"scenario", "suite", "purpose"} <= set(facts)
    assert "curves" not in facts
    assert facts["party_terms"]["retailer"]["columns"] == ["Price", "Age", "Home", "Marital"]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": 1},
        {"learned": {"stranger": ["x"]}},
        {"curves": {}},
        {"purpose": None},
    ],
)
def test_report_of_the_wrong_shape_must_be_refused(changes: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        sample_run(**changes)


def test_measures_must_agree_with_another_implementation() -> None:
    labels, scores = made_scores()
    found = metrics(labels, scores["alone"])
    assert found.auc == pytest.approx(roc_auc_score(labels, scores["alone"]))
    assert found.auc_low < found.auc < found.auc_high
    gap = difference(labels, scores["joint"], scores["alone"])
    expected = roc_auc_score(labels, scores["joint"]) - roc_auc_score(labels, scores["alone"])
    assert gap.value == pytest.approx(expected)
    assert gap.sign == "more"


@pytest.mark.parametrize("which", ["alone", "joint", "pooled"])
def test_curve_must_agree_with_another_implementation(which: str) -> None:
    labels, scores = made_scores(150)
    points = curve(labels, scores[which])
    false_rate, true_rate, _ = roc_curve(labels, scores[which], drop_intermediate=False)
    assert np.allclose(points.roc, np.column_stack([false_rate, true_rate]), atol=1e-4)
    assert points.gain[0] == (0, 0)
    assert points.gain[-1] == (1, 1)
    assert sum(customers for _, _, customers in points.calibration) == 150
    weighted = sum(observed * customers for _, observed, customers in points.calibration)
    assert weighted == pytest.approx(labels.sum())


def test_curve_must_not_order_customers_of_equal_score() -> None:
    labels = np.array([1, 0, 1, 0])
    same = curve(labels, np.full(4, 0.5))
    assert same.roc == ((0, 0), (1, 1))
    assert same.best_fifth == pytest.approx(0.25)
    long = curve(np.tile(labels, 1000), np.linspace(0, 1, 4000))
    assert len(long.roc) <= 201


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.signed(0.1234), "+0.123"),
        (figures.signed(-0.1), "−0.100"),
        (figures.signed(-0.0001), "0.000"),
        (figures.size(999), "999 B"),
        (figures.size(1_000), "1.0 kB"),
        (figures.size(999_900), "1.0 MB"),
        (figures.size(123_456_789), "123 MB"),
        (figures.size(5_000_000_000_000), "5000 GB"),
        (figures.seconds(0.0123), "12 ms"),
        (figures.seconds(12.34), "12.3 s"),
        (figures.seconds(119.99), "120.0 s"),
        (figures.seconds(179.9), "3 min 00 s"),
        (figures.percent(0.505), "50 %"),
        (figures.percent(0.003), "<1 %"),
        (figures.percent(0.0), "0 %"),
        (figures.whole(1234567), "1,234,567"),
    ],
)
def test_figures_must_read_well(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_page_must_not_scroll_sideways(tmp_path: Path, width: int) -> None:
    """A page that measures the report in a frame of the wanted width, and prints the result."""
    names = {"x" * 60: "0." + "1" * 90}
    framed = html.escape(render(sample_run(title="W" * 24, versions=names)))
    outer = tmp_path / "outer.html"
    outer.write_text(
        f'<iframe width="{width}" height="800" style="border:0" srcdoc="{framed}"></iframe><p>-</p>'
        "<script>onload = () => { const page = frames[0].document.documentElement;"
        "document.querySelector('p').textContent ="
        "`measured ${page.scrollWidth} of ${page.clientWidth}` }</script>",
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         outer.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"measured (\d+) of (\d+)", shown)
    assert found, shown[-500:]
    assert int(found[1]) <= int(found[2]) <= width
