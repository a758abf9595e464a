"""How results are shown: as a figure of matplotlib, and with their figures in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError, InputTypeError
from classicseg.plot.blocks import regions
from classicseg.plot.charts import CUT, FLOW, INK, draw_trace
from classicseg.plot.pictures import displayable, label_image, overlay, uncertainty
from classicseg.types import Renderer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LARGEST_SIDE = 512  # of pictures in notebooks: what is larger is thinned out

Panel = Callable[["Axes"], None]


@dataclass(frozen=True)
class _Renderer:
    """Draws the panels of a result side by side."""

    panels: Callable[[Any, Any], list[Panel]]
    facts: Callable[[Any], dict[str, Any]]

    def figure(self, thing: Any, image: ArrayLike | None) -> Figure:
        """Draw it."""
        import matplotlib.pyplot as plt

        panels = self.panels(thing, image)
        figure, axes = plt.subplots(
            1, len(panels), figsize=(4.2 * len(panels), 3.4), squeeze=False, layout="constrained"
        )
        for panel, ax in zip(panels, axes.flat, strict=True):
            panel(ax)
        return figure

    def html(self, thing: Any) -> str:
        """Draw it, with a table of its figures."""
        import matplotlib.pyplot as plt

        figure = self.figure(thing, None)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=80)
        plt.close(figure)
        picture = base64.b64encode(file.getvalue()).decode()
        left = "style='text-align:left'"
        text = "".join(
            f"<tr><th {left}>{name}</th><td {left}>{html.escape(_said(value))}</td></tr>"
            for name, value in self.facts(thing).items()
            if value is not None
        )
        name = type(thing).__name__
        return (
            f"<div><strong>{name}</strong><br><img alt='picture of the {name}' style='max-width:100%' "
            f"src='data:image/png;base64,{picture}'><table>{text}</table></div>"
        )


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(array: np.ndarray) -> np.ndarray:
    """What can be drawn of labels: the middle slice of a volume, a line as an image, at most 512 pixels a side."""
    while array.ndim > 2:
        array = array[array.shape[0] // 2]
    plane = np.atleast_2d(array)
    step = -(-max(plane.shape) // _LARGEST_SIDE)
    return plane[::step, ::step]


def _picture(picture: np.ndarray, title: str) -> Panel:
    def draw(ax: Axes) -> None:
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(title, fontsize="medium")
        ax.set_axis_off()

    return draw


def _labels(labels: np.ndarray, image: ArrayLike | None, title: str) -> Panel:
    """Labels, over their image if that is given; what is outside of a mask stays as it is."""
    if image is None:
        plane = _flat(labels)
        return _picture(label_image(np.maximum(plane, -1), ignore_label=-1), title)
    base = displayable(image)
    if base.shape[:2] != labels.shape:
        raise InputError(f"image must have the size of the labels, {labels.shape}, got {base.shape[:2]}")
    shown = overlay(base, np.maximum(labels, 0))
    shown[labels < 0] = base[labels < 0]
    return _picture(shown, title)


def _of_result(result: Any, image: ArrayLike | None) -> list[Panel]:
    panels = [_labels(result.labels, image, result.method or "labels")]
    if result.marginals is not None and result.labels.ndim == 2 and image is None:
        doubts = uncertainty(result.marginals[(slice(None), *(slice(None, None, s) for s in _steps(result.labels)))])
        panels.append(_picture(doubts, "uncertainty"))
    if sum(row.energy is not None for row in result.history) > 1:
        panels.append(lambda ax: draw_trace(ax, {result.method or "run": result}))
    return panels


def _steps(array: np.ndarray) -> tuple[int, ...]:
    return (-(-max(array.shape) // _LARGEST_SIDE),) * array.ndim


def _of_segmentation(found: Any, image: ArrayLike | None) -> list[Panel]:
    title = f"{found.n_regions} regions"
    if image is None:
        return [_labels(found.labels, None, title)]
    return [_labels(found.labels, image, title), _picture(regions(image, found.labels), "their mean colours")]


def _of_cutout(cut: Any, image: ArrayLike | None) -> list[Panel]:
    energies = [(row.iteration, row.energy) for row in cut.history]

    def rounds(ax: Axes) -> None:
        ax.plot(*zip(*energies, strict=True), "-o", color=FLOW, markersize=3)
        ax.set(xlabel="round", ylabel="energy")

    panels = [_labels(cut.labels, image, "cutout")]
    return [*panels, rounds] if len(energies) > 1 else panels


def _of_tuned(tuned: Any, image: ArrayLike | None) -> list[Panel]:
    if image is not None:
        raise InputTypeError("a search has no image: call plot() without one")

    def trials(ax: Axes) -> None:
        scores = [trial.score for trial in tuned.history]
        ax.plot(range(1, len(scores) + 1), scores, "o", color=INK, markersize=3)
        ax.plot(range(1, len(scores) + 1), np.maximum.accumulate(scores), color=FLOW, label="best so far")
        ax.axhline(tuned.unrefined_score, color=CUT, linestyle="--", label="without a CRF")
        ax.axhline(tuned.default_score, color=INK, linestyle=":", label="default")
        ax.set(xlabel="trial", ylabel="score")
        ax.legend(fontsize="small")

    return [trials]


def _facts_of_result(result: Any) -> dict[str, Any]:
    gap = result.gap
    return {
        "method": result.method or None,
        "strength": getattr(result, "strength", None),
        "labels": "x".join(map(str, result.labels.shape)),
        "energy": result.energy,
        "lower bound": result.lower_bound,
        "gap": gap,
        "iterations": result.n_iter,
        "converged": "yes" if result.converged else "no",
        "seconds": f"{result.seconds:.3f}",
    }


def _facts_of_segmentation(found: Any) -> dict[str, Any]:
    return {
        "labels": "x".join(map(str, found.labels.shape)),
        "regions": found.n_regions,
        "blocks tested": len(found.record.tested),
        "merges": len(found.record.merges),
    }


def _facts_of_cutout(cut: Any) -> dict[str, Any]:
    return {
        "labels": "x".join(map(str, cut.labels.shape)),
        "object": f"{cut.mask.mean():.1%} of the pixels",
        "energy": cut.energy,
        "rounds": cut.n_iter,
        "converged": "yes" if cut.converged else "no",
        "seconds": f"{cut.seconds:.3f}",
    }


def _facts_of_tuned(tuned: Any) -> dict[str, Any]:
    return {
        "parameters": ", ".join(f"{name}={_said(value)}" for name, value in tuned.parameters.items()),
        "score": tuned.score,
        "default score": tuned.default_score,
        "unrefined score": tuned.unrefined_score,
        "held-out score": tuned.held_out_score,
        "trials": len(tuned.history),
    }


BY_CLASS: dict[str, Renderer] = {
    "Result": _Renderer(_of_result, _facts_of_result),
    "Segmentation": _Renderer(_of_segmentation, _facts_of_segmentation),
    "Cutout": _Renderer(_of_cutout, _facts_of_cutout),
    "Tuned": _Renderer(_of_tuned, _facts_of_tuned),
}
"""What draws results, by the names of their classes, which this room does not know."""
