"""Charts as SVG, by hand: a staircase for each solver, told apart by colour, dashes and marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT = 420, 270  # units of the drawing: text of 12 of them can be read on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 12, 10, 34  # room for the axes
N_COLORS = 7
"""Those of Okabe and Ito that can be told apart by colour-blind people, on light and dark ground; see the style."""
_DASHES = ("", "7 3", "2 3")  # of the first, second and third round of colours
_MARKS = ("M-3-3h6v6h-6z", "M0-4L4 3H-4z", "M-4 0L0-4L4 0L0 4z", "M-3-3L3 3M3-3L-3 3")
"""A square, a triangle, a diamond and a cross, in turns."""


@dataclass(frozen=True)
class Axis:
    """One of the two.

    Attributes
    ----------
    low, high : float
        Its ends, as numbers of the data.
    ticks : sequence of (float, str)
        Numbers and what is written there.
    name : str
    log : bool
        Whether it is logarithmic.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    name: str
    log: bool = False

    def place(self, value: float) -> float:
        """Where a number is, from 0 to 1."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5


@dataclass(frozen=True)
class Line:
    """A staircase through points, or the points alone.

    Attributes
    ----------
    name : str
    number : int
        Decides colour, dashes and mark.
    points : sequence of (x, y)
    steps : bool
        Whether points are joined.
    """

    name: str
    number: int
    points: Points
    steps: bool = True


def chart(x: Axis, y: Axis, lines: Sequence[Line], title: str) -> str:
    """A drawing with its axes; `title` is what readers hear who do not see it."""
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
    ]
    for value, text in y.ticks:
        at = _y(y, value)
        kind = "zero" if value == 0 and y.low < 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="left" x="{_LEFT - 5}" y="{at + 4:.1f}">{escape(text)}</text>')
    for value, text in x.ticks:
        at = _x(x, value)
        side = "end" if at > _WIDTH - 2 * _RIGHT else "below"
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        edge = min(at + _RIGHT, _WIDTH) if side == "end" else at
        parts.append(f'<text class="{side}" x="{edge:.1f}" y="{_HEIGHT - _BOTTOM + 14}">{escape(text)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="below" x="{middle:.1f}" y="{_HEIGHT - 4}">{escape(x.name)}</text>')
    parts.append(f'<text class="name" x="{_LEFT + 4}" y="{_TOP + 12}">{escape(y.name)}</text>')
    parts += [_drawn(x, y, line) for line in lines if line.points]
    return "".join(parts) + "</svg>"


def _drawn(x: Axis, y: Axis, line: Line) -> str:
    places = [(_x(x, a), _y(y, b)) for a, b in line.points]
    dash = _DASHES[line.number // N_COLORS % len(_DASHES)]
    parts = [f'<g class="c{line.number % N_COLORS}"><title>{escape(line.name)}</title>']
    if line.steps and len(places) > 1:
        path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in places[1:])
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="{path}"{dashed}/>')
    a, b = places[-1]
    parts.append(f'<path class="mark" transform="translate({a:.1f} {b:.1f})" d="{mark(line.number)}"/></g>')
    return "".join(parts)


def mark(number: int) -> str:
    """The path of the mark of a line."""
    return _MARKS[number % len(_MARKS)]


def swatch(number: int) -> str:
    """A small drawing of a line, for a legend."""
    dash = _DASHES[number // N_COLORS % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<svg class="swatch c{number % N_COLORS}" viewBox="0 0 28 12" aria-hidden="true">'
        f'<path d="M0 6H28"{dashed}/><path class="mark" transform="translate(14 6)" d="{mark(number)}"/></svg>'
    )


def decades(low: float, high: float, unit: dict[int, str] | None = None) -> list[tuple[float, str]]:
    """Powers of ten within, not more than seven of them, and how they are written."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, -(-(last - first + 1) // 7))
    written = unit or {}
    return [(10.0**n, written.get(n, f"{10.0**n:g}")) for n in range(first, last + 1, step)]


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.place(value) * (_WIDTH - _LEFT - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return _HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM)
