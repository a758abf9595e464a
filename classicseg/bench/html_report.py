"""The report as one page that needs nothing else: no script, font or picture from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from classicseg.bench import analysis, text_reports
from classicseg.bench.charts import against_time, profiles
from classicseg.bench.style import SCRIPT, STYLE
from classicseg.bench.svg import swatch

Document = dict[str, Any]
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Whatever a name or a message may hold, the browser loads nothing for it."""


def html(document: Document, verdicts: Sequence[dict[str, Any]] = ()) -> str:
    """The whole report as a page."""
    numbers = _numbers(document)
    problems = [one for one in document["problems"] if one["status"] == "made"]
    body = [
        "<h1>classicseg bench</h1>",
        f"<p>{_overview(document, problems)}</p>",
        _list(text_reports.about(document), "about"),
        *_ranking(document, numbers),
        *_compared(verdicts),
        "<h2 id='problems'>Problems</h2>",
        _contents(document, problems),
        *(part for problem in problems for part in _problem(document, problem, numbers)),
        *_left_out(document),
    ]
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'><meta name='color-scheme' "
        f"content='light dark'><title>classicseg bench</title><style>{STYLE}</style></head><body><main>"
        + "\n".join(body)
        + f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _numbers(document: Document) -> dict[str, int]:
    """Of each contender, for its colour: those in the ranking first, best first."""
    ranked = [one["contender"] for one in analysis.ranking(document)]
    others = [row["contender"] for row in document["rows"] if row["status"] != "refused"]
    return {name: number for number, name in enumerate(dict.fromkeys([*ranked, *others]))}


def _overview(document: Document, problems: Sequence[dict[str, Any]]) -> str:
    energies = [one for one in problems if one["kind"] == "energy"]
    proven = sum(analysis.is_proven(document, one) for one in energies)
    words = f"{len(problems)} problems, {len(_numbers(document))} solvers."
    if energies:
        words += f" The minimum is proven at {proven} of {len(energies)} energies."
    return words + " Every score is recomputed from the labels by plain NumPy, whoever found them."


def _ranking(document: Document, numbers: dict[str, int]) -> list[str]:
    ranked = analysis.ranking(document)
    if not ranked:
        return []
    drawn = [
        f"<figure><figcaption>{escape(name)}</figcaption>{picture}</figure>"
        for name, picture in profiles(document, numbers)
    ]
    return [
        "<h2 id='ranking'>Ranking</h2>",
        f"<p>{escape(text_reports.RANKING)}</p>",
        _table(text_reports.ranking_rows(ranked), numbers),
        f"<div class='figures'>{''.join(drawn)}</div>",
    ]


def _compared(verdicts: Sequence[dict[str, Any]]) -> list[str]:
    if not verdicts:
        return []
    note = (
        "New time over old time, in units of a piece of work that takes its turn in both runs; the interval holds "
        "99.8 % of a bootstrap over problems. Differences within 2 % are not told."
    )
    return ["<h2 id='compared'>Compared with the earlier run</h2>", f"<p>{note}</p>", _table(verdicts)]


def _contents(document: Document, problems: Sequence[dict[str, Any]]) -> str:
    rows = []
    for number, problem in enumerate(problems):
        best, who = analysis.best_score(document, problem)
        bound, _ = analysis.best_bound(document, problem)
        rows.append(
            {
                "problem": _Link(f"#p{number}", problem["name"]),
                "best": text_reports.number(best), "by": who, "best bound": text_reports.number(bound),
                "proven": "yes" if analysis.is_proven(document, problem) else "", "what it is": problem["summary"],
            }
        )  # fmt: skip
    return _table(rows)


class _Link(str):
    """A text that leads somewhere on the page."""

    def __new__(cls, address: str, text: str) -> _Link:
        made = super().__new__(cls, text)
        made.address = address
        return made

    address: str


def _problem(document: Document, problem: dict[str, Any], numbers: dict[str, int]) -> Iterable[str]:
    place = [one["name"] for one in document["problems"] if one["status"] == "made"].index(problem["name"])
    yield f"<section id='p{place}'><h3>{escape(problem['name'])}</h3>"
    yield f"<p>{escape(problem['summary'])}. <code>{escape(problem['text'])}</code></p>"
    yield _list(text_reports.known_of(document, problem))
    drawn = against_time(document, problem, numbers) if problem["kind"] == "energy" else None
    if drawn:
        took_part = [row["contender"] for row in analysis.rows_of(document, problem["name"]) if row.get("seconds")]
        caption = "how far energies are above the best one, and bounds below it, against time"
        yield f"<figure><figcaption>{caption}</figcaption>{drawn}{_legend(took_part, numbers)}</figure>"
    yield _table(text_reports.rows(document, problem), numbers)
    yield from _pictures(document, problem)
    refused = [row for row in analysis.rows_of(document, problem["name"]) if row["status"] == "refused"]
    if refused:
        lines = [f"{row['contender']}: {row['message']}" for row in refused]
        yield f"<details><summary>{len(lines)} solvers do not serve it</summary>{_list(lines)}</details>"
    yield "</section>"


def _pictures(document: Document, problem: dict[str, Any]) -> list[str]:
    """Each picture once, with all who found it."""
    found: dict[str, list[str]] = {}
    for row in analysis.rows_of(document, problem["name"]):
        picture = row.get("picture")
        if picture and _PICTURE.fullmatch(picture):
            found.setdefault(picture, []).append(row["contender"])
    shown = [
        f"<figure><img src='{picture}' alt='labels of {escape(', '.join(names))}'><figcaption>"
        f"{escape(', '.join(names))}</figcaption></figure>"
        for picture, names in found.items()
    ]
    return [f"<div class='pictures'>{''.join(shown)}</div>"] if shown else []


def _left_out(document: Document) -> list[str]:
    lines = text_reports.left_out(document)
    return ["<h2 id='left-out'>Left out</h2>", _list(lines)] if lines else []


def _legend(names: Sequence[str], numbers: dict[str, int]) -> str:
    items = (f"<li>{swatch(numbers[name])}{escape(name)}</li>" for name in names)
    return f"<ul class='legend'>{''.join(items)}</ul>"


def _list(lines: Iterable[str], kind: str = "") -> str:
    named = f" class='{kind}'" if kind else ""
    return f"<ul{named}>{''.join(f'<li>{_code(line)}</li>' for line in lines)}</ul>"


def _code(line: str) -> str:
    """What stands between backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(line))


def _table(rows: Iterable[dict[str, Any]], numbers: dict[str, int] | None = None) -> str:
    """With a swatch beside each solver, so that tables are legends as well."""
    given = list(rows)
    if not given:
        return "<p>Nobody takes part.</p>"
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in given[0])
    lines = []
    for row in given:
        cells = [_cell(name, value, numbers or {}) for name, value in row.items()]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f"<div class='wide' tabindex='0'><table>{body}</table></div>"


def _cell(name: str, value: Any, numbers: dict[str, int]) -> str:
    text = escape(str(value))
    if isinstance(value, _Link):
        text = f"<a href='{escape(value.address)}'>{text}</a>"
    if name == "solver" and value in numbers:
        text = swatch(numbers[value]) + text
    is_number = bool(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?( (%|ms|s|MB))?", str(value)))
    return f"<td class='number'>{text}</td>" if is_number else f"<td>{text}</td>"
