"""The interface of gco-wrapper and pygco, computed by classicseg: ``from classicseg import gco``.

Names and argument orders are theirs, and the labels are those of a minimum that no single move lowers. Costs of any
dtype are taken as they are: nothing is scaled to whole numbers first.
"""

from classicseg.errors import InputError
from classicseg.gco.cuts import (
    cut_from_graph,
    cut_general_graph,
    cut_grid_graph,
    cut_grid_graph_simple,
    cut_simple,
    cut_simple_vh,
    get_images_edges_diag,
    get_images_edges_vh,
)
from classicseg.gco.graph import GCO

PyGcoError = ShapeMismatchError = IndexOutOfBoundError = DataTypeNotSupportedError = InputError

__all__ = [
    "GCO",
    "DataTypeNotSupportedError",
    "IndexOutOfBoundError",
    "PyGcoError",
    "ShapeMismatchError",
    "cut_from_graph",
    "cut_general_graph",
    "cut_grid_graph",
    "cut_grid_graph_simple",
    "cut_simple",
    "cut_simple_vh",
    "get_images_edges_diag",
    "get_images_edges_vh",
]
