"""The report as one HTML file in two languages that needs nothing else: no network, no other file.

Each language is a whole half with its own ids. A small script shows the one that is wanted, and
the page's own policy lets no other script run; without it the style sheet follows the address's
``#zh`` or ``#en``, and a browser that can do neither shows both, one after the other.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from compliance.catalogue import load_catalogue
from compliance.decision import Verdict
from party_node.primitive_entry_points import OS_RANDOM
from simulations.report import figures, wording
from simulations.report.charts import Charts
from simulations.report.chinese import CHINESE
from simulations.report.english import ENGLISH
from simulations.report.model import RunReport, Which
from simulations.report.strings import Strings
from simulations.report.translations import chinese_of

_CALIBRATION_STEP = 0.2
_SECTIONS = (
    "asked",
    "learned",
    "worth",
    "reach",
    "decisions",
    "repeats",
    "importance",
    "quality",
    "gates",
    "primitives",
    "cost",
    "audit",
    "limits",
    "parameters",
)
_USES = {
    "SM3": "hash",
    "SHA-256": "hash",
    "HMAC-SM3": "mac",
    "HMAC-SHA-256": "mac",
    "HKDF-SM3": "derive",
    "HKDF-SHA-256": "derive",
    "SM4-GCM": "seal",
    "AES-256-GCM": "seal",
    "SM4-CTR": "stream",
    "AES-256-CTR": "stream",
    "SM4-ECB": "tokens",
    "AES-256-ECB": "tokens",
    "SM2": "curve",
    "Ed25519": "signature",
    "X25519": "agreement",
    "SM2_XMD:SM3_SSWU_NU_": "hash_to_curve",
    "curve25519_XMD:SHA-512_ELL2_NU_": "hash_to_curve",
    "SHA-512": "inside_hash_to_curve",
    "SM4 (Matyas-Meyer-Oseas)": "robust_hash",
    "AES-128 (Matyas-Meyer-Oseas)": "robust_hash",
    "AES-128-ECB": "robust_hash",
    "P-256": "points",
    "Paillier": "homomorphic",
    OS_RANDOM: "entropy",
    "TLS": "transport",
    "X.509": "transport",
    "key file": "transport",
    "ECDSA": "transport",
    "EC": "transport",
    "EC secp256r1": "transport",
}
"""What a run uses a primitive for, by the names of ``party_node.primitive_trace``."""


def render(run: RunReport) -> str:
    """Return ``report.html`` for ``run``, in English and Chinese."""
    environment = Environment(
        loader=PackageLoader("simulations.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    body = environment.get_template("body.html")
    halves = [
        {
            "id": id_,
            "t": t,
            "title": _own(run.title, t).striptags(),
            "body": body.render(_half(run, t, id_)),
        }
        for id_, t in (("en", _unbroken(ENGLISH)), ("zh", _unbroken(CHINESE)))
    ]
    script = environment.get_template("script.html").render()
    executed = script.partition("<script>")[2].rpartition("</script>")[0]
    return environment.get_template("report.html").render(
        halves=halves,
        script=script,
        # The policy names the only script by its digest: text from a run can never become one.
        script_digest=b64encode(sha256(executed.encode()).digest()).decode(),
    )


def _unbroken(t: Strings) -> Strings:
    """Return ``t`` with no line break between a number and its per-cent sign."""
    return {key: text.replace(" %", "\u00a0%") for key, text in t.items()}


def _half(run: RunReport, t: Strings, id_: str) -> dict[str, Any]:
    """Return what the page's body shows in one language."""
    outcomes = wording.gate_outcomes(run)
    rules = load_catalogue()
    clauses = {clause.id: clause for clause in rules.clauses}
    cited = dict.fromkeys(article for outcome in outcomes for article in outcome.articles)
    return {
        "run": run,
        "t": t,
        "half": id_,
        "other": "zh" if id_ == "en" else "en",
        "in_english": id_ == "en",
        "sections": [s for s in _SECTIONS if s != "repeats" or run.repeats],
        "figures": figures,
        "wording": wording,
        "title": _own(run.title, t),
        "own": lambda text: _own(text, t),
        "name": lambda party: wording.party_name(party, t),
        "reason": lambda code: t.get(f"reason_{code}", code.replace("_", " ")),
        "models": {which: wording.model_name(run, which, t) for which, _ in run.shown_metrics()},
        "charts": _charts(run, t),
        "used": {party: wording.own_shares(run, party) for party in run.importance},
        "outcomes": outcomes,
        "open_questions": [o for o in outcomes if o.verdict is Verdict.NEEDS_APPROVAL],
        "refusals": [o for o in outcomes if o.verdict is Verdict.DENY],
        "clauses": [(article, clauses.get(article)) for article in cited],
        "legal_basis": rules.legal_basis,
        "primitives": [
            (primitive, t[f"use_{_USES[primitive]}"] if primitive in _USES else "", users)
            for primitive, users in run.primitives.items()
        ],
    }


def _own(text: str, t: Strings) -> Markup:
    """Return a text that came with the run, marked where it is not in the half's language."""
    english = t["language"] == ENGLISH["language"]
    shown = text if english else chinese_of(text) or text
    language = "zh-CN" if any("\u4e00" <= character <= "\u9fff" for character in shown) else "en"
    if language == t["language"]:
        return escape(shown)
    return Markup('<span lang="{}">{}</span>').format(language, shown)


def _charts(run: RunReport, t: Strings) -> dict[str, Markup]:
    """Return the page's charts by name; pooled is drawn first, so that joint stays visible."""
    charts = Charts(t)
    shown = [which for which, _ in run.shown_metrics()]
    order: list[Which] = [which for which in ("pooled", "alone", "joint") if which in shown]
    named = [(which, t[f"short_{which}"], run.curves[which]) for which in order]
    calibrated = [(which, name, c.calibration) for which, name, c in named if which != "pooled"]
    highest = max(value for _, _, tenths in calibrated for p, y, _ in tenths for value in (p, y))
    highest = min(1.0, (int(highest / _CALIBRATION_STEP) + 1) * _CALIBRATION_STEP)
    return {
        "intervals": charts.intervals(
            t["chart_intervals"],
            t["chart_auc_axis"],
            [(which, t[f"short_{which}"], metrics) for which, metrics in run.shown_metrics()],
        ),
        "roc": charts.lines(
            t["chart_roc"],
            t["chart_roc_x"],
            t["chart_roc_y"],
            [(which, name, c.roc) for which, name, c in named],
        ),
        "calibration": charts.lines(
            t["chart_calibration"],
            t["chart_calibration_x"],
            t["chart_calibration_y"],
            [(which, name, [(p, y) for p, y, _ in tenths]) for which, name, tenths in calibrated],
            dots=True,
            highest=highest,
        ),
        "gain": charts.lines(
            t["chart_gain"],
            t["chart_gain_x"],
            t["chart_gain_y"],
            [(which, name, c.gain) for which, name, c in named],
        ),
        "lift": charts.bars(
            t["chart_lift"],
            t["chart_lift_x"],
            t["chart_lift_y"],
            [(which, t[f"short_{which}"], run.reach[which]) for which in shown],
        ),
    }
