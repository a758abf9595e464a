"""Small grid energies for tests, and the same for the reference."""

import classicseg as cs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_shape
from classicseg.reference import grid as reference

CONNECTIVITIES = [(n, c) for n, sizes in NEIGHBOURHOODS.items() for c in sizes]


def random_grid(rng, shape, connectivity, n_labels=2, compatibility=None, *, largest=9, noise=20, label_costs=None):
    """A grid energy of random whole numbers."""
    offsets = directions(len(shape), connectivity)
    weights = {name: rng.integers(0, largest + 1, edge_shape(shape, o)) for name, o in offsets.items()}
    unary = rng.integers(-noise, noise + 1, (n_labels, *shape))
    mu = cs.Potts(1) if compatibility is None else compatibility
    return cs.GridCRF(unary, mu, weights, connectivity=connectivity, label_costs=label_costs)


def edges_of(crf):
    offsets = directions(len(crf.shape), crf.connectivity)
    return reference.edges(crf.shape, {offset: crf.weights[name] for name, offset in offsets.items()})


def minimum_of(crf):
    """Least energy, by trying all labellings."""
    return reference.minimum(crf.unary.reshape(crf.n_labels, -1), edges_of(crf), crf.cost, crf.label_costs)[0]
