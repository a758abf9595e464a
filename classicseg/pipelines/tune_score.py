"""What :func:`tune` searches on: images whose truth is known, and how well a CRF does on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.unary import unary_from_logits, unary_from_probabilities
from classicseg.energies.unary_grid import UnaryGrid, finite_costs, is_forbidden
from classicseg.errors import InputError, InputTypeError
from classicseg.metrics import boundary_f_score, confusion_matrix, scores_of
from classicseg.pipelines.fit import is_within
from classicseg.pipelines.image import eight_bit_unit, find_channel_axis
from classicseg.pipelines.temperature import best_temperature, slope_and_curvature

_AT_ONCE = 2**17  # pixels: as many floats of each label are worked on


class Given(NamedTuple):
    """What a user gives of the images."""

    images: Sequence[ArrayLike]
    probabilities: Sequence[ArrayLike] | None
    logits: Sequence[ArrayLike] | None
    truths: Sequence[ArrayLike] | None
    masks: Sequence[ArrayLike | None] | None
    ignore_label: int | None


class Examples:
    """Images, scores of a network, truths and masks, all checked.

    Attributes
    ----------
    kind : {"probabilities", "logits"}
        What the scores are.
    scores : list of ndarray, (L, *spatial) or smaller
    """

    def __init__(self, given: Given) -> None:
        of_networks = {"probabilities": given.probabilities, "logits": given.logits}
        named = [name for name, value in of_networks.items() if value is not None]
        if len(named) != 1:
            raise InputTypeError(
                f"exactly one of probabilities and logits must be given, got {' and '.join(named) or 'none'}"
            )
        if given.truths is None:
            raise InputTypeError("truths must be given, got none")
        self.kind = named[0]
        images = inputs.as_sequence(given.images, "images", "arrays")
        scores = inputs.as_sequence(of_networks[self.kind], self.kind, "arrays")
        truths = inputs.as_sequence(given.truths, "truths", "arrays")
        if not len(images) == len(scores) == len(truths) or len(images) == 0:
            raise InputError(
                f"images, {self.kind} and truths must be as many, at least 1, got "
                f"{len(images)}, {len(scores)} and {len(truths)}"
            )
        self.has_masks, self.ignore = given.masks is not None, given.ignore_label
        masks = (
            [None] * len(images) if given.masks is None else inputs.as_sequence(given.masks, "masks", "arrays or None")
        )
        if len(masks) != len(images):
            raise InputError(f"masks must be as many as images, {len(images)}, got {len(masks)}")
        self.images = [inputs.read(image, f"images[{i}]") for i, image in enumerate(images)]
        read = [self._read(x, mask, f"{self.kind}[{i}]") for i, (x, mask) in enumerate(zip(scores, masks, strict=True))]
        self.scores = [array for array, _ in read]
        self.n_labels = len(self.scores[0])
        if any(len(x) != self.n_labels for x in self.scores):
            raise InputError(f"all {self.kind} must have the same number of labels")
        pairs = zip(truths, self.scores, strict=True)
        shapes = [_shape_of(truth, x, f"truths[{i}]") for i, (truth, x) in enumerate(pairs)]
        self.masks = [
            None if mask is None else inputs.as_mask(mask, shape, name=f"masks[{i}]")
            for i, ((_, mask), shape) in enumerate(zip(read, shapes, strict=True))
        ]
        self.truths = [
            inputs.as_labels(truth, shape, self.n_labels, self.ignore, name=f"truths[{i}]", mask=mask)
            for i, (truth, shape, mask) in enumerate(zip(truths, shapes, self.masks, strict=True))
        ]

    def _read(self, scores: ArrayLike, mask: ArrayLike | None, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        if self.kind == "logits":
            filled, inside = inputs.without_outside(scores, mask, 0, name=name)
            return inputs.as_logits(filled, name=name), inside
        filled, inside = inputs.probabilities_inside(scores, mask, name=name)
        return inputs.as_numbers(filled, name, range(2, 5)), inside

    def unit(self) -> float:
        """What a step of an 8-bit image is in the first image; all of them have to be images for :func:`refine`."""
        units = []
        for i, (image, truth) in enumerate(zip(self.images, self.truths, strict=True)):
            axis = find_channel_axis(image, truth.shape, f"{self.kind}[{i}]")
            mask = self.masks[i]
            seen = inputs.image_inside(image, mask, axis, name=f"images[{i}]")
            channels = inputs.as_image(seen, truth.shape, axis, name=f"images[{i}]", keep_bytes=True)
            units.append(eight_bit_unit(*inputs.value_range(channels if mask is None else channels[:, mask], 0)))
        return units[0]

    def cheapest(self, i: int) -> np.ndarray:
        """Labels of an image by its scores alone."""
        scores = self.scores[i]
        return scores.argmax(0) if scores.shape[1:] == self.truths[i].shape else self._grid(i).cheapest()

    def scored(self, i: int) -> np.ndarray:
        """Which pixels have a truth, bool, spatial shape."""
        truth, mask = self.truths[i], self.masks[i]
        known = np.ones(truth.shape, bool) if self.ignore is None else truth != self.ignore
        return known if mask is None else known & mask

    def temperature(self, members: Sequence[int]) -> float:
        """The temperature at which the scores of some images explain their truths best; 1 if nothing is scored."""
        where = [np.flatnonzero(self.scored(i)) for i in members]
        if sum(map(len, where)) == 0:
            return 1.0

        def derivatives(sharpness: float) -> np.ndarray:
            total = np.zeros(2)
            for i, pixels in zip(members, where, strict=True):
                grid, truth = self._grid(i), self.truths[i].reshape(-1)
                for begin in range(0, len(pixels), _AT_ONCE):
                    some = pixels[begin : begin + _AT_ONCE]
                    costs = grid.read(some[0], some[-1] + 1)[:, some - some[0]]
                    costs[is_forbidden(costs)] = np.inf
                    total += slope_and_curvature(costs, truth[some], sharpness)
            return total

        return float(f"{best_temperature(derivatives):.4g}")

    def _grid(self, i: int) -> UnaryGrid:
        """Costs of the labels of an image, as :func:`refine` makes them."""
        of = unary_from_probabilities if self.kind == "probabilities" else unary_from_logits
        return UnaryGrid(finite_costs(of(self.scores[i])), self.truths[i].shape, align_corners=False)


class Score:
    """The score of a set of parameters on all images.

    Parameters
    ----------
    examples : Examples
    metric : {"miou", "boundary"}
    tolerance : float or None
        Of borders.
    crf : callable
        ``crf(image, scores, **parameters)`` returns labels.
    """

    def __init__(
        self, examples: Examples, metric: str, tolerance: float | None, crf: Callable[..., np.ndarray]
    ) -> None:
        self._of, self._metric, self._crf = examples, metric, crf
        self._tolerance = None if tolerance is None else inputs.as_positive_number(tolerance, "tolerance")
        self._known: dict[tuple[int, frozenset[tuple[str, type, Any]]], Any] = {}

    def of_all(self, members: Sequence[int], parameters: Mapping[str, Any]) -> float:
        """Of some images, given by number, with the same parameters."""
        return self.of_each(dict.fromkeys(members, parameters))

    def of_each(self, parameters: Mapping[int, Mapping[str, Any]]) -> float:
        """Of some images, given by number, each with parameters of its own."""
        return self._joined([self._part(i, chosen) for i, chosen in parameters.items()])

    def unrefined(self) -> float:
        """Of the scores of the network alone."""
        return self._joined([self._compared(i, self._of.cheapest(i)) for i in range(len(self._of.images))])

    def _part(self, i: int, parameters: Mapping[str, Any]) -> Any:
        """What an image adds to the score; folds share most of these."""
        key = i, frozenset((name, type(value), value) for name, value in parameters.items())  # 1 is not True
        if key not in self._known:
            of, mask = self._of, self._of.masks[i]
            masked = {"mask": mask} if of.has_masks else {}
            labels = self._crf(of.images[i], of.scores[i], **masked, **parameters)
            shape = of.truths[i].shape
            checked = inputs.as_labels(labels, shape, of.n_labels, None, name="labels of crf", mask=mask)
            self._known[key] = self._compared(i, checked)
        return self._known[key]

    def _compared(self, i: int, labels: np.ndarray) -> Any:
        of = self._of
        truth, mask, ignored, n_labels = of.truths[i], of.masks[i], of.ignore, of.n_labels
        if mask is not None:
            ignored = inputs.OUTSIDE if ignored is None else ignored
            truth = np.where(mask, truth, np.int32(ignored))
        if self._metric == "miou":
            return confusion_matrix(labels, truth, n_labels, ignore_label=ignored)
        return boundary_f_score(labels, truth, n_labels, tolerance=self._tolerance, ignore_label=ignored)

    def _joined(self, parts: list[Any]) -> float:
        return scores_of(np.sum(parts, axis=0)).mean_iou if self._metric == "miou" else float(np.mean(parts))


def _shape_of(truth: ArrayLike, scores: np.ndarray, name: str) -> tuple[int, ...]:
    """What the shape of a truth is to be: any, where it has as many axes and the scores are nowhere larger."""
    given = inputs.read(truth, name).shape
    return given if is_within(scores.shape[1:], given) else scores.shape[1:]
