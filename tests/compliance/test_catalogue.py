"""The catalogue loads strictly, and every citation leads somewhere."""

from __future__ import annotations

import ast
import re
from importlib.resources import files

import pytest

from compliance.catalogue import (
    CatalogueError,
    bundle_digest,
    decode_catalogue,
    load_catalogue,
)
from protocols.session.agreed_job import Purpose
from protocols.suite import get_suite

PACKAGED = files("compliance").joinpath("catalogue.toml").read_bytes()
CLAUSE_ID = re.compile(r"[A-Z]+[0-9]*(-[A-Z0-9]+)+|WP[0-9]+")


def cited_by_gates() -> dict[str, set[str]]:
    """String constants of the gates' source that look like clause ids, by file."""
    cited: dict[str, set[str]] = {}
    for entry in files("compliance.gates").iterdir():
        if not entry.name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(entry.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and CLAUSE_ID.fullmatch(value):
                cited.setdefault(entry.name, set()).add(value)
    return cited


def test_every_clause_a_gate_cites_must_be_in_the_catalogue() -> None:
    known = {clause.id for clause in load_catalogue().clauses}
    cited = cited_by_gates()
    assert len(cited) == 8, "every gate cites at least one clause"
    for name, ids in cited.items():
        assert ids <= known, name


def test_every_clause_must_be_cited_by_somebody() -> None:
    rules = load_catalogue()
    by_bases = {c for b in rules.legal_bases for c in (*b.clauses, *b.condition_clauses)}
    by_gates = set().union(*cited_by_gates().values())
    assert {clause.id for clause in rules.clauses} == by_bases | by_gates


def test_both_jurisdictions_must_have_their_full_enumeration() -> None:
    bases = load_catalogue().legal_bases
    assert {b.id for b in bases if b.jurisdiction == "CN"} == {f"CN13_{n}" for n in range(1, 8)}
    assert {b.id for b in bases if b.jurisdiction == "EU"} == {f"EU6_1{c}" for c in "abcdef"}
    assert {b.id for b in bases if b.jurisdiction == "any"} == {"synthetic_or_public_data"}


def test_no_chinese_basis_must_speak_of_legitimate_interests() -> None:
    for basis in load_catalogue().legal_bases:
        if basis.jurisdiction == "CN":
            assert "legitimate interest" not in basis.summary_en.lower()


def test_the_catalogue_must_hold_the_specs_purposes() -> None:
    assert {purpose.id for purpose in load_catalogue().purposes} == set(Purpose.__args__)


def test_every_text_must_be_there_in_both_languages() -> None:
    rules = load_catalogue()
    for entry in (*rules.clauses, *rules.legal_bases, *rules.purposes):
        assert entry.summary_en.endswith("."), entry.id
        assert entry.summary_zh.endswith("。"), entry.id
    for clause in rules.clauses:
        assert clause.edition
        assert clause.law_zh
        assert clause.article


def test_what_was_read_in_a_draft_must_not_be_called_primary() -> None:
    rules = load_catalogue()
    assert {rules.clause(id_).confidence for id_ in ("NFRA-28", "NFRA-73")} == {"secondary"}
    assert rules.clause("PIPL-13").confidence == "primary"
    with pytest.raises(KeyError):
        rules.clause("PIPL-999")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"version = 1", b"version = 2", "Invalid enum value 2"),
        (b"minimum_cohort", b"minimum_kohort", "kohort|minimum_cohort"),
        (b'id = "PIPL-14"', b'id = "PIPL-6"', "clause 'PIPL-6' is in the catalogue twice"),
        (b'id = "CN13_2"', b'id = "CN13_1"', "legal basis 'CN13_1' is in the catalogue twice"),
        (b'id = "churn"', b'id = "credit_need"', "purpose 'credit_need' is in the catalogue twice"),
        (b'id = "GDPR-7"', b'id = "GDPR-8"', "'EU6_1a' cites unknown clause 'GDPR-7'"),
        (b'confidence = "primary"', b'confidence = "sure"', "Invalid enum value 'sure'"),
        (b"[policy]", b"[policy", "does not load"),
    ],
)
def test_a_catalogue_that_contradicts_itself_must_not_load(
    old: bytes, new: bytes, message: str
) -> None:
    assert old in PACKAGED
    with pytest.raises(CatalogueError, match=message):
        decode_catalogue(PACKAGED.replace(old, new, 1))


def test_bytes_that_are_not_text_must_not_load() -> None:
    with pytest.raises(CatalogueError):
        decode_catalogue(b"\xff\xfe")


def test_the_bundle_digest_must_be_stable_and_cover_gates_and_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = get_suite("gm")
    digest = bundle_digest(suite)
    assert digest == bundle_digest(suite)
    assert len(digest) == suite.digest_bytes

    hashed: list[bytes] = []

    class Recorder:
        def hash(self, *parts: bytes) -> bytes:
            hashed.extend(parts)
            return suite.hash(*parts)

    assert bundle_digest(Recorder()) == digest  # type: ignore[arg-type]
    assert PACKAGED in hashed
    assert b"gates/g02_legal_basis.py" in hashed
    assert b"check.py" in hashed
    assert not any(part.endswith(b".pyc") for part in hashed if len(part) < 100)
