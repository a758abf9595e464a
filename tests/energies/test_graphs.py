import numpy as np
import pytest

import classicseg as cs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_ends


def slowly(image, labels, connectivity, mask):
    """Distances of colours across each border, by pairs of labels."""
    found = {}
    for offset in directions(labels.ndim, connectivity).values():
        first, second = edge_ends(offset)
        sides = [
            x[part].reshape(-1, *x.shape[labels.ndim :]) for x in (labels, image, mask) for part in (first, second)
        ]
        ends = zip(*sides, strict=True)
        for a, b, color_a, color_b, in_a, in_b in ends:
            if a != b and in_a and in_b:
                distance = np.sqrt(((color_a.astype(float) - color_b) ** 2).sum())
                found.setdefault((min(a, b), max(a, b)), []).append(distance)
    return found


@pytest.mark.parametrize("shape", [(9,), (6, 7), (3, 4, 5)])
@pytest.mark.parametrize("masked", [False, True])
def test_regions_that_touch_are_joined_and_their_borders_measured(shape, masked):
    rng = np.random.default_rng(len(shape))
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    labels = rng.choice([-7, 3, 4, 90], shape)
    mask = rng.random(shape) < 0.8 if masked else np.ones(shape, bool)
    for connectivity in NEIGHBOURHOODS[len(shape)]:
        graph = cs.region_graph(image, labels, connectivity=connectivity, mask=mask if masked else None)
        numbers = np.unique(labels[mask])
        expected = slowly(image, labels, connectivity, mask)
        pairs = [tuple(numbers[edge].tolist()) for edge in graph.edges]
        assert pairs == sorted(expected)
        assert graph.lengths.tolist() == [len(expected[pair]) for pair in pairs]
        assert graph.contrasts == pytest.approx([np.mean(expected[pair]) for pair in pairs])
        for i, number in enumerate(numbers):
            own = mask & (labels == number)
            assert graph.sizes[i] == own.sum()
            assert graph.means[i] == pytest.approx(image[own].mean(axis=0))
            assert (graph.regions[own] == i).all()
        assert (graph.regions[~mask] == -1).all()


def test_costs_are_gathered_and_labels_painted():
    image, labels = np.zeros((2, 3)), np.array([[5, 5, 7], [5, 2, 7]])
    mask = [[1, 1, 1], [0, 1, 1]]
    unary = np.array([[[1, 2, 3], [np.nan, 5, 6]], [[0, 1, np.inf], [0, 1, 0]]])
    graph = cs.region_graph(image, labels, channel_axis=None, mask=mask)
    assert graph.gather(unary).tolist() == [[5, 3, 9], [1, 1, np.inf]]
    assert graph.paint([4, 0, 1]).tolist() == [[0, 0, 1], [-1, 4, 1]]
    assert graph.paint([4, 0, 1]).dtype == np.int32
    assert repr(graph).startswith("RegionGraph(edges=[[0, 1], [0, 2], [1, 2]], lengths=[1, 1, 1]")


def test_one_region_has_no_edges():
    graph = cs.region_graph(np.zeros((4, 4, 3)), np.ones((4, 4), int))
    assert graph.edges.shape == (0, 2)
    assert graph.contrasts.shape == (0,)
    crf = cs.GraphCRF(graph.gather(np.ones((2, 4, 4))), graph.edges, cs.Potts())
    assert cs.minimize(crf).labels.tolist() == [0]


def test_regions_of_an_image_become_a_crf_that_smooths():
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 60), int)
    truth[8:32, 16:44] = 1
    blocks = (np.arange(40)[:, None] // 4) * 15 + np.arange(60) // 4
    noisy = truth + rng.normal(0, 3, truth.shape)
    graph = cs.region_graph(truth * 100.0, blocks, channel_axis=None)
    unary = graph.gather(np.stack([noisy**2, (noisy - 1) ** 2]))
    weights = graph.lengths * np.exp(-((graph.contrasts / 50) ** 2))
    crf = cs.GraphCRF(unary, graph.edges, cs.Potts(2), weights)
    before, result = graph.paint(unary.argmin(axis=0)), cs.minimize(crf, "trws")
    assert (graph.paint(result.labels) != truth).mean() < 0.6 * (before != truth).mean()
    assert result.gap <= 1e-5 * abs(result.energy)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"labels": np.zeros((3, 3), int)}, cs.InputError, "labels must have the shape"),
        ({"labels": np.zeros((4, 4))}, cs.InputTypeError, "labels must hold integers"),
        ({"image": np.full((4, 4, 3), np.nan)}, cs.InputError, "image must be finite"),
        ({"connectivity": 6}, cs.InputError, "connectivity must be 4 or 8"),
        ({"image": np.zeros((4, 4, 4, 4, 3)), "labels": np.zeros((4,) * 4, int)}, cs.InputError, "1, 2 or 3 spatial"),
        ({"mask": np.zeros((4, 4))}, cs.InputError, "mask is False everywhere"),
    ],
)
def test_rubbish_is_refused_by_name(arguments, error, text):
    with pytest.raises(error, match=text):
        cs.region_graph(**{"image": np.zeros((4, 4, 3)), "labels": np.zeros((4, 4), int)} | arguments)


