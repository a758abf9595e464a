"""Streamed minimum cuts are those of the run in memory, whatever the bands are, and prove it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_shape
from classicseg.pipelines import cut_edges


@st.composite
def problems(draw):
    """An energy of two labels that streams, and the same in memory."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, connectivity = draw(
        st.sampled_from((((9, 7), 4), ((13, 3), 4), ((1, 8), 4), ((8, 1), 4), ((11, 6), 8), ((6, 4, 3), 6)))
    )
    noise = draw(st.sampled_from((1, 4, 40)))
    unary = rng.integers(-noise, noise + 1, (2, *shape)) * draw(st.sampled_from((1.0, 0.25)))
    weights = {
        name: rng.integers(0, draw(st.sampled_from((1, 4, 12))) + 1, edge_shape(shape, offset))
        for name, offset in directions(len(shape), connectivity).items()
    }
    if draw(st.booleans()):
        unary[:, rng.random(shape) < 0.7] = 0
    if draw(st.booleans()):
        forbidden = rng.random(unary.shape) < 0.1
        forbidden[1] &= ~forbidden[0]
        unary[forbidden] = np.inf
    options = {"connectivity": connectivity}
    if draw(st.booleans()):
        options["mask"] = rng.random(shape) < 0.8
        options["mask"].reshape(-1)[0] = True
    return unary, weights, options


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(1, 5), st.sampled_from((1, 7, 2**17)))
def test_labels_are_those_of_the_run_in_memory(problem, window, at_once):
    unary, weights, options = problem
    expected = cs.minimize(cs.GridCRF(unary, cs.Potts(1), weights, **options), "graph_cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut_edges, "_AT_ONCE", at_once)
        patch.setattr("classicseg.solvers.cut.bands._AT_ONCE", at_once)
        result = cs.minimum_cut_streamed(unary, weights, **options, window=window)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.energy == expected.energy
    assert result.flow == result.cut
