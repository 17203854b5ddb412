"""Charts as inline SVG, drawn from data. Colours are classes: the page's style sheet decides them.

Every chart is a picture with a title and a description, so a reader who cannot see it gets its
numbers. Coordinates are rounded to a tenth, so one run gives one file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

from markupsafe import Markup, escape

from simulations.report import figures
from simulations.report.model import Metrics, Reach
from simulations.report.strings import Strings

Point = tuple[float, float]

WIDTH, HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 16, 12, 48
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_WIDEST_BAR = 26.0


class Charts:
    """Draws the charts of one language's half; it numbers them so that their ids differ."""

    def __init__(self, t: Strings) -> None:
        """Start numbering at one."""
        self._t = t
        self._numbers = count(1)

    def lines(
        self,
        title: str,
        x_label: str,
        y_label: str,
        series: Sequence[tuple[str, str, Sequence[Point]]],
        *,
        dots: bool = False,
        highest: float = 1.0,
    ) -> Markup:
        """Return a chart of (class, name, points) series over the diagonal.

        Both axes run from 0 to ``highest``, as shares shown in per cent; ``dots`` marks each point.
        """
        parts = []
        for tick in (tick * highest for tick in _TICKS):
            x, y = _place((tick, tick), highest)
            shown = f"{tick * 100:.0f}"
            parts.append(_line("grid", x, _TOP, x, HEIGHT - _BOTTOM))
            parts.append(_line("grid", _LEFT, y, WIDTH - _RIGHT, y))
            parts.append(_text(x, HEIGHT - _BOTTOM + 16, shown, "middle"))
            parts.append(_text(_LEFT - 6, y + 4, shown, "end"))
        parts.append(_axis_titles(x_label, y_label))
        parts.append(_polyline("chance", [(0, 0), (highest, highest)], highest))
        for which, _, points in series:
            parts.append(_polyline(which, points, highest))
            if dots:
                parts += [_dot(which, *_place(point, highest), 3.5) for point in points]
        names = ", ".join(name for _, name, _ in series)
        return self._picture(title, f"{y_label} / {x_label}{self._t['colon']}{names}", parts)

    def bars(
        self,
        title: str,
        x_label: str,
        y_label: str,
        series: Sequence[tuple[str, str, Sequence[Reach]]],
    ) -> Markup:
        """Return lifts as groups of bars, one group a share of customers, over chance at 1."""
        shares = [reach.share for reach in series[0][2]]
        top = max(1.0, *(reach.lift for _, _, reaches in series for reach in reaches))
        step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if top / step <= 5)
        highest = step * math.ceil(top * 1.08 / step)  # room for the number over the bar

        def y(value: float) -> float:
            return HEIGHT - _BOTTOM - value / highest * (HEIGHT - _TOP - _BOTTOM)

        parts = []
        for tick in (step * i for i in range(round(highest / step) + 1)):
            parts.append(_line("grid", _LEFT, y(tick), WIDTH - _RIGHT, y(tick)))
            parts.append(_text(_LEFT - 6, y(tick) + 4, f"{tick:g}", "end"))
        group = (WIDTH - _LEFT - _RIGHT) / len(shares)
        bar = min(_WIDEST_BAR, group / (len(series) + 0.8))
        for place, share in enumerate(shares):
            middle = _LEFT + group * (place + 0.5)
            parts.append(
                _text(middle, HEIGHT - _BOTTOM + 16, figures.percent(share, self._t), "middle")
            )
            left = middle - bar * len(series) / 2
            for at, (which, _, reaches) in enumerate(series):
                x, lift = left + bar * at, reaches[place].lift
                parts.append(
                    Markup(
                        '<rect class="block {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" '
                        'height="{:.1f}"/>'
                    ).format(which, x + 1, y(lift), bar - 2, y(0) - y(lift))
                )
                parts.append(_text(x + bar / 2, y(lift) - 4, f"{lift:.1f}", "middle", "amount"))
        parts.append(_line("chance", _LEFT, y(1), WIDTH - _RIGHT, y(1)))
        parts.append(_axis_titles(x_label, y_label))
        said = "; ".join(
            f"{name}{self._t['colon']}"
            + ", ".join(
                f"{figures.percent(reach.share, self._t)} {figures.times(reach.lift)}"
                for reach in reaches
            )
            for _, name, reaches in series
        )
        return self._picture(title, said, parts)

    def intervals(
        self, title: str, x_label: str, rows: Sequence[tuple[str, str, Metrics]]
    ) -> Markup:
        """Return AUCs as dots with 95 % whiskers, one row for each (class, name, metrics)."""
        low = min([0.5, *(metrics.auc_low for _, _, metrics in rows)])
        low = max(0.0, int(low * 10) / 10)
        top, bottom = 6, HEIGHT - _BOTTOM
        step = (bottom - top) / len(rows)

        def x(value: float) -> float:
            return 16 + (value - low) / (1 - low) * (WIDTH - 32)

        parts = []
        ticks = round((1 - low) * 10) + 1
        for tick in (round(low + 0.1 * i, 1) for i in range(ticks)):
            parts.append(_line("grid", x(tick), top, x(tick), bottom))
            parts.append(_text(x(tick), bottom + 16, f"{tick:.1f}", "middle"))
        parts.append(_text(WIDTH / 2, HEIGHT - 10, x_label, "middle", "axis"))
        said = []
        for row, (which, name, metrics) in enumerate(rows):
            y = top + step * (row + 0.5) + 6
            parts.append(_text(x(low) + 4, y - 14, name, "start", "name"))
            parts.append(_line(which, x(metrics.auc_low), y, x(metrics.auc_high), y))
            for end in (metrics.auc_low, metrics.auc_high):
                parts.append(_line(which, x(end), y - 5, x(end), y + 5))
            parts.append(_dot(which, x(metrics.auc), y, 5))
            numbers = figures.estimate(metrics.auc, metrics.auc_low, metrics.auc_high, self._t)
            said.append(f"{name} {numbers}")
        return self._picture(title, "; ".join(said), parts)

    def _picture(self, title: str, description: str, parts: Sequence[Markup]) -> Markup:
        name = f"{self._t['language']}-chart-{next(self._numbers)}"
        return Markup(
            '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-text">'
            '<title id="{n}-title">{title}</title><desc id="{n}-text">{description}</desc>'
            "{body}</svg>"
        ).format(
            w=WIDTH,
            h=HEIGHT,
            n=name,
            title=title,
            description=description,
            body=Markup("").join(parts),
        )


def _axis_titles(x_label: str, y_label: str) -> Markup:
    across, down = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
    return _text(across, HEIGHT - 10, x_label, "middle", "axis") + Markup(
        '<text class="axis" text-anchor="middle" transform="translate(13 {:.1f}) rotate(-90)">'
        "{}</text>"
    ).format(down, y_label)


def _place(point: Point, highest: float) -> Point:
    x, y = point
    return (
        _LEFT + x / highest * (WIDTH - _LEFT - _RIGHT),
        HEIGHT - _BOTTOM - y / highest * (HEIGHT - _TOP - _BOTTOM),
    )


def _polyline(which: str, points: Sequence[Point], highest: float) -> Markup:
    drawn = " ".join("{:.1f},{:.1f}".format(*_place(point, highest)) for point in points)
    return Markup('<polyline class="line {}" points="{}"/>').format(which, drawn)


def _dot(which: str, x: float, y: float, radius: float) -> Markup:
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
        which, x, y, radius
    )


def _line(which: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="line {}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        which, x1, y1, x2, y2
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(text)
    )
