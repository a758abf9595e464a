"""What labels are worth that anybody has found: energies by NumPy alone, next to the best that is known."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.bench import best_known, catalog, scoring
from classicseg.bench.analysis import GAPS, gap
from classicseg.bench.text_reports import number, percent
from classicseg.errors import InputError
from classicseg.io.files import as_path


def of_file(file: str | os.PathLike[str], data: Path | None) -> Iterator[str]:
    """A line for each array of an ``.npz``, which is named after its problem.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the data of a problem are not there.
    ValueError
        If it is no such file, an array is named after no problem, or its labels do not fit.
    """
    path = as_path(file)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    problems = catalog.problems(data)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as failure:
        raise InputError(f"{path} must be an .npz of integers, named after problems: {failure}") from failure
    for name, labels in arrays.items():
        if name not in problems:
            raise InputError(f"{path}: no problem {name!r}; {catalog.suggestion(name, problems)}")
        problem = problems[name]
        missing = problem.missing(data)
        if missing:
            raise FileNotFoundError(f"{name} needs {', '.join(missing)} in the folder of data: {problem.origin}")
        instance = problem.make(data)
        try:
            score = scoring.judge(instance)(labels)
        except InputError as failure:
            raise InputError(f"{path}, {name}: {failure}") from failure
        known = best_known.entry(name, scoring.probe(instance))
        yield f"{name}: {scoring.UNIT[scoring.kind_of(instance)]} {number(score)}{_next_to(known, score)}"
        yield f"  labels sha256 {scoring.hash_of(labels)}"


def _next_to(known: dict[str, Any] | None, score: float) -> str:
    if known is None or known.get("energy") is None:
        return ", none is known"
    best, who = known["energy"], known["who"]
    if score < best and gap(best, score) > GAPS["0"]:
        return f", lower than the best that is known, {number(best)} of {who}"
    above = gap(score, best)
    return f", the best that is known is {number(best)} of {who}, " + (
        "as low" if above <= GAPS["0"] else f"{percent(100 * above)} lower"
    )
