"""Approvals: every party's own signature, under the key pinned for it, over this job."""

from __future__ import annotations

import pytest

from audit.event import joint_message
from audit.statements import approval_statement
from protocols.errors import VerifyError
from protocols.session.approval import verify_approvals
from protocols.session.job_spec import JobSpec
from tests.protocols.session.signers import SUITE, signer, spec

SPEC = spec()
ORIGINS = ("fedcrm/node/bank", "fedcrm/node/retailer")
PINNED = {name: signer(name).public_key for name in ("bank", "retailer")}


def statement(of: JobSpec = SPEC, origins: tuple[str, ...] = ORIGINS) -> bytes:
    return joint_message(approval_statement(of.job_id, origins, of.digest(SUITE).hex()))


STATEMENT = statement()
APPROVALS = {name: signer(name).sign(STATEMENT) for name in ("bank", "retailer")}


def test_both_approvals_must_verify() -> None:
    verify_approvals(SPEC, STATEMENT, APPROVALS, PINNED, SUITE)
    # Who else is pinned here does not matter.
    others = PINNED | {"insurer": signer("insurer").public_key}
    verify_approvals(SPEC, STATEMENT, APPROVALS, others, SUITE)


def test_both_sides_must_build_the_same_statement() -> None:
    assert statement(origins=ORIGINS[::-1]) == STATEMENT


@pytest.mark.parametrize("name", ["bank", "retailer"])
@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(signer("insurer").sign(STATEMENT), id="another key"),
        pytest.param(signer("bank").sign(statement(spec(job_id="job-2"))), id="another job"),
        pytest.param(signer("bank").sign(statement(spec(title="Another"))), id="another spec"),
        pytest.param(
            signer("bank").sign(statement(origins=("fedcrm/simulation/bank", ORIGINS[1]))),
            id="a simulation's approval",
        ),
        pytest.param(
            signer("bank").sign(STATEMENT.removeprefix(joint_message(b""))), id="without its prefix"
        ),
        pytest.param(APPROVALS["bank"] + b"\x00", id="trailing byte"),
        pytest.param(APPROVALS["bank"][:-1], id="truncated"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 72, id="garbage"),
        pytest.param(bytes(1 << 16), id="long"),
    ],
)
def test_a_wrong_signature_must_name_its_party(name: str, signature: bytes) -> None:
    with pytest.raises(VerifyError, match="signature is wrong") as caught:
        verify_approvals(SPEC, STATEMENT, APPROVALS | {name: signature}, PINNED, SUITE)
    assert caught.value.party == name


def test_one_party_must_not_sign_for_both() -> None:
    mine = {"bank": APPROVALS["bank"], "retailer": APPROVALS["bank"]}
    with pytest.raises(VerifyError) as caught:
        verify_approvals(SPEC, STATEMENT, mine, PINNED, SUITE)
    assert caught.value.party == "retailer"


@pytest.mark.parametrize(
    "approvals",
    [
        {},
        {"bank": APPROVALS["bank"]},
        {"retailer": APPROVALS["retailer"]},
        APPROVALS | {"insurer": signer("insurer").sign(STATEMENT)},
        {"bank": APPROVALS["bank"], "insurer": APPROVALS["retailer"]},
    ],
    ids=["none", "bank only", "retailer only", "one too many", "another party"],
)
def test_approvals_of_other_parties_than_the_specs_must_be_refused(
    approvals: dict[str, bytes],
) -> None:
    with pytest.raises(VerifyError, match="not those of the spec's parties"):
        verify_approvals(SPEC, STATEMENT, approvals, PINNED, SUITE)


@pytest.mark.parametrize(
    ("pinned", "party"),
    [
        ({}, "bank"),
        ({"bank": PINNED["bank"]}, "retailer"),
        (PINNED | {"retailer": signer("insurer").public_key}, "retailer"),
        (PINNED | {"bank": PINNED["retailer"], "retailer": PINNED["bank"]}, "bank"),
        (PINNED | {"bank": b""}, "bank"),
    ],
    ids=["nobody pinned", "retailer not pinned", "another key pinned", "keys swapped", "no key"],
)
def test_a_key_only_the_spec_names_must_not_be_believed(
    pinned: dict[str, bytes], party: str
) -> None:
    with pytest.raises(VerifyError, match="not the one pinned here") as caught:
        verify_approvals(SPEC, STATEMENT, APPROVALS, pinned, SUITE)
    assert caught.value.party == party


def test_a_spec_whose_keys_are_no_keys_must_be_refused() -> None:
    plain = spec()
    forged = spec(
        parties=[
            {
                "party_id": p.party_id,
                "role": p.role,
                "public_key": p.public_key.upper() if p.role == "active_party" else "not hex",
                "jurisdiction": p.jurisdiction,
                "legal_basis": p.legal_basis,
                "dataset": {
                    "name": p.dataset.name,
                    "identifier_kind": p.dataset.identifier_kind,
                    "columns": [{"name": c.name, "kind": c.kind} for c in p.dataset.columns],
                },
                "minimum_cohort": p.minimum_cohort,
                "approver": p.approver,
            }
            for p in plain.parties
        ]
    )
    with pytest.raises(VerifyError, match="not the one pinned here"):
        verify_approvals(forged, STATEMENT, APPROVALS, PINNED, SUITE)
