"""The modules of lessons: made of the sources that are there, and equal to the library."""

from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg import data
from classicseg.reference.lattice import Lattice
from tests.lessons.modules import LESSONS, call, sources


def test_no_module_is_stale():
    names = ", ".join(sources.stale())
    assert not names, f"{names}: sources have changed, run python docs/lessons/make.py --wasm"


def test_comments_and_docstrings_do_not_make_a_module_stale_but_code_does(tmp_path: Path):
    def essence(text: str) -> str:
        path = tmp_path / "source.py"
        path.write_text(text, encoding="utf-8")
        return sources._essence(path)

    plain = essence('"""A."""\nx = 1\n\n\ndef f():\n    """B."""\n    return x\n')
    assert plain == essence('"""C."""\nx = 1  # why\n\n\ndef f():\n    """D\n    E."""\n\n    return x\n')
    assert plain != essence('"""A."""\nx = 2\n\n\ndef f():\n    """B."""\n    return x\n')
    assert essence('x = "a"\n') != essence('x = "b"\n')


def test_the_digest_covers_kernels_that_are_imported_indirectly():
    names = {path.name for path in sources.files_of(LESSONS / "entries" / "dense.py")}
    assert {"dense.py", "wasm.py", "entry.py", "mean_field.py", "hashing.py", "simd.py", "packs.py"} <= names
    assert not {"cache.py", "threads.py"} & names


@pytest.mark.parametrize("shape", [(5, 5), (1, 7), (6, 1), (9, 12)])
def test_minimum_cuts_are_those_of_the_library(shape):
    rng = np.random.default_rng(sum(shape))
    height, width = shape
    unary = rng.integers(0, 10, (2, *shape), dtype=np.int32)
    right, down = rng.integers(0, 6, (height, width - 1)), rng.integers(0, 6, (height - 1, width))
    right, down = right.astype(np.int32), down.astype(np.int32)
    side, left = np.zeros(shape, np.int32), np.zeros((*shape, 5), np.int32)
    _, (*_, side, left) = call("cut", "minimum_cut", height, width, unary, right, down, side, left)
    crf = cs.GridCRF(unary, cs.Potts(1.0), {"right": right.astype(float), "down": down.astype(float)})
    result = cs.minimize(crf, "graph_cut")
    assert crf.energy(side) == result.energy
    assert np.array_equal(side, result.labels)
    assert (left[..., :4] >= 0).all()


def test_mean_field_is_that_of_the_library():
    sample = data.sample()
    image = np.ascontiguousarray(sample.image[100:164, 200:296])
    probabilities = sample.probabilities[:, 100:164, 200:296].astype(np.float32)
    unary = -np.log(np.maximum(probabilities, 1e-4)).astype(np.float32)
    marginals, labels = np.zeros_like(unary), np.zeros(image.shape[:2], np.int32)
    parameters = 3.0, 3.0, 40.0, 13.0, 10.0, 5
    n_vertices, (*_, marginals, labels) = call(
        "dense", "dense_crf", *image.shape[:2], len(unary), image, unary, *parameters, marginals, labels
    )
    kernels = [cs.GaussianKernel(3.0, 3.0), cs.BilateralKernel(image, 40.0, 13.0, 10.0)]
    crf = cs.DenseCRF(unary, kernels, quality="fast")
    result = cs.minimize(crf, "mean_field", max_iter=5)
    assert n_vertices == crf.lattice_bank(1).bank.vertex[1, 1]
    assert np.array_equal(labels, result.labels)
    assert (labels != unary.argmin(0)).mean() > 0.01  # there was something to do
    assert np.abs(marginals - result.marginals).max() <= 1e-6


