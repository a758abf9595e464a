"""Run solvers on energies of the literature and compare them: energies, bounds, times, one ranking.

`classicseg bench --quick` needs no data. `classicseg bench mrf uai --data FOLDER --html report.html` runs suites whose
files lie in a folder; what is absent is listed with its origin and skipped. `classicseg bench list` names all
problems and solvers. `classicseg bench score labels.npz` tells what labels are worth that anybody has found: its arrays
are named after the problems, such as uai/Grids_20.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicseg.errors import InputError

if TYPE_CHECKING:
    from classicseg.bench.contender import Contender
    from classicseg.bench.problem import Problem
    from classicseg.bench.runner import Document

SUMMARY = "run and compare solvers on known problems"
OUTPUTS = {"html": "pages", "markdown": "texts", "csv": "tables", "json": "documents"}
_MANY_RUNS = 10  # for verdicts on times, which few runs cannot support


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "what", nargs="*", metavar="SUITE", help="suites or single problems (default: all); or list; or score FILE.npz"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="research data (default: $CLASSICSEG_DATA)")
    parser.add_argument("--quick", action="store_true", help="small problems only, none of which needs data")
    parser.add_argument(
        "--solver", action="append", default=[], metavar="NAME", help="only this one; can be given several times"
    )
    parser.add_argument(
        "--peers", choices=("auto", "all", "none"), default="auto",
        help="other libraries: those that are installed, all (what is missing is listed), or none",
    )  # fmt: skip
    parser.add_argument(
        "--plugin", type=Path, action="append", default=[], metavar="FILE.py",
        help="a file that adds solvers or problems; can be given several times",
    )  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one page")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report as Markdown")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each solver at each problem")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument(
        "--benchopt", type=Path, metavar="FOLDER", help="run nothing; write the problems and solvers for benchopt"
    )
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="tell what has changed since that run")
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="runs that count (default: 3, --quick 2, --compare 10)"
    )
    parser.add_argument("--time-limit", type=float, metavar="S", help="seconds for a run (default: 30, with --quick 2)")
    parser.add_argument("--memory-limit", type=float, metavar="MB", help="memory of a solver's process")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each solver (default: 1)")


def run(options: argparse.Namespace) -> None:
    """List, score, or run and report."""
    from classicseg import inputs
    from classicseg.bench import catalog

    data = _data(options)
    catalog.load_plugins(options.plugin)
    if options.what[:1] == ["list"]:
        print(_listed(data))
        return
    if options.what[:1] == ["score"]:
        _score([Path(file) for file in options.what[1:]], data)
        return
    if options.benchopt is not None:
        from classicseg.bench import benchopt

        for path in benchopt.export(options.benchopt, *_chosen(options, data)):
            print(f"written: {path}")
        return
    for name, least in (("repeats", 0), ("threads", 1)):
        if getattr(options, name) is not None:
            inputs.as_count(getattr(options, name), name, least)
    for name in ("time_limit", "memory_limit"):
        if getattr(options, name) is not None and not getattr(options, name) > 0:
            raise InputError(f"{name} must be above 0, got {getattr(options, name)}")
    from classicseg.bench import compare

    old = None if options.compare is None else compare.read(options.compare)
    document = _run(options, data)
    _report(options, document, old)
    if "stopped" in document["run"]:
        raise KeyboardInterrupt


def _data(options: argparse.Namespace) -> Path | None:
    """The folder of data, if there is one."""
    given: Path | None = options.data
    if given is None and os.environ.get("CLASSICSEG_DATA"):
        given = Path(os.environ["CLASSICSEG_DATA"])
    if given is not None and not given.is_dir():
        raise InputError(f"data must be a folder, got {given}")
    return given


def _chosen(options: argparse.Namespace, data: Path | None) -> tuple[list[Problem], list[Contender]]:
    """The problems and contenders that the words mean."""
    from classicseg.bench import catalog

    problems = catalog.chosen_problems(options.what, catalog.problems(data), quick=options.quick)
    peers = "all" if options.solver else options.peers
    return problems, catalog.chosen_contenders(options.solver, catalog.contenders(peers))


def _run(options: argparse.Namespace, data: Path | None) -> Document:
    from classicseg.bench import runner
    from classicseg.bench.contender import Limits
    from classicseg.bench.worker import Setting

    problems, contenders = _chosen(options, data)
    seconds = options.time_limit or (2.0 if options.quick else 30.0)
    many = _MANY_RUNS if options.compare else 2 if options.quick else 3
    plan = runner.Plan(
        problems=problems,
        contenders=contenders,
        setting=Setting(data, tuple(options.plugin), Limits(seconds, options.threads)),
        repeats=many if options.repeats is None else options.repeats,
        memory_mb=options.memory_limit,
        pictures=options.html is not None,
        command=shlex.join(["classicseg", *_typed()]),
    )
    tell = _Teller()
    document = runner.run(plan, tell)
    tell.end()
    return document


def _typed() -> list[str]:
    return [word if "/" not in word or not Path(word).is_absolute() else Path(word).name for word in sys.argv[1:]]


class _Teller:
    """Says what is being done, in one line of a terminal; nothing where nobody watches."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(text)

    def end(self) -> None:
        """Leave an empty line behind."""
        self("")
        if sys.stderr.isatty():
            print("\r", end="", file=sys.stderr, flush=True)


def _report(options: argparse.Namespace, document: Document, old: Document | None) -> None:
    import json

    from classicseg.bench import compare, html_report, text_reports

    verdicts: list[dict[str, Any]] = [] if old is None else compare.verdicts(old, document)
    print(text_reports.summary(document, verdicts))
    if old is not None:
        equal, judged = compare.self_test(document)
        if judged:
            print(f"even runs against odd ones: {equal} of {judged} solvers get no verdict, as it must be")
    texts: list[tuple[Path | None, Callable[[], str]]] = [
        (options.html, partial(html_report.html, document, verdicts)),
        (options.markdown, partial(text_reports.markdown, document, verdicts)),
        (options.csv, partial(text_reports.csv_text, document)),
        (options.json, partial(json.dumps, document, indent=1, ensure_ascii=False)),
    ]
    for path, make in texts:
        if path is not None:
            path.write_text(make(), encoding="utf-8")
            print(f"written: {path}")


def _listed(data: Path | None) -> str:
    from classicseg.bench import catalog, text_reports

    return text_reports.listing(
        catalog.suites(), catalog.problems(data).values(), catalog.contenders().values(), data
    )  # fmt: skip


def _score(files: list[Path], data: Path | None) -> None:
    from classicseg.bench import scores

    if not files:
        raise InputError("score needs a file: classicseg bench score labels.npz")
    for file in files:
        for line in scores.of_file(file, data):
            print(line)
