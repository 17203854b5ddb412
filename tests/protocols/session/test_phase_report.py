"""Phase reports: a coordinator can drop one, and change nothing in it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import DecodeError, RemoteProtocolError, VerifyError
from protocols.session.decoded_spec import decode_spec
from protocols.session.phase_report import (
    PhaseReport,
    SignedReport,
    encode_report,
    open_report,
    payload_digest,
    phases_of,
    signed_bytes,
)
from protocols.suite import canonical
from tests.protocols.session.signers import SUITE, signer
from tests.protocols.session.specs import plain_spec

SPEC_DIGEST = SUITE.hash(b"spec")
KEYS = {name: signer(name).public_key for name in ("bank", "retailer")}
PAYLOAD: dict[str, Any] = {"message": "对齐", "wall_ms": 1234, "outputs": []}


def report(**changes: Any) -> PhaseReport:
    fields: dict[str, Any] = {
        "spec_digest": SPEC_DIGEST.hex(),
        "attempt": 1,
        "phase": "align",
        "sender": "bank",
        "status": "done",
        "payload_digest": payload_digest(canonical.encode(PAYLOAD), SUITE),
    }
    return PhaseReport(**(fields | changes))


def signed(body: bytes | None = None, key: str = "bank", **changes: Any) -> SignedReport:
    """Return a report signed with ``key`` as a node signs it."""
    body = encode_report(report(**changes)) if body is None else body
    return SignedReport(body, canonical.encode(PAYLOAD), signer(key).sign(signed_bytes(body)))


def opened(of: SignedReport, **expected: Any) -> tuple[PhaseReport, dict[str, Any]]:
    """Open a report as the coordinator of attempt 1, phase ``align``, does."""
    terms: dict[str, Any] = {"spec_digest": SPEC_DIGEST, "attempt": 1, "phase": "align"}
    return open_report(of, public_keys=KEYS, suite=SUITE, **(terms | expected))


GOOD = signed()


def test_a_report_must_open_to_what_was_signed() -> None:
    assert opened(GOOD) == (report(), PAYLOAD)


@pytest.mark.parametrize("status", ["done", "refused", "failed", "stopped", "abandoned"])
@pytest.mark.parametrize("phase", ["align", "match", "train", "evaluate", "close"])
def test_every_phase_and_status_must_open(phase: str, status: str) -> None:
    said, _ = opened(signed(phase=phase, status=status), phase=phase)
    assert (said.phase, said.status) == (phase, status)


@pytest.mark.parametrize(
    "changes",
    [
        {"spec_digest": SUITE.hash(b"another spec").hex()},
        {"spec_digest": SPEC_DIGEST.hex().upper()},
        {"spec_digest": ""},
        {"attempt": 0},
        {"attempt": 2},
        {"attempt": -1},
        {"phase": "train"},
        {"phase": "close"},
        {"payload_digest": payload_digest(b"{}", SUITE)},
        {"payload_digest": ""},
    ],
    ids=str,
)
def test_a_report_of_another_run_must_be_refused_though_well_signed(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(VerifyError, match="another job, attempt or phase") as caught:
        opened(signed(**changes))
    assert caught.value.party == "bank"


@pytest.mark.parametrize(
    "expected",
    [{"spec_digest": SUITE.hash(b"next spec")}, {"attempt": 2}, {"phase": "train"}],
    ids=str,
)
def test_an_old_report_must_not_open_later(expected: dict[str, Any]) -> None:
    with pytest.raises(VerifyError, match="another job, attempt or phase"):
        opened(GOOD, **expected)


@pytest.mark.parametrize("payload", [{}, PAYLOAD | {"wall_ms": 1}, {"message": "aligned"}])
def test_a_changed_payload_must_be_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(VerifyError):
        opened(msgspec.structs.replace(GOOD, payload=canonical.encode(payload)))


@pytest.mark.parametrize(
    "changes",
    [{"status": "failed"}, {"sender": "retailer"}, {"attempt": 2}, {"phase": "train"}],
    ids=str,
)
def test_a_changed_body_must_be_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(VerifyError, match="wrong signature") as caught:
        opened(msgspec.structs.replace(GOOD, body=encode_report(report(**changes))))
    assert caught.value.party == changes.get("sender", "bank")


def test_a_report_signed_with_another_key_must_be_refused() -> None:
    with pytest.raises(VerifyError, match="wrong signature"):
        opened(signed(key="retailer"))
    with pytest.raises(VerifyError, match="wrong signature"):
        opened(signed(key="insurer"))


def test_a_signature_of_another_kind_must_not_pass() -> None:
    # The same key signs approvals and statements; only the prefix tells them apart.
    body = GOOD.body
    for message in (body, b"fedcrm/joint/v1\x00" + body):
        bare = msgspec.structs.replace(GOOD, signature=signer("bank").sign(message))
        with pytest.raises(VerifyError, match="wrong signature"):
            opened(bare)


@pytest.mark.parametrize("signature", [b"", b"\x00" * 70, b"\xff" * 72, bytes(1 << 16)])
def test_garbage_for_a_signature_must_be_refused(signature: bytes) -> None:
    with pytest.raises(VerifyError, match="wrong signature"):
        opened(msgspec.structs.replace(GOOD, signature=signature))


@pytest.mark.parametrize("sender", ["", "insurer", "BANK", "bank ", "bank\x00"])
def test_a_stranger_must_be_refused(sender: str) -> None:
    with pytest.raises(VerifyError, match="stranger"):
        opened(signed(sender=sender))


@pytest.mark.parametrize("payload", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_a_payload_that_is_no_object_must_be_refused(payload: bytes) -> None:
    body = encode_report(report(payload_digest=payload_digest(payload, SUITE)))
    with pytest.raises(DecodeError, match="payload is an object"):
        opened(SignedReport(body, payload, signer("bank").sign(signed_bytes(body))))


BAD_JSON = [b"", b"{", b"\xff", b'{"a":1.5}', b'{"a": 1}', b'{"a":1,"a":1}', b"[" * 100_000]


@pytest.mark.parametrize("data", BAD_JSON, ids=lambda data: data[:12])
def test_bytes_that_are_not_canonical_must_be_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="not a phase report"):
        opened(signed(body=data))
    with pytest.raises(DecodeError, match="not a phase report"):
        opened(msgspec.structs.replace(GOOD, payload=data))


PLAIN = msgspec.to_builtins(report())


@pytest.mark.parametrize(
    "plain",
    [
        *({key: value for key, value in PLAIN.items() if key != left_out} for left_out in PLAIN),
        PLAIN | {"note": ""},
        PLAIN | {"attempt": "1"},
        PLAIN | {"attempt": True},
        PLAIN | {"phase": "predict"},
        PLAIN | {"status": "fine"},
        PLAIN | {"sender": None},
        [PLAIN],
        {},
    ],
    ids=str,
)
def test_a_body_of_another_shape_must_be_refused_though_well_signed(plain: Any) -> None:
    with pytest.raises(DecodeError, match="not a phase report"):
        opened(signed(body=canonical.encode(plain)))


@given(
    st.sampled_from(["body", "payload", "signature"]),
    st.integers(0, 300),
    st.binary(max_size=3),
    st.integers(0, 3),
)
def test_fuzzed_reports_raise_nothing_but_what_a_peer_did_wrong(
    part: str, at: int, piece: bytes, drop: int
) -> None:
    data: bytes = getattr(GOOD, part)
    forged = data[:at] + piece + data[at + drop :]
    if forged == data:
        assert opened(GOOD)[1] == PAYLOAD
        return
    with pytest.raises(RemoteProtocolError):
        opened(msgspec.structs.replace(GOOD, **{part: forged}))


def test_only_server_aided_matching_takes_a_phase_of_its_own() -> None:
    plain = plain_spec()
    ecdh = decode_spec(canonical.encode(plain))
    aided = plain | {"alignment": plain["alignment"] | {"protocol": "server_aided"}}
    assert phases_of(ecdh) == ("align", "train", "evaluate", "close")
    assert phases_of(decode_spec(canonical.encode(aided))) == (
        "align",
        "match",
        "train",
        "evaluate",
        "close",
    )
