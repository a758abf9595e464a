"""The interface of SimpleCRF, computed by classicseg.

Change ``import denseCRF`` to ``from classicseg.simplecrf import denseCRF``, and likewise ``denseCRF3D`` and
``maxflow``. Names, argument orders and results are those of SimpleCRF; where it ends the process or returns NULL, there
is an error instead.
"""

from classicseg.simplecrf import denseCRF, denseCRF3D, maxflow

__all__ = ["denseCRF", "denseCRF3D", "maxflow"]
