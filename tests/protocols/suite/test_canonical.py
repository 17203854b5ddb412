"""The canonical form: one value, one byte string."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite.canonical import MAX_INTEGER, CanonicalError, decode, encode

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_members_are_sorted_and_nothing_is_escaped_needlessly():
    # RFC 8785 §3.2.2.2 and §3.2.3, with what the restricted form keeps of its examples.
    value = {"literals": [None, True, False], "string": '€$\x0f\nA\'B"\\\\"/', "a": 333333333}
    assert (
        encode(value)
        == (
            '{"a":333333333,"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@given(values)
@settings(deadline=None)
def test_decode_inverts_encode(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        2**53,
        -(2**53),
        b"bytes",
        (1,),
        {1: 2},
        {"é": 1},
        ["\ud800"],
        {"a": {"b": [1.5]}},
    ],
)
def test_values_outside_the_form_are_refused(value):
    with pytest.raises(CanonicalError):
        encode(value)


def test_deep_nesting_is_refused():
    value: list = []
    for _ in range(40):
        value = [value]
    with pytest.raises(CanonicalError, match="nested"):
        encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-0",
        b" 1",
        b"1 ",
        b"1\n",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'"\\u0041"',
        b'"\\ud800"',
        b'{"\xc3\xa9":1}',
        b"\xff",
        b"\xef\xbb\xbf1",
        b"9007199254740992",
        b"1" * 5000,
        b"[" * 2000 + b"]" * 2000,
        b"[" * 100_000,
    ],
    ids=lambda data: data[:20],
)
def test_bytes_that_are_not_canonical_are_refused(data):
    with pytest.raises(CanonicalError):
        decode(data)


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_decode_raises_nothing_else(data):
    try:
        value = decode(data)
    except CanonicalError:
        return
    assert encode(value) == data
