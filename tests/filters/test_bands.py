"""How far vertices reach, and steps that follow each other in a wave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicseg.filters.bands import reach, wave
from classicseg.filters.blur import AXES, stencil_blurs
from classicseg.filters.building import Space
from classicseg.filters.features import Column, Features
from classicseg.reference.lattice import Lattice


@pytest.mark.parametrize(("d", "axis"), [(1, 0), (2, 1), (3, 1), (3, 2), (5, 1)])
def test_points_that_touch_the_same_vertex_are_near(d, axis):
    """By the twin in plain NumPy: no two are farther apart than it is said, and some are nearly as far."""
    step = 0.1  # standard deviations
    features = np.random.default_rng(d + axis).uniform(0, 2, (d, 6000))
    rows = np.arange(features.shape[1]) % 60
    features[axis] = rows * step
    space = Space.of(Features([Column(row, 1.0) for row in features], AXES), AXES)
    found, twin = reach.reach_of(space, axis, step, 1), Lattice(features)
    least, most = np.full(len(twin.vertices), 99), np.zeros(len(twin.vertices), int)
    for corner in twin.index.T:
        np.minimum.at(least, corner, rows)
        np.maximum.at(most, corner, rows)
    assert 0.8 * found.touch <= (most - least).max() <= found.touch
    near = max(np.abs(least - least[to])[to >= 0].max() for along in twin.neighbours for to in along)
    assert near <= found.near


def test_stencils_and_other_spacings_reach_farther():
    columns = [Column(np.linspace(0, 9, 100), 1.0)] * 3
    (blur, *_) = stencil_blurs(3)
    along, within = (Space.of(Features(columns, how), how) for how in (AXES, blur))
    assert reach.reach_of(within, 1, 0.1, 1).near > reach.reach_of(along, 1, 0.1, 1).near
    one, two = (reach.reach_of(along, 1, step, 7) for step in (0.1, 0.05))
    assert one.touch < two.touch < 2 * one.touch
    assert one.touch % 7 == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 7), st.integers(0, 90), st.integers(1, 50), st.integers(1, 3))
def test_a_wave_does_all_steps_to_all_vertices_in_an_order_that_lets_them_see_each_other(n, steps, far, least, threads):
    done, gone = np.zeros(n, int), np.zeros(n, bool)

    def work(step, first, last):
        near = done[max(0, first - far) : last + far]
        if first < last:
            assert (done[first:last] == step).all()
            assert near.min() >= step  # what the step before has made is there
            assert near.max() <= step + 1  # and nothing that it is read from is overwritten
            assert not gone[max(0, first - far) : last + far].any()
        done[first:last] += 1

    def leave(first, last):
        assert (done[first:last] == steps).all()
        gone[first:last] = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wave, "_FEWEST", least)
        wave.run_wave(n, steps, far, work, leave, 1)
    assert (done == steps).all()
    assert gone.all()
