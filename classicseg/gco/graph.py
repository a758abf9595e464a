"""The class of gco-wrapper: sites, costs and neighbours are set one after the other, then moves lower the energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Matrix
from classicseg.energies.graph_crf import GraphCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.gco.cuts import MOST_CYCLES
from classicseg.solvers.minimize import minimize


class GCO:
    """An energy of a graph that is put together step by step, and its labels, all 0 at first.

    Costs of any dtype are taken as they are. Swaps visit pairs of labels in an order of classicseg's own.

    Raises
    ------
    ValueError
        By all methods, if a site, a label or a shape does not fit, or there is no graph yet.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import gco
    >>> graph = gco.GCO()
    >>> graph.create_general_graph(3, 2)
    >>> graph.set_data_cost(np.array([[0, 3], [2, 0], [0, 3]]))
    >>> graph.set_all_neighbors(np.array([0, 1]), np.array([1, 2]), np.array([2, 2]))
    >>> graph.set_smooth_cost(1 - np.eye(2))
    >>> graph.expansion(), graph.get_labels().tolist()
    (2.0, [0, 0, 0])
    """

    def __init__(self) -> None:
        self.destroy_graph()

    def create_general_graph(self, num_sites: int, num_labels: int, energy_is_float: bool = False) -> None:
        """Begin with `num_sites` sites of `num_labels` labels; energies are numbers of their own whatever the flag."""
        self.nb_sites = inputs.as_count(num_sites, "num_sites", 1, 2**31 - 1)
        self.nb_labels = inputs.as_count(num_labels, "num_labels", 1, 2**31 - 1)
        self._data = np.zeros((self.nb_sites, self.nb_labels))
        self._smooth = np.zeros((self.nb_labels, self.nb_labels))
        self._labels = np.zeros(self.nb_sites, np.int32)

    def destroy_graph(self) -> None:
        """Forget everything."""
        self.nb_sites = self.nb_labels = 0
        self._data = np.zeros((0, 0))
        self._smooth = np.zeros((0, 0))
        self._labels = np.zeros(0, np.int32)
        self._neighbours: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._function: Callable[[int, int, int, int], float] | None = None
        self._energy: GraphCRF | None = None

    def set_data_cost(self, unary: ArrayLike) -> None:
        """Set what each label costs at each site, (num_sites, num_labels)."""
        self._data = self._set(inputs.as_numbers(unary, "unary", (2,), np.float64), "unary", self._data.shape).copy()

    def set_site_data_cost(self, site: int, label: int, e: float) -> None:
        """Set what one label costs at one site."""
        place = self._one(site, self.nb_sites, "site"), self._one(label, self.nb_labels, "label")
        self._data[place] = self._set(_number(e, "e"))

    def set_neighbor_pair(self, s1: int, s2: int, w: float) -> None:
        """Make two sites neighbours whose smooth cost counts `w` times."""
        self.set_all_neighbors(np.array([s1]), np.array([s2]), np.array([w]))

    def set_all_neighbors(self, s1: ArrayLike, s2: ArrayLike, w: ArrayLike) -> None:
        """Make each of `s1` and each of `s2` neighbours whose smooth costs count `w` times, all of one length."""
        first, second = (self._sites(sites, name) for sites, name in ((s1, "s1"), (s2, "s2")))
        weights = inputs.as_numbers(w, "w", (1,), np.float64)
        if not first.size == second.size == weights.size:
            raise InputError(f"s1, s2 and w must have one length, got {first.size}, {second.size} and {weights.size}")
        if (first == second).any():
            raise InputError(f"s1 and s2 must differ, got {first[first == second][0]} twice")
        self._neighbours.append(self._set((first, second, weights)))

    def set_smooth_cost(self, cost: ArrayLike) -> None:
        """Set what two labels cost at neighbours, (num_labels, num_labels), symmetric."""
        table = inputs.as_numbers(cost, "cost", (2,), np.float64)
        if table.shape[0] != table.shape[1] or (table != table.T).any():
            raise InputError("cost must be square and symmetric")
        self._smooth = self._set(table, "cost", self._smooth.shape).copy()

    def set_pair_smooth_cost(self, l1: int, l2: int, cost: float) -> None:
        """Set what label `l1` at one and `l2` at the other of two neighbours cost, in this order of the sites."""
        place = self._one(l1, self.nb_labels, "l1"), self._one(l2, self.nb_labels, "l2")
        self._smooth[place] = self._set(_number(cost, "cost"))

    def set_smooth_cost_function(self, fun: Callable[[int, int, int, int], float]) -> None:
        """Take ``fun(s1, s2, l1, l2)`` for the smooth cost; it is asked once for each pair of labels of each edge."""
        if not callable(fun):
            raise InputTypeError(f"fun must be a function of two sites and their labels, got {type(fun).__name__}")
        self._function = self._set(fun)

    def expansion(self, niters: int = -1) -> float:
        """Do cycles of expansion moves, at most `niters`, -1 for as many as there are; the energy after them."""
        return self._run("expansion", niters)

    def swap(self, niters: int = -1) -> float:
        """Do cycles of swap moves, at most `niters`, -1 for as many as there are; the energy after them."""
        return self._run("swap", niters)

    def expansion_on_alpha(self, label: int) -> bool:
        """Let every site choose between its label and this one; whether that lowers the energy."""
        return self._choose(self._labels, np.full_like(self._labels, self._one(label, self.nb_labels, "label")))

    def alpha_beta_swap(self, l1: int, l2: int) -> None:
        """Let every site of one of two labels choose between them."""
        first, second = self._one(l1, self.nb_labels, "l1"), self._one(l2, self.nb_labels, "l2")
        either = np.isin(self._labels, (first, second))
        self._choose(*(np.where(either, label, self._labels) for label in (first, second)))

    def compute_energy(self) -> float:
        """The energy of the labels."""
        return sum(self._crf().terms(self._labels).values())

    def compute_data_energy(self) -> float:
        """What the labels cost at sites."""
        return self._crf().terms(self._labels)["unary"]

    def compute_smooth_energy(self) -> float:
        """What the labels cost at neighbours."""
        return self._crf().terms(self._labels)["pairwise"]

    def get_label_at_site(self, site: int) -> int:
        """The label of one site."""
        return int(self._labels[self._one(site, self.nb_sites, "site")])

    def get_labels(self) -> np.ndarray:
        """The labels of all sites, (num_sites,), int32."""
        return self._labels.copy()

    def init_label_at_site(self, site: int, label: int) -> None:
        """Set the label of one site."""
        self._labels[self._one(site, self.nb_sites, "site")] = self._one(label, self.nb_labels, "label")

    def _run(self, method: str, niters: int) -> float:
        cycles = inputs.as_count(niters, "niters", -1, 2**31 - 1)
        limit = MOST_CYCLES if cycles < 0 else cycles
        result = minimize(self._crf(), method, init=self._labels, max_iter=limit)
        self._labels = result.labels.astype(np.int32)
        return self.compute_energy()

    def _choose(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Let every site choose between two labellings, if that lowers the energy."""
        before = self.compute_energy()
        fused = minimize(self._crf(), "fusion", init=one, proposals=[other], max_iter=1).labels
        if self._crf().energy(fused) >= before:
            return False
        self._labels = fused.astype(np.int32)
        return True

    def _crf(self) -> GraphCRF:
        """The energy as it is set, made anew after changes."""
        if not self.nb_sites:
            raise InputError("there is no graph: call create_general_graph first")
        if self._energy is None:
            nothing = (np.empty(0, np.int64),) * 2 + (np.empty(0),)
            first, second, weights = (np.concatenate(parts) for parts in zip(nothing, *self._neighbours, strict=True))
            edges = np.stack([first, second], axis=1)
            if self._function is None:
                self._energy = GraphCRF(self._data.T, edges, Matrix(self._smooth), weights)
            else:
                labels = range(self.nb_labels)
                tables = [
                    [[w * self._function(i, j, a, b) for b in labels] for a in labels]
                    for i, j, w in zip(first.tolist(), second.tolist(), weights.tolist(), strict=True)
                ]
                shape = (len(tables), self.nb_labels, self.nb_labels)
                self._energy = GraphCRF(self._data.T, edges, tables=np.array(tables, np.float64).reshape(shape))
        return self._energy

    def _set(self, value: Any, name: str = "", shape: tuple[int, ...] | None = None) -> Any:
        """A new part of the energy, of this shape if one is given, after which it is another one."""
        if not self.nb_sites:
            raise InputError("there is no graph: call create_general_graph first")
        if shape is not None and value.shape != shape:
            raise InputError(f"{name} must have shape {shape}, got {value.shape}")
        self._energy = None
        return value

    def _one(self, index: int, count: int, name: str) -> int:
        return inputs.as_count(index, name, 0, max(count - 1, 0))

    def _sites(self, sites: ArrayLike, name: str) -> np.ndarray:
        array = inputs.read(sites, name, booleans=False)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{name} must be a vector of sites, got shape {array.shape} of dtype {array.dtype}")
        if array.size and not 0 <= array.min() <= array.max() < self.nb_sites:
            raise InputError(f"{name} must be sites 0 to {self.nb_sites - 1}, got {array.min()} to {array.max()}")
        return array.astype(np.int64)


def _number(value: float, name: str) -> float:
    return float(inputs.as_numbers(value, name, (0,), np.float64))
