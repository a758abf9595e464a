"""Every solver leaves out what takes no part, and gives no label that is forbidden."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.solvers.catalog import SOLVERS
from tests.strategies.masks import masks, padded, with_noise

SHAPE = (4, 6)
UNARY = np.random.default_rng(0).integers(0, 9, (2, *SHAPE)).astype(np.float32)
MASK = np.random.default_rng(5).random(SHAPE) < 0.6
GRID = cs.GridCRF(UNARY, cs.Potts(2), connectivity=8, mask=MASK)
DENSE = cs.DenseCRF(UNARY, cs.GaussianKernel(2.0, 3.0), mask=MASK)
CASES = [(solver, energy) for solver in SOLVERS for energy in (GRID, DENSE) if solver.accepts(energy) is None]
each = pytest.mark.parametrize(("solver", "energy"), CASES, ids=lambda x: getattr(x, "name", type(x).__name__))
GRID_METHODS = [solver.name for solver, energy in CASES if energy is GRID]


def call(name, energy, **arguments):
    if name == "fusion":
        arguments["proposals"] = [np.full(energy.shape, label) for label in range(energy.n_labels)]
    if name == "annealing":
        arguments["max_iter"] = 20
    return cs.minimize(energy, name, **arguments)


@each
def test_results_and_callbacks_tell_who_takes_part(solver, energy):
    seen = []
    result = call(solver.name, energy, callback=seen.append)
    for labels in (result.labels, *(state.labels for state in seen if state.labels is not None)):
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels == -1, ~MASK)
    for q in (result.marginals, *(state.marginals for state in seen)):
        if q is not None:
            assert (q[:, ~MASK] == 0).all()
            np.testing.assert_allclose(q[:, MASK].sum(axis=0), 1, atol=1e-5)
    assert result.energy == energy.energy(result.labels)
    assert result.lower_bound is None or result.lower_bound <= result.energy


@each
def test_what_stands_outside_changes_no_bit(solver, energy):
    result = call(solver.name, energy)
    noisy = with_noise(UNARY, MASK, 1)
    if energy is GRID:
        other = cs.GridCRF(noisy, cs.Potts(2), connectivity=8, mask=MASK)
    else:
        other = cs.DenseCRF(noisy, energy.kernels, mask=MASK)
    again = call(solver.name, other)
    np.testing.assert_array_equal(again.labels, result.labels)
    assert (again.energy, again.lower_bound, again.n_iter) == (result.energy, result.lower_bound, result.n_iter)


@each
def test_the_start_may_have_anything_outside(solver, energy):
    if solver.init is None:
        return
    if solver.init == "labels":
        inits = [np.where(MASK, 1, outside) for outside in (-1, 255)]
    else:
        q = np.random.default_rng(1).dirichlet(np.ones(2), SHAPE).astype(np.float32).transpose(2, 0, 1)
        inits = [with_noise(q, MASK, seed) for seed in range(2)]
    first, second = (call(solver.name, energy, init=init) for init in inits)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert call(solver.name, energy, init=first.labels if solver.init == "labels" else first.marginals).energy < np.inf


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    masks((3, 4)), st.integers(0, 99), st.sampled_from(GRID_METHODS), st.tuples(st.integers(0, 9), st.integers(0, 9))
)
def test_padding_with_noise_changes_no_label_of_a_grid(mask, seed, method, by):
    rng = np.random.default_rng(seed)
    unary = rng.random((2, 3, 4))
    larger, inside = padded(unary, mask, by, seed)
    result, again = (
        call(method, cs.GridCRF(u, cs.Potts(0.3), connectivity=8, mask=m)) for u, m in ((unary, mask), (larger, inside))
    )
    np.testing.assert_array_equal(again.labels[:3, :4], result.labels)
    assert (again.labels == -1).sum() == again.labels.size - mask.sum()
    assert again.energy == pytest.approx(result.energy, rel=1e-12)


def of_inside(crf, labels):
    """Energies of labellings (m, n) of the pixels that take part, by sums over pixels and pairs."""
    flat = np.flatnonzero(crf.mask) if crf.mask is not None else np.arange(crf.unary[0].size)
    unary = crf.unary.reshape(crf.n_labels, -1)
    total = unary[labels, flat].sum(axis=1, dtype=np.float64)
    place = {int(pixel): i for i, pixel in enumerate(flat)}
    for name, weights in crf.weights.items():
        dy, dx = crf.directions[name]
        for (y, x), weight in np.ndenumerate(weights):
            first = y * crf.shape[1] + x + (1 if dx < 0 else 0)
            second = first + dy * crf.shape[1] + dx
            if first in place and second in place:
                total += weight * crf.cost[labels[:, place[first]], labels[:, place[second]]]
    if crf.label_costs is not None:
        for label, price in enumerate(crf.label_costs):
            total += price * (labels == label).any(axis=1)
    return total


def every(n_labels, n):
    return np.array(list(itertools.product(range(n_labels), repeat=n)), np.int64)


@st.composite
def grids_with_forbidden_labels(draw):
    """2 or 3 labels on 2 x 3 pixels of which some take part, some of them with labels that they may not take."""
    n_labels, seed = draw(st.sampled_from([2, 3])), draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    unary = rng.integers(0, 9, (n_labels, 2, 3)).astype(float)
    unary[rng.random(unary.shape) < 0.4] = np.inf
    unary[rng.integers(n_labels), np.isinf(unary).all(axis=0)] = 4
    costs = draw(st.sampled_from([None, [1.0, 2.0, 3.0][:n_labels]]))
    compatibility = draw(st.sampled_from([cs.Potts(1), cs.TruncatedLinear(2, truncation=2), cs.Potts(0.3)]))
    mask = draw(st.one_of(st.none(), masks((2, 3))))
    return cs.GridCRF(unary, compatibility, draw(st.sampled_from([1, 3])), label_costs=costs, mask=mask)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(grids_with_forbidden_labels(), st.sampled_from(sorted(set(GRID_METHODS))))
def test_forbidden_labels_and_masks_against_all_labellings(crf, method):
    if method not in cs.methods(crf):
        return
    result = call(method, crf)
    inside = result.labels.reshape(-1) if crf.mask is None else result.labels[crf.mask]
    (value,) = of_inside(crf, inside[None])
    least = of_inside(crf, every(crf.n_labels, crf.n_points)).min()
    assert np.isfinite(least)
    assert result.energy == pytest.approx(value, rel=1e-9)
    assert np.isfinite(value)
    assert result.lower_bound is None or result.lower_bound <= least + 1e-9
    if method == "graph_cut":
        assert value == pytest.approx(least, rel=1e-9)
    if result.marginals is not None:
        assert not np.isnan(result.marginals).any()
        assert result.marginals[np.isinf(crf.unary)].max(initial=0) <= (0.5 if method == "qpbo" else 0)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(grids_with_forbidden_labels())
def test_chains_with_gaps_are_solved_exactly(crf):
    """Belief propagation on a line that a mask cuts into several has the least energy."""
    rows = np.moveaxis(crf.unary, 1, 0)[0]
    chain = cs.GridCRF(
        rows, crf.compatibility, 3, mask=None if crf.mask is None or not crf.mask[0].any() else crf.mask[0]
    )
    least = call("trws+expansion", chain)
    assert call("belief_propagation", chain).energy == pytest.approx(least.energy)
    assert least.gap == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("quality", ["fast", "high", "exact"])
@pytest.mark.parametrize("method", ["mean_field", "mean_field_convergent"])
@pytest.mark.parametrize("mask", [None, MASK])
def test_forbidden_labels_of_a_dense_crf_have_no_probability(method, quality, mask):
    rng = np.random.default_rng(2)
    unary = 3 * rng.random((3, *SHAPE))
    unary[rng.random(unary.shape) < 0.4] = np.inf
    unary[0, np.isinf(unary).all(axis=0)] = 1
    inside = np.ones(SHAPE, bool) if mask is None else mask
    dearer = np.where(np.isinf(unary), 300, unary)  # what every float32 exponential takes for impossible
    for weight in (4.0, -2.0):
        kernel = cs.GaussianKernel(2.0, weight)
        crf = cs.DenseCRF(unary, kernel, quality=quality, mask=mask)
        plain = cs.DenseCRF(dearer, kernel, quality=quality, mask=mask)
        for options in ({}, {"tol": 0.0}, *([{"damping": 0.3}, {"track": True}] if method == "mean_field" else [])):
            result = cs.minimize(crf, method, max_iter=4, **options)
            assert (result.marginals[np.isinf(unary)] == 0).all()
            assert np.isfinite(result.marginals).all()
            assert np.isfinite([row.energy for row in result.history]).all()
            assert np.isfinite(result.energy)
            same = cs.minimize(plain, method, max_iter=4, **options)
            np.testing.assert_allclose(result.marginals, same.marginals, atol=2e-6)
            assert np.isinf(np.take_along_axis(unary, np.maximum(result.labels, 0)[None], 0)[0][inside]).sum() == 0
    start = np.full((3, *SHAPE), 1 / 3)
    result = cs.minimize(crf, method, init=start, max_iter=2)
    assert (result.marginals[np.isinf(unary)] == 0).all()


def test_mean_field_of_all_labellings_of_a_forbidden_pair():
    """Marginals of independent pixels are those of the energy itself."""
    unary = np.array([[[1.0, np.inf, 2.0]], [[np.inf, 0.5, 1.0]]])
    result = cs.minimize(cs.DenseCRF(unary, []), "mean_field")
    p = np.exp(-unary)
    np.testing.assert_allclose(result.marginals, p / p.sum(axis=0), rtol=1e-6)
    assert result.marginals[0, 0, 1] == 0
    assert cs.minimize(cs.DenseCRF(unary, []), "mean_field", max_iter=0).energy == 2.5


def test_the_free_energy_of_a_masked_grid_is_that_of_its_parts():
    mask = np.ones((3, 8), bool)
    mask[:, 4:6] = False
    unary = np.random.default_rng(1).random((2, 3, 8))
    whole = cs.minimize(cs.GridCRF(unary, cs.Potts(0.5), mask=mask), "mean_field", tol=0, max_iter=5)
    parts = [
        cs.minimize(cs.GridCRF(unary[..., some], cs.Potts(0.5)), "mean_field", tol=0, max_iter=5)
        for some in (slice(0, 4), slice(6, 8))
    ]
    for i, row in enumerate(whole.history):
        assert row.energy == pytest.approx(sum(part.history[i].energy for part in parts), rel=1e-9)
    np.testing.assert_allclose(whole.marginals[..., :4], parts[0].marginals, rtol=1e-6)


def test_a_graph_cut_keeps_its_mask_when_costs_change():
    cut = cs.GraphCut(GRID)
    first = cut.solve()
    np.testing.assert_array_equal(first.labels, cs.minimize(GRID, "graph_cut").labels)
    other = UNARY[::-1].copy()
    cut.set_unary(with_noise(other, MASK, 3))
    again = cut.solve()
    expected = cs.minimize(cs.GridCRF(other, cs.Potts(2), connectivity=8, mask=MASK), "graph_cut")
    np.testing.assert_array_equal(again.labels, expected.labels)
    assert again.energy == expected.energy


def test_proofs_are_counted_inside():
    result = cs.minimize(GRID, "qpbo")
    unlabelled = int((result.marginals[0] == 0.5).sum())
    assert result.message == f"{unlabelled} of {MASK.sum()} pixels unlabelled"
    sure = cs.minimize(cs.GridCRF([[[0, 1, 0]], [[5, 7, 5]]], cs.Potts(1), mask=[[1, 0, 1]]), "qpbo")
    assert sure.message == "0 of 2 pixels unlabelled"
    assert sure.converged
