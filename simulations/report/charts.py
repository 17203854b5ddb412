"""Charts as inline SVG, drawn from data. Colours are classes: the page's style sheet decides them.

Every chart is a picture with a title and a description, so a reader who cannot see it gets its
numbers. Coordinates are rounded to a tenth, so one run gives one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from markupsafe import Markup, escape

from simulations.report import figures
from simulations.report.model import Metrics

Point = tuple[float, float]

WIDTH, HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 44
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Charts:
    """Draws the charts of one page; it numbers them so that their ids differ."""

    def __init__(self) -> None:
        """Start numbering at one."""
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

        Both axes run from 0 to ``highest``, as shares; ``dots`` marks each point.
        """
        ticks = [tick * highest for tick in _TICKS]
        parts = [self._axes(ticks, highest, x_label, y_label)]
        parts.append(_polyline("chance", [(0, 0), (highest, highest)], highest))
        for which, _, points in series:
            parts.append(_polyline(which, points, highest))
            if dots:
                parts += [_dot(which, point, highest) for point in points]
        names = ", ".join(name for _, name, _ in series)
        return self._picture(title, f"{y_label} by {x_label}: {names}", parts, HEIGHT)

    def intervals(self, title: str, rows: Sequence[tuple[str, str, Metrics]]) -> Markup:
        """Return AUCs as dots with 95 % whiskers, one row for each (class, name, metrics)."""
        low = min([0.5, *(metrics.auc_low for _, _, metrics in rows)])
        low = max(0.0, int(low * 10) / 10)
        step, top = 44, 8
        height = top + step * len(rows) + 30

        def x(value: float) -> float:
            return 12 + (value - low) / (1 - low) * (WIDTH - 24)

        bottom = top + step * len(rows)
        parts = []
        ticks = round((1 - low) * 10) + 1
        for tick in (round(low + 0.1 * i, 1) for i in range(ticks)):
            parts.append(_line("grid", x(tick), top, x(tick), bottom))
            parts.append(_text(x(tick), bottom + 18, f"{tick:.1f}", "middle"))
        said = []
        for row, (which, name, metrics) in enumerate(rows):
            y = top + step * row + 30
            parts.append(_text(12, y - 12, name, "start", "name"))
            parts.append(_line(which, x(metrics.auc_low), y, x(metrics.auc_high), y))
            for end in (metrics.auc_low, metrics.auc_high):
                parts.append(_line(which, x(end), y - 5, x(end), y + 5))
            parts.append(
                Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(
                    which, x(metrics.auc), y
                )
            )
            numbers = [figures.metric(v) for v in (metrics.auc, metrics.auc_low, metrics.auc_high)]
            said.append(f"{name} {numbers[0]} ({numbers[1]} to {numbers[2]})")
        return self._picture(title, "; ".join(said), parts, height)

    def _axes(self, ticks: Sequence[float], highest: float, x_label: str, y_label: str) -> Markup:
        parts = []
        for tick in ticks:
            (x, y), shown = _place((tick, tick), highest), figures.percent(tick)
            parts.append(_line("grid", x, _TOP, x, HEIGHT - _BOTTOM))
            parts.append(_line("grid", _LEFT, y, WIDTH - _RIGHT, y))
            parts.append(_text(x, HEIGHT - _BOTTOM + 16, shown.removesuffix(" %"), "middle"))
            parts.append(_text(_LEFT - 6, y + 4, shown.removesuffix(" %"), "end"))
        middle_x, middle_y = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
        parts.append(_text(middle_x, HEIGHT - 8, f"% {x_label}", "middle", "axis"))
        parts.append(
            Markup(
                '<text class="axis" text-anchor="middle" transform="translate(12 {:.1f}) '
                'rotate(-90)">{}</text>'
            ).format(middle_y, f"% {y_label}")
        )
        return Markup("").join(parts)

    def _picture(
        self, title: str, description: str, parts: Sequence[Markup], height: int
    ) -> Markup:
        number = next(self._numbers)
        return Markup(
            '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="chart-{n}-title '
            'chart-{n}-text"><title id="chart-{n}-title">{title}</title>'
            '<desc id="chart-{n}-text">{description}</desc>{body}</svg>'
        ).format(
            w=WIDTH,
            h=height,
            n=number,
            title=title,
            description=description,
            body=Markup("").join(parts),
        )


def _place(point: Point, highest: float) -> Point:
    x, y = point
    return (
        _LEFT + x / highest * (WIDTH - _LEFT - _RIGHT),
        HEIGHT - _BOTTOM - y / highest * (HEIGHT - _TOP - _BOTTOM),
    )


def _polyline(which: str, points: Sequence[Point], highest: float) -> Markup:
    drawn = " ".join("{:.1f},{:.1f}".format(*_place(point, highest)) for point in points)
    return Markup('<polyline class="line {}" points="{}"/>').format(which, drawn)


def _dot(which: str, point: Point, highest: float) -> Markup:
    x, y = _place(point, highest)
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(which, x, y)


def _line(which: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="line {}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        which, x1, y1, x2, y2
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(text)
    )