def test_what_does_not_fit_the_regions_is_refused():
    graph = cs.region_graph(np.zeros((4, 4, 3)), np.eye(4, dtype=int))
    with pytest.raises(cs.InputError, match="unary must cover"):
        graph.gather(np.zeros((2, 3, 4)))
    with pytest.raises(cs.InputError, match=r"labels must have shape \(2,\)"):
        graph.paint([1, 2, 3])


@pytest.mark.parametrize("k", [1, 3, 9])
def test_points_are_joined_to_their_nearest(k):
    points = np.random.default_rng(k).normal(size=(30, 3))
    edges, distances = cs.point_graph(points, k)
    away = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1)[:, :k]
    expected = {(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row}
    assert [tuple(edge) for edge in edges.tolist()] == sorted(expected)
    assert distances == pytest.approx(away[edges[:, 0], edges[:, 1]])
    assert edges.dtype == np.int32


def test_points_may_coincide_or_be_far_away():
    edges, distances = cs.point_graph(np.zeros((5, 2)), 2)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert not distances.any()
    assert cs.point_graph([[1e200], [2e200], [4e200]], 1)[0].tolist() == [[0, 1], [1, 2]]
    for points, k, text in (
        ([[0, 1], [2, 3]], 2, "points must be more than k=2, got 2"),
        ([0, 1, 2], 1, "points must have 2 axes"),
        ([[0, np.nan], [1, 1]], 1, "points must be finite"),
        ([[0, 0], [1, 1]], 0, "k must be at least 1"),
    ):
        with pytest.raises(cs.InputError, match=text):
            cs.point_graph(points, k)


@pytest.mark.parametrize(("shape", "connectivity"), [((7,), None), ((3, 4), 4), ((3, 4), 8), ((2, 3, 3), 18)])
def test_pixels_have_the_edges_of_a_grid_with_signed_weights_and_tables_of_their_own(shape, connectivity):
    rng = np.random.default_rng(5)
    unary, labels = rng.integers(0, 9, (3, *shape)), rng.integers(0, 3, shape)
    graph = cs.pixel_graph(shape, connectivity)
    sizes = {name: w.shape for name, w in cs.GridCRF(unary, cs.Potts(), connectivity=connectivity).weights.items()}
    plus, minus = ({name: rng.integers(0, 5, size) for name, size in sizes.items()} for _ in range(2))
    grids = [cs.GridCRF(unary, cs.Potts(2), weights, connectivity=connectivity) for weights in (plus, minus)]
    signed = graph.edge_weights({name: plus[name] - minus[name] for name in sizes})
    crf = cs.GraphCRF(unary.reshape(3, -1), graph.edges, cs.Potts(2), signed)
    own = grids[0].terms(labels)["unary"]
    assert crf.energy(labels.ravel()) == grids[0].energy(labels) - grids[1].energy(labels) + own
    tables = {name: rng.integers(-4, 5, (*size, 3, 3)) for name, size in sizes.items()}
    tables["right"] = rng.integers(-4, 5, (3, 3))
    expected = own
    for i, j, table in zip(*graph.edges.T, graph.edge_tables(tables), strict=True):
        expected += table[labels.ravel()[i], labels.ravel()[j]]
    first = graph.edge_tables(tables)[: np.prod(sizes["right"])]
    assert (first == tables["right"]).all()
    crf = cs.GraphCRF(unary.reshape(3, -1), graph.edges, tables=graph.edge_tables(tables))
    assert crf.energy(labels.ravel()) == expected


def test_what_is_wrong_with_weights_and_tables_of_pixels_is_said():
    graph = cs.pixel_graph((3, 4))
    right = np.zeros((3, 3, 2, 2))
    for call, text in (
        (lambda: graph.edge_weights({"right": 1}), "weights must have the directions 'right', 'down', got 'right'"),
        (lambda: graph.edge_weights({"right": 1, "down": np.zeros((3, 4))}), r"weights\['down'\] must have shape"),
        (lambda: graph.edge_weights({"right": 1, "down": np.nan}), r"weights\['down'\] must be numbers"),
        (lambda: graph.edge_tables({"right": right, "down": np.zeros((3, 2))}), r"\(L, L\) or \(2, 4, L, L\), got"),
        (lambda: graph.edge_tables({"right": right, "down": np.zeros((3, 3))}), r"the same labels .* got \[2, 3\]"),
        (lambda: cs.pixel_graph((3, 4), 6), "connectivity must be 4 or 8"),
        (lambda: cs.pixel_graph((3, 0)), "shape must be at least 1"),
        (lambda: cs.GridCRF(np.zeros((2, 3, 4)), cs.Potts(), -1), r"at least 0, got -1 .*; pixel_graph makes"),
    ):
        with pytest.raises(cs.InputError, match=text):
            call()
    for given in (3, "right", None):
        with pytest.raises(cs.InputTypeError, match="tables must be a mapping"):
            graph.edge_tables(given)
    for shape in ((), (2, 2, 2, 2), [[1, 2]], "x", (2**40, 2**40)):
        with pytest.raises((cs.InputError, cs.InputTypeError), match="shape"):
            cs.pixel_graph(shape)
