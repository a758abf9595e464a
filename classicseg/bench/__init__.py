"""A benchmark of solvers: energies of the literature, solvers of this library and others, a report that says it all.

The command ``classicseg bench`` runs it. :func:`register_problem` and :func:`register_contender` add to it, in a file
of one's own that is given as ``--plugin``.
"""

from classicseg.bench.contender import Answer, Limits, register_contender
from classicseg.bench.problem import register_problem
from classicseg.bench.tasks import Refinement, Regions

__all__ = ["Answer", "Limits", "Refinement", "Regions", "register_contender", "register_problem"]
