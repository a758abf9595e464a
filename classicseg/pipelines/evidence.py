"""What speaks for a label at a pixel: its colour, how near strokes of the label are, and what strokes leave open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from classicseg.energies.color_models import ColorModel
from classicseg.energies.softmax import softmax
from classicseg.inputs import OUTSIDE
from classicseg.pipelines.prepared_image import in_steps
from classicseg.pipelines.strokes import NONE
from classicseg.solvers.cut.boxes import Box, hull

Models = tuple[ColorModel, ...]

_NEAREST = 0.1  # what a step costs where colours say the label for sure; where they say another for sure, 1 more
_LEAST = 1e-4  # probability by nearness alone
_WORKED_ON = 50_000  # pixels: distances vary slowly, and are measured in larger images at every second one, and so on


@dataclass(frozen=True)
class How:
    """How a cutout goes on."""

    fit: Callable[..., ColorModel]
    """Estimates the colours of some pixels."""
    weight: float
    """Of the boundary."""
    by_strokes: bool
    fill: int = OUTSIDE
    """Label outside of a mask."""
    """Whether the distance from strokes counts, and pieces without a stroke do not."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Costs of the labels of each pixel, apart from its neighbours.

    Attributes
    ----------
    models : tuple of ColorModel
        Colours of each label.
    nearness : ndarray, (L, *spatial), float32, or None
        What labels cost by the distance of their strokes, see :func:`costs_of_distance`.
    pieces : ndarray, spatial shape, int32, or None
        Numbers, from 1 on, of pieces that may not have a label because no stroke of it is on them; 0 elsewhere.
    barred : tuple of (int, tuple of slice)
        For each piece that label, and the bounding box.
    """

    models: Models
    nearness: np.ndarray | None = None
    pieces: np.ndarray | None = None
    barred: tuple[tuple[int, Box], ...] = ()

    def costs(
        self, colors: np.ndarray, strokes: np.ndarray, box: Box, n_threads: int
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Costs in a box, (L, *shape of the box) float32, and the components of the models behind them, each (n,).

        Labels that strokes or pieces forbid cost infinity; other costs are rounded to whole steps. `colors` (C, N) and
        `strokes`, spatial shape, are those of the whole image.
        """
        inside = colors.reshape(-1, *strokes.shape)[(slice(None), *box)]
        flat = np.ascontiguousarray(inside).reshape(len(inside), -1)
        both = [model.costs(flat, n_threads) for model in self.models]
        unary = np.stack([cost for cost, _ in both]).reshape(-1, *inside.shape[1:])
        if self.nearness is not None:
            unary += self.nearness[(slice(None), *box)]
        in_steps(unary, 1.0)
        flat_unary, drawn = unary.reshape(len(unary), -1), strokes[box].reshape(-1)
        there = np.flatnonzero(drawn != NONE)
        for label, costs in enumerate(flat_unary):
            costs[there[drawn[there] != label]] = np.inf
        if self.pieces is not None:
            numbers = self.pieces[box].reshape(-1)
            there = np.flatnonzero(numbers)
            barred = np.array([label for label, _ in self.barred])
            flat_unary[barred[numbers[there] - 1], there] = np.inf
        return unary, [component for _, component in both]

    def refitted(
        self, colors: np.ndarray, labels: np.ndarray, components: list[np.ndarray], n_threads: int
    ) -> Evidence:
        """The same with each model estimated again from the pixels of its label, in the components that cost least."""
        old = zip(self.models, components, strict=True)
        models = tuple(m.refit(colors, labels == label, part, n_threads) for label, (m, part) in enumerate(old))
        return replace(self, models=models)

    def released(self, drawn: np.ndarray, box: Box) -> Box | None:
        """Let pieces have their labels again that strokes, drawn in a box, put them on; returns where that was."""
        if self.pieces is None:
            return None
        numbers = self.pieces[box]
        found: Box | None = None
        for number in np.unique(numbers[drawn > 0]).tolist():
            if number > 0 and np.any(drawn[numbers == number] == self.barred[number - 1][0]):
                there = self.barred[number - 1][1]
                piece = self.pieces[there]
                piece[piece == number] = 0
                found = hull(found, there)
        return found


