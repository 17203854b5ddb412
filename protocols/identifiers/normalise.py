"""The rules that give one customer's identifier one spelling on both sides (SPEC.md §3).

A change of any rule changes ``RULES_VERSION``, which is hashed into every protocol input: parties
on different rules match nothing instead of matching some.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from enum import StrEnum
from typing import Literal, TypeAlias

import phonenumbers
from phonenumbers import PhoneMetadata

from protocols.errors import LocalProtocolError

RULES_VERSION = "fedcrm-identifiers/1"
DEFAULT_REGION = "CN"

IdentifierKind: TypeAlias = Literal["phone", "resident_id", "email", "opaque"]

MAX_CHARACTERS = 1024
MAX_OPAQUE_BYTES = 256
MAX_EMAIL_BYTES = 254
MAX_LOCAL_PART_BYTES = 64
MAX_LABEL_BYTES = 63

_DIGITS = frozenset("0123456789")
PHONE_CHARACTERS = _DIGITS | frozenset("+ ()-.")
LABEL_CHARACTERS = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyz-")
EMAIL_SPECIALS = frozenset('"(),:;<>@[\\] ')  # RFC 5322 §3.2.3, without the dot; and the space
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})

CHECK_WEIGHTS = tuple(pow(2, 17 - position, 11) for position in range(17))
CHECK_CHARACTERS = "10X98765432"
_YEARS = range(1900, 2100)


class Reason(StrEnum):
    """Why a value cannot be used. The codes are all a reject file says about a value."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    BAD_CHARACTERS = "bad_characters"
    MALFORMED = "malformed"
    UNASSIGNED_NUMBER = "unassigned_number"
    BAD_BIRTH_DATE = "bad_birth_date"
    BAD_CHECKSUM = "bad_checksum"


