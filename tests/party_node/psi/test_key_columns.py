"""Rounds, duplicates and rejects: one key column, all of several, the first of several."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party_node.psi.key_columns import (
    WORDS,
    KeyColumn,
    KeyRound,
    MatchKey,
    Rejects,
    distinct_rounds,
    duplicate_rejects,
    first_occurrences,
    key_rounds,
)
from protocols.identifiers import (
    RULES_VERSION,
    Unusable,
    normalise,
    protocol_input,
)
from protocols.suite import get_suite
from tests.protocols.identifiers.columns import column

SUITE = get_suite("gm", kernels="portable")
PHONE, EMAIL = KeyColumn("tel", "phone"), KeyColumn("mail", "email")
ONE = MatchKey((PHONE,))
ALL = MatchKey((PHONE, EMAIL))
FIRST = MatchKey((PHONE, EMAIL), "first")
TEL, TEL_2, MAIL, MAIL_2 = "13800138000", "13900139000", "a@b.co", "c@d.co"

Told = list[tuple[int, str, str]]


def item(kind: Any, value: str) -> bytes:
    return protocol_input(SUITE, kind, normalise(kind, value))


def composite(*parts: bytes) -> bytes:
    fields = [b"fedcrm/composite-input", RULES_VERSION.encode(), *parts]
    return SUITE.hash(b"".join(len(field).to_bytes(4, "big") + field for field in fields))


def rounds_of(key: MatchKey, rows: list[tuple[str | None, ...]], first_row: int = 1) -> Any:
    columns = [column([row[at] for row in rows]) for at in range(len(key.columns))]
    numbers = np.arange(first_row, first_row + len(rows), dtype=np.int64)
    return key_rounds(key, columns, numbers, SUITE, region="CN")


def held(part: KeyRound) -> dict[int, bytes]:
    assert part.items.shape == (len(part.rows), 32)
    assert part.items.dtype == np.uint8
    assert (np.diff(part.rows) > 0).all()
    return {int(row): item.tobytes() for row, item in zip(part.rows, part.items, strict=True)}


def told(rejects: Rejects) -> Told:
    return [
        (int(row), WORDS[reason], rejects.labels[place] if place >= 0 else "")
        for row, reason, place in zip(rejects.rows, rejects.reasons, rejects.columns, strict=True)
    ]


def test_one_column_must_give_its_protocol_inputs_and_reasons() -> None:
    (part,), rejects = rounds_of(ONE, [(TEL,), (None,), ("110",), (" +86 139-0013-9000",)], 11)
    assert held(part) == {11: item("phone", TEL), 14: item("phone", TEL_2)}
    assert told(rejects) == [(12, "missing_identifier", "tel"), (13, "malformed", "tel")]


def test_all_columns_must_be_there_and_the_first_that_is_not_be_named() -> None:
    rows = [(TEL, MAIL), (TEL, None), ("110", "x"), (TEL, MAIL_2), ("", MAIL)]
    (part,), rejects = rounds_of(ALL, rows)
    phone = item("phone", TEL)
    assert held(part) == {
        1: composite(phone, item("email", MAIL)),
        4: composite(phone, item("email", MAIL_2)),
    }
    assert told(rejects) == [
        (2, "missing_identifier", "mail"),
        (3, "malformed", "tel"),
        (5, "empty", "tel"),
    ]


def test_the_order_of_a_composite_key_must_count() -> None:
    swapped = MatchKey((EMAIL, PHONE))
    (one,), _ = rounds_of(ALL, [(TEL, MAIL)])
    (other,), _ = rounds_of(swapped, [(MAIL, TEL)])
    assert held(one) != held(other)


def test_the_first_of_several_must_give_a_round_for_each() -> None:
    rows = [(TEL, MAIL), (None, MAIL_2), (TEL_2, "x"), ("110", None), ("", "@")]
    (phones, mails), rejects = rounds_of(FIRST, rows)
    assert held(phones) == {1: item("phone", TEL), 3: item("phone", TEL_2)}
    assert held(mails) == {1: item("email", MAIL), 2: item("email", MAIL_2)}
    assert told(rejects) == [(4, "malformed", "tel"), (5, "empty", "tel")]


def test_matched_rows_must_leave_the_later_rounds() -> None:
    (_, mails), _ = rounds_of(FIRST, [(TEL, MAIL), (None, MAIL_2), (TEL_2, "e@f.co")])
    left = mails.without(np.array([3, 1], dtype=np.int64))
    assert held(left) == {2: item("email", MAIL_2)}
    assert held(mails.without(np.empty(0, dtype=np.int64))) == held(mails)


@pytest.mark.parametrize(
    ("key", "rows", "kept", "rejected"),
    [
        (
            ONE,
            [(TEL,), (TEL_2,), ("+86" + TEL,), (TEL,)],
            [{1, 2}],
            [(3, "duplicate_identifier", "tel"), (4, "duplicate_identifier", "tel")],
        ),
        (
            ALL,
            [(TEL, MAIL), (TEL, MAIL_2), (TEL, "A@B.CO")],
            [{1, 2}],
            [(3, "duplicate_identifier", "tel+mail")],
        ),
        (  # row 2 may still match by its e-mail; row 3 has nothing left, row 4 never had a phone
            FIRST,
            [(TEL, MAIL), (TEL, MAIL_2), (TEL, MAIL), (None, MAIL_2), (TEL_2, MAIL)],
            [{1, 5}, {1, 2}],
            [(3, "duplicate_identifier", "tel"), (4, "duplicate_identifier", "mail")],
        ),
    ],
)
def test_an_identifier_must_belong_to_the_first_row_that_has_it(key, rows, kept, rejected) -> None:
    rounds, unusable = rounds_of(key, rows)
    assert len(unusable) == 0
    distinct, duplicates = distinct_rounds(key, rounds)
    assert [set(held(part)) for part in distinct] == kept
    assert told(duplicates) == rejected


@given(st.lists(st.tuples(*[st.sampled_from(["", TEL, TEL_2, "13700137000"])] * 2), max_size=9))
@settings(max_examples=150, deadline=None)
def test_every_row_must_be_in_a_round_or_rejected_and_every_item_once(rows) -> None:
    key = MatchKey((KeyColumn("a", "phone"), KeyColumn("b", "phone")), "first")
    rounds, unusable = rounds_of(key, rows)
    distinct, duplicates = distinct_rounds(key, rounds)
    both = Rejects.joined(key, [unusable, duplicates])
    assert (np.diff(both.rows) > 0).all()
    taking_part = set().union(*(held(part) for part in distinct))
    assert taking_part | set(both.rows.tolist()) == set(range(1, len(rows) + 1))
    assert not taking_part & set(both.rows.tolist())
    for at, part in enumerate(distinct):
        first: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            if row[at]:
                first.setdefault(row[at], number)
        assert held(part) == {number: item("phone", text) for text, number in first.items()}


def in_pairs(ours: list, theirs: list) -> list[tuple[int, int]]:
    """Match two tables round by round as two parties do."""
    pairs: list[tuple[int, int]] = []
    for own, other in zip(ours, theirs, strict=True):
        left, right = (
            part.without(np.array([pair[side] for pair in pairs], dtype=np.int64))
            for side, part in enumerate((own, other))
        )
        rows = {item: row for row, item in held(right).items()}
        pairs += [(row, rows[item]) for row, item in held(left).items() if item in rows]
    return pairs


@given(
    *[st.lists(st.tuples(*[st.sampled_from(["", TEL, TEL_2, "13700137000"])] * 2), max_size=7)] * 2
)
@settings(max_examples=150, deadline=None)
def test_matching_in_rounds_must_be_one_to_one_and_by_the_first_column(ours, theirs) -> None:
    key = MatchKey((KeyColumn("a", "phone"), KeyColumn("b", "phone")), "first")
    own, other = (distinct_rounds(key, rounds_of(key, rows)[0])[0] for rows in (ours, theirs))
    pairs = in_pairs(own, other)
    for side in range(2):
        assert len({pair[side] for pair in pairs}) == len(pairs)
    for row, peer in pairs:
        assert any(a and a == b for a, b in zip(ours[row - 1], theirs[peer - 1], strict=True))
    assert sorted(in_pairs(other, own)) == sorted((b, a) for a, b in pairs)


def test_duplicates_on_disk_must_be_rejected_unless_kept_somewhere() -> None:
    kept = [np.array([1, 5]), np.array([2])]
    duplicates = [np.array([2, 3, 6]), np.array([3, 7])]
    rejects = duplicate_rejects(FIRST, duplicates, lambda: kept)
    assert told(rejects) == [
        (3, "duplicate_identifier", "tel"),
        (6, "duplicate_identifier", "tel"),
        (7, "duplicate_identifier", "mail"),
    ]


def test_counts_and_the_most_common_reason_must_be_told() -> None:
    _, rejects = rounds_of(ONE, [("110",), (None,), ("1",), (TEL,)])
    assert rejects.counts == {"malformed": 2, "missing_identifier": 1}
    assert rejects.most_common() == "malformed in column 'tel'"
    broken = Rejects.of(ONE, np.arange(9), "wrong_number_of_fields")
    assert Rejects.joined(ONE, [rejects, broken]).most_common() == "wrong_number_of_fields"
    assert len(Rejects.joined(ONE, [])) == 0


def random_items(count: int, seed: bytes) -> np.ndarray:
    return np.frombuffer(SUITE.stream(bytes(32), seed).bytes(32 * count), np.uint8).reshape(-1, 32)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_first_occurrences_must_be_exact_where_first_words_are_the_same(picks) -> None:
    base = random_items(4, b"items")
    items = np.array([base[head] for head, _ in picks], dtype=np.uint8).reshape(-1, 32)
    for at, (_, tail) in enumerate(picks):
        items[at, 8:] = base[tail, 8:]
    seen: set[bytes] = set()
    expected = []
    for row in items:
        expected.append(row.tobytes() not in seen)
        seen.add(row.tobytes())
    assert first_occurrences(items).tolist() == expected


def test_first_occurrences_must_be_found_among_many() -> None:
    items = random_items(50_000, b"many")
    assert first_occurrences(items).all()
    repeated = np.concatenate([items, items[::7], items[:3]])
    assert np.flatnonzero(~first_occurrences(repeated)).tolist() == list(
        range(50_000, len(repeated))
    )


@pytest.mark.parametrize("columns", [(), (PHONE, PHONE)])
def test_a_key_without_a_column_or_with_one_twice_must_be_refused(columns) -> None:
    with pytest.raises(ValueError, match="at least one column"):
        MatchKey(columns)


def test_values_must_not_be_shown() -> None:
    (part,), rejects = rounds_of(ONE, [(TEL,), (None,)])
    with pytest.raises(Unusable):
        normalise("phone", "110")
    assert "items" not in repr(part)
    assert repr(rejects) == "Rejects(labels=('tel',))"
