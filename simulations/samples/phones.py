"""Made phone numbers in the form of Chinese mobile numbers, and the ways people write them.

A made number is valid in form (``phonenumbers`` accepts it), so it may by chance be somebody's.
Nothing here dials or sends; the numbers only link the two sides of a sample.
"""

from __future__ import annotations

from protocols.suite import RandomStream

PREFIXES = ("130", "136", "138", "139", "150", "155", "158", "159", "176", "186", "188", "189")
"""Three-digit mobile ranges, each valid with any eight digits after it."""

BANK_STYLES = ("{n}", "{n}", "{n}", "{n}", "{a} {b} {c}", "{a}-{b}-{c}")
RETAILER_STYLES = (
    "+86 {a} {b} {c}",
    "+86{n}",
    "+86-{a}-{b}-{c}",
    "0086{n}",
    "(+86) {a}{b}{c}",
    "{fullwidth}",
)
"""How each side's systems wrote the same numbers: normalisation has to make them equal."""

_FULLWIDTH = {ord(digit): ord("０") + int(digit) for digit in "0123456789"}


def made_numbers(count: int, stream: RandomStream) -> list[str]:
    """Return ``count`` different numbers of eleven digits, without the country code."""
    numbers: dict[str, None] = {}
    while len(numbers) < count:
        prefix = PREFIXES[stream.below(len(PREFIXES))]
        numbers[f"{prefix}{stream.below(10**8):08d}"] = None
    return list(numbers)


def written(number: str, styles: tuple[str, ...], stream: RandomStream) -> str:
    """Return ``number`` (eleven digits) as one of ``styles`` writes it."""
    return styles[stream.below(len(styles))].format(
        n=number,
        a=number[:3],
        b=number[3:7],
        c=number[7:],
        fullwidth=number.translate(_FULLWIDTH),
    )
