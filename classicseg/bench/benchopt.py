"""The same problems and solvers as a benchmark of benchopt: three thin files, which import this package.

Moreau et al., "Benchopt: reproducible, efficient and collaborative optimization benchmarks", NeurIPS 2022,
arXiv:2206.13424.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from classicseg.bench.contender import Contender
from classicseg.bench.problem import Problem

_OBJECTIVE = '''"""What labels are worth, computed by NumPy alone."""

from benchopt import BaseObjective
from classicseg.bench import scoring


class Objective(BaseObjective):
    name = "Energies of classicseg bench"
    url = "https://benchopt.github.io"
    min_benchopt_version = "1.6"
    requirements = ["pip::classicseg"]
    sampling_strategy = "run_once"

    def set_data(self, instance):
        self.instance, self.score = instance, scoring.judge(instance)

    def get_objective(self):
        return {"instance": self.instance}

    def evaluate_result(self, labels):
        return {"value": self.score(labels)}

    def get_one_result(self):
        import numpy as np

        return {"labels": np.zeros(self.instance.shape, int)}
'''

_DATASET = '''"""The problems of classicseg bench; those of research data lie in $CLASSICSEG_DATA."""

import os
from pathlib import Path

from benchopt import BaseDataset
from classicseg.bench import catalog


class Dataset(BaseDataset):
    name = "classicseg"
    requirements = ["pip::classicseg"]
    parameters = {"problem": PROBLEMS}

    def get_data(self):
        data = Path(os.environ["CLASSICSEG_DATA"]) if "CLASSICSEG_DATA" in os.environ else None
        return {"instance": catalog.problems(data)[self.problem].make(data)}
'''

_SOLVER = '''"""The solvers of classicseg, and those of others that it knows."""

from benchopt import BaseSolver
from classicseg.bench import catalog
from classicseg.bench.contender import Answer, Limits


class Solver(BaseSolver):
    name = "classicseg"
    requirements = ["pip::classicseg"]
    parameters = {"contender": CONTENDERS}
    sampling_strategy = "run_once"

    def skip(self, instance):
        contender = catalog.contenders()[self.contender]
        reason = contender.refuses(instance) if contender.is_installed else f"needs {contender.install}"
        return reason is not None, reason

    def set_objective(self, instance):
        prepare = catalog.contenders()[self.contender].prepare
        self.prepared = prepare(instance, Limits(60.0, 1))

    def warm_up(self):
        self.run_once()  # compiles, which is not to be timed

    def run(self, _):
        answer = self.prepared()
        self.labels = answer.labels if isinstance(answer, Answer) else answer

    def get_result(self):
        return {"labels": self.labels}
'''


def export(folder: Path, problems: Sequence[Problem], contenders: Iterable[Contender]) -> list[Path]:
    """Write the benchmark, to be run with ``benchopt run FOLDER``.

    Parameters
    ----------
    folder : path
        Made if it is not there; files in it are written over.
    problems : sequence of Problem
    contenders : iterable of Contender

    Returns
    -------
    list of path
        What was written.
    """
    names = {"PROBLEMS": [one.name for one in problems], "CONTENDERS": [one.name for one in contenders]}
    texts = {"objective.py": _OBJECTIVE, "datasets/classicseg.py": _DATASET, "solvers/classicseg.py": _SOLVER}
    written = []
    for place, text in texts.items():
        for name, listed in names.items():
            text = text.replace(f": {name}}}", f": {listed!r}}}")
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
