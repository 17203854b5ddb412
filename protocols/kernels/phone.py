"""Chinese mobile numbers in a column of text, recognised without the telephone library.

Which numbers there are is the library's own table, compiled by the caller into ``ranges``: one
octet for each possible beginning of a national number, 1 where every continuation to eleven
digits is a mobile number. Plain loops: they are their own portable twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from protocols.kernels.jit import kernel
from protocols.kernels.text import BAD_CHARACTERS, MISSING, UNDECIDED, USABLE, is_space, trimmed

COUNTRY = 86
NATIONAL_DIGITS = 11
SPELLING_BYTES = 14
SCRATCH_BYTES = 16
"""Room after the last spelling in ``out`` that the kernel may overwrite."""

_ZERO = ord("0")
_NINE = ord("9")
_PLUS = ord("+")
_PUNCTUATION = (ord(" "), ord("("), ord(")"), ord("-"), ord("."))


@kernel
def mobile_digits(data: Any, span: Any, table: Any, out: Any, at: Any) -> Any:
    """Return whether ``data`` within ``span`` is a mobile number; its digits are in ``out[at:]``.

    Spelled with ``+86``, ``0086``, ``86`` or nothing before the eleven digits, any of `` ()-.``
    anywhere, and white space around it.
    """
    start, stop = span
    while start < stop and is_space(data[start]):
        start += 1
    while start < stop and is_space(data[stop - 1]):
        stop -= 1
    number = np.int64(0)
    digits = 0
    plus = False
    for i in range(start, stop):
        octet = data[i]
        if _ZERO <= octet <= _NINE:
            if digits == NATIONAL_DIGITS + 4:
                return False
            number = number * 10 + (np.int64(octet) - _ZERO)
            out[at + digits] = octet
            digits += 1
        elif octet == _PLUS:
            if plus or digits:
                return False
            plus = True
        elif octet not in _PUNCTUATION:
            return False
    if digits == NATIONAL_DIGITS:
        if plus:
            return False
    elif digits == NATIONAL_DIGITS + 2 or (digits == NATIONAL_DIGITS + 4 and not plus):
        # Of fifteen digits the first two must be zeros for this quotient.
        if number // 10**NATIONAL_DIGITS != COUNTRY:
            return False
        number %= 10**NATIONAL_DIGITS
        for k in range(NATIONAL_DIGITS):
            out[at + k] = out[at + k + digits - NATIONAL_DIGITS]
    else:
        return False
    ranges, divisor = table
    return ranges[number // divisor] != 0


@kernel
def undecided(data: Any, span: Any, most_characters: Any, characters: Any) -> Any:
    """Return the verdict on a value that is no mobile number, if there is one without the library.

    ``characters`` [128] marks those that a phone number may have.
    """
    start, stop, verdict = trimmed(data, span[0], span[1], most_characters, False)
    if verdict != USABLE:
        return verdict
    for i in range(start, stop):
        if not characters[data[i]]:
            return BAD_CHARACTERS
    return UNDECIDED


@kernel
def mobile_numbers(values: Any, bounds: Any, characters: Any, table: Any, result: Any) -> None:
    """Normalise phone numbers as far as that can be decided here (see :mod:`.text`).

    ``bounds`` are the most characters of a value, and of one that may be taken for a mobile number
    here, which then becomes ``+86`` and its digits. A value with a character that ``characters``
    [128] does not mark is refused; any other is ``UNDECIDED``. ``table`` is ``ranges`` and what
    divides a national number to its place in them. The result's data has ``SPELLING_BYTES`` for
    each row and ``SCRATCH_BYTES`` more.
    """
    data, offsets, valid = values
    out, out_offsets, verdicts = result
    most_characters, longest = bounds
    ranges, divisor = table
    at = 0
    for row in range(len(verdicts)):
        verdict = MISSING
        if valid[row]:
            start, stop = offsets[row], offsets[row + 1]
            # Written out here, not in a function, because it is what most rows are: eleven digits
            # and nothing else. A character that is none sets ``bad``.
            bad = stop - start ^ NATIONAL_DIGITS
            number = np.int64(0)
            if not bad:
                for k in range(NATIONAL_DIGITS):
                    octet = data[start + k]
                    bad |= int(octet < _ZERO) | int(octet > _NINE)
                    number = number * 10 + (np.int64(octet) - _ZERO)
                    out[at + 3 + k] = octet
            if (not bad and ranges[number // divisor]) or (
                stop - start <= longest and mobile_digits(data, (start, stop), table, out, at + 3)
            ):
                out[at] = _PLUS
                out[at + 1] = ord("8")
                out[at + 2] = ord("6")
                at += SPELLING_BYTES
                verdict = USABLE
            else:
                verdict = undecided(data, (start, stop), most_characters, characters)
        verdicts[row] = verdict
        out_offsets[row + 1] = at
