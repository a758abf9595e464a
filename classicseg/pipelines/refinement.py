"""From what is given to :func:`refine` to the CRF that it minimises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.sharing import with_unary
from classicseg.energies.unary import unary_from_logits, unary_from_probabilities
from classicseg.energies.unary_grid import UnaryGrid, finite_costs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets, strength
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.presets import Preset

ChannelAxis = int | Literal["infer"] | None


class Evidence(NamedTuple):
    """What is known about the labels of pixels."""

    costs: np.ndarray
    """(L, *spatial) or smaller, float32."""
    name: str
    """Of the argument that they come from, for errors."""
    mask: np.ndarray | None
    """(*spatial), bool: pixels that take part; None if all do."""


def read_evidence(
    image: ArrayLike,
    given: dict[str, ArrayLike | None],
    mask: ArrayLike | None,
    label_axis: int,
    channel_axis: ChannelAxis,
) -> Evidence:
    """The costs that exactly one of probabilities, logits and unary comes to."""
    values, name = scores_of_one(image, given, label_axis, channel_axis)
    if name == "probabilities":
        filled, inside = inputs.probabilities_inside(values, mask, label_axis)
        costs = unary_from_probabilities(filled, label_axis=label_axis)
    else:
        filled, inside = inputs.without_outside(values, mask, label_axis, name=name)
        costs = (unary_from_logits if name == "logits" else inputs.as_unary)(filled, label_axis=label_axis)
    if isinstance(channel_axis, str) and channel_axis == "infer":
        _refuse_batches(image, name, costs, label_axis)
    return Evidence(costs, name, inside)


def scores_of_one(
    image: ArrayLike, given: dict[str, ArrayLike | None], label_axis: int, channel_axis: ChannelAxis
) -> tuple[np.ndarray, str]:
    """The one that is given of probabilities, logits and unary, of one image, and its name."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(names) or 'none'}"
        )
    return inputs.scores_of(given[names[0]], names[0], image, label_axis, channel_axis), names[0]


def _refuse_batches(image: ArrayLike, name: str, costs: np.ndarray, label_axis: int) -> None:
    """A batch of images fits like a volume where there are as many labels, or where the labels are said to come second.

    Probabilities tell which axis is that of the labels, by their sums; logits and costs do not.
    """
    if costs.ndim != 4:
        return
    n_labels, n_slices = costs.shape[:2]
    of_image = inputs.as_array(image, "image").shape
    named_second = label_axis % 4 == 1 and of_image[-1:] == (3,) and len(of_image) == 4
    axis, spatial = fit_scores(image, costs, name, "infer")
    as_many = n_slices == n_labels or (of_image[0] == n_labels and spatial != costs.shape[1:])
    if named_second or (as_many and name != "probabilities"):
        raise InputError(
            f"image of shape {of_image} with {name} of {n_labels} labels at {costs.shape[1:]} pixels may be "
            f"{n_slices} images or a volume of {n_slices} slices; give one image at a time, or for a volume pass "
            f"channel_axis={axis}"
        )


class Prepared(NamedTuple):
    """The CRF of an image.

    Attributes
    ----------
    crf : DenseCRF
    preset : Preset
        Its parameters, with all changes, in pixels and in the units of the image.
    strength : str
        Name of the preset that was given or chosen, "own" if it has none.
    """

    crf: DenseCRF
    preset: Preset
    strength: str


class Refinery:
    """Makes the CRFs of one image; those of one strength share their lattices.

    Parameters
    ----------
    image : array_like
        Its axes are those that fit the evidence.
    evidence : Evidence
    preset : str or Preset
    changes : dict
        As :func:`refine` takes them.
    channel_axis : int, None or "infer"
    n_threads : int, optional
    """

    def __init__(
        self,
        image: ArrayLike,
        evidence: Evidence,
        preset: str | Preset,
        changes: dict[str, Any],
        channel_axis: ChannelAxis,
        n_threads: int | None = None,
    ) -> None:
        axis, self._spatial = fit_scores(image, evidence.costs, evidence.name, channel_axis)
        mask = None if evidence.mask is None else inputs.as_mask(evidence.mask, self._spatial)
        spacing = changes.get("spacing", 1.0 if preset == presets.AUTO else presets.find(preset).spacing)
        seen = Appearance.of(image, self._spatial, axis, spacing, mask, changes.get("like"))
        origin = changes.get("origin")
        self.seen = seen if origin is None else replace(seen, origin=inputs.as_origin(origin, len(self._spatial)))
        self._preset, self._aligned, self._n_threads = preset, changes.get("align_corners", False), n_threads
        self._temperature = inputs.as_weight(changes.get("temperature", 1.0), "temperature", at_least=1e-3, below=1e3)
        self._changes = {name: value for name, value in changes.items() if name in presets.OF_PRESETS}
        self._made: dict[str, Prepared] = {}

    def prepared(self, costs: np.ndarray) -> Prepared:
        """The CRF of costs (L, *spatial) or smaller."""
        if self._temperature != 1:
            costs = costs / np.float32(self._temperature)
        named, name = self._find(costs)
        before = self._made.get(name)
        chosen = self.seen.in_units(named, self._changes) if before is None else before.preset
        if chosen.dilution != 0 and self._spatial != costs.shape[1:]:
            costs = costs * np.float32(pixels_by_point(self._spatial, costs.shape[1:]) ** -chosen.dilution)
        if before is not None and before.crf.unary.shape == costs.shape:
            return before._replace(crf=with_unary(before.crf, costs))
        crf = DenseCRF(
            costs,
            self.seen.kernels(chosen),
            quality=chosen.quality,
            shape=self._spatial,
            align_corners=self._aligned,
            mask=self.seen.mask,
        )
        return self._made.setdefault(name, Prepared(crf, chosen, name))

    def _find(self, costs: np.ndarray) -> tuple[Preset, str]:
        """The preset, chosen if that is wanted, and its name."""
        if isinstance(self._preset, Preset):
            return self._preset, presets.name_of(self._preset)
        name = self._preset
        if name == presets.AUTO:
            scores = UnaryGrid(finite_costs(costs), self._spatial, self._aligned)
            name = strength.choose(scores, self.seen, self._changes, resolve_threads(self._n_threads))
        return presets.find(name), name
