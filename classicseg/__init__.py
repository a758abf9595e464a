"""Classical image segmentation with conditional random fields.

An energy says what is wanted, a solver says how it is found::

    import classicseg as cs

    crf = cs.DenseCRF(unary, [cs.GaussianKernel(sigma=3, weight=3), cs.BilateralKernel(image)])
    result = cs.minimize(crf, "mean_field")
    result.labels, result.marginals, result.energy

The public names are listed in ``__init__.pyi``; each is imported when it is first used, as are the rooms ``cs.io``,
``cs.metrics``, ``cs.plot`` and ``cs.torch``.
"""

import importlib as _importlib

import lazy_loader as _lazy

__version__ = "0.1.0"

_member, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
_ROOMS = ("io", "metrics", "plot", "torch")  # not in __all__: a star would import PyTorch, and hide Python's own io


def __getattr__(name: str) -> object:
    return _importlib.import_module(f"{__name__}.{name}") if name in _ROOMS else _member(name)
