"""The interface of PyMaxflow, computed by classicseg: ``from classicseg import maxflow``.

Names, argument orders and results are those of PyMaxflow 1.3. Where it reads or writes beyond its memory, or takes a
negative capacity for what it is not, there is an error instead.
"""

from classicseg.maxflow import fastmin
from classicseg.maxflow.fastmin import abswap_grid, aexpansion_grid
from classicseg.maxflow.graph import Graph, GraphFloat, GraphInt
from classicseg.maxflow.structures import moore_structure, vonNeumann_structure

__all__ = [
    "Graph",
    "GraphFloat",
    "GraphInt",
    "abswap_grid",
    "aexpansion_grid",
    "fastmin",
    "moore_structure",
    "vonNeumann_structure",
]
