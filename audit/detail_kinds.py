"""The kinds of value an event's details may have, and which key has which.

A key means one thing wherever it appears. Tokens and names shaped like a telephone number, a
resident ID or an e-mail address are of no kind, so that none enters the log by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_CODE = re.compile(r"(?!\d{7,}$)(?!\d{17}[Xx]$)[A-Za-z0-9_][A-Za-z0-9._:/+-]{0,127}")
_LABEL = re.compile(r"(?!\+?[\d -]{7,}$)(?!\d{17}[Xx]$)[^@\\\"\s]([^@\\\"]{0,126}[^@\\\"\s])?")
_DIGEST = re.compile(r"([0-9a-f]{2}){16,80}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,400}={0,2}")
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,30})?(e-?\d{1,4})?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")
MAX_LIST = 128


def is_code(value: object) -> bool:
    """Tell whether ``value`` is a short ASCII token that does not look like an identifier."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def is_label(value: object) -> bool:
    """Tell whether ``value`` is a printable name, in any script, not shaped like an identifier."""
    return isinstance(value, str) and value.isprintable() and _LABEL.fullmatch(value) is not None


def is_digest(value: object) -> bool:
    """Tell whether ``value`` is 16 to 80 bytes in lower-case hex."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _list_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list) and len(value) <= MAX_LIST and all(check(v) for v in value)
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_flag(value: object) -> bool:
    return type(value) is bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of detail value, and how to recognise it."""

    description: str
    accepts: Callable[[object], bool]


_CODE_KIND = Kind("a short ASCII token", is_code)
_LABEL_KIND = Kind("a printable name", is_label)
_DIGEST_KIND = Kind("lower-case hex", is_digest)
_DECIMAL_KIND = Kind('a decimal number as a string, such as "0.7312"', _matches(_DECIMAL))
_COUNT_KIND = Kind("an integer from 0 to 2^53 - 1", _is_count)
_FLAG_KIND = Kind("true or false", _is_flag)
_INSTANT_KIND = Kind("a UTC date or second, such as 2026-11-21T08:00:00Z", _matches(_INSTANT))
_BASE64_KIND = Kind("base64", _matches(_BASE64))
_CODES_KIND = Kind("a list of short ASCII tokens", _list_of(is_code))
_LABELS_KIND = Kind("a list of printable names", _list_of(is_label))


def _keys(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


DETAIL_KINDS: Final[Mapping[str, Kind]] = {
    **_keys(
        _CODE_KIND,
        "reason error step gate rule verdict algorithm protocol suite scheme curve reveal form "
        "format method kind country jurisdiction sector identifier_kind identifier_rules "
        "origin party recipient key_id model_id dataset "
        "agreement output metric split code_version output_use next_phase operation strategy "
        "accountant purchase_rules",
    ),
    **_keys(_LABEL_KIND, "label"),
    **_keys(
        _DIGEST_KIND,
        "public_key spec_digest dataset_digest schema_digest code_digest transcript_digest "
        "map_digest model_digest file_digest document_digest parameters_digest scores_digest "
        "contributors_digest certificate_digest fingerprint root_hash journal_digest "
        "statement_digest report_digest inputs_digest roster_digest chunks_digest sum_digest",
    ),
    **_keys(
        _DECIMAL_KIND,
        "auc ks brier log_loss learning_rate l2 epsilon delta auc_alone ks_alone "
        "rmse_alone rmse_joint rmse_pooled accuracy_alone accuracy_joint accuracy_pooled "
        "auc_joint ks_joint auc_pooled ks_pooled auc_low auc_high ks_low ks_high balance",
    ),
    **_keys(_FLAG_KIND, "protections_on first_tree_active_only dp_used redacted resumed"),
    **_keys(_INSTANT_KIND, "expires_at valid_until delete_after"),
    **_keys(_BASE64_KIND, "note_signature"),
    **_keys(_CODES_KIND, "articles gates conditions parties approvers recipients learned outputs"),
    **_keys(_LABELS_KIND, "columns"),
}
"""The kind of every detail key; a key means one thing wherever it appears."""
