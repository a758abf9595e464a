"""Minimum cuts found again after the unary costs of a region changed."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_shape
from classicseg.solvers.cut import kept, near
from tests.solvers.grids import CONNECTIVITIES

LONGEST = {1: 120, 2: 26, 3: 8}


def be_patient(patch, steps):
    """Let searches near a change take so many steps before all is cut."""
    patch.setattr(near, "_FEW", steps)
    patch.setattr(near, "_PATIENCE", 0.0)


def some_region(rng, shape):
    starts = [int(rng.integers(n)) for n in shape]
    return tuple(slice(at, min(n, at + int(rng.integers(1, 7)))) for at, n in zip(starts, shape, strict=True))


def costs(rng, shape, whole):
    return rng.integers(-20, 21, shape) if whole else rng.normal(size=shape) * 20


def changed_costs(rng, shape, whole):
    """Other costs; some forbid a label, some outweigh all edges, some differ from pixel to pixel."""
    values = costs(rng, shape, whole).astype(float)
    kind = rng.integers(4)
    if kind < 2:
        values[rng.integers(2)] += (np.inf, 1000)[kind]
    elif kind == 2:
        values[(rng.integers(2, size=shape[1:]), *np.indices(shape[1:]))] = np.inf
    return values


def some_energy(rng, kind, whole):
    n_axes, connectivity = kind
    shape = tuple(int(n) for n in rng.integers(1, LONGEST[n_axes], n_axes))
    weights = {
        name: costs(rng, edge_shape(shape, offset), whole).clip(0) * (rng.random(edge_shape(shape, offset)) < 0.9)
        for name, offset in directions(n_axes, connectivity).items()
    }
    unary = costs(rng, (2, *shape), whole)
    compatibility = cs.Potts(2) if rng.random() < 0.7 else [[1, 4], [5, 0]]
    dtype = float if rng.random() < 0.5 else unary.dtype
    return cs.GridCRF(unary.astype(dtype), compatibility, weights, connectivity=connectivity)


@settings(deadline=None, max_examples=24)
@given(st.sampled_from(CONNECTIVITIES), st.booleans(), st.integers(0, 2**32 - 1))
def test_changes_of_regions_one_after_the_other_equal_solving_anew(kind, whole, seed):
    rng = np.random.default_rng(seed)
    crf = some_energy(rng, kind, whole)
    unary, out = crf.unary.astype(float), np.zeros(crf.shape, np.int32)
    with pytest.MonkeyPatch.context() as patch:
        be_patient(patch, int(rng.choice([0, 60, 10**6], p=[0.1, 0.2, 0.7])))
        cut = cs.GraphCut(crf, n_threads=int(rng.integers(1, 3)))
        cut.solve(out=out)
        for _ in range(5):
            before = out.copy()
            for _ in range(rng.integers(1, 4)):
                region = some_region(rng, crf.shape)
                unary[(slice(None), *region)] = values = changed_costs(rng, unary[(slice(None), *region)].shape, whole)
                cut.set_unary(values, region)
            again = cut.solve(out=out)
            energy = cs.GridCRF(unary, crf.compatibility, crf.weights, connectivity=crf.connectivity)
            anew = cs.minimize(energy, "graph_cut")
            room = 1e-12 * max(1, abs(anew.energy))
            assert again.converged
            assert abs(again.energy - energy.energy(out)) <= room
            assert abs(again.energy - anew.energy) <= again.gap + anew.gap + room
            if whole:
                assert again.energy == anew.energy == again.lower_bound
            changed = out != before
            if cut.changed is not None:
                changed[cut.changed] = False
            assert not changed.any()
            np.testing.assert_array_equal(cut.energy.unary, unary)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("shape", "connectivity"), [((90, 110), 8), ((14, 20, 22), 6)])
def test_a_search_near_the_change_is_enough_and_all_is_cut_where_it_is_not(monkeypatch, whole, shape, connectivity):
    rng = np.random.default_rng(5)
    crf = cs.GridCRF(costs(rng, (2, *shape), whole).astype(float), cs.Potts(3), connectivity=connectivity)
    cut = cs.GraphCut(crf)
    first = cut.solve()
    energies = []
    for fail in (False, True):
        with monkeypatch.context() as patch:
            if fail:
                be_patient(patch, 0)
            else:
                patch.setattr(kept.KeptCut, "_cut_all", None)  # it must do without
            trial = cut.copy()
            region = tuple(slice(n // 2, n // 2 + 3) for n in shape)
            wanted = 1 - int(first.labels[region].mean() > 0.5)
            values = np.zeros((2, *first.labels[region].shape))
            values[1 - wanted] = np.inf
            trial.set_unary(values, region)
            result = trial.solve()
            assert (result.labels[region] == wanted).all()
            assert all(a.start <= b.start and b.stop <= a.stop for a, b in zip(trial.changed, region, strict=True))
            energies.append(result.energy)
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


def test_what_is_drawn_may_be_taken_back():
    rng = np.random.default_rng(1)
    unary = rng.normal(size=(2, 40, 50))
    cut = cs.GraphCut(cs.GridCRF(unary, cs.Potts(0.7)))
    first, region = cut.solve(), np.s_[10:14, 20:40]
    for label in (0, 1, 0):  # the user contradicts themselves
        stroke = np.zeros((2, 4, 20))
        stroke[1 - label] = np.inf
        cut.set_unary(stroke, region)
        assert (cut.solve().labels[region] == label).all()
    cut.set_unary(unary[:, 10:14, 20:40], region)
    last = cut.solve()
    np.testing.assert_array_equal(last.labels, first.labels)
    assert last.energy == pytest.approx(first.energy, rel=1e-13)
    cut.set_unary(unary[:, 10:14, 20:40], region)
    assert cut.solve().energy == last.energy
    assert cut.changed is None


def test_a_region_may_be_all_and_costs_may_need_more_digits():
    unary = np.array([[[0, 4, 0, 9]], [[3, 0, 5, 0]]])
    cut = cs.GraphCut(cs.GridCRF(unary, cs.Potts(3)))
    for values in ([[[0.25]], [[7.5]]], [[[np.inf]], [[0]]], [[[0]], [[2**40]]], [[[1e90]], [[0]]], [[[3]], [[0.1]]]):
        cut.solve()
        cut.set_unary(values, np.s_[:, 1:2])
        changed = unary.astype(float)
        changed[:, :, 1:2] = values
        np.testing.assert_array_equal(cut.energy.unary, changed)
        assert cut.solve().energy == pytest.approx(cs.minimize(cut.energy, "graph_cut").energy, rel=1e-15)
    cut.set_unary(unary, (slice(None), slice(None)))
    assert cut.solve().labels.tolist() == [[0, 0, 0, 1]]


def test_regions_change_what_infinite_weights_stand_for():
    cut = cs.GraphCut(cs.GridCRF(np.zeros((2, 1, 3)), cs.Potts(1), {"right": [[np.inf, 1]], "down": np.zeros((0, 3))}))
    cut.solve()
    for value in (5.5, 1e30, 3):
        cut.set_unary([[[value]], [[0]]], np.s_[:, :1])
        cut.set_unary([[[0]], [[value]]], np.s_[:, 2:])
        result = cut.solve()
        assert (result.labels.tolist(), result.energy) == ([[1, 1, 0]], 1)


def test_energies_that_were_handed_out_stay_what_they_are():
    cut = cs.GraphCut(cs.GridCRF(np.zeros((2, 3, 3)), cs.Potts(1)))
    before = cut.energy
    for value in (2, 3):
        cut.set_unary([[[value]], [[0]]], np.s_[:1, :1])
        assert before.unary.max() == 0
        assert cut.energy.unary[0, 0, 0] == value
    twins = copy.deepcopy(cut), pickle.loads(pickle.dumps(cut))
    for twin in twins:
        twin.set_unary([[[-1]], [[9]]], np.s_[:1, :1])
        assert twin.solve().energy == -1
    assert cut.solve().energy == 0


def test_regions_may_lie_outside_of_a_mask():
    rng = np.random.default_rng(6)
    mask, unary = rng.random((30, 40)) < 0.7, rng.normal(size=(2, 30, 40))
    mask[:5, :5] = False
    cut, out = cs.GraphCut(cs.GridCRF(unary, cs.Potts(0.5), mask=mask)), np.zeros((30, 40), np.int32)
    cut.solve(out=out)
    for region in (np.s_[:4, :4], np.s_[3:9, 3:9], np.s_[20:25, 30:40]):
        values = rng.normal(size=unary[(slice(None), *region)].shape)
        values[:, ~mask[region]] = np.nan
        cut.set_unary(values, region)
        unary[(slice(None), *region)] = np.nan_to_num(values)
        least = cs.minimize(cs.GridCRF(unary, cs.Potts(0.5), mask=mask), "graph_cut")
        result = cut.solve(out=out)
        np.testing.assert_array_equal(out, least.labels)
        np.testing.assert_array_equal(result.labels, least.labels)
        assert result.energy == pytest.approx(least.energy, rel=1e-12)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("where", [(near, "flow_near"), (kept.KeptCut, "_energy_within"), (kept.KeptCut, "_exchange")])
def test_a_search_that_is_interrupted_is_no_answer(monkeypatch, real, where):
    rng = np.random.default_rng(2)
    unary = costs(rng, (2, 60, 60), not real).astype(float)
    cut = cs.GraphCut(cs.GridCRF(unary, cs.Potts(3)))
    out = cut.solve().labels
    region = np.s_[20:30, 20:30]
    values = np.zeros((2, 10, 10))
    values[int(out[region].mean() > 0.5)] = np.inf
    cut.set_unary(values, region)
    with monkeypatch.context() as patch:
        patch.setattr(*where, interrupt)
        with pytest.raises(KeyboardInterrupt):
            cut.solve(out=out)
    assert cut.solve(out=out).energy == pytest.approx(cs.minimize(cut.energy, "graph_cut").energy, rel=1e-12)
    assert cut.energy.energy(out) == pytest.approx(cut.solve().energy, rel=1e-12)


def interrupt(*args):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("region", "word"),
    [
        (np.s_[0:2], "2 slices, one for each axis"),
        (np.s_[0:2, 0:9], "a part of"),
        (np.s_[0:2, 3:3], "not empty"),
        (np.s_[0:2, 0:4:2], "steps of 1"),
        (np.s_[0, 0:2], "slices such as"),
        ([slice(0, 2), slice(0, 2)], "slices such as"),
        (np.s_[0:1, 0:2], r"shape \(2, 1, 2\) in this region, got \(2, 2, 2\)"),
    ],
)
def test_regions_must_be_part_of_the_grid_and_fit_the_costs(region, word):
    cut = cs.GraphCut(cs.GridCRF(np.zeros((2, 4, 5)), cs.Potts(1)))
    with pytest.raises((ValueError, TypeError), match=word):
        cut.set_unary(np.zeros((2, 2, 2)), region)
    with pytest.raises(ValueError, match="finite number at each pixel"):
        cut.set_unary(np.full((2, 2, 2), np.inf), np.s_[:2, :2])


def test_the_array_to_write_to_must_fit():
    cut = cs.GraphCut(cs.GridCRF(np.zeros((2, 4, 5)), cs.Potts(1)))
    with pytest.raises(TypeError, match="out must be an array of int32, got an array of float64"):
        cut.solve(out=np.zeros((4, 5)))
    with pytest.raises(TypeError, match="got list"):
        cut.solve(out=[[0]])
    with pytest.raises(ValueError, match=r"shape \(4, 5\) to write to, got shape \(5, 4\)"):
        cut.solve(out=np.zeros((5, 4), np.int32))
    strided = np.full((4, 10), 7, np.int32)[:, ::2]
    assert cut.solve(out=strided).labels is strided
    assert not strided.any()
