"""Numbers as people read them."""

from __future__ import annotations


def metric(value: float) -> str:
    """Return a metric with three decimals."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """Return a difference with its sign; a true minus, and no sign on zero."""
    text = f"{abs(value):.3f}"
    if float(text) == 0:
        return text
    return f"+{text}" if value > 0 else f"−{text}"


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


def percent(share: float) -> str:
    """Return a share in whole per cent; a small one is not shown as none."""
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"
