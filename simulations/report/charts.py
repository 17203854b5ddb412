"""Charts as inline SVG, drawn from data. Colours are classes: the page's style sheet decides them.

Every chart is a picture with a title and a description, so a reader who cannot see it gets its
numbers. Coordinates are rounded to a tenth, so one run gives one file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from markupsafe import Markup, escape

from simulations.report import figures
from simulations.report.strings import Strings

Point = tuple[float, float]
Estimate = tuple[float, float, float]
"""A value, and the low and high end of its interval."""

WIDTH, HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 48
_WIDEST_BAR = 26.0
_LOWEST_ROW = 30.0
_LONGEST_NAME = 22
"""Characters of any script that fit into a picture's width."""


class Lifted(Protocol):
    """What a bar stands for."""

    @property
    def share(self) -> float: ...
    @property
    def lift(self) -> float: ...


@dataclass(frozen=True)
class Axis:
    """A scale from its first tick to its last."""

    ticks: tuple[tuple[float, str], ...]
    """Values, ascending, and what stands beside them."""

    @property
    def low(self) -> float:
        """The value at the origin."""
        return self.ticks[0][0]

    def at(self, value: float) -> float:
        """Return where ``value`` is, from 0 at the first tick to 1 at the last."""
        return (value - self.low) / (self.ticks[-1][0] - self.low)

    @classmethod
    def of_shares(cls, highest: float = 1.0) -> Axis:
        """Return a scale of shares from 0 to ``highest``, shown in per cent."""
        values = (highest * quarter / 4 for quarter in range(5))
        return cls(tuple((value, f"{value * 100:.0f}") for value in values))

    @classmethod
    def of_tenths(cls, lowest: float, *, per_cent: bool = False) -> Axis:
        """Return a scale from the tenth at or below ``lowest`` to 1."""
        first = max(0, int(lowest * 10))
        shown = "{:.0f}" if per_cent else "{:.1f}"
        factor = 100 if per_cent else 1
        return cls(tuple((i / 10, shown.format(i / 10 * factor)) for i in range(first, 11)))

    @classmethod
    def of_numbers(cls, lowest: float, highest: float) -> Axis:
        """Return a scale of round numbers around both, which may be the same."""
        room = highest - lowest or abs(highest) or 1.0
        step = 10.0 ** math.floor(math.log10(room / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if room / (step * factor) <= 5)
        first, last = math.floor(lowest / step), math.ceil(highest / step)
        last = max(last, first + 1)
        values = [i * step for i in range(first, last + 1)]
        shown = [figures.compact(value) for value in values]
        if len(set(shown)) < len(shown):  # a narrow range far from zero needs more digits
            places = max(0, -math.floor(math.log10(step)))
            shown = [figures.quantity(value, places) for value in values]
        return cls(tuple(zip(values, shown, strict=True)))

    @classmethod
    def of_rounds(cls, first: int, last: int) -> Axis:
        """Return a scale of whole numbers from ``first`` to ``last``, at most six marked."""
        step = max(1, math.ceil((last - first) / 5))
        marked = [i for i in range(first, last, step) if last - i > step / 2]
        return cls(tuple((i, str(i)) for i in (*marked, last)))


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
        axis: Axis,
        upward: Axis | None = None,
        joined: bool = True,
        dots: bool = False,
    ) -> Markup:
        """Return a chart of (class, name, points) series.

        Both directions have the same ``axis``, and the diagonal is drawn, unless ``upward`` is the
        vertical one. Points are ``joined`` by a line; ``dots`` marks each.
        """
        axes = (axis, upward or axis)
        parts = []
        for tick, shown in axis.ticks:
            x, _ = _place((tick, axes[1].low), axes)
            parts.append(_line("grid", x, _TOP, x, HEIGHT - _BOTTOM))
            parts.append(_text(x, HEIGHT - _BOTTOM + 16, shown, "middle"))
        for tick, shown in axes[1].ticks:
            _, y = _place((axis.low, tick), axes)
            parts.append(_line("grid", _LEFT, y, WIDTH - _RIGHT, y))
            parts.append(_text(_LEFT - 6, y + 4, shown, "end"))
        parts.append(_axis_titles(x_label, y_label))
        if upward is None:
            ends = (axis.ticks[0][0], axis.ticks[-1][0])
            parts.append(_polyline("chance", [(end, end) for end in ends], axes))
        for which, _, points in series:
            if joined:
                parts.append(_polyline(which, points, axes))
            if dots:
                parts += [_dot(which, *_place(point, axes), 3.5) for point in points]
        names = ", ".join(name for _, name, _ in series)
        return self._picture(title, f"{y_label} / {x_label}{self._t['colon']}{names}", parts)

    def bars(
        self,
        title: str,
        x_label: str,
        y_label: str,
        series: Sequence[tuple[str, str, Sequence[Lifted]]],
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
        self,
        title: str,
        x_label: str,
        rows: Sequence[tuple[str, str, Estimate, str]],
        axis: Axis,
    ) -> Markup:
        """Return estimates as dots with whiskers, one row for each model.

        A row is (class, name, (estimate, low, high), the same in words).
        """
        top, bottom = 6, HEIGHT - _BOTTOM
        step = (bottom - top) / len(rows)

        def x(value: float) -> float:
            return 16 + axis.at(value) * (WIDTH - 32)

        parts = []
        for tick, shown in axis.ticks:
            parts.append(_line("grid", x(tick), top, x(tick), bottom))
            parts.append(_text(x(tick), bottom + 16, shown, "middle"))
        if axis.low < 0:
            parts.append(_line("chance", x(0), top, x(0), bottom))
        parts.append(_text(WIDTH / 2, HEIGHT - 10, x_label, "middle", "axis"))
        said = []
        for row, (which, name, (estimate, *ends), words) in enumerate(rows):
            y = top + step * (row + 0.5) + 6
            parts.append(_text(x(axis.low) + 4, y - 14, name, "start", "name"))
            parts.append(_line(which, x(ends[0]), y, x(ends[1]), y))
            for end in ends:
                parts.append(_line(which, x(end), y - 5, x(end), y + 5))
            parts.append(_dot(which, x(estimate), y, 5))
            said.append(f"{name} {words}")
        return self._picture(title, "; ".join(said), parts)

    def dots(
        self,
        title: str,
        x_label: str,
        rows: Sequence[tuple[str, Sequence[tuple[str, str, float]]]],
        axis: Axis,
        *,
        shown: Callable[[float], str] | None = None,
    ) -> Markup:
        """Return one line for each name, with a dot for each (class, name, value) on it.

        Values are ``shown`` in the description, by default in per cent; many rows make the picture
        higher.
        """
        height = max(HEIGHT, round(6 + _LOWEST_ROW * len(rows)) + _BOTTOM)
        top, bottom = 6, height - _BOTTOM
        step = (bottom - top) / len(rows)
        parts = []
        for tick, marked in axis.ticks:
            x = 16 + axis.at(tick) * (WIDTH - 32)
            parts.append(_line("grid", x, top, x, bottom))
            parts.append(_text(x, bottom + 16, marked, "middle"))
        parts.append(_text(WIDTH / 2, height - 10, x_label, "middle", "axis"))
        said = []
        for row, (name, values) in enumerate(rows):
            y = top + step * (row + 0.5) + 7
            places = [16 + axis.at(value) * (WIDTH - 32) for _, _, value in values]
            short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
            parts.append(_text(20, y - 11, short, "start", "name"))
            parts.append(_line("chance", min(places), y, max(places), y))
            parts += [_dot(which, x, y, 5) for (which, _, _), x in zip(values, places, strict=True)]
            told = (
                f"{of} {shown(value) if shown else figures.percent_1(value, self._t)}"
                for _, of, value in values
            )
            said.append(f"{name}{self._t['colon']}{', '.join(told)}")
        return self._picture(title, "; ".join(said), parts, height)

    def _picture(
        self, title: str, description: str, parts: Sequence[Markup], height: int = HEIGHT
    ) -> Markup:
        name = f"{self._t['language']}-chart-{next(self._numbers)}"
        return Markup(
            '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-text">'
            '<title id="{n}-title">{title}</title><desc id="{n}-text">{description}</desc>'
            "{body}</svg>"
        ).format(
            w=WIDTH,
            h=height,
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


def _place(point: Point, axes: tuple[Axis, Axis]) -> Point:
    x, y = (axis.at(value) for axis, value in zip(axes, point, strict=True))
    return (
        _LEFT + x * (WIDTH - _LEFT - _RIGHT),
        HEIGHT - _BOTTOM - y * (HEIGHT - _TOP - _BOTTOM),
    )


def _polyline(which: str, points: Sequence[Point], axes: tuple[Axis, Axis]) -> Markup:
    drawn = " ".join("{:.1f},{:.1f}".format(*_place(point, axes)) for point in points)
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
