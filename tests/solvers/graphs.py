"""Small graph energies for tests, and the same for the reference."""

import numpy as np

import classicseg as cs

KINDS = ("potts", "repulsive", "linear", "quadratic", "diagonal", "directed", "tables", "ragged", "hard")


def random_edges(rng, n, density=0.6):
    """Some pairs of nodes, each in a random direction and at most once."""
    pairs = np.array([(i, j) for i in range(n) for j in range(i)]).reshape(-1, 2)
    chosen = pairs[rng.random(len(pairs)) < density]
    turned = rng.random(len(chosen)) < 0.5
    chosen[turned] = chosen[turned, ::-1]
    return chosen


def random_graph(rng, kind, n=5, n_labels=3, *, density=0.6, noise=9, edges=None, label_costs=None):
    """A graph energy of random whole numbers."""
    edges = random_edges(rng, n, density) if edges is None else np.asarray(edges)
    unary = rng.integers(-noise, noise + 1, (n_labels, n))
    weights = rng.integers(0, 6, len(edges))
    tables = rng.integers(-5, 6, (len(edges), n_labels, n_labels))
    compatibilities = {
        "potts": cs.Potts(2),
        "repulsive": cs.Potts(1),
        "linear": cs.TruncatedLinear(2, truncation=1.5),
        "quadratic": cs.TruncatedQuadratic(1, truncation=3),
        "diagonal": cs.Diagonal(np.arange(n_labels) + 1.0),
        "directed": cs.Matrix(rng.integers(-4, 5, (n_labels, n_labels)).astype(float)),
    }
    if kind in compatibilities:
        if kind in ("repulsive", "directed", "linear"):
            weights = rng.integers(-5, 6, len(edges))
        return cs.GraphCRF(unary, edges, compatibilities[kind], weights, label_costs=label_costs)
    if kind == "tables":
        return cs.GraphCRF(unary, edges, tables=tables, label_costs=label_costs)
    if kind == "hard":
        hard = tables.astype(float)
        hard[rng.random(hard.shape) < 0.2] = np.inf
        hard[:, 0, 0] = 1
        return cs.GraphCRF(unary, edges, tables=hard, label_costs=label_costs)
    counts = rng.integers(1, n_labels + 1, n)
    counts[:2] = 2, 3
    rows = [unary[:count, node].tolist() for node, count in enumerate(counts)]
    own = [tables[e, : counts[i], : counts[j]] for e, (i, j) in enumerate(edges)]
    return cs.GraphCRF(rows, edges, tables=own, label_costs=label_costs)


def edges_of(crf):
    """What the reference calls edges, with whatever is infinite."""
    tables = crf.tables() if crf.edge_tables is None else crf.edge_tables
    return [(int(i), int(j), table) for (i, j), table in zip(crf.edges, tables, strict=True)]


def increasing(edges):
    """The same edges, from the smaller node to the larger one."""
    return [(i, j, table) if i < j else (j, i, table.T) for i, j, table in edges]


def every_labelling(crf):
    """All labellings, (L**N, N), and their energies, for all of them at once."""
    n = crf.shape[0]
    labels = np.indices((crf.n_labels,) * n, np.int8).reshape(n, -1)
    energies = crf.unary[labels, np.arange(n)[:, None]].sum(axis=0, dtype=float)
    for i, j, table in edges_of(crf):
        energies += table[labels[i], labels[j]]
    if crf.label_costs is not None:
        for label, price in enumerate(crf.label_costs):
            energies += price * (labels == label).any(axis=0)
    return labels.T, energies


def minimum_of(crf):
    """Least energy, by trying all labellings."""
    return every_labelling(crf)[1].min()
