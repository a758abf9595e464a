"""Where one number is expected, nothing else is taken: no list that holds one, no number without bounds, no object."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import classicseg as cs
from classicseg import io, metrics, plot
from classicseg.errors import BudgetError, InputError, InputTypeError
from classicseg.pydensecrf import densecrf, utils

GRAY = np.arange(20, dtype=np.uint8).reshape(4, 5)
LABELS = GRAY % 2
P = np.full((2, 4, 5), 0.5, np.float32)
FRAMES = [np.zeros((2, 2, 3), np.uint8)]
STROKES = np.where(GRAY < 2, GRAY, -1).astype(int)
GRID = cs.GridCRF(P, cs.Potts(1))
DENSE = cs.DenseCRF(P, cs.GaussianKernel(2, 1))


@dataclass
class Fails:
    error: Exception

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise self.error


STRANGERS = [
    [1.0],
    (1,),
    np.array([1.0]),
    np.array([[1]]),
    np.zeros((), [("a", "i4")]),
    np.array("1"),
    "one",
    b"1",
    1j,
    {},
    Fails(RuntimeError("no")),
    Fails(ValueError("no")),
]

CALLS = {
    "tolerance": [
        lambda x: metrics.boundary_f_score(LABELS, LABELS, tolerance=x),
        lambda x: cs.seeded_region_growing(GRAY, LABELS, tolerance=x),
        lambda x: cs.tune([GRAY], [P], [LABELS], budget=1, metric="boundary", tolerance=x),
    ],
    "ignore_label": [
        lambda x: metrics.scores(LABELS, LABELS, ignore_label=x),
        lambda x: plot.label_image(LABELS, ignore_label=x),
        lambda x: cs.unary_from_labels(LABELS, 2, ignore_label=x),
    ],
    "unlabeled": [lambda x: cs.unary_from_scribbles(STROKES, 2, unlabeled=x)],
    "n_labels": [lambda x: metrics.scores(LABELS, LABELS, x), lambda x: utils.unary_from_labels(LABELS, x, 0.7)],
    "width": [lambda x: metrics.trimap_confusion(LABELS, LABELS, 2, x)],
    "complexity": [lambda x: cs.statistical_region_merging(GRAY, x)],
    "value_range": [lambda x: cs.statistical_region_merging(GRAY, value_range=x)],
    "homogeneity": [lambda x: cs.split_and_merge(GRAY, x)],
    "merge_homogeneity": [lambda x: cs.split_and_merge(GRAY, 9, merge_homogeneity=x)],
    "threshold": [cs.Range, cs.StdDev, lambda x: cs.segment(GRAY, "slic_merge", threshold=x)],
    "compactness": [
        lambda x: cs.segment(GRAY, "slic", compactness=x),
        lambda x: cs.segment(GRAY, "watershed", compactness=x),
    ],
    "scale": [
        lambda x: cs.segment(GRAY, "felzenszwalb", scale=x),
        lambda x: cs.unary_from_probabilities(P, scale=x),
        lambda x: utils.unary_from_softmax(P, scale=x),
    ],
    "max_dist": [lambda x: cs.segment(GRAY, "quickshift", max_dist=x)],
    "kernel_size": [lambda x: cs.segment(GRAY, "quickshift", kernel_size=x)],
    "ratio": [lambda x: cs.segment(GRAY, "quickshift", ratio=x)],
    "beta": [lambda x: cs.segment(GRAY, "random_walker", seeds=LABELS, beta=x)],
    "sigma": [lambda x: cs.segment(GRAY, "slic", sigma=x)],
    "n_segments": [lambda x: cs.segment(GRAY, "slic", n_segments=x)],
    "temperature": [lambda x: cs.unary_from_logits(P, temperature=x)],
    "clip": [lambda x: cs.unary_from_probabilities(P, clip=x), lambda x: utils.unary_from_softmax(P, clip=x)],
    "hot": [lambda x: cs.minimize(GRID, "annealing", max_iter=1, hot=x)],
    "max_iter": [lambda x: cs.minimize(GRID, "icm", max_iter=x), lambda x: cs.refine(GRAY, P, max_iter=x)],
    "tol": [lambda x: cs.minimize(DENSE, "mean_field", tol=x)],
    "n_components": [lambda x: cs.cutout(GRAY, STROKES, n_components=x)],
    "weight": [lambda x: cs.cutout(GRAY, STROKES, weight=x), lambda x: cs.refine(GRAY, P, weight=x)],
    "label": [lambda x: cs.Rule(x, area=(1, None))],
    "area": [lambda x: cs.Rule(1, area=(x, None))],
    "default": [lambda x: cs.label_by_rule({"area": np.ones(2)}, cs.Rule(1, area=(1, 2)), default=x)],
    "seconds": [lambda x: io.write_animation("x.gif", FRAMES, seconds=x)],
    "niter": [lambda x: densecrf.DenseCRF(4, 2).inference(x)],
}
WHOLE = ("n_labels", "unlabeled", "max_iter", "n_components", "label", "default")
PAIRS = [(name, call) for name, calls in CALLS.items() for call in calls]


@pytest.mark.parametrize(("name", "call"), PAIRS, ids=[name for name, _ in PAIRS])
def test_what_is_no_single_number_is_refused_by_name(name, call):
    for stranger in STRANGERS:
        with pytest.raises((InputError, InputTypeError), match=rf"\b{name}\b"):
            call(stranger)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (name, call)
        for name, call in PAIRS
        if name in ("n_labels", "unlabeled", "max_iter", "n_components", "label", "default")
    ],
)
def test_whole_numbers_beyond_all_bounds_are_refused_by_name(name, call):
    for number in (2**40, 2**70, -(2**70)):
        with pytest.raises((InputError, InputTypeError, BudgetError), match=rf"\b{name}\b|GiB"):
            call(number)


def test_labels_that_32_bits_do_not_hold_are_not_cut_off():
    far = np.array([[2**32, 1]], np.uint64)
    for call in (metrics.scores, metrics.boundary_f_score):
        for given in ((far, [[0, 1]]), ([[0, 1]], far)):
            with pytest.raises(InputError, match="must be 0 to 2147483647, got 4294967296"):
                call(*given)


def test_arrays_without_axes_are_numbers():
    number = np.array(2.0, np.float32)
    assert cs.Range(number) == cs.Range(2)
    assert repr(cs.Rule(1, area=(number, None))) == "Rule(1, area=(2, None))"
    assert metrics.boundary_f_score(LABELS, LABELS, tolerance=number) == 1
