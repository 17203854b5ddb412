"""Numbers as people read them, alike in every language."""

from __future__ import annotations

import math

from simulations.report.strings import Strings


def metric(value: float) -> str:
    """Return a metric with three decimals."""
    return f"{value:.3f}"


def decimals(largest: float) -> int:
    """Return how many decimals give ``largest`` four digits, for a column of such numbers."""
    if not 0 < largest < math.inf:
        return 0
    return min(9, max(0, 3 - math.floor(math.log10(largest))))


def quantity(value: float, places: int) -> str:
    """Return a number with this many decimals, thousands separated; no sign on zero."""
    text = f"{abs(value):,.{places}f}"
    return f"−{text}" if value < 0 and text.strip("0.") else text


def compact(value: float) -> str:
    """Return a number for a chart's axis: at most three digits and a unit of thousands."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def whole(value: int) -> str:
    """Return a count with thousands separated."""
    return f"{value:,}"


def size(count: int) -> str:
    """Return bytes in decimal units."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def seconds(value: float) -> str:
    """Return a duration in seconds, or minutes and seconds from two minutes up."""
    if value >= 120:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest:02d} s"
    return f"{value:.1f} s" if value >= 0.1 else f"{value * 1000:.0f} ms"


def percent(share: float, t: Strings) -> str:
    """Return a share in whole per cent; a small one is not shown as none."""
    return t["percent"].format(number="<1" if 0 < share < 0.005 else f"{share * 100:.0f}")


def percent_1(share: float, t: Strings) -> str:
    """Return a share in per cent with one decimal; a small one is not shown as none."""
    return t["percent"].format(number="<0.1" if 0 < share < 0.0005 else f"{share * 100:.1f}")


def times(factor: float) -> str:
    """Return how many times as much, with one decimal."""
    return f"{factor:.1f}×"


def value(shown: float | str) -> str:
    """Return a value of a column: about four digits, thousands separated; a date as it is."""
    if isinstance(shown, str):
        return shown
    if shown and not 1e-4 <= abs(shown) < 1e15:
        text = f"{shown:.3g}"
    else:
        text = f"{shown:,.0f}" if abs(shown) >= 1000 else f"{shown:.4g}"
    return text.replace("-", "−", 1) if shown < 0 else text