@pytest.mark.parametrize(("n", "spread"), [(40, 4), (17, 40), (1, 1)])
def test_every_step_of_a_lattice_is_that_of_its_twin(n, spread):
    rng = np.random.default_rng(n)
    features = (rng.random((2, n)) * spread).astype(np.float32)
    values = rng.random((3, n)).astype(np.float32)
    vertices = 3 * n
    empty = np.zeros((n, 3), np.int32), np.zeros((n, 3), np.float32), np.zeros((vertices, 2), np.int32)
    empty += np.zeros((3, vertices, 2), np.int32), np.zeros((4, vertices, 3), np.float32), np.zeros_like(values)
    found, (*_, simplex, weight, position, neighbour, rows, out) = call(
        "lattice", "steps", n, 3, features, values, *empty
    )
    lattice = cs.PermutohedralLattice(features)
    assert found == lattice.n_vertices
    assert np.abs(out - lattice.filter(values)).max() <= 1e-6 * np.abs(out).max()
    twin = Lattice(features)
    position, rows = position[:found], rows.reshape(-1)[: 4 * found * 3].reshape(4, found, 3)
    order = np.array([np.flatnonzero((twin.vertices == p).all(axis=1))[0] for p in position])
    assert np.array_equal(order[simplex], twin.index)
    assert np.abs(weight - twin.weights).max() <= 1e-5
    neighbour = neighbour.reshape(-1)[: 3 * found * 2].reshape(3, found, 2)
    mine = np.where(neighbour < 0, -1, order[neighbour])
    assert np.array_equal(mine, np.stack(twin.neighbours)[:, :, order].transpose(0, 2, 1))
    expected = twin.splat(values.astype(float))
    for step in range(4):
        if step > 0:
            up, down = twin.neighbours[step - 1]
            blurred = expected[:, :-1] + 0.5 * (expected[:, up] + expected[:, down])
            expected = np.pad(blurred, ((0, 0), (0, 1)))
        gain = twin.gain if step == 3 else 1
        assert np.abs(rows[step] - gain * expected[:, order].T).max() <= 1e-5


def test_the_lattice_of_an_image_filters_as_the_library_does():
    image = np.ascontiguousarray(data.sample().image[100:148, 200:277])
    sigma, color = 12, 20
    values = np.random.default_rng(2).random((5, *image.shape[:2])).astype(np.float32)
    n_vertices, (*_, out) = call(
        "lattice", "bilateral", *image.shape[:2], image, sigma, color, values, np.zeros_like(values)
    )
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    lattice = cs.PermutohedralLattice(
        np.stack([x / sigma, y / sigma, *(image.transpose(2, 0, 1) / color)]).astype("f4")
    )
    assert n_vertices == lattice.n_vertices
    expected = lattice.filter(values)
    assert np.abs(out - expected).max() <= 1e-6 * expected.max()


def _grid_problem(shape, n_labels, n_directions, seed=0):
    rng = np.random.default_rng(seed)
    unary = rng.integers(0, 20, (n_labels, *shape), dtype=np.int32)
    weights = np.zeros((4, *shape), np.int32)
    ends = [(slice(None), slice(-1)), (slice(-1), slice(None)), (slice(-1), slice(-1)), (slice(-1), slice(1, None))]
    named = {}
    for k, (name, end) in enumerate(zip(("right", "down", "down_right", "down_left"), ends, strict=True)):
        if k < n_directions:
            weights[k][end] = rng.integers(0, 9, weights[k][end].shape)
            named[name] = weights[k][end].astype(float)
    return unary, weights, cs.GridCRF(unary, cs.Potts(1.0), named, connectivity=2 * n_directions)


@pytest.mark.parametrize("n_directions", [2, 4])
def test_icm_and_expansion_end_where_the_library_does(n_directions):
    shape, n_labels = (11, 18), 4
    unary, weights, crf = _grid_problem(shape, n_labels, n_directions)
    given = *shape, n_labels, n_directions, unary, weights
    for method, start, n_iter in [("icm", unary.argmin(0), 12), ("expansion", None, 16)]:
        if start is None:
            start = np.full(shape, unary.reshape(n_labels, -1).sum(axis=1).argmin())
        _, (*_, labels, energies) = call("grid", method, *given, n_iter, start.astype(np.int32), np.zeros(n_iter))
        result = cs.minimize(crf, method)
        assert np.array_equal(labels, result.labels)
        assert energies[-1] == result.energy
        assert (np.diff(energies) <= 0).all()


