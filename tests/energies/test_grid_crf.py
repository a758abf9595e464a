import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_ends, edge_shape
from classicseg.reference import grid as reference

CONNECTIVITIES = [(n, c) for n, sizes in NEIGHBOURHOODS.items() for c in sizes]
COMPATIBILITIES = [
    cs.Potts(2),
    cs.TruncatedLinear(3, truncation=2),
    cs.TruncatedQuadratic(1.5),
    cs.Matrix(np.arange(9.0).reshape(3, 3)),
    cs.Diagonal([1, 2, 3]),
]


def random_weights(rng, shape, connectivity, dtype=float):
    offsets = directions(len(shape), connectivity)
    return {name: rng.integers(0, 9, edge_shape(shape, o)).astype(dtype) for name, o in offsets.items()}


def as_reference(crf):
    offsets = directions(len(crf.shape), crf.connectivity)
    edges = reference.edges(crf.shape, {offset: crf.weights[name] for name, offset in offsets.items()})
    return crf.unary.reshape(crf.n_labels, -1), edges, crf.cost, crf.label_costs


@pytest.mark.parametrize(("n_axes", "connectivity"), CONNECTIVITIES)
def test_every_pair_of_neighbours_is_one_edge(n_axes, connectivity):
    shape = (3, 4, 5)[:n_axes]
    crf = cs.GridCRF(np.zeros((2, *shape)), cs.Potts(), connectivity=connectivity)
    _, edges, *_ = as_reference(crf)
    reach = NEIGHBOURHOODS[n_axes].index(connectivity) + 1
    points = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), axis=1)
    steps = np.abs(points[:, None] - points)
    expected = np.argwhere((steps.max(2) == 1) & (steps.sum(2) <= reach))
    assert {(i, j) for i, j, _ in edges} == {(i, j) for i, j in expected.tolist() if i < j}
    assert len(edges) == len(expected) // 2


@pytest.mark.parametrize(("n_axes", "connectivity"), CONNECTIVITIES)
@pytest.mark.parametrize("compatibility", COMPATIBILITIES, ids=lambda c: type(c).__name__)
def test_the_energy_equals_the_sum_over_edges(n_axes, connectivity, compatibility):
    rng = np.random.default_rng(7)
    shape = (3, 4, 5)[:n_axes]
    weights = random_weights(rng, shape, connectivity)
    crf = cs.GridCRF(rng.normal(size=(3, *shape)), compatibility, weights, label_costs=[1, 2, 4])
    assert crf.connectivity == connectivity
    labels = rng.integers(0, 3, shape)
    assert crf.energy(labels) == pytest.approx(reference.energy(labels.reshape(-1), *as_reference(crf)), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(0, 2), st.integers(0, 10**6), st.sampled_from([np.int8, np.int64, np.uint16]))
def test_energies_of_integers_are_exact(n_axes, size, seed, dtype):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, n_axes))
    connectivity = NEIGHBOURHOODS[n_axes][min(size, len(NEIGHBOURHOODS[n_axes]) - 1)]
    unary = rng.integers(0, 100, (2, *shape)).astype(dtype)
    crf = cs.GridCRF(unary, cs.Potts(3), random_weights(rng, shape, connectivity, dtype))
    labels = rng.integers(0, 2, shape)
    assert crf.unary.dtype == np.int32
    assert crf.energy(labels) == reference.energy(labels.reshape(-1), *as_reference(crf))


def test_large_integers_stay_exact():
    crf = cs.GridCRF(np.array([[2**40 + 1, 1], [0, 2**40]]), cs.Potts(1))
    assert crf.energy([0, 1]) == 2**41 + 2
    with pytest.raises(ValueError, match=r"unary must be integers of at most 2\*\*53"):
        cs.GridCRF(np.array([[2**60, 1], [0, 1]]), cs.Potts(1))


def test_one_number_weighs_all_edges_and_spacing_divides_by_their_length():
    unary = np.zeros((2, 2, 2))
    labels = [[0, 1], [1, 0]]
    assert cs.GridCRF(unary, cs.Potts(2), 3, connectivity=8).energy(labels) == 24
    assert cs.GridCRF(unary, cs.Potts(2), 3, spacing=(2, 1)).energy(labels) == 2 * 3 * 2 / 2 + 2 * 3 * 2
    diagonal = cs.GridCRF(unary, cs.Potts(1), connectivity=8, spacing=1).weights["down_left"]
    np.testing.assert_allclose(diagonal, 2**-0.5)


def test_extra_directions_are_left_out():
    image = np.random.default_rng(0).integers(0, 255, (5, 6, 3)).astype(np.uint8)
    weights = cs.contrast_weights(image)
    unary = np.zeros((2, 5, 6))
    assert cs.GridCRF(unary, cs.Potts(), weights).connectivity == 8
    assert list(cs.GridCRF(unary, cs.Potts(), weights, connectivity=4).weights) == ["right", "down"]


