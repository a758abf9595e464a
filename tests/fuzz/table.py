"""All cases by name, how often each is drawn, and all that is public."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator

import classicseg as cs
from tests.fuzz.charts import CHART_CASES
from tests.fuzz.doors import DOOR_CASES
from tests.fuzz.dropin import DROPIN_CASES
from tests.fuzz.energies import ENERGY_CASES
from tests.fuzz.filters import FILTER_CASES
from tests.fuzz.images import IMAGE_CASES
from tests.fuzz.judge import Call
from tests.fuzz.scores import SCORE_CASES
from tests.fuzz.solvers import RUN_CASES, SOLVER_CASES
from tests.fuzz.tasks import TASK_CASES
from tests.fuzz.values import Draw

Make = Callable[[Draw], Call]

CASES: dict[str, Make] = (
    SOLVER_CASES
    | RUN_CASES
    | FILTER_CASES
    | ENERGY_CASES
    | IMAGE_CASES
    | SCORE_CASES
    | CHART_CASES
    | TASK_CASES
    | DROPIN_CASES
    | DOOR_CASES
)
OFTEN = 8.0
WEIGHTS: dict[str, float] = {name: OFTEN if name in SOLVER_CASES or name in FILTER_CASES else 1.0 for name in CASES}
"""Most go to solvers and filters."""

MODULES = (
    "io", "plot", "pydensecrf.densecrf", "pydensecrf.utils", "pydensecrf.eigen", "numpymaxflow", "maxflow.graph",
    "maxflow.fastmin", "maxflow.structures", "gco",
    "simplecrf.denseCRF", "simplecrf.denseCRF3D", "simplecrf.maxflow", "monai.transform",
)  # fmt: skip
ELSEWHERE = {
    "pydensecrf.densecrf.Number": "Python's own",
    "pydensecrf.install": "changes what all later imports find; tests/run_as/test_run_as.py",
}


def public() -> Iterator[str]:
    """Every public function and class, and every public method and property of a class, by its shortest name."""
    seen = set()
    for module, prefix in [
        (cs, ""),
        *((importlib.import_module(f"classicseg.{name}"), f"{name}.") for name in MODULES),
    ]:
        names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
        for name in names:
            thing = getattr(module, name)
            if inspect.ismodule(thing) or isinstance(thing, (int, str)) or id(thing) in seen:
                continue
            if prefix and not getattr(thing, "__module__", "").startswith("classicseg"):
                continue
            seen.add(id(thing))
            yield prefix + name
            if inspect.isclass(thing):
                yield from (f"{prefix}{name}.{part}" for part in _methods(thing))


def _methods(cls: type) -> Iterator[str]:
    own = {name for base in cls.__mro__ if base.__module__.startswith("classicseg") for name in vars(base)}
    for name in sorted(own):
        if not name.startswith("_"):
            value = inspect.getattr_static(cls, name)
            if isinstance(value, (property, classmethod, staticmethod)) or inspect.isfunction(value):
                yield name


def missing() -> list[str]:
    """What is public and has no case of its own, nor one for each of its methods, such as ``segment[slic]``."""
    covered = set(CASES) | {name.partition("[")[0] for name in CASES} | set(ELSEWHERE)
    return [name for name in public() if name not in covered]
