"""Small grid energies for tests, and the same for the reference."""

import numpy as np

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


def every_labelling(crf):
    """All labellings, (L**n, *spatial), and their energies: those of the reference, for all of them at once."""
    labels = np.indices((crf.n_labels,) * crf.n_points, np.int8).reshape(crf.n_points, -1)
    unary, cost, energies = crf.unary.reshape(crf.n_labels, -1), crf.cost, np.zeros(labels.shape[1])
    for pixel, label in enumerate(labels):
        energies += unary[label, pixel]
    for i, j, weight in edges_of(crf):
        energies += weight * cost[labels[i], labels[j]]
    if crf.label_costs is not None:
        for label, price in enumerate(crf.label_costs):
            energies += price * (labels == label).any(axis=0)
    return labels.T.reshape(-1, *crf.shape), energies


def minimum_of(crf):
    """Least energy, by trying all labellings."""
    return every_labelling(crf)[1].min()