@pytest.mark.parametrize("n_directions", [2, 4])
def test_trws_bounds_all_labellings_as_in_the_library(n_directions):
    shape, n_labels, n_iter = (19, 21), 3, 30
    unary, weights, crf = _grid_problem(shape, n_labels, n_directions, seed=1)
    given = *shape, n_labels, n_directions, unary, weights, n_iter, np.zeros(shape, np.int32)
    _, (*_, labels, energies, bounds) = call("grid", "trws", *given, np.zeros(n_iter), np.zeros(n_iter))
    result = cs.minimize(crf, "trws", max_iter=n_iter, tol=0)
    assert energies[-1] == crf.energy(labels)
    assert bounds[-1] <= result.energy + 1e-6
    assert abs(bounds[-1] - result.lower_bound) <= 1  # the library rounds up, and decodes after fewer passes
    assert energies[-1] <= result.energy + 0.01 * abs(result.energy)


@pytest.mark.parametrize("predicate", [cs.Range(60), cs.StdDev(20), cs.MeanDifference(25)], ids=repr)
@pytest.mark.parametrize(("shape", "stop"), [((64, 64), 0), ((64, 41), 2)])
def test_split_and_merge_takes_the_steps_of_the_library(predicate, shape, stop):
    rng = np.random.default_rng(3)
    yx = np.mgrid[: shape[0], : shape[1]]
    image = (60 + 100 * (np.hypot(yx[0] - 30, yx[1] - 20) < 14) + rng.integers(0, 30, shape)).astype(np.uint8)
    n = image.size
    empty = np.zeros(shape, np.int32), np.zeros((n, 4), np.int32), np.zeros((n, 2), np.int32), np.zeros(1, np.int32)
    code, threshold, _ = predicate._instruction()
    given = *shape, image, code, threshold, threshold, 6, stop
    n_leaves, (*_, leaves, blocks, log, n_merges) = call("regions", "split_and_merge", *given, *empty)
    expected = cs.quadtree(image, predicate, min_size=2**stop)
    assert np.array_equal(np.column_stack([blocks[:n_leaves, 1:3], 1 << blocks[:n_leaves, 3]]), expected)
    labels = leaves.copy()
    for kept, gone in log[: n_merges[0]]:
        labels[labels == gone] = kept
    result = cs.split_and_merge(image, predicate, min_size=2**stop, merge="best_first")
    assert np.array_equal(np.unique(labels, return_inverse=True)[1].reshape(shape) + 1, result)


@pytest.mark.parametrize("shape", [(1, 7), (3, 3), (4, 6)])
def test_belief_propagation_sends_the_messages_of_the_library(shape):
    n_labels, n_iter = 3, 4
    unary = np.random.default_rng(5).integers(0, 10, (n_labels, *shape)).astype(float)
    by_pixel, messages = np.ascontiguousarray(unary.reshape(n_labels, -1).T), np.zeros((2, *shape, n_labels))
    given = *shape, n_labels, by_pixel, 3.0, n_iter, messages, messages
    _, (*_, costs, labels) = call("messages", "propagate", *given, np.zeros_like(by_pixel), np.zeros(shape, np.int32))
    crf = cs.GridCRF(unary, cs.Potts(3.0))
    result = cs.minimize(crf, "belief_propagation", max_iter=n_iter, tol=0, damping=0, schedule="raster")
    if shape[0] == 1:  # exact on a chain
        least = cs.minimize(crf, "trws")
        assert crf.energy(labels) == least.energy
        assert costs.min() <= least.energy
    assert crf.energy(labels) >= result.energy
