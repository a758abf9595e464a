"""Run programs unchanged, with their imports of another library answered by classicseg.

``python -m classicseg.run_as pymaxflow script.py`` runs a script; two lines at the top of a program do the same:
``from classicseg.run_as import install; install("pymaxflow")``.
"""

from classicseg.run_as.redirect import install

__all__ = ["install"]