def first_models(
    fit: Callable[..., ColorModel],
    known: tuple[ColorModel, ...],
    colors: np.ndarray,
    labels: np.ndarray,
    n_labels: int,
    n_threads: int,
) -> tuple[ColorModel, ...]:
    """A model of each label: those that are known, estimated again from where the labels are now, and new ones."""
    return tuple(
        known[label].refit(colors, labels == label, known[label].costs(colors, n_threads)[1], n_threads)
        if label < len(known)
        else fit(colors=colors, where=labels == label, n_threads=n_threads)
        for label in range(n_labels)
    )


def costs_of_distance(
    models: Models, colors: np.ndarray, strokes: np.ndarray, spacing: tuple[float, ...], n_threads: int
) -> np.ndarray | None:
    """What labels cost at each pixel by the distance of their strokes, (L, *spatial) float32; None if one has none.

    Distance is geodesic [1]_: a way through colours that are unlikely for the label is longer. A label has the
    probability ``(1 / d) / sum(1 / d)``, and costs the negative logarithm of that.

    References
    ----------
    .. [1] X. Bai, G. Sapiro, "Geodesic matting: a framework for fast interactive image and video segmentation and
       matting", IJCV 82(2), 2009. doi:10.1007/s11263-008-0191-z
    """
    from scipy.ndimage import gaussian_filter
    from skimage.graph import MCP_Geometric

    if not all(np.any(strokes == label) for label in range(len(models))):
        return None
    shape = strokes.shape
    step = max(1, round((strokes.size / _WORKED_ON) ** (1 / strokes.ndim)))
    unary = np.stack([model.costs(colors, n_threads)[0] for model in models]).reshape(-1, *shape)
    likely = softmax(-unary)
    near = []
    for label in range(len(models)):
        smooth = gaussian_filter(likely[label], float(step))[(slice(None, None, step),) * strokes.ndim]
        seeds = np.unique(np.argwhere(strokes == label) // step, axis=0)
        ways = MCP_Geometric(_NEAREST + 1 - smooth, sampling=spacing)
        near.append(1 / (ways.find_costs(seeds)[0] + 1e-3))
    share = np.stack(near) / np.sum(near, axis=0)
    costs = -np.log(share.clip(_LEAST, 1)).astype(np.float32)
    return costs if step == 1 else np.stack([stretched(of_label, shape) for of_label in costs])


def stretched(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values on a coarse grid over an image of that shape, at each of its pixels: linear in between."""
    from scipy.ndimage import zoom

    fine: np.ndarray = zoom(values, [n / m for n, m in zip(shape, values.shape, strict=True)], order=1)
    return fine


def pieces_without_strokes(
    labels: np.ndarray, strokes: np.ndarray
) -> tuple[np.ndarray, tuple[tuple[int, Box], ...]] | None:
    """Connected parts of objects that no stroke of theirs is on: numbers from 1 on, and label and box of each.

    None if there is none, or if an object has no stroke at all.
    """
    from scipy.ndimage import find_objects, generate_binary_structure, label

    numbers, barred = np.zeros(labels.shape, np.int32), []
    for of in range(1, int(labels.max()) + 1):
        drawn = strokes == of
        if not drawn.any():
            continue
        parts, _ = label(labels == of, generate_binary_structure(labels.ndim, labels.ndim))
        kept = set(np.unique(parts[drawn]).tolist())
        for part, box in enumerate(find_objects(parts), 1):
            if part not in kept:
                barred.append((of, box))
                numbers[box][parts[box] == part] = len(barred)
    return (numbers, tuple(barred)) if barred else None
