"""Reports as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from classicseg.bench import analysis
from classicseg.bench.contender import Contender
from classicseg.bench.problem import Problem

Document = dict[str, Any]


def markdown(document: Document, verdicts: Sequence[dict[str, Any]] = ()) -> str:
    """The whole report as Markdown."""
    lines = ["# Benchmark", "", *(f"- {line}" for line in about(document)), ""]
    ranked = analysis.ranking(document)
    if ranked:
        lines += ["## Ranking", "", RANKING, "", *_table(ranking_rows(ranked)), ""]
    if verdicts:
        lines += ["## Compared with the earlier run", "", *_table(verdicts), ""]
    for problem in document["problems"]:
        if problem["status"] != "made":
            continue
        lines += [f"## {problem['name']}", "", f"{problem['summary']}. `{problem['text']}`", ""]
        lines += [*(f"- {line}" for line in known_of(document, problem)), "", *_table(rows(document, problem)), ""]
    left = left_out(document)
    if left:
        lines += ["## Left out", "", *(f"- {line}" for line in left), ""]
    return "\n".join(lines)


RANKING = (
    "The score is the area below the performance profile (Dolan and Moré 2002), the mean over gaps of 1\u00a0%, "
    "0.1\u00a0% and 0: 1 is the fastest everywhere, 0 never arrives. Problems that a solver does not accept count as "
    "ones at which it does not arrive; the second score is over those alone that it accepts."
)


def ranking_rows(ranked: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ranking in words."""
    return [
        {
            "": place, "solver": one["contender"], "score": f"{one['score']:.3f}",
            "score, accepted": f"{one['accepted_score']:.3f}", "accepts": f"{one['accepted']} of {one['of']}",
            **{f"within {level}": count for level, count in one["arrived"].items()},
        }
        for place, one in enumerate(ranked, 1)
    ]  # fmt: skip


def about(document: Document) -> list[str]:
    """Where and how it was measured."""
    run = document["run"]
    machine = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    medians = f"medians of {run['repeats']} runs, of one where it takes more than {run['long_s']:g} s"
    runs = medians if run["repeats"] > 1 else "one run that counts"
    limit = f", {run['memory_limit_mb']:g} MB" if run["memory_limit_mb"] else ""
    lines = [
        f"`{run['command']}`, {run['date']}",
        f"{machine['processor']}, {machine['processors_used']} processors, {machine['system']}, "
        f"Python {machine['python']}; load at the start {run['load']}",
        versions,
        f"{run['threads']} thread{'s' if run['threads'] != 1 else ''}, at most {run['time_limit_s']:g} s{limit} for a "
        f"run; {runs}",
    ]
    if "stopped" in run:
        lines.append(run["stopped"])
    if run["load"] is not None and run["load"] > 0.5:
        lines.append("other jobs were running: ratios are worth more than times")
    return lines


def known_of(document: Document, problem: dict[str, Any]) -> list[str]:
    """What is known of the best score and the bound of a problem."""
    best, who = analysis.best_score(document, problem)
    bound, by = analysis.best_bound(document, problem)
    if best is None:
        return ["nobody has solved it"]
    lines = [f"best {problem['unit']}: {number(best)} ({who})"]
    if bound is not None:
        proven = ", so that is the minimum" if analysis.is_proven(document, problem) else ""
        lines.append(f"best lower bound: {number(bound)} ({by}){proven}")
    if problem["published"]:
        listed = ", ".join(f"{name} {number(score)}" for name, score in problem["published"].items())
        lines.append(f"published: {listed}")
    return lines


def rows(document: Document, problem: dict[str, Any]) -> list[dict[str, Any]]:
    """The contenders of a problem in words, best first."""
    flat = [one for one in analysis.table(document) if one["problem"] == problem["name"]]
    worst = float("inf")
    flat.sort(key=lambda one: (_or(one["score"], worst), _or(one["seconds"], worst)))
    is_energy = problem["kind"] == "energy"
    named = []
    for one in flat:
        row = {"solver": one["contender"], problem["unit"]: number(one["score"])}
        if is_energy:
            row |= {"gap": percent(one["gap_percent"]), "lower bound": number(one["lower_bound"])}
        row["time"] = seconds(one["seconds"])
        for level in analysis.levels(problem["kind"]):
            row[f"to {level}"] = seconds(one[f"seconds_to_{level.replace(' ', '')}"])
        row["memory"] = "" if one["peak_mb"] is None else f"{one['peak_mb']:.0f} MB"
        row["why it ended"] = one["message"] if one["status"] == "done" else f"{one['status']}: {one['message']}"
        named.append(row)
    return named


