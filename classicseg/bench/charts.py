"""The charts of a report: energies and bounds against time, and performance profiles."""

from __future__ import annotations

import math
from typing import Any

from classicseg.bench import analysis
from classicseg.bench.svg import Axis, Line, chart, decades

Document = dict[str, Any]
_LEAST = 1e-5  # share of the energy: what is nearer is drawn as if it were there
_FARTHEST = 10.0  # times the energy: what is farther away is drawn at the edge
_TIMES = {
    -6: "1 µs", -5: "10 µs", -4: "0.1 ms", -3: "1 ms", -2: "10 ms", -1: "0.1 s", 0: "1 s", 1: "10 s", 2: "100 s",
    3: "1000 s",
}  # fmt: skip
"""Powers of ten as times."""


def against_time(document: Document, problem: dict[str, Any], numbers: dict[str, int]) -> str | None:
    """How far above the best energy solvers are, and how far below their bounds, at each moment; None without rows."""
    best, _ = analysis.best_score(document, problem)
    rows = [row for row in analysis.rows_of(document, problem["name"]) if row["status"] in analysis.SOLVED]
    if best is None or not rows:
        return None
    lines, times = [], []
    for row in rows:
        curve = [[max(t, 1e-6), score, bound] for t, score, bound in analysis.curve_of(row)]
        times += [t for t, _, _ in curve]
        for which, sign in ((1, 1), (2, -1)):
            points = [(moment[0], _height(sign, moment[which], best)) for moment in curve if moment[which] is not None]
            name = f"{row['contender']}, {'energy' if sign > 0 else 'lower bound'}"
            lines.append(Line(name, numbers[row["contender"]], points))
    if not times:
        return None
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)) + 1e-9)
    shares = [(0.0, "best")]
    for sign, text in ((1, "+"), (-1, "−")):
        shares += [(sign * _decade(s), f"{text}{100 * s:g} %") for s in (1e-4, 1e-2, 1.0)]
    lowest = min((y for line in lines for _, y in line.points), default=0.0)
    bottom = -_decade(_FARTHEST) if lowest < 0 else -0.3
    x = Axis(low, high if high > low else 10 * low, decades(low, high, _TIMES), "time", log=True)
    y = Axis(bottom, _decade(_FARTHEST), [tick for tick in shares if tick[0] >= bottom], "")
    return chart(x, y, lines, f"{problem['name']}: energy and lower bound of each solver against time")


def _decade(share: float) -> float:
    return math.log10(share / _LEAST) if share > _LEAST else 0.0


def _height(sign: int, value: float, best: float) -> float:
    """Decades from the best energy, above or below."""
    return sign * _decade(sign * (value - best) / max(abs(best), 1e-9))


def profiles(document: Document, numbers: dict[str, int]) -> list[tuple[str, str]]:
    """A performance profile for each gap: its name, and the drawing."""
    drawn = []
    for level in analysis.GAPS:
        times = analysis.times_to_gaps(document, level)
        if not times:
            continue
        lines = []
        for name, number in numbers.items():
            stairs = analysis.profile(times, name)
            if stairs:
                end = (analysis.WIDEST, stairs[-1][1])
                lines.append(Line(name, number, [(1.0, 0.0), *stairs, end]))
        x = Axis(1, analysis.WIDEST, decades(1, analysis.WIDEST), "times as long as the fastest", log=True)
        y = Axis(0, 1, [(n / 4, f"{25 * n} %") for n in range(5)], "share of problems")
        name = f"within {level} of the best" if analysis.GAPS[level] > 1e-6 else "the best itself"
        drawn.append((name, chart(x, y, lines, f"Performance profile, within {level}")))
    return drawn
