"""The solvers of the library: where each is, what it accepts and uses, in a line what it does, and who invented it.

They stand in the order in which they are tried when the user names none. Each is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from classicseg.solvers.solver import Solver

if TYPE_CHECKING:
    from classicseg.types import Result

# --- where they are -----------------------------------------------------------------------------------------------


def _graph_cut() -> Callable[..., Result]:
    from classicseg.solvers.cut.graph_cut import graph_cut

    return graph_cut


def _trws_expansion() -> Callable[..., Result]:
    from classicseg.solvers.trws_expansion import trws_expansion

    return trws_expansion


def _trws() -> Callable[..., Result]:
    from classicseg.solvers.messages.trws import trws

    return trws


def _expansion() -> Callable[..., Result]:
    from classicseg.solvers.cut.moves import expansion

    return expansion


def _swap() -> Callable[..., Result]:
    from classicseg.solvers.cut.moves import swap

    return swap


def _fusion() -> Callable[..., Result]:
    from classicseg.solvers.cut.moves import fusion

    return fusion


def _qpbo() -> Callable[..., Result]:
    from classicseg.solvers.cut.qpbo import qpbo

    return qpbo


def _branch_and_cut() -> Callable[..., Result]:
    from classicseg.solvers.cut.branch_and_cut import branch_and_cut

    return branch_and_cut


def _elimination() -> Callable[..., Result]:
    from classicseg.solvers.messages.elimination import elimination

    return elimination


def _mean_field_of_dense() -> Callable[..., Result]:
    from classicseg.solvers.dense.mean_field import mean_field

    return mean_field


def _mean_field_of_grid() -> Callable[..., Result]:
    from classicseg.solvers.sites.mean_field import mean_field

    return mean_field


def _mean_field_convergent() -> Callable[..., Result]:
    from classicseg.solvers.dense.mean_field import mean_field_convergent

    return mean_field_convergent


def _belief_propagation() -> Callable[..., Result]:
    from classicseg.solvers.messages.belief_propagation import belief_propagation

    return belief_propagation


def _icm() -> Callable[..., Result]:
    from classicseg.solvers.sites.icm import icm

    return icm


def _annealing() -> Callable[..., Result]:
    from classicseg.solvers.sites.annealing import annealing

    return annealing


# --- what they accept ---------------------------------------------------------------------------------------------


def _needs_dense_crf(energy: Any) -> str | None:
    from classicseg.energies.dense_crf import DenseCRF

    return None if isinstance(energy, DenseCRF) else f"it needs a DenseCRF, got {type(energy).__name__}"


def _needs_grid_crf(energy: Any) -> str | None:
    from classicseg.energies.grid_crf import GridCRF

    return None if isinstance(energy, GridCRF) else f"it needs a GridCRF, got {type(energy).__name__}"


def _needs_grid_or_graph(energy: Any) -> str | None:
    from classicseg.energies.graph_crf import GraphCRF

    if _needs_grid_crf(energy) is None or isinstance(energy, GraphCRF):
        return None
    return f"it needs a GridCRF or GraphCRF, got {type(energy).__name__}"


def _needs_no_label_costs(energy: Any) -> str | None:
    reason = _needs_grid_or_graph(energy)
    return "it knows no label costs" if reason is None and energy.label_costs is not None else reason


def _needs_two_labels(energy: Any) -> str | None:
    reason = _needs_no_label_costs(energy)
    return f"it serves 2 labels, got {energy.n_labels}" if reason is None and energy.n_labels != 2 else reason


def _needs_submodular_pairs(energy: Any) -> str | None:
    reason = _needs_grid_or_graph(energy)
    return energy.reason_against_cut() if reason is None else reason


# --- the table ----------------------------------------------------------------------------------------------------

SOLVERS: tuple[Solver, ...] = (
    Solver(
        name="graph_cut",
        load=_graph_cut,
        accepts=_needs_submodular_pairs,
        summary="Exact minimum for 2 labels by a minimum cut.",
        paper="Boykov and Kolmogorov 2004; Goldberg and Tarjan 1988; Goldberg et al. 2011",
    ),
    Solver(
        name="trws+expansion",
        load=_trws_expansion,
        accepts=_needs_grid_or_graph,
        summary="TRW-S, then expansion moves from its labels: the lowest energies, and how far from the best.",
        paper="Kolmogorov 2006; Boykov, Veksler and Zabih 2001; Lempitsky et al. 2010",
        init="labels",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="trws",
        load=_trws,
        accepts=_needs_no_label_costs,
        summary="Tree-reweighted message passing: low energies and a bound on how much lower they could be.",
        paper="Kolmogorov 2006",
        init="labels",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="expansion",
        load=_expansion,
        accepts=_needs_grid_or_graph,
        summary="Alpha-expansion: fast and good for many labels; never raises the energy; heeds label costs.",
        paper="Boykov, Veksler and Zabih 2001; Delong et al. 2012",
        init="labels",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="swap",
        load=_swap,
        accepts=_needs_grid_or_graph,
        summary="Alpha-beta swap: for compatibilities that are no metric.",
        paper="Boykov, Veksler and Zabih 2001",
        init="labels",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="fusion",
        load=_fusion,
        accepts=_needs_grid_or_graph,
        summary="Combines labellings from elsewhere into one that is at least as good as each.",
        paper="Lempitsky et al. 2010",
        init="labels",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="qpbo",
        load=_qpbo,
        accepts=_needs_two_labels,
        summary="2 labels, any pairs: the part of the minimum that can be proven, and a lower bound.",
        paper="Hammer, Hansen and Simeone 1984; Rother et al. 2007",
        init="labels",
        rng=True,
    ),
    Solver(
        name="branch_and_cut",
        load=_branch_and_cut,
        accepts=_needs_two_labels,
        summary="2 labels, any pairs: the minimum and its proof, by linear programs over cycles and branches.",
        paper="Barahona, Grötschel, Jünger and Reinelt 1988; Sontag and Jaakkola 2007",
        init="labels",
        max_iter=1000,
    ),
    Solver(
        name="elimination",
        load=_elimination,
        accepts=_needs_no_label_costs,
        summary="Bucket elimination: the minimum and its proof, whatever pairs cost, where the graph is narrow.",
        paper="Bertelè and Brioschi 1972; Dechter 1999",
    ),
    Solver(
        name="mean_field",
        load=_mean_field_of_dense,
        accepts=_needs_dense_crf,
        summary="Mean field: fast, the usual choice for dense CRFs.",
        paper="Krähenbühl and Koltun 2011",
        init="marginals",
        max_iter=10,
        tol=True,
    ),
    Solver(
        name="mean_field",
        load=_mean_field_of_grid,
        accepts=_needs_no_label_costs,
        summary="Mean field, pixel after pixel: its free energy never rises.",
        paper="Wainwright and Jordan 2008",
        init="marginals",
        max_iter=100,
        tol=True,
    ),
    Solver(
        name="mean_field_convergent",
        load=_mean_field_convergent,
        accepts=_needs_dense_crf,
        summary="Mean field whose free energy never rises, also with repulsive compatibilities.",
        paper="Baqué et al. 2016",
        init="marginals",
        max_iter=50,
        tol=True,
    ),
    Solver(
        name="belief_propagation",
        load=_belief_propagation,
        accepts=_needs_no_label_costs,
        summary="Min-sum and sum-product messages: exact on chains and trees; marginals at any temperature.",
        paper="Pearl 1988; Felzenszwalb and Huttenlocher 2006",
        max_iter=50,
        tol=True,
    ),
    Solver(
        name="icm",
        load=_icm,
        accepts=_needs_grid_or_graph,
        summary="Iterated conditional modes: the simplest descent, fast and weak; heeds label costs.",
        paper="Besag 1986",
        init="labels",
        max_iter=1000,
        tol=True,
    ),
    Solver(
        name="annealing",
        load=_annealing,
        accepts=_needs_grid_or_graph,
        summary="Gibbs sampling while the temperature falls: slow, any energy; heeds label costs.",
        paper="Geman and Geman 1984",
        init="labels",
        max_iter=200,
        rng=True,
    ),
)