def left_out(document: Document) -> list[str]:
    """Problems and contenders that did not take part, and why."""
    lines = []
    for problem in document["problems"]:
        if problem["status"] == "absent":
            lines.append(f"{problem['name']}: no {', '.join(problem['missing'])}. Origin: {problem['origin']}")
        elif problem["status"] == "failed":
            lines.append(f"{problem['name']}: {problem['message']}")
    return lines + [f"{name}: not installed, `pip install {p}`" for name, p in document["not_installed"].items()]


def csv_text(document: Document) -> str:
    """One line for each contender at each problem."""
    flat = analysis.table(document)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(key for one in flat for key in one)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return file.getvalue()


def number(value: float | None) -> str:
    """With as many digits as an energy needs."""
    if value is None:
        return ""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.10g}"


def percent(value: float | None) -> str:
    """A share in percent; 0 only where it is."""
    if value is None:
        return ""
    return "0" if value < 100 * analysis.GAPS["0"] else f"{value:.2g} %" if value < 10 else f"{value:.0f} %"


def seconds(value: float | None) -> str:
    """In milliseconds or seconds."""
    if value is None:
        return ""
    return f"{1e3 * value:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def summary(document: Document, verdicts: Sequence[dict[str, Any]] = ()) -> str:
    """What a terminal shows at the end: problems, ranking, verdicts, and what is left out."""
    lines = []
    made = [one for one in document["problems"] if one["status"] == "made"]
    for problem in made:
        best, who = analysis.best_score(document, problem)
        proven = ", proven" if analysis.is_proven(document, problem) else ""
        found = "nobody solved it" if best is None else f"{problem['unit']} {number(best)} ({who}){proven}"
        lines.append(f"{problem['name']:28} {found}")
    troubles = [row for row in document["rows"] if row["status"] in ("failed", "crashed", "memory", "wrong")]
    lines += [f"{row['problem']:28} {row['contender']} {row['status']}: {row['message']}" for row in troubles]
    for table in (ranking_rows(analysis.ranking(document)), verdicts):
        lines += ["", *_aligned(table)] if table else []
    left = left_out(document)
    return "\n".join([*lines, *([""] if left else []), *(f"left out: {line}" for line in left)])


def listing(
    suites: Mapping[str, tuple[Any, str]],
    problems: Iterable[Problem],
    contenders: Iterable[Contender],
    data: Path | None,
) -> str:
    """All suites, problems and solvers, with what of their files and packages is not there."""
    every = list(problems)
    lines = []
    for suite in dict.fromkeys(one.suite for one in every):
        about_suite = f": {suites[suite][1]}" if suite in suites else ""
        lines += [f"{suite}{about_suite}"]
        origins = []
        for problem in (one for one in every if one.suite == suite):
            absent = bool(problem.missing(data))
            notes = [note for note, holds in (("quick", problem.quick), ("absent", absent)) if holds]
            noted = f" ({', '.join(notes)})" if notes else ""
            lines.append(f"  {problem.name:30} {problem.summary}{noted}")
            origins += [problem.origin] if absent else []
        lines += [f"  absent ones come from {origin}" for origin in dict.fromkeys(origins)] + [""]
    lines.append("solvers")
    for one in contenders:
        missing = "" if one.is_installed else f" (not installed: pip install {one.install})"
        lines.append(f"  {one.name}{f', of {one.install}' if one.is_peer else ''}{missing}")
    return "\n".join(lines)


def _aligned(table: Sequence[dict[str, Any]]) -> list[str]:
    columns = list(table[0])
    widths = {c: max(len(str(row.get(c, ""))) for row in [*table, {c: c}]) for c in columns}
    lines = [{c: c for c in columns}, *table]
    return ["  ".join(str(row.get(c, "")).ljust(widths[c]) for c in columns).rstrip() for row in lines]


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _table(named: Iterable[dict[str, Any]]) -> list[str]:
    given = list(named)
    if not given:
        return ["Nobody takes part."]
    columns = list(given[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(_cell(row.get(c, "")) for c in columns) + " |" for row in given]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
