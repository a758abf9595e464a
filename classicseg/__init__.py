"""Classical image segmentation with conditional random fields.

An energy says what is wanted, a solver says how it is found::

    import classicseg as cs

    crf = cs.DenseCRF(unary, [cs.GaussianKernel(sigma=3, weight=3), cs.BilateralKernel(image)])
    result = cs.minimize(crf, "mean_field")
    result.labels, result.marginals, result.energy

The public names are listed in ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
