"""Where :func:`tune` looks for parameters, and in what order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.presets import NAMES, check_names
from classicseg.pipelines.refine import parameters_of_refine

Range: TypeAlias = "tuple[float, float]"
Point: TypeAlias = "Mapping[str, float]"


@dataclass(frozen=True)
class Space:
    """Parameters to choose from.

    Attributes
    ----------
    first : sequence of dict
        Parameters that are tried before any search, those of the default first.
    ranges : mapping of str to (float, float)
        Searched on a logarithmic scale.
    switches : sequence of str
        Searched between 0 and 1.
    arguments : callable
        Keyword arguments at a point, a number for each range and switch.
    """

    first: Sequence[dict[str, Any]]
    ranges: Mapping[str, Range]
    switches: Sequence[str]
    arguments: Callable[[Point], dict[str, Any]]


# --- spaces -------------------------------------------------------------------------------------------------------

_RANGES = {
    "bilateral_sigma": (4.0, 200.0),
    "color_sigma": (2.0, 60.0),  # in 8-bit units
    "bilateral_weight": (0.3, 30.0),
    "sigma": (0.5, 12.0),
    "weight": (0.1, 30.0),
    "share": (0.3, 1.0),
}
_ITERATIONS = (5, 10)  # those of the literature


def space_of_refine(unit: float) -> Space:
    """The parameters of :func:`refine`; `unit` is what one step of an 8-bit image is in the image.

    There are two kinds of smoothness kernel: a short one of positive weight, or one that takes from the appearance
    kernel a share of what pixels of any colour would give, as that of the default preset does.
    """

    def arguments(point: Point) -> dict[str, Any]:
        against = point["against"] >= 0.5
        values = {
            "bilateral_sigma": point["bilateral_sigma"],
            "color_sigma": point["color_sigma"] * unit,
            "bilateral_weight": point["bilateral_weight"],
            "sigma": point["bilateral_sigma"] if against else point["sigma"],
            "weight": -point["share"] * point["bilateral_weight"] if against else point["weight"],
        }
        rounded: dict[str, Any] = {name: _rounded(value) for name, value in values.items()}
        return {**rounded, "max_iter": _ITERATIONS[int(point["longer"] >= 0.5)]}

    return Space([{"preset": name} for name in NAMES], _RANGES, ("against", "longer"), arguments)


def space_of(choices: Mapping[str, Any], crf: Callable[..., Any] | None) -> Space:
    """The space that a user describes for a CRF, or for :func:`refine`: pairs are ranges, lists hold values."""
    if not isinstance(choices, Mapping) or not choices or not all(isinstance(name, str) for name in choices):
        raise InputTypeError(f"space must be a mapping of names to ranges or lists, got {choices!r}")
    if crf is None:
        check_names(choices, parameters_of_refine(), "space must name parameters of refine, got")
    else:
        check_taken(choices, crf, "space names")
    ranges: dict[str, Range] = {}
    lists: dict[str, list[Any]] = {}
    for name, values in choices.items():
        if isinstance(values, tuple) and _is_range(values):
            ranges[name] = float(values[0]), float(values[1])
        elif isinstance(values, (list, range)) and len(values) > 0:
            lists[name] = list(values)
            if not all(map(_is_hashable, values)):
                raise InputTypeError(f"space[{name!r}] must list numbers, words, tuples or the like, got {values!r}")
        else:
            raise InputError(f"space[{name!r}] must be a pair 0 < low < high or a list of values, got {values!r}")

    def arguments(point: Point) -> dict[str, Any]:
        chosen = {name: min(max(_rounded(point[name]), low), high) for name, (low, high) in ranges.items()}
        return chosen | {name: x[min(int(point[name] * len(x)), len(x) - 1)] for name, x in lists.items()}

    return Space([{}], ranges, tuple(lists), arguments)


def check_taken(names: Iterable[str], crf: Callable[..., Any], why: str) -> None:
    """Refuse what a CRF has no parameter for; `why` says who names it."""
    try:
        signature = inspect.signature(crf)
    except ValueError:  # of a function written in C
        return
    for name in names:
        try:
            signature.bind(None, None, **{name: None})
        except TypeError as failure:
            raise InputTypeError(f"{why} {name!r}, but the CRF cannot be called with it: {failure}") from failure


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:  # also of a tuple that holds a list
        return False
    return True


def _is_range(ends: tuple[Any, ...]) -> bool:
    return len(ends) == 2 and all(isinstance(x, Real) for x in ends) and bool(0 < ends[0] < ends[1] < np.inf)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


# --- searches -----------------------------------------------------------------------------------------------------


def random_search(attempt: Callable[[dict[str, Any]], float], n: int, space: Space, rng: np.random.Generator) -> None:
    """Half of the points anywhere, half around the best."""
    best: dict[str, float] | None = None
    reached = -np.inf
    for i in range(n):
        if best is None or i < (n + 1) // 2 or not space.ranges:
            point = {name: float(np.exp(rng.uniform(*np.log(ends)))) for name, ends in space.ranges.items()}
            point.update({name: float(rng.random()) for name in space.switches})
        else:
            step = 0.15 * (1.5 - i / n)  # share of the width of the range; shrinks
            point = {**best, **{name: _moved(best[name], ends, step, rng) for name, ends in space.ranges.items()}}
        value = attempt(space.arguments(point))
        if value > reached:
            best, reached = point, value


def _moved(value: float, ends: Range, step: float, rng: np.random.Generator) -> float:
    low, high = np.log(ends)
    return float(np.exp(np.clip(np.log(value) + rng.normal(0, step * (high - low)), low, high)))


def tpe_search(attempt: Callable[[dict[str, Any]], float], n: int, space: Space, rng: np.random.Generator) -> None:
    """Points by optuna."""
    try:
        import optuna
    except ImportError as failure:
        raise InputError("search='tpe' needs optuna: pip install optuna") from failure

    def objective(trial: Any) -> float:
        point = {name: trial.suggest_float(name, *ends, log=True) for name, ends in space.ranges.items()}
        point.update({name: trial.suggest_float(name, 0, 1) for name in space.switches})
        return attempt(space.arguments(point))

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), multivariate=False)
        optuna.create_study(direction="maximize", sampler=sampler).optimize(objective, n_trials=n)
    finally:
        optuna.logging.set_verbosity(level)
