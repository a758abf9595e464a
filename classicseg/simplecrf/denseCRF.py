"""The module ``denseCRF`` of SimpleCRF: dense CRFs of colour images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.errors import InputError
from classicseg.simplecrf.results import as_bytes
from classicseg.solvers.minimize import minimize

__all__ = ["densecrf"]

_NAMES = ("w1", "alpha", "beta", "w2", "gamma", "it")


def densecrf(I: ArrayLike, P: ArrayLike, param: Sequence[float]) -> np.ndarray:
    """Refine probabilities by the colours of an image.

    Parameters
    ----------
    I : array_like, (H, W, C)
        Image, 0 to 255.
    P : array_like, (H, W, L)
        Probabilities; brought into [0.01, 0.99] first, as SimpleCRF does.
    param : (w1, alpha, beta, w2, gamma, it)
        Weight, range in pixels and range in colours of the appearance kernel; weight and range in pixels of the
        smoothness kernel; number of updates, of which decimals are cut off.

    Returns
    -------
    ndarray, (H, W), int8
        Labels.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, or a parameter is missing or out of its range.
    TypeError
        If something does not hold real numbers.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import classicseg as cs, numpy as np
    >>> from classicseg.simplecrf import denseCRF
    >>> s = cs.sample()
    >>> labels = denseCRF.densecrf(s.image, np.moveaxis(s.probabilities, 0, -1), (10.0, 80, 13, 3.0, 3, 5.0))
    >>> labels.shape, labels.dtype
    ((400, 600), dtype('int8'))
    """
    numbers = inputs.as_sequence(param, "param", "numbers")
    if len(numbers) != len(_NAMES):
        raise InputError(f"param must be ({', '.join(_NAMES)}), got {len(numbers)} numbers: {param!r}")
    w1, alpha, beta, w2, gamma, it = (
        inputs.as_weight(number, f"{name} of param") for name, number in zip(_NAMES, numbers, strict=True)
    )
    p = inputs.as_numbers(P, "P", (3,))
    image = inputs.as_image(I, p.shape[:2], -1, name="I", keep_bytes=True)
    for name, sigma in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        inputs.as_scale(sigma, f"{name} of param", 1)
    kernels = [BilateralKernel(image, alpha, beta, w1, channel_axis=0), GaussianKernel(gamma, w2)]
    crf = DenseCRF(inputs.as_unary(-np.log(p.clip(0.01, 0.99)), -1, name="-log P"), kernels)
    return as_bytes(minimize(crf, "mean_field", max_iter=max(0, int(it))).labels, crf.n_labels)