def test_forbidden_labels_cost_infinity():
    unary = np.zeros((2, 3))
    unary[1, 2] = np.inf
    crf = cs.GridCRF(unary, cs.Potts())
    assert crf.energy([0, 0, 1]) == np.inf
    assert crf.energy([1, 1, 0]) == 1


def test_infinite_weights_tie_pixels():
    right = np.array([[np.inf, 0, 2]])
    crf = cs.GridCRF(np.arange(8.0).reshape(2, 1, 4), cs.Potts(3), {"right": right, "down": np.zeros((0, 4))})
    assert crf.energy([[0, 1, 1, 1]]) == np.inf
    assert crf.energy([[0, 0, 1, 0]]) == 0 + 1 + 6 + 3 + 6
    again = pickle.loads(pickle.dumps(crf))
    assert again.energy([[0, 1, 1, 1]]) == np.inf
    np.testing.assert_array_equal(again.weights["right"], right)
    assert crf.finite_weights["right"][0] * 3 > 8 * 7 + 6


def test_asymmetric_costs_read_the_label_of_the_first_pixel_in_the_row():
    crf = cs.GridCRF(np.zeros((2, 1, 2)), [[0, 5], [7, 0]])
    assert (crf.energy([[0, 1]]), crf.energy([[1, 0]])) == (5, 7)
    leftward = {"right": np.zeros((2, 1)), "down": np.zeros((1, 2)), "down_right": [[0]], "down_left": [[1]]}
    crf = cs.GridCRF(np.zeros((2, 2, 2)), [[0, 5], [7, 0]], leftward)
    assert crf.energy([[0, 0], [1, 0]]) == 5


def test_arrays_are_taken_as_they_come_and_never_changed():
    unary = np.asfortranarray(np.random.default_rng(0).random((2, 6, 8)).astype(">f8"))[:, ::2]
    unary.setflags(write=False)
    weights = {"right": np.ones((3, 7), ">i2"), "down": np.ones((2, 16))[:, ::2]}
    weights["right"].setflags(write=False)
    crf = cs.GridCRF(unary, cs.Potts(), weights)
    plain = cs.GridCRF(np.array(unary, float), cs.Potts(), 1)
    labels = np.eye(3, 8, dtype=int)
    assert crf.energy(labels) == plain.energy(labels)
    with pytest.raises(ValueError, match="read-only"):
        crf.weights["right"][0, 0] = 2
    assert cs.GridCRF(np.moveaxis(unary, 0, -1), cs.Potts(), weights, label_axis=-1).energy(labels) == crf.energy(
        labels
    )


def test_contrast_weights_follow_their_formula():
    image = np.random.default_rng(3).normal(size=(4, 5, 2))
    weights = cs.contrast_weights(image, connectivity=8, spacing=(1, 2))
    differences = {}
    for name, offset in directions(2, 8).items():
        first, second = edge_ends(offset)
        differences[name] = ((image[first] - image[second]) ** 2).sum(-1)
    beta = 0.5 / np.concatenate([d.ravel() for d in differences.values()]).mean()
    lengths = {"right": 2, "down": 1, "down_right": 5**0.5, "down_left": 5**0.5}
    for name, difference in differences.items():
        np.testing.assert_allclose(weights[name], np.exp(-beta * difference) / lengths[name], rtol=1e-5)
    flat = cs.contrast_weights(np.ones((3, 4)), channel_axis=None)
    np.testing.assert_array_equal(flat["right"], 1)


@pytest.mark.parametrize("axis", [None, -1])
def test_contrast_weights_of_volumes_and_lines(axis):
    image = np.zeros((2, 3, 4) if axis is None else (2, 3, 4, 1))
    assert len(cs.contrast_weights(image, channel_axis=axis)) == 13
    assert list(cs.contrast_weights([1.0, 2.0, 4.0], channel_axis=None)) == ["right"]


