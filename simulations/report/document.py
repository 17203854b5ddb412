"""What every report's page shares: one HTML file in two languages that needs nothing else.

Each language is a whole half with its own ids. A small script shows the one that is wanted, and
the page's own policy lets no other script run; without it the style sheet follows the address's
``#zh`` or ``#en``, and a browser that can do neither shows both, one after the other.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from compliance.catalogue import load_catalogue
from compliance.decision import Verdict
from party_node.primitive_entry_points import OS_RANDOM
from simulations.report import figures, wording
from simulations.report.english import ENGLISH
from simulations.report.model import ReportedRun
from simulations.report.strings import Strings
from simulations.report.translations import chinese_of

_SHARED = "simulations.report"
PRIMITIVE_USES = {
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
    "BFV": "homomorphic",
    "CKKS": "homomorphic",
    OS_RANDOM: "entropy",
    "TLS": "transport",
    "X.509": "transport",
    "key file": "transport",
    "ECDSA": "transport",
    "EC": "transport",
    "EC secp256r1": "transport",
}
"""What a run uses a primitive for, by the names of ``party_node.primitive_trace``."""


def document(
    run: ReportedRun,
    body: str,
    tables: Mapping[str, Strings],
    contents: Callable[[Strings], Mapping[str, Any]],
    *,
    package: str = _SHARED,
    style: str = "",
) -> str:
    """Return the page of ``run``: the template ``body`` once in each language of ``tables``.

    ``tables`` is by the id of the half, ``en`` and ``zh``; ``contents`` returns what ``body`` needs
    beyond :func:`_shared`. Templates are ``package``'s own, and the shared ones; ``style`` is one
    with a style sheet beside the shared one.
    """
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader(name, package_path="") for name in dict.fromkeys((package, _SHARED))]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template(body)
    halves = []
    for id_, table in tables.items():
        t = _unbroken(table)
        shown = template.render({**_shared(run, t, id_), **contents(t)})
        halves.append(
            {"id": id_, "t": t, "title": own_text(run.title, t).striptags(), "body": shown}
        )
    script = environment.get_template("script.html").render()
    executed = script.partition("<script>")[2].rpartition("</script>")[0]
    return environment.get_template("report.html").render(
        halves=halves,
        style=style,
        script=script,
        # The policy names the only script by its digest: text from a run can never become one.
        script_digest=b64encode(sha256(executed.encode()).digest()).decode(),
    )


def own_text(text: str, t: Strings) -> Markup:
    """Return a text that came with the run, marked where it is not in the half's language."""
    english = t["language"] == ENGLISH["language"]
    shown = text if english else chinese_of(text) or text
    language = "zh-CN" if any("\u4e00" <= character <= "\u9fff" for character in shown) else "en"
    if language == t["language"]:
        return escape(shown)
    return Markup('<span lang="{}">{}</span>').format(language, shown)


def _unbroken(t: Strings) -> Strings:
    """Return ``t`` with no line break between a number and its per-cent sign."""
    return {key: text.replace(" %", "\u00a0%") for key, text in t.items()}


def _shared(run: ReportedRun, t: Strings, id_: str) -> dict[str, Any]:
    """Return what the shared templates show in one language."""
    outcomes = wording.gate_outcomes(run)
    rules = load_catalogue()
    clauses = {clause.id: clause for clause in rules.clauses}
    cited = dict.fromkeys(article for outcome in outcomes for article in outcome.articles)
    uses = {primitive: t[f"use_{use}"] for primitive, use in PRIMITIVE_USES.items()}
    return {
        "run": run,
        "t": t,
        "half": id_,
        "other": "zh" if id_ == "en" else "en",
        "in_english": id_ == "en",
        "figures": figures,
        "wording": wording,
        "title": own_text(run.title, t),
        "own": lambda text: own_text(text, t),
        "name": lambda party: wording.party_name(party, t),
        "reason": lambda code: t.get(f"reason_{code}", code.replace("_", " ")),
        "outcomes": outcomes,
        "open_questions": [o for o in outcomes if o.verdict is Verdict.NEEDS_APPROVAL],
        "refusals": [o for o in outcomes if o.verdict is Verdict.DENY],
        "clauses": [(article, clauses.get(article)) for article in cited],
        "legal_basis": rules.legal_basis,
        "primitives": [
            (primitive, uses.get(primitive, ""), users)
            for primitive, users in run.primitives.items()
        ],
    }