class Unusable(Exception):
    """A value that has no normal form. It carries the reason's code and never the value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def normalise(kind: IdentifierKind, value: str, *, region: str = DEFAULT_REGION) -> bytes:
    """Return the one UTF-8 spelling of ``value``; raises :class:`Unusable`.

    ``region`` (ISO 3166-1 alpha-2) is the country of phone numbers written without one. An
    unknown kind or region is the caller's mistake and raises ``LocalProtocolError``.
    """
    if kind not in _NORMALISERS:
        raise LocalProtocolError(
            f"unknown kind of identifier; there are: {', '.join(_NORMALISERS)}"
        )
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise LocalProtocolError("region must be a two-letter country code such as CN")
    # The bound comes first: normalisation can multiply a hostile value's length.
    if len(value) > MAX_CHARACTERS:
        raise Unusable(Reason.TOO_LONG)
    text = unicodedata.normalize("NFKC", value).strip()
    if not text:
        raise Unusable(Reason.EMPTY)
    # Unassigned code points among them: what they normalise to may change with Unicode.
    if any(unicodedata.category(character) in _HIDDEN_CATEGORIES for character in text):
        raise Unusable(Reason.BAD_CHARACTERS)
    return _NORMALISERS[kind](text, region).encode("utf-8")


def normalise_many(
    kind: IdentifierKind, values: Sequence[str | None], *, region: str = DEFAULT_REGION
) -> tuple[list[bytes | None], list[Reason | None]]:
    """Return what :func:`normalise` makes of each value: its spelling, or the reason it has none.

    A missing value (None) has neither. The result is the same; it comes some twenty times sooner
    where most values are mobile numbers of the default region.
    """
    spellings: list[bytes | None] = []
    reasons: list[Reason | None] = []
    quick = kind == "phone" and region == DEFAULT_REGION
    for value in values:
        spelling, reason = None, None
        if value is not None:
            spelling = _plain_mobile(value) if quick else None
            if spelling is None:
                try:
                    spelling = normalise(kind, value, region=region)
                except Unusable as unusable:
                    reason = unusable.reason
        spellings.append(spelling)
        reasons.append(reason)
    return spellings, reasons


def _plain_mobile(value: str) -> bytes | None:
    """Return the spelling of a mobile number of the default region, or None for all else.

    What is recognised comes from the library's own table of that country's mobile ranges. None of
    them begins like the country's trunk prefix, carrier codes or exit code, so that the library
    takes the eleven digits as they are; a test compares them over every range.
    """
    if len(value) > LONGEST_PLAIN_PHONE:
        return None
    text = value if value.isascii() else unicodedata.normalize("NFKC", value)
    found = _MOBILE.fullmatch(text.strip().translate(_PUNCTUATION))
    return None if found is None else b"+86" + found[1].encode("ascii")


def _mobile_pattern() -> re.Pattern[str]:
    country = PhoneMetadata.metadata_for_region(DEFAULT_REGION)
    assert country is not None  # the library knows the default region
    assert country.mobile is not None
    ranges = country.mobile.national_number_pattern
    return re.compile(rf"(?:\+86|0086|86)?({ranges})", re.ASCII)


_MOBILE = _mobile_pattern()
_PUNCTUATION = str.maketrans("", "", " ()-.")
LONGEST_PLAIN_PHONE = 32


def _phone(text: str, region: str) -> str:
    if not PHONE_CHARACTERS.issuperset(text):
        raise Unusable(Reason.BAD_CHARACTERS)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise Unusable(Reason.MALFORMED) from None
    if not phonenumbers.is_possible_number(number):
        raise Unusable(Reason.MALFORMED)
    # A landline without its area code has a possible length and many owners: matching it would
    # join strangers. Refusing a range newer than the library only loses a row, and says so.
    if not phonenumbers.is_valid_number(number):
        raise Unusable(Reason.UNASSIGNED_NUMBER)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _resident_id(text: str, _: str) -> str:
    text = text.upper()
    if len(text) != 18 or not _DIGITS.issuperset(text[:17]) or text[0] == "0":
        raise Unusable(Reason.MALFORMED)
    if text[17] not in CHECK_CHARACTERS:
        raise Unusable(Reason.MALFORMED)
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise Unusable(Reason.BAD_BIRTH_DATE) from None
    if born.year not in _YEARS:
        raise Unusable(Reason.BAD_BIRTH_DATE)
    total = sum(weight * int(digit) for weight, digit in zip(CHECK_WEIGHTS, text, strict=False))
    if text[17] != CHECK_CHARACTERS[total % 11]:
        raise Unusable(Reason.BAD_CHECKSUM)
    return text


def _email(text: str, _: str) -> str:
    # Lower-casing can leave the normal form (some letters become letter and accent).
    text = unicodedata.normalize("NFKC", text.lower())
    if len(text.encode("utf-8")) > MAX_EMAIL_BYTES:
        raise Unusable(Reason.TOO_LONG)
    local_part, at, domain = text.rpartition("@")
    if not at or not local_part or len(local_part.encode("utf-8")) > MAX_LOCAL_PART_BYTES:
        raise Unusable(Reason.MALFORMED)
    if EMAIL_SPECIALS.intersection(local_part):
        raise Unusable(Reason.BAD_CHARACTERS)
    labels = domain.split(".")
    if not all(LABEL_CHARACTERS.issuperset(label) for label in labels):
        raise Unusable(Reason.BAD_CHARACTERS)
    if len(labels) < 2 or not all(_is_label(label) for label in labels):
        raise Unusable(Reason.MALFORMED)
    return text


def _is_label(label: str) -> bool:
    return 1 <= len(label) <= MAX_LABEL_BYTES and label[0] != "-" and label[-1] != "-"


def _opaque(text: str, _: str) -> str:
    if len(text.encode("utf-8")) > MAX_OPAQUE_BYTES:
        raise Unusable(Reason.TOO_LONG)
    return text


_NORMALISERS: dict[IdentifierKind, Callable[[str, str], str]] = {
    "phone": _phone,
    "resident_id": _resident_id,
    "email": _email,
    "opaque": _opaque,
}
