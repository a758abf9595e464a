r"""
The permutohedral lattice
=========================

Put values on the corners of simplices, blur along the axes of the lattice, read them
back. The cost grows with the number of points, not of pairs.

.. math::

    K \approx \text{slice} \cdot \text{blur} \cdot \text{splat}

With d features a simplex has d + 1 corners.

- **Twin**: ``classicseg/reference/lattice.py``, in full below.
- **Fast code**: ``classicseg/kernels/dense/lattice.py``,
  ``classicseg/kernels/dense/bank.py``.
- **Paper**: Adams, Baek and Davis 2010, doi:10.1111/j.1467-8659.2009.01645.x.
"""

import numpy as np

import classicseg as cs
from classicseg.reference.lattice import Lattice

rng = np.random.default_rng(4)
points = rng.normal(0, 1.3, (2, 50))
cs.plot.lattice(points)

# %%
# The same in five dimensions, where pictures end: positions and colours.

features, values = rng.normal(0, 1.2, (5, 400)), rng.random((3, 400))
slow = Lattice(features).filter(values, "symmetric")
fast = cs.PermutohedralLattice(features).filter(values, "symmetric")
print(f"largest difference: {abs(slow - fast).max():.1e}")
assert np.allclose(slow, fast, atol=1e-5)

# %%
# The twin
# --------
#
# .. literalinclude:: /../classicseg/reference/lattice.py
#    :language: python
