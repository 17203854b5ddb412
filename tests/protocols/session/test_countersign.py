"""Countersigning: equal statements end in equal signatures, anything else in the peer's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from audit.event import joint_message
from audit.statements import job_statement
from protocols.errors import DecodeError, VerifyError
from protocols.roles import Receive, Role, Send
from protocols.session.countersign import StatementSignature, countersign
from tests.drive import Deadlock, drive
from tests.protocols.session.signers import SUITE, signer


def statement(**changes: Any) -> bytes:
    """Return what both parties say of an alignment, as it is signed."""
    said: dict[str, Any] = {
        "job": "job-1",
        "origins": ("fedcrm/node/bank", "fedcrm/node/retailer"),
        "attempt": 1,
        "details": {"spec_digest": "00" * 32},
        "counts": {"intersection": 1200},
    }
    return joint_message(job_statement("align.completed", **(said | changes)))


STATEMENT = statement()


def role(
    name: str,
    peers: tuple[str, ...],
    said: bytes = STATEMENT,
    *,
    keys: Mapping[str, bytes] | None = None,
    seed: bytes = bytes(32),
) -> Role[dict[str, bytes]]:
    return countersign(
        said,
        party=name,
        private_key=signer(name).private_key,
        peer_keys=keys or {peer: signer(peer).public_key for peer in peers},
        suite=SUITE,
        seed=seed,
    )


def test_two_parties_must_end_with_the_same_signatures() -> None:
    results, transcript = drive(
        {"bank": role("bank", ("retailer",)), "retailer": role("retailer", ("bank",))}
    )
    assert results["bank"] == results["retailer"]
    assert set(results["bank"]) == {"bank", "retailer"}
    for name, signature in results["bank"].items():
        SUITE.verify(signer(name).public_key, STATEMENT, signature)
    assert [(sender, to, kind) for sender, to, kind, _ in transcript.messages] == [
        ("bank", "retailer", "StatementSignature"),
        ("retailer", "bank", "StatementSignature"),
    ]
    assert all(len(data) <= StatementSignature.max_bytes for *_, data in transcript.messages)


def test_three_parties_must_end_with_the_same_signatures() -> None:
    names = ("bank", "insurer", "retailer")
    results, _ = drive({n: role(n, tuple(p for p in names if p != n)) for n in names})
    assert results["bank"] == results["insurer"] == results["retailer"]
    assert set(results["bank"]) == set(names)


def test_a_replay_must_send_the_same_bytes() -> None:
    def sent(seed: bytes) -> Any:
        return next(role("bank", ("retailer",), seed=seed))

    assert sent(bytes(32)) == sent(bytes(32))
    assert sent(bytes(32)) != sent(b"\x01" * 32)


@pytest.mark.parametrize(
    "changes",
    [
        {"job": "job-2"},
        {"attempt": 2},
        {"attempt": None},
        {"counts": {"intersection": 1201}},
        {"counts": {}},
        {"details": {"spec_digest": "01" * 32}},
        {"origins": ("fedcrm/node/bank", "fedcrm/node/insurer")},
    ],
    ids=str,
)
def test_a_peer_that_saw_something_else_must_be_named(changes: dict[str, Any]) -> None:
    roles = {
        "bank": role("bank", ("retailer",)),
        "retailer": role("retailer", ("bank",), statement(**changes)),
    }
    with pytest.raises(VerifyError, match="another statement") as caught:
        drive(roles)
    assert caught.value.party in ("bank", "retailer")


def says(message: StatementSignature) -> Role[None]:
    """A peer that sends ``message`` whatever the statement is."""
    yield Send("bank", message)
    yield Receive("bank", StatementSignature)


GOOD = signer("retailer").sign(STATEMENT)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(signer("insurer").sign(STATEMENT), id="another party's key"),
        pytest.param(signer("retailer").sign(statement(attempt=2)), id="replay: another attempt"),
        pytest.param(signer("retailer").sign(statement(job="job-0")), id="replay: another job"),
        pytest.param(GOOD[:-1], id="truncated"),
        pytest.param(GOOD + b"\x00", id="extended"),
        pytest.param(bytes([GOOD[0] ^ 1]) + GOOD[1:], id="changed"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x30\x06\x02\x01\x00\x02\x01\x00", id="r and s zero"),
        pytest.param(b"\xff" * 200, id="garbage"),
    ],
)
def test_a_signature_that_is_not_the_peers_must_name_it(signature: bytes) -> None:
    roles = {
        "bank": role("bank", ("retailer",)),
        "retailer": says(StatementSignature(signature)),
    }
    with pytest.raises(VerifyError) as caught:
        drive(roles)
    assert caught.value.party == "retailer"


def test_a_peer_must_not_give_back_our_own_signature() -> None:
    bank = role("bank", ("retailer",))
    ours = next(bank)
    assert isinstance(ours, Send)
    bank.send(None)
    with pytest.raises(VerifyError) as caught:
        bank.send({"retailer": ours.message})
    assert caught.value.party == "retailer"


def test_the_first_of_several_liars_must_be_named() -> None:
    names = ("bank", "insurer", "retailer")
    roles = {n: role(n, tuple(p for p in names if p != n)) for n in names[:1]}
    for name in names[1:]:
        roles[name] = role(name, ("bank",), statement(attempt=9))
    with pytest.raises(VerifyError) as caught:
        drive(roles)
    assert caught.value.party == "insurer"


def test_a_signature_that_is_too_long_must_be_refused_before_it_is_checked() -> None:
    roles = {
        "bank": role("bank", ("retailer",)),
        "retailer": says(StatementSignature(bytes(10_000))),
    }
    with pytest.raises(DecodeError, match="at most 256"):
        drive(roles)


def test_a_silent_peer_leaves_the_role_waiting() -> None:
    def silent() -> Role[None]:
        yield Receive("bank", StatementSignature)

    with pytest.raises(Deadlock):
        drive({"bank": role("bank", ("retailer",)), "retailer": silent()})
