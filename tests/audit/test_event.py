"""One event has one byte string, and a draft the catalogue does not allow is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.event import (
    Actor,
    Event,
    EventError,
    EventRefused,
    Joint,
    JointBody,
    JointSignature,
    Outcome,
    check_body,
    check_draft,
    decode_body,
    decode_event,
    encode_body,
    encode_event,
    format_time,
    from_hex,
    joint_digest,
    joint_message,
    payload_digest,
    uuid7,
)
from audit.event import Object as EventObject
from protocols.suite import canonical
from tests.audit.made_logs import OK, SERVICE, SUITE, draft

TOKENS = st.text("abcXYZ019._:/+-", min_size=1, max_size=12)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
DETAILS = st.dictionaries(
    st.text("abc_", min_size=1, max_size=6),
    st.one_of(NAMES, st.integers(0, 2**53 - 1), st.booleans(), st.lists(NAMES, max_size=3)),
    max_size=4,
)
COUNTS = st.dictionaries(st.text("abc_", min_size=1, max_size=6), st.integers(0, 2**53 - 1))


def event(**fields: Any) -> Event:
    return Event(
        **(
            {
                "id": uuid7(1, bytes(10)),
                "type": "job.closed",
                "source": "party_node",
                "log_origin": "bank.example/log",
                "seq": 4,
                "time": "2026-11-21T08:00:00.000Z",
                "actor": SERVICE,
                "outcome": OK,
                "visibility": "joint",
                "retention_class": "JOINT",
                "prev_hash": "00" * 32,
            }
            | fields
        )
    )


EVENT = event(counts={"a": 1}, details={"b": "x", "a": ["y"]}, attempt=0, intent=0)
ENTRY = encode_event(EVENT)


@st.composite
def events(draw: st.DrawFn) -> Event:
    body = JointBody(
        type=draw(TOKENS),
        job=draw(TOKENS),
        attempt=draw(st.none() | st.integers(0, 9)),
        parties=tuple(draw(st.lists(TOKENS, max_size=3))),
        counts=draw(COUNTS),
        details=draw(DETAILS),
    )
    signature = JointSignature(origin=draw(TOKENS), public_key="ab", signature="cd")
    joint = Joint(body=body, digest="ef", signatures=(signature,))
    when = draw(st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1)))
    return event(
        type=draw(TOKENS),
        seq=draw(st.integers(0, 2**53 - 1)),
        time=format_time(when.replace(tzinfo=UTC)),
        actor=Actor(kind="human", id=draw(NAMES), role=draw(NAMES), authn=draw(NAMES)),
        outcome=Outcome(status="denied", code=draw(TOKENS)),
        object=draw(
            st.none() | st.builds(EventObject, kind=TOKENS, id=NAMES, version=st.none() | TOKENS)
        ),
        legal_basis=tuple(draw(st.lists(TOKENS, max_size=3))),
        counts=draw(COUNTS),
        details=draw(DETAILS),
        joint=draw(st.none() | st.just(joint)),
    )


@settings(suppress_health_check=[HealthCheck.too_slow])  # many draws make one event
@given(events())
def test_bytes_are_those_of_the_canonical_form(made: Event) -> None:
    entry = encode_event(made)
    assert canonical.encode(canonical.decode(entry)) == entry
    assert decode_event(entry) == made


def test_both_encoders_agree_on_every_code_point() -> None:
    encoder = msgspec.json.Encoder(order="sorted")
    for start in range(0, 0x110000, 0x800):
        if start == 0xD800:
            continue  # surrogates: neither encoder takes them
        text = "".join(map(chr, range(start, start + 0x800)))
        assert encoder.encode([text]) == canonical.encode([text])


def test_absent_fields_are_left_out() -> None:
    assert b"null" not in ENTRY
    assert b"job" not in encode_event(event(type="x")).replace(b"joint", b"")
    assert b'"attempt":0' in ENTRY
    assert b'"intent":0' in ENTRY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":4', b'"seq":4.0'),
        (b'"seq":4', b'"seq":4e0'),
        (b'"seq":4', b'"seq":-4'),
        (b'"seq":4', b'"seq":9007199254740992'),
        (b'"seq":4', b'"seq":"4"'),
        (b'"seq":4', b'"seq":4,"seq":4'),
        (b'"seq":4', b'"seq": 4'),
        (b'"attempt":0,', b'"attempt":null,'),
        (b'"attempt":0,', b'"extra":0,"attempt":0,'),
        (b'"a":["y"]', b'"a":[1]'),
        (b'"a":["y"]', b'"a":{"y":"z"}'),
        (b'"a":1', b'"a":-1'),
        (b'"details"', b'"de\\u0074ails"'),
        (b'"b":"x"', b'"b":"\\n"'),
        (b'"b":"x"', b'"b":"\\u202e"'),
        (b'"b":"x"', '"b":"\u202e"'.encode()),
        (b'"b":"x"', b'"b":"\x7f"'),
        (b'"b":"x"', b'"b":"\xff"'),
        (b"T08:00:00.000Z", b"T08:00:00Z"),
        (b"T08:00:00.000Z", b"T08:00:00.000+00:00"),
        (b"2026-11-21", b"2026-02-30"),
        (b'"fedcrm-event/1"', b'"fedcrm-event/2"'),
        (b'"specversion":"fedcrm-event/1",', b""),
        (b'"source":"party_node"', b'"source":"elsewhere"'),
        (b"}", b"} "),
    ],
)
def test_other_bytes_are_refused(old: bytes, new: bytes) -> None:
    assert old in ENTRY
    with pytest.raises(EventError):
        decode_event(ENTRY.replace(old, new))


def test_long_entry_is_refused() -> None:
    with pytest.raises(EventError, match="at most 65535 bytes"):
        decode_event(encode_event(event(details={"b": "x" * 65_535})))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(EventError):
        decode_event(b"[" * 60_000)
    with pytest.raises(EventError):
        decode_event(b'{"details":' * 5_000)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_only_event_errors_escape(entry: bytes) -> None:
    with pytest.raises(EventError):
        decode_event(entry)
    with pytest.raises(EventError):
        decode_body(entry)


def test_uuid7_is_the_example_of_rfc_9562() -> None:
    # RFC 9562 Appendix A.6: 0x017F22E279B0 ms, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    random = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_time_is_stated_in_utc_milliseconds() -> None:
    beijing = datetime(2026, 11, 21, 16, 0, 0, 123999, tzinfo=timezone(timedelta(hours=8)))
    assert format_time(beijing) == "2026-11-21T08:00:00.123Z"


@pytest.mark.parametrize("text", ["AB", "a b", "abc", "0x", "é"])
def test_hex_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() and our own text, one meaning
        from_hex(text)


def test_payload_digest_is_salted_and_separated() -> None:
    digests = {
        payload_digest(SUITE, b"\x01" * 32, b"payload"),
        payload_digest(SUITE, b"\x02" * 32, b"payload"),
        payload_digest(SUITE, b"\x01" * 32, b"payloaD"),
        SUITE.hash(b"\x01" * 32, b"payload").hex(),
    }
    assert len(digests) == 4
    with pytest.raises(ValueError, match="32 random bytes"):
        payload_digest(SUITE, b"short", b"payload")


def test_joint_message_can_never_be_a_checkpoint() -> None:
    assert b"\x00" in joint_message(b"")


BODY = JointBody(type="psi.completed", job="job-1", parties=("a", "b"), counts={"floor": 9})


def test_joint_body_has_one_byte_string_and_names_its_version() -> None:
    data = encode_body(BODY)
    assert decode_body(data) == BODY
    assert b'"version":"fedcrm-joint/1"' in data
    assert joint_digest(SUITE, data) == SUITE.hash(joint_message(data)).hex()
    with pytest.raises(EventError):
        decode_body(data.replace(b"joint/1", b"joint/2"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "dataset.registered"}, "must be of a type the catalogue calls joint"),
        ({"type": "unheard.of"}, "must be of a type the catalogue calls joint"),
        ({"parties": ("b", "a")}, "sorted, each once"),
        ({"parties": ("a", "a")}, "sorted, each once"),
        ({"parties": ("a",)}, "2 to 100 parties"),
        ({"job": "13800138000"}, "short ASCII token"),
        ({"counts": {"rows": 1}}, "'rows' is not a count it takes"),
        ({"details": {"name": "x"}}, "'name' is not a detail it takes"),
    ],
)
def test_joint_bodies_the_catalogue_does_not_allow_are_refused(
    change: dict[str, Any], reason: str
) -> None:
    check_body(BODY)
    with pytest.raises(EventRefused, match=reason):
        check_body(msgspec.structs.replace(BODY, **change))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "customer.viewed"}, "not in the catalogue"),
        ({"details": {"phone": "13800138000"}}, "'phone' is not a detail it takes; it takes"),
        ({"details": {"13800138000": "x"}}, "that key is not a detail it takes"),
        ({"details": {"protocol": "13800138000"}}, "protocol must be a short ASCII token"),
        ({"details": {"protocol": "free text"}}, "protocol must be a short ASCII token"),
        ({"details": {"protocol": 7}}, "protocol must be a short ASCII token"),
        ({"details": {"transcript_digest": "x"}}, "transcript_digest must be lower-case hex"),
        ({"details": {"learned": ["a@b"]}}, "learned must be a list of short ASCII tokens"),
        ({"counts": {"people": 7}}, "'people' is not a count it takes"),
        ({"counts": {"floor": True}}, "floor must be an integer"),
        ({"counts": {"floor": 0.5}}, "floor must be an integer"),
        ({"counts": {"floor": -1}}, "floor must be an integer"),
        ({"counts": {"floor": 2**53}}, "floor must be an integer"),
        ({"actor": Actor(kind="human", id="a@b.c", role="r", authn="x")}, "actor.id must be"),
        ({"outcome": Outcome(status="failed", code="no way")}, "outcome.code must be"),
        ({"object": EventObject(kind="table", id="138 0013 8000")}, "object.id must be"),
        ({"job": "a b"}, "job must be"),
        ({"legal_basis": ("CN13_1", "be cause")}, r"legal_basis\[1\] must"),
        ({"contract_digest": "nothex"}, "contract_digest must be"),
        ({"payload_digest": "00"}, "payload_digest must be"),
    ],
)
def test_drafts_the_catalogue_does_not_allow_are_refused(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EventRefused, match=reason) as caught:
        check_draft(draft(**({"type_": "psi.completed"} | _renamed(fields))))
    assert "1380013" not in str(caught.value)
    assert "a@b" not in str(caught.value)


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {("type_" if name == "type" else name): value for name, value in fields.items()}


@pytest.mark.parametrize("value", ["0.7312", "-3", "0", "1e-6", "12.50"])
def test_decimals_are_strings(value: str) -> None:
    row = check_draft(draft("evaluation.completed", details={"auc": value}))
    assert row.name == "evaluation.completed"


@pytest.mark.parametrize("value", ["", "0,7", "1.", ".5", "nan", "inf", "01", 0.7, 1])
def test_other_numbers_are_refused(value: object) -> None:
    with pytest.raises(EventRefused, match="auc must be a decimal number"):
        check_draft(draft("evaluation.completed", details={"auc": value}))
