"""What random calls found: each of these ended in a raw error, in a wrong result, or in an error that named nothing."""

import numpy as np
import pytest

import classicseg as cs
from classicseg import io, metrics, plot
from classicseg.errors import BudgetError, InputError, InputTypeError
from classicseg.pydensecrf import densecrf, eigen, utils

IMAGE = np.arange(20, dtype=np.uint8).reshape(4, 5)
COLORS = np.stack([IMAGE] * 3, axis=-1)
P = np.full((2, 4, 5), 0.5, np.float32)
GRID = cs.GridCRF(P, cs.Potts(1))
DENSE = cs.DenseCRF(P, cs.GaussianKernel(2, 1))
LABELS = IMAGE % 2
STRUCT = np.zeros(3, [("a", "f4"), ("b", "i4")])
STROKES = np.where(IMAGE < 2, IMAGE.astype(int), -1)

REFUSED = {
    # flags
    "a flag of unaries": (lambda: cs.unary_from_sigmoid(P, from_logits=1), InputTypeError, "from_logits"),
    "a flag of runs": (lambda: cs.minimize(DENSE, progress="yes"), InputTypeError, "progress"),
    "a flag of tune": (lambda: cs.tune([IMAGE], [P], [LABELS], progress=[]), InputTypeError, "progress"),
    "a flag of mean field": (lambda: cs.minimize(DENSE, track=np.ones(2)), InputTypeError, "track"),
    "a flag of filters": (
        lambda: cs.GaussianFilter((4, 5), 2).filter(P, adjoint="no"), InputTypeError, "adjoint"),
    "a flag of lattices": (
        lambda: cs.PermutohedralLattice(P, accurate=2), InputTypeError, "accurate"),
    "a flag of the drop-in": (lambda: utils.unary_from_labels(LABELS, 2, 0.7, "x"), InputTypeError, "zero_unsure"),
    # axes, connectivities, names
    "a connectivity that is a flag": (lambda: cs.GridCRF(P, cs.Potts(1), connectivity=True), InputError, "connec"),
    "a connectivity that is an array": (
        lambda: cs.GridCRF(P, cs.Potts(1), connectivity=np.array([4, 8])), InputError, "connectivity"),
    "channel axes in an array": (
        lambda: cs.refine(IMAGE, P, channel_axis=np.array([0, 1])), InputTypeError, "channel_axis"),
    "channel axes of a cut": (
        lambda: cs.cutout(IMAGE, STROKES, channel_axis=np.array(["a", "b"])), InputTypeError, "channel_axis"),
    "a structured channel axis": (lambda: cs.refine(IMAGE, P, channel_axis=STRUCT[0]), InputTypeError, "channel_axis"),
    "a method that is no word": (lambda: cs.minimize(GRID, ["icm"]), InputError, "method"),
    "a column that is no word": (
        lambda: cs.label_by_rule({"area": np.ones(2)}, cs.MultiOtsu(2, ["area"])), InputError, "no column"),
    "proposals that are a number": (lambda: cs.minimize(GRID, "fusion", proposals=3), InputTypeError, "proposals"),
    "proposals in an array without axes": (
        lambda: cs.minimize(GRID, "fusion", proposals=np.array(3)), InputTypeError, "proposals"),
    "a temperature next to nothing": (
        lambda: cs.minimize(GRID, "belief_propagation", temperature=5e-324), InputError, "temperature must be 0 or"),
    # kernels, weights, costs
    "costs that are not square": (lambda: cs.GridCRF(P, np.ones((2, 3))), InputError, "compatibility must be a square"),
    "marginals out of all proportion": (
        lambda: cs.DenseCRF(P, cs.GaussianKernel(2, 1e20)).pairwise_message(P * 1e30), InputError, "marginals"),
    "kernels that are a number": (lambda: cs.DenseCRF(P, 3), InputTypeError, "kernels"),
    "weights in a list": (lambda: cs.GridCRF(P, cs.Potts(1), [1, 2]), InputTypeError, "weights"),
    "costs without measure": (lambda: cs.GridCRF([[[1e300]], [[0]]], cs.Potts(1)), InputError, "unary must .* 1e.100"),
    "weights without measure": (lambda: cs.GridCRF(P, cs.Potts(1), 1e300), InputError, "weights must be at most 1e"),
    "a matrix without measure": (lambda: cs.GridCRF(P, np.eye(2) * 1e300), InputError, "compatibility must cost"),
    "label costs without measure": (
        lambda: cs.GridCRF(P, cs.Potts(1), label_costs=1e300), InputError, "label_costs must be .* at most 1e.100"),
    "costs without axes": (lambda: cs.GridCRF(P, 3.0), InputTypeError, "compatibility"),
    "costs of too many labels": (lambda: cs.Potts(1).matrix(2**40), BudgetError, "n_labels"),
    "values of other labels": (lambda: cs.Diagonal([1, 2, 3]).matrix(5), InputError, "3 values cannot serve 5"),
    "a matrix of objects": (lambda: cs.GridCRF(P, np.full((2, 2), None)), InputTypeError, "compatibility"),
    # sigmas and features
    "a temperature below all": (
        lambda: cs.unary_from_logits(P * [[[1]], [[9]]], temperature=1e-300), InputError, "temperature"),
    "a spacing below all": (lambda: cs.GridCRF(P, cs.Potts(1), spacing=5e-324), InputError, "spacing"),
    "an image of four axes": (
        lambda: cs.contrast_weights(np.zeros((2, 2, 2, 2)), channel_axis=None), InputError, "image must have 1, 2 or"),
    "a sigma that makes features infinite": (
        lambda: cs.minimize(cs.DenseCRF(P, cs.BilateralKernel(COLORS * 1e30, 5, 1e-30))), InputError, "the features"),
    "a sigma of refine": (lambda: cs.refine(IMAGE, P, bilateral_sigma=-1), InputError, "bilateral_sigma"),
    "a weight of refine": (lambda: cs.refine(IMAGE, P, bilateral_weight=np.nan), InputError, "bilateral_weight"),
    "features without number": (lambda: cs.PermutohedralLattice(np.zeros((3001, 2))), InputError, "at most 3000, got"),
    "features too far apart": (
        lambda: cs.ExactFilter(np.array([[-3e38, 3e38]], np.float32)), InputError, "features must be within"),
    "a huge grid": (lambda: cs.GaussianFilter((2**20, 2**20), 1).filter(P), (BudgetError, InputError), "shape"),
    "a shape of fractions": (lambda: cs.GaussianFilter((4.5, 5), 1), InputTypeError, "shape"),
    # scores, masks, tables
    "a truth that is no image": (lambda: metrics.boundary_f_score([0, 1], [0, 1]), InputError, "truth"),
    "labels of fractions": (lambda: metrics.scores([0.5, 1], [0, 1]), InputTypeError, "labels must hold integers"),
    "a confusion that is not square": (lambda: metrics.scores_of(np.ones((2, 3))), InputError, "confusion"),
    "a confusion below 0": (lambda: metrics.scores_of(-np.eye(2)), InputError, "confusion"),
    "a confusion of many labels": (lambda: metrics.confusion_matrix([0], [0], 2**31), BudgetError, "n_labels"),
    "an image of records": (lambda: cs.split_and_merge(np.zeros((2, 2), STRUCT.dtype), 9), InputTypeError, "image"),
    "a mask of words": (lambda: cs.split_and_merge(IMAGE, 9, mask=IMAGE.astype(str)), InputTypeError, "mask"),
    "a background of two numbers": (
        lambda: cs.paint_regions([[1, 2]], [1, 2], background=[0, 1]), InputTypeError, "background"),
    "a background that is too large": (
        lambda: cs.paint_regions([[1, 2]], np.uint8([1, 2]), background=1000), InputError, "background"),
    "parts without channels": (lambda: cs.StdDev(1).holds([np.arange(9)]), InputError, "parts must have 2 axes"),
    "parts of different channels": (
        lambda: cs.Range(1).holds([np.ones((2, 3)), np.ones((2, 1))]), InputError, "parts must be .* same channels"),
    "a range too small to square": (
        lambda: cs.statistical_region_merging(IMAGE * 1e-299), InputError, "values of image"),
    "a flag of predicates": (lambda: cs.Custom(len, monotone=np.ones(0)), InputTypeError, "monotone"),
    "no parts": (lambda: cs.Range(1).holds([]), InputError, "parts must be at least one"),
    "too many bins": (lambda: cs.HistogramDistance(0.5, bins=2**20), InputError, "bins"),
    # pictures and files
    "a palette of all colours": (lambda: plot.palette(2**50), BudgetError, "n_labels"),
    "an image without axes": (lambda: plot.displayable(3), InputError, "image"),
    "colours of the wrong kind": (lambda: plot.label_image(LABELS, colors=np.eye(3)), InputError, "colors"),
    "pictures that are none": (lambda: plot.tile(3, 2), InputTypeError, "pictures"),
    "an odd number of pictures": (lambda: plot.tile([COLORS] * 3, 2), InputError, "pictures"),
    "pictures of other numbers": (lambda: plot.tile([COLORS.astype(np.int8)], 1), InputTypeError, "pictures"),
    "blocks beyond the image": (lambda: plot.quadtree(IMAGE, [[0, 2**31 - 2, 1]]), InputError, "blocks must begin"),
    "a gap without end": (lambda: plot.tile([COLORS] * 2, 2, gap=2**40), BudgetError, "gap"),
    "a zoom without end": (lambda: plot.regions(IMAGE, LABELS, zoom=2**30), BudgetError, "zoom"),
    "a colour of two numbers": (lambda: plot.regions(IMAGE, LABELS, border=(1, 2)), InputError, "border"),
    "a record that is none": (lambda: plot.split_and_merge_frames(IMAGE, 3), InputTypeError, "record"),
    "marginals that are words": (lambda: io.write_marginals("m.npy", "words"), InputTypeError, "marginals"),
    "marginals without axes": (lambda: io.write_marginals("m.npy", 1.0), InputError, "marginals"),
    "a picture of fractions": (lambda: io.write_image("m.png", P[0]), InputTypeError, "image"),
    "a line of labels": (lambda: io.write_labels("m.tif", [0, 1]), InputError, "labels must have 2 axes"),
    # the drop-in
    "updates without end": (lambda: densecrf.DenseCRF(3, 2).inference(1e300), InputError, "niter"),
    "a shape of the drop-in": (lambda: utils.create_pairwise_gaussian((1, 1), (4.5, 5)), InputTypeError, "shape"),
    "variables of the drop-in": (lambda: densecrf.DenseCRF(2**40, 2), InputError, "nvar"),
    "labels of the drop-in": (lambda: utils.unary_from_labels(LABELS, 2**40, 0.7), BudgetError, "labels"),
    "vectors of the drop-in": (lambda: eigen.matrixXf(["a"]), InputTypeError, "values"),
    # a solver of one's own
    "a start of another kind": (
        lambda: cs.register_solver("own", accepts=cs.GridCRF, init="words"), InputError, "init"),
    "iterations below 0": (
        lambda: cs.register_solver("own", accepts=cs.GridCRF, max_iter=-1), InputError, "max_iter"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_by_name(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where files can be written
    call, kind, word = REFUSED[what]
    with pytest.raises(kind, match=word):
        call()


def test_what_is_only_unusual_works():
    assert cs.StdDev(1e308).holds([np.arange(9.0)[:, None]])
    assert cs.PRESETS["default"].replace(sigma=np.float32(0.5)).in_pixels(10).sigma == 5
    np.testing.assert_array_equal(eigen.vectorXf([1e300]), [np.inf])
    hot = np.where(IMAGE == 7, 1e12, IMAGE)[..., None] * [1.0, 1e-9, 0.0]  # a mixture of colours along a line
    assert cs.cutout(hot, STROKES).mask.shape == IMAGE.shape
    values = np.random.default_rng(0).random((300, 2))
    for one, other in zip(
        cs.RegionStatistics.of(values), cs.RegionStatistics.of(np.asfortranarray(values)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
