"""The JobSpec: one encoding, floors in code, and nothing in it that contradicts itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import DecodeError
from protocols.session.decoded_spec import decode_spec
from protocols.session.job_spec import JobSpec
from protocols.suite import canonical, get_suite
from tests.protocols.session.specs import plain_spec

SUITE = get_suite("gm")


Path = tuple[str | int, ...]


def changed(path: Path, value: Any) -> dict[str, Any]:
    """Return the plain spec with the value at ``path`` replaced."""
    spec = plain_spec()
    place: Any = spec
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return spec


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every (path, value) in plain JSON that is no object and no array."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if items is None:
        yield path, value
        return
    for key, element in items:
        yield from leaves(element, (*path, key))


LEAVES = list(leaves(plain_spec()))
SPEC = decode_spec(canonical.encode(plain_spec()))


def refused(spec: dict[str, Any]) -> str:
    """Return why ``spec`` is refused."""
    with pytest.raises(DecodeError) as caught:
        decode_spec(canonical.encode(spec))
    return str(caught.value)


def test_a_spec_must_survive_its_encoding() -> None:
    data = canonical.encode(plain_spec())
    assert SPEC.to_bytes() == data
    assert decode_spec(SPEC.to_bytes()) == SPEC
    assert msgspec.to_builtins(SPEC, builtin_types=()) == json.loads(
        data,
        object_hook=lambda o: {k: tuple(v) if isinstance(v, list) else v for k, v in o.items()},
    )


def test_properties_must_read_the_parties() -> None:
    assert SPEC.active_party.party_id == "bank"
    assert [party.party_id for party in SPEC.passive_parties] == ["retailer"]
    assert SPEC.cohort_floor == 2000
    assert SPEC.party("retailer").approver == "staff-r2"
    with pytest.raises(KeyError):
        SPEC.party("insurer")


OTHER_VALUES = {
    ("purpose",): "churn",
    ("parties", 0, "jurisdiction"): "EU",
    ("parties", 1, "jurisdiction"): "EU",
    ("parties", 0, "dataset", "columns", 0, "kind"): "categorical",
    ("parties", 0, "dataset", "columns", 1, "kind"): "numeric",
    ("parties", 1, "dataset", "columns", 0, "kind"): "categorical",
    ("model", "learning_rate"): "0.20",
    ("model", "l2"): "1",
    ("model", "paillier_bits"): 3072,
    ("model", "class_weights"): "balanced",
    ("model", "paillier_randomness"): "short",
    ("model", "one_side_sampling", "top"): "0.25",
    ("model", "one_side_sampling", "other"): "0.15",
    ("outputs", 0, "name"): "metrics",
    ("outputs", 0, "recipient"): "retailer",
    ("outputs", 0, "form"): "score",
    ("outputs", 1, "name"): "aligned_rows",
    ("outputs", 1, "recipient"): "bank",
    ("outputs", 1, "form"): "aggregate",
    ("suite",): "intl",
    ("alignment", "protocol"): "server_aided",
    ("evaluation", "threshold"): "0.4",
    ("created_at",): "2026-11-21T08:00:01Z",
    ("expires_at",): "2026-12-21T08:00:01Z",
}
# One value only is allowed in this release, or the field agrees with another one.
FIXED = {
    ("version",),
    ("privacy_budget",),
    ("alignment", "reveal"),
    ("alignment", "to"),
    ("model", "kind"),
    ("model", "objective"),
    ("model", "classes"),
    ("model", "row_sample"),
    ("parties", 0, "role"),
    ("parties", 1, "role"),
    ("parties", 0, "party_id"),
    ("parties", 1, "party_id"),
    ("parties", 0, "dataset", "identifier_kind"),
    ("parties", 1, "dataset", "identifier_kind"),
    ("label", "party_id"),
}


@pytest.mark.parametrize(
    ("path", "value"),
    [leaf for leaf in LEAVES if leaf[0] not in FIXED],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_every_field_must_change_the_digest(path: Path, value: Any) -> None:
    if path in OTHER_VALUES:
        other = OTHER_VALUES[path]
    elif isinstance(value, bool):
        other = not value
    elif isinstance(value, int):
        other = value + 1
    else:
        other = value + "x"
    digest = decode_spec(canonical.encode(changed(path, other))).digest(SUITE)
    assert digest != SPEC.digest(SUITE)
    assert len(digest) == SUITE.digest_bytes


def test_fields_that_agree_with_others_must_change_the_digest() -> None:
    renamed = json.loads(canonical.encode(plain_spec()).replace(b'"bank"', b'"lender"'))
    emails = json.loads(canonical.encode(plain_spec()).replace(b'"phone"', b'"email"'))
    swapped = plain_spec() | {"parties": plain_spec()["parties"][::-1]}
    no_retention = plain_spec() | {"retention": None}
    digests = {
        decode_spec(canonical.encode(spec)).digest(SUITE)
        for spec in (plain_spec(), renamed, emails, swapped, no_retention)
    }
    assert len(digests) == 5


@pytest.mark.parametrize("path", sorted(FIXED, key=str), ids=lambda p: ".".join(map(str, p)))
def test_a_value_this_release_does_not_have_must_be_refused(path: Path) -> None:
    refused(changed(path, "intl"))


@pytest.mark.parametrize(
    "path", [path for path, _ in LEAVES], ids=lambda path: ".".join(map(str, path))
)
def test_a_value_of_another_type_must_be_refused(path: Path) -> None:
    for wrong in ([], {}, -1 if isinstance(dict(LEAVES)[path], str) else "1"):
        refused(changed(path, wrong))
    refused(changed(path, None))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("model", "trees"), 0, "trees must be between 1 and 500"),
        (("model", "trees"), 501, "trees must be between 1 and 500"),
        (("model", "trees"), True, "int"),
        (("model", "depth"), 0, "depth must be between 1 and 8"),
        (("model", "depth"), 9, "depth must be between 1 and 8"),
        (("model", "bins"), 1, "bins must be between 2 and 256"),
        (("model", "bins"), 257, "bins must be between 2 and 256"),
        (("model", "minimum_bin_count"), 4, "minimum_bin_count must be between 5"),
        (("model", "paillier_bits"), 1024, "paillier_bits must be 2048 or 3072"),
        (("model", "paillier_bits"), 2047, "paillier_bits must be 2048 or 3072"),
        (("model", "paillier_bits"), -2048, "paillier_bits must be 2048 or 3072"),
        (("model", "learning_rate"), "0", "learning_rate must be in (0, 1]"),
        (("model", "learning_rate"), "0.000", "learning_rate must be in (0, 1]"),
        (("model", "learning_rate"), "1.000000001", "learning_rate must be in (0, 1]"),
        (("model", "l2"), "1000.1", "l2 must be in [0, 1000]"),
        (("evaluation", "held_out_percent"), 4, "held_out_percent must be between 5 and 50"),
        (("evaluation", "held_out_percent"), 51, "held_out_percent must be between 5 and 50"),
        (("evaluation", "split_seed"), -1, "split_seed must be between 0"),
        (("evaluation", "minimum_held_out"), 0, "minimum_held_out must be between"),
        (("evaluation", "repeats"), 0, "repeats must be between 1 and 20"),
        (("evaluation", "repeats"), 21, "repeats must be between 1 and 20"),
        (("evaluation", "threshold"), "0", "threshold must be between 0 and 1"),
        (("evaluation", "threshold"), "1.0", "threshold must be between 0 and 1"),
        (("parties", 0, "minimum_cohort"), 0, "minimum_cohort must be between 1"),
        (("parties", 1, "minimum_cohort"), -5, "minimum_cohort must be between 1"),
    ],
)
def test_a_parameter_outside_its_bounds_must_be_refused(
    path: Path, value: Any, reason: str
) -> None:
    assert reason in refused(changed(path, value))


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "0.1\n", "-0", "-0.1", "+0.1", "1e-1", ".5", "1.", "01", "0x1", "1_0"),
        *("0,1", "NaN", "sNaN", "Infinity", "１", "٠.٥", "1e999999999999999999999", "9" * 5000),
    ],
)
@pytest.mark.parametrize(
    "path", [("model", "learning_rate"), ("model", "l2"), ("evaluation", "threshold")]
)
def test_a_decimal_that_is_not_plain_digits_must_be_refused(path: Path, text: str) -> None:
    assert f"{path[-1]} must be a decimal number" in refused(changed(path, text))


@pytest.mark.parametrize("path", [("created_at",), ("expires_at",)])
@pytest.mark.parametrize(
    "text",
    [
        *("", "never", "2026-11-21", "2026-11-21T08:00:00", "2026-11-21T08:00:00+08:00"),
        *("2026-13-21T08:00:00Z", "2026-02-30T08:00:00Z", "2026-11-21T08:00:00z"),
        *("2026-11-21 08:00:00Z", "2026-1-2T8:0:0Z", "2026-11-21T08:00:00.5Z"),
        "２026-11-21T08:00:00Z",
    ],
)
def test_a_time_must_be_utc_with_seconds(path: Path, text: str) -> None:
    assert "must be a UTC time" in refused(changed(path, text))


@pytest.mark.parametrize("expiry", ["2026-11-21T08:00:00Z", "2026-11-21T07:59:59Z"])
def test_a_spec_must_expire_after_it_was_created(expiry: str) -> None:
    assert "later than created_at" in refused(changed(("expires_at",), expiry))


@pytest.mark.parametrize("path", [("job_id",), ("parties", 1, "party_id")])
@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a/b", "../x", "a/../../b", "a\\b", "a b", "a\n", "a\x00", "é", "-a"),
        *("a" * 101, "13800138000"),
    ],
)
def test_an_id_that_could_not_name_a_file_must_be_refused(path: Path, text: str) -> None:
    assert f"{path[-1]} must be" in refused(changed(path, text))


@pytest.mark.parametrize("field", ["agreement", "proposed_by"])
@pytest.mark.parametrize("text", ["two words", "13800138000", "11010519491231002X", "合同"])
def test_a_reference_that_no_event_can_hold_must_be_refused(field: str, text: str) -> None:
    assert f"{field} must be a short reference" in refused(changed((field,), text))


def with_party(index: int, **changes: Any) -> dict[str, Any]:
    spec = plain_spec()
    spec["parties"][index] |= changes
    return spec


def test_one_active_and_one_to_four_passive_parties_must_be_there() -> None:
    both = plain_spec()["parties"]
    others = [
        both[1] | {"party_id": f"insurer-{i}", "public_key": "04" + f"{i}{i}" * 64}
        for i in range(3, 7)
    ]
    decode_spec(canonical.encode(plain_spec() | {"parties": [*both, *others[:3]]}))
    for parties in (
        [both[0]],
        [both[1]],
        [],
        [*both, *others],
        [both[0], both[1] | {"role": "active_party"}],
        [both[0] | {"role": "passive_party"}, both[1]],
    ):
        told = refused(plain_spec() | {"parties": parties})
        assert "one active party and one to four passive parties" in told


def test_a_role_there_is_not_must_be_refused() -> None:
    assert "Invalid enum value" in refused(with_party(1, role="coordinator"))


def test_a_party_must_not_be_there_twice() -> None:
    assert "party ids must differ" in refused(with_party(1, party_id="bank"))
    # With one key, a party's own signature would pass for its peer's.
    assert "public keys must differ" in refused(with_party(1, public_key="04" + "11" * 64))


def test_the_label_must_belong_to_the_active_party_and_be_no_feature() -> None:
    assert "label belongs" in refused(changed(("label", "party_id"), "retailer"))
    assert "'balance' is also a feature" in refused(changed(("label", "name"), "balance"))
    # A column of the same name at the other party is another column.
    other = decode_spec(canonical.encode(changed(("label", "name"), "orders")))
    assert other.label.name == "orders"


def test_columns_must_differ_and_the_passive_party_must_bring_one() -> None:
    column = {"name": "orders", "kind": "numeric"}
    dataset = plain_spec()["parties"][1]["dataset"]
    twice = with_party(1, dataset=dataset | {"columns": [column, column]})
    none = with_party(1, dataset=dataset | {"columns": []})
    assert "columns of retailer must differ" in refused(twice)
    assert "retailer brings no column" in refused(none)
    label_only = plain_spec()["parties"][0]["dataset"] | {"columns": []}
    alone = decode_spec(canonical.encode(with_party(0, dataset=label_only)))
    assert alone.active_party.dataset.columns == ()


def test_identifiers_of_different_kinds_must_be_refused() -> None:
    dataset = plain_spec()["parties"][1]["dataset"] | {"identifier_kind": "email"}
    assert "none would match" in refused(with_party(1, dataset=dataset))


def test_an_output_must_go_to_a_party() -> None:
    assert "recipient is not a party" in refused(changed(("outputs", 0, "recipient"), "insurer"))


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b[2J", "\n", "\u2028", "\x7f"])
@pytest.mark.parametrize(
    "path", [("title",), ("label", "meaning"), ("parties", 1, "dataset", "columns", 0, "name")]
)
def test_a_text_that_reads_as_another_must_be_refused(path: Path, hidden: str) -> None:
    assert "control or format character" in refused(changed(path, f"a{hidden}b"))


OBJECTS: list[Path] = [
    (),
    ("parties", 0),
    ("parties", 0, "dataset"),
    ("parties", 0, "dataset", "columns", 0),
    ("label",),
    ("alignment",),
    ("model",),
    ("evaluation",),
    ("outputs", 0),
    ("retention",),
]


def at(spec: Any, path: Path) -> Any:
    for key in path:
        spec = spec[key]
    return spec


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: ".".join(map(str, path)) or "spec")
def test_a_key_too_many_or_too_few_must_be_refused(path: Path) -> None:
    spec = plain_spec()
    at(spec, path)["colour"] = "blue"
    assert "unknown field `colour`" in refused(spec)
    for key in at(plain_spec(), path):
        spec = plain_spec()
        del at(spec, path)[key]
        # A default would give one spec two encodings, and two digests.
        assert f"missing required field `{key}`" in refused(spec)


def test_json_that_is_not_canonical_must_be_refused() -> None:
    for data in (
        json.dumps(plain_spec()).encode(),
        SPEC.to_bytes() + b"\n",
        b"\xef\xbb\xbf" + SPEC.to_bytes(),
        SPEC.to_bytes().replace(b'"depth":3', b'"depth":3.0'),
        SPEC.to_bytes().replace(b'"depth":3', b'"depth":3,"depth":3'),
        b"[]",
        b"null",
        b'"spec"',
        b"",
        b"[" * 100_000,
        b'{"a":' * 30_000,
    ):
        with pytest.raises(DecodeError, match="not a valid JobSpec"):
            decode_spec(data)


MUTATIONS: list[Callable[[bytes, int, bytes], bytes]] = [
    lambda data, at, piece: data[:at] + piece + data[at:],
    lambda data, at, piece: data[:at] + piece + data[at + len(piece) :],
    lambda data, at, piece: data[:at] + data[at + len(piece) :],
    lambda data, at, piece: data[:at] + data[at : at + 40] + data[at:],
]
PIECES = st.binary(max_size=3) | st.sampled_from(
    [b"0", b"null", b"[]", b"{}", b'""', b"1e9", b"NaN", b"\\ud800", b'"title":', b"9" * 20]
)


def decodes_to_itself_or_is_refused(data: bytes) -> None:
    try:
        spec = decode_spec(data)
    except DecodeError as error:
        reason = error.reason
    else:
        assert spec.to_bytes() == data
        return
    assert len(reason) <= 230
    assert reason.isprintable()


@given(st.integers(0, len(SPEC.to_bytes())), PIECES, st.sampled_from(MUTATIONS))
def test_fuzzed_bytes_raise_nothing_but_decode_error(
    at: int, piece: bytes, mutate: Callable[[bytes, int, bytes], bytes]
) -> None:
    decodes_to_itself_or_is_refused(mutate(SPEC.to_bytes(), at, piece))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=300),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from([path for path, _ in LEAVES] + OBJECTS[1:]), JSON)
def test_any_json_anywhere_raises_nothing_but_decode_error(path: Path, value: Any) -> None:
    decodes_to_itself_or_is_refused(canonical.encode(changed(path, value)))


def test_a_spec_is_immutable() -> None:
    with pytest.raises(AttributeError):
        SPEC.title = "another"  # type: ignore[misc]
    assert isinstance(SPEC, JobSpec)
