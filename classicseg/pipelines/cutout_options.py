"""What :func:`cutout` can be told beside the image and the marks on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypedDict

from classicseg import inputs
from classicseg.energies.color_models import fit_color_model
from classicseg.pipelines.evidence import How
from classicseg.solvers.run import Run
from classicseg.types import State

_WEIGHT = 50.0  # of Rother et al.; measured again in benchmarks/pipelines/cutout.py
ROUNDS = 10  # bounds the time; it ends sooner if no pixel changes
_COMPONENTS = {False: 5, True: 3}  # by whether colours are learned from strokes alone
_FLOOR = {False: 4.0, True: 8.0}  # least variance: strokes show less of what a colour can be than objects do
_MOST_COMPONENTS = 255  # each pixel keeps the number of its own in 8 bits
_OF_IMAGE = ("beta", "connectivity", "spacing")


class Options(TypedDict, total=False):
    """What a call of :func:`cutout` may say; None is as if not given."""

    fill: int | None
    colors: Literal["mixture", "histogram"] | None
    n_components: int | None
    weight: float | None
    beta: float | None
    connectivity: int | None
    spacing: float | Sequence[float] | None
    max_iter: int | None
    callback: Callable[[State], bool | None] | None
    progress: bool | None


@dataclass(frozen=True)
class Asked:
    """The options of a call, checked as far as that needs no image.

    Attributes
    ----------
    colors : str
    n_components : int or None
    weight : float or None
    fill : int
    run : Run
    of_image : dict
        How contrast weights are made: ``beta``, ``connectivity``, ``spacing``.
    """

    colors: str
    n_components: int | None
    weight: float | None
    fill: int
    run: Run
    of_image: dict[str, Any]

    def how(self, before: How | None, by_strokes: bool) -> How:
        """How a cutout goes on: as it did before, if there is one, but for what this call says."""
        if before is not None:
            weight = before.weight if self.weight is None else self.weight
            return replace(before, weight=weight, by_strokes=before.by_strokes and by_strokes, fill=self.fill)
        n_components = _COMPONENTS[by_strokes] if self.n_components is None else self.n_components
        fit = partial(fit_color_model, self.colors, n_components=n_components, floor=_FLOOR[by_strokes])
        return How(fit, _WEIGHT if self.weight is None else self.weight, by_strokes, self.fill)


def read(options: Options, n_threads: int | None) -> Asked:
    """Check the options of a call."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    weight, parts = given.get("weight"), given.get("n_components")
    return Asked(
        colors=inputs.choice(given.get("colors", "mixture"), "colors", ("mixture", "histogram")),
        n_components=None if parts is None else inputs.as_count(parts, "n_components", 1, _MOST_COMPONENTS),
        weight=None if weight is None else inputs.as_weight(weight, "weight", at_least=0, below=inputs.DEAREST),
        fill=inputs.as_int32(given.get("fill", inputs.OUTSIDE), "fill"),
        run=Run(
            "cutout",
            max_iter=inputs.as_count(given.get("max_iter", ROUNDS), "max_iter", 1),
            callback=given.get("callback"),
            n_threads=n_threads,
            progress=given.get("progress", False),
        ),
        of_image={name: given[name] for name in _OF_IMAGE if name in given},
    )