U = np.zeros((2, 3, 4))


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda: cs.GridCRF(np.zeros((1, 3, 4)), cs.Potts()), ValueError, "unary must have at least 2 labels"),
        (lambda: cs.GridCRF(np.zeros((2, 0, 4)), cs.Potts()), ValueError, "unary must not be empty"),
        (lambda: cs.GridCRF(np.zeros((2, 1, 1, 1, 1)), cs.Potts()), ValueError, "1, 2 or 3 spatial axes"),
        (lambda: cs.GridCRF(U + np.nan, cs.Potts()), ValueError, "unary must be numbers"),
        (lambda: cs.GridCRF(U - np.inf, cs.Potts()), ValueError, "unary must be numbers"),
        (lambda: cs.GridCRF(U + np.inf, cs.Potts()), ValueError, "unary must leave a finite number"),
        (lambda: cs.GridCRF(U.astype(complex), cs.Potts()), TypeError, "unary"),
        (lambda: cs.GridCRF(U, "potts"), TypeError, "compatibility"),
        (lambda: cs.GridCRF(U, np.zeros((3, 3))), ValueError, "3 labels"),
        (lambda: cs.GridCRF(U, cs.Potts(), -1), ValueError, "weights must be at least 0, got -1"),
        (lambda: cs.GridCRF(U, cs.Potts(), np.nan), ValueError, "weights must be numbers of at least 0, got nan"),
        (lambda: cs.GridCRF(U, cs.Diagonal(1), np.inf), ValueError, "infinite weights need a compatibility"),
        (lambda: cs.GridCRF(U, cs.Potts(-1), np.inf), ValueError, "infinite weights need a compatibility"),
        (lambda: cs.GridCRF(U, cs.Potts(), np.ones((3, 3))), TypeError, "weights must be a number or a mapping"),
        (lambda: cs.GridCRF(U, cs.Potts(), {"right": np.ones((3, 3))}), ValueError, "no direction 'down'"),
        (lambda: cs.GridCRF(U, cs.Potts(), {"up": 1}), ValueError, "got 'up'"),
        (lambda: cs.GridCRF(U, cs.Potts(), {"right": np.ones((3, 4)), "down": 1}), ValueError, r"weights\['right'\]"),
        (
            lambda: cs.GridCRF(U, cs.Potts(), {"right": -np.ones((3, 3)), "down": np.ones((2, 4))}),
            ValueError,
            r"weights\['right'\] must be at least 0",
        ),
        (lambda: cs.GridCRF(U, cs.Potts(), connectivity=6), ValueError, "connectivity must be 4 or 8"),
        (lambda: cs.GridCRF(U, cs.Potts(), connectivity=True), ValueError, "connectivity"),
        (lambda: cs.GridCRF(U, cs.Potts(), spacing=0), ValueError, "spacing"),
        (lambda: cs.GridCRF(U, cs.Potts(), {}, spacing=1), ValueError, "spacing"),
        (lambda: cs.GridCRF(U, cs.Potts(), label_costs=-1), ValueError, "label_costs must be at least 0"),
        (lambda: cs.GridCRF(U, cs.Potts(), label_costs=[1, 2, 3]), ValueError, "label_costs must be 1 or 2"),
        (lambda: cs.GridCRF(U, cs.Potts()).energy(np.full((3, 4), 2)), ValueError, "labels"),
        (lambda: cs.contrast_weights(U[0], channel_axis=None, beta=-1), ValueError, "beta"),
        (lambda: cs.contrast_weights(U[0], channel_axis=None, connectivity=6), ValueError, "connectivity"),
        (lambda: cs.contrast_weights(np.full((3, 4), np.nan), channel_axis=None), ValueError, "image"),
    ],
)
def test_bad_input_is_named(make, error, word):
    with pytest.raises(error, match=word):
        make()


def test_terms_are_the_parts_of_the_energy():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (5, 6, 3))
    crf = cs.GridCRF(rng.random((3, 5, 6)), rng.random((3, 3)), cs.contrast_weights(image), label_costs=[1, 2, 3])
    labels = rng.integers(0, 3, (5, 6))
    parts = crf.terms(labels)
    assert list(parts) == ["unary", "right", "down", "down_right", "down_left", "label_costs"]
    assert sum(parts.values()) == pytest.approx(crf.energy(labels))
    assert cs.GridCRF(crf.unary, cs.Potts(0), connectivity=4).terms(labels)["right"] == 0


def test_terms_of_a_forbidden_label_are_infinite():
    crf = cs.GridCRF([[[np.inf, 0]], [[0, 1]]], cs.Potts(2))
    assert crf.terms([[0, 1]]) == {"unary": np.inf, "right": 2, "down": 0}


@pytest.mark.parametrize("cost", [[[0, 1], [1, 3]], [[3, 1], [1, 0]], [[2, 1], [1, 2]]])
def test_equal_labels_may_cost_at_most_what_different_ones_do(cost):
    assert "is not submodular" in cs.GridCRF(np.zeros((2, 1, 2)), cost).reason_against_cut()


@pytest.mark.parametrize("cost", [[[1, 2], [2, 1]], [[0, 1], [1, 2]], [[0, 1], [1, 0]]])
def test_submodular_pairs_have_a_minimum_cut(cost):
    assert cs.GridCRF(np.zeros((2, 1, 2)), cost).reason_against_cut() is None
