"""What follows from a document: gaps, times until them, performance profiles, one ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import Any

Document = dict[str, Any]
Row = dict[str, Any]

GAPS = {"1 %": 1e-2, "0.1 %": 1e-3, "0": 1e-7}
"""How near to the best score an answer has to be, as a share of its size; the last is for sums of rounded numbers."""
WIDEST = 1000.0
"""A solver that takes so many times as long as the fastest counts as much as one that never arrives."""
SOLVED = ("done", "stopped")


def best_score(document: Document, problem: dict[str, Any]) -> tuple[float | None, str]:
    """The lowest score that is known of a problem, and who has it: of this run, published, or of the table."""
    found = [(row["score"], row["contender"]) for row in rows_of(document, problem["name"]) if row["status"] in SOLVED]
    found += [(score, who) for who, score in problem["published"].items()]
    known = problem["best_known"]
    if known and known.get("energy") is not None:
        found.append((known["energy"], f"{known['who']} (table)"))
    return min(found, key=lambda pair: pair[0], default=(None, ""))


def best_bound(document: Document, problem: dict[str, Any]) -> tuple[float | None, str]:
    """The highest lower bound that is known, and who proved it."""
    found = [
        (row["lower_bound"], row["contender"])
        for row in rows_of(document, problem["name"])
        if row["status"] in SOLVED and row["lower_bound"] is not None
    ]
    if problem["published_bound"] is not None:
        found.append((problem["published_bound"], "published"))
    known = problem["best_known"]
    if known and known.get("lower_bound") is not None:
        found.append((known["lower_bound"], f"{known['bound_by']} (table)"))
    return max(found, key=lambda pair: pair[0], default=(None, ""))


def is_proven(document: Document, problem: dict[str, Any]) -> bool:
    """Whether no labels can be better than the best ones: the bound reaches them, or the next integer does."""
    (best, _), (bound, _) = best_score(document, problem), best_bound(document, problem)
    if best is None or bound is None:
        return False
    if problem["whole"]:
        bound = math.ceil(bound - 1e-6)
    return best - bound <= GAPS["0"] * max(abs(best), 1.0)


def rows_of(document: Document, name: str) -> list[Row]:
    """Those of a problem."""
    return [row for row in document["rows"] if row["problem"] == name]


def gap(score: float, best: float) -> float:
    """How much worse a score is than the best one, as a share of the size of that."""
    return 0.0 if score <= best else (score - best) / max(abs(best), 1e-9)


def seconds_of(row: Row) -> float | None:
    """Median time of the runs that count."""
    return median(row["seconds"]) if row.get("seconds") else None


def seconds_to(row: Row, best: float, level: float) -> float | None:
    """When a solver first had labels this near to the best score, or None."""
    if row["status"] not in SOLVED or gap(row["score"], best) > level:
        return None
    reached = (t for t, score, _ in curve_of(row) if score is not None and gap(score, best) <= level)
    return next(reached, seconds_of(row))


def curve_of(row: Row) -> list[list[Any]]:
    """Seconds, best score and best bound at each moment of a run; a single moment where nobody could look.

    The run that was looked at was the first one, which is slower than those that count: its clock is set so that it
    ends when they do.
    """
    total, curve = seconds_of(row), row["curve"]
    if total is None:
        return []
    if not curve or curve[-1][0] <= 0:
        return [[total, row["score"], row["lower_bound"]]]
    return [[t * total / curve[-1][0], score, bound] for t, score, bound in curve]


def levels(kind: str) -> dict[str, float]:
    """The gaps that mean something for a kind of problem."""
    return GAPS if kind == "energy" else {}


def times_to_gaps(document: Document, level: str) -> dict[str, dict[str, float]]:
    """For each problem that is an energy, the seconds that each contender took to come this near."""
    found: dict[str, dict[str, float]] = {}
    for problem in document["problems"]:
        if problem["status"] != "made" or problem["kind"] != "energy":
            continue
        best, _ = best_score(document, problem)
        if best is None:
            continue
        rows = rows_of(document, problem["name"])
        times = {row["contender"]: seconds_to(row, best, GAPS[level]) for row in rows}
        found[problem["name"]] = {name: max(t, 1e-6) for name, t in times.items() if t is not None}
    return found


def profile(times: dict[str, dict[str, float]], contender: str) -> list[tuple[float, float]]:
    """The performance profile [1]_ of a contender: for each ratio to the fastest, the share of problems within it.

    Parameters
    ----------
    times : dict of dict of float
        Seconds by problem and contender; who is missing did not arrive. A problem at which nobody arrived counts too.
    contender : str

    Returns
    -------
    list of (ratio, share)
        Corners of the staircase, rising.

    References
    ----------
    .. [1] E. Dolan, J. Moré, "Benchmarking optimization software with performance profiles", Mathematical Programming
       91, 2002. doi:10.1007/s101070100263
    """
    ratios = sorted(
        given[contender] / min(given.values()) for given in times.values() if contender in given
    )  # fmt: skip
    return [(ratio, (i + 1) / len(times)) for i, ratio in enumerate(ratios)]


def area(staircase: list[tuple[float, float]]) -> float:
    """The share of the picture below a profile, ratios on a logarithmic axis from 1 to `WIDEST`: 1 is always first."""
    total, before = 0.0, 0.0
    for ratio, share in staircase:
        total += (share - before) * max(0.0, 1 - math.log(ratio) / math.log(WIDEST))
        before = share
    return total


def ranking(document: Document) -> list[dict[str, Any]]:
    """All contenders that solved an energy, best first: the mean over the three gaps of the areas below their profiles.

    A problem that a contender does not accept counts as one at which it does not arrive; ``accepted_score`` is the same
    over those alone that it accepts.
    """
    by_level = {level: times_to_gaps(document, level) for level in GAPS}
    problems = by_level["1 %"]
    accepted: dict[str, set[str]] = {}
    for row in document["rows"]:
        if row["problem"] in problems and row["status"] != "refused":
            accepted.setdefault(row["contender"], set()).add(row["problem"])
    found = []
    for name, own in accepted.items():
        score = _mean(area(profile(times, name)) for times in by_level.values())
        mine = ({problem: times[problem] for problem in own} for times in by_level.values())
        arrived = {level: sum(name in given for given in times.values()) for level, times in by_level.items()}
        found.append(
            {
                "contender": name, "score": score, "accepted_score": _mean(area(profile(t, name)) for t in mine),
                "accepted": len(own), "of": len(problems), "arrived": arrived,
            }
        )  # fmt: skip
    return sorted(found, key=lambda one: (-one["score"], one["contender"]))


def _mean(values: Iterable[float]) -> float:
    given = list(values)
    return sum(given) / len(given)


def table(document: Document) -> list[dict[str, Any]]:
    """A flat row for each contender at each problem that it did not refuse: what CSV and tables show."""
    flat = []
    for problem in document["problems"]:
        if problem["status"] != "made":
            continue
        best, _ = best_score(document, problem)
        bound, _ = best_bound(document, problem)
        for row in rows_of(document, problem["name"]):
            if row["status"] == "refused":
                continue
            solved = row["status"] in SOLVED and best is not None
            one = {
                "problem": problem["name"], "contender": row["contender"], "status": row["status"],
                "unit": problem["unit"], "score": row.get("score"),
                "gap_percent": 100 * gap(row["score"], best) if solved and best is not None else None,
                "lower_bound": row.get("lower_bound"), "best_bound": bound,
                "seconds": seconds_of(row), "runs": len(row.get("seconds", ())), "peak_mb": row.get("peak_mb"),
            }  # fmt: skip
            for level, share in levels(problem["kind"]).items():
                reached = seconds_to(row, best, share) if solved and best is not None else None
                one[f"seconds_to_{level.replace(' ', '')}"] = reached
            flat.append(one | {"labels_sha256": row.get("labels_sha256"), "message": row.get("message", "")})
    return flat
