"""The module ``denseCRF3D`` of SimpleCRF: dense CRFs of volumes of one or several modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.kernels import BilateralKernel, GaussianKernel
from classicseg.errors import InputError, InputTypeError
from classicseg.simplecrf.results import as_bytes, costs_of
from classicseg.solvers.minimize import minimize

__all__ = ["densecrf3d"]

_NAMES = (
    "MaxIterations", "PosW", "PosRStd", "PosCStd", "PosZStd",
    "BilateralW", "BilateralRStd", "BilateralCStd", "BilateralZStd", "ModalityNum", "BilateralModsStds",
)  # fmt: skip
_FORBIDDEN = np.float32(1e9)
"""The cost of a label of probability 0: no weights outvote it, and float32 sums it with any."""


def densecrf3d(I: ArrayLike, P: ArrayLike, param: Mapping[str, Any]) -> np.ndarray:
    """Refine probabilities by the values of a volume.

    Parameters
    ----------
    I : array_like, (D, H, W, C)
        Volume of C modalities, 0 to 255.
    P : array_like, (D, H, W, L)
        Probabilities. A label of probability 0 is ruled out.
    param : mapping of str to number
        ``MaxIterations``; ``PosW`` and ``BilateralW``, the weights of the smoothness and the appearance kernel;
        ``PosRStd``, ``PosCStd``, ``PosZStd`` and ``BilateralRStd`` and so on, their ranges along rows (H), columns (W)
        and slices (D), in voxels; ``ModalityNum``, which is C; ``BilateralModsStds``, a range of values for each.

    Returns
    -------
    ndarray, (D, H, W), int8
        Labels.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, no label of a voxel is left, or a parameter is missing or out of
        its range.
    TypeError
        If something does not hold real numbers, or `param` is no mapping.

    References
    ----------
    .. [1] K. Kamnitsas et al., "Efficient multi-scale 3D CNN with fully connected CRF for accurate brain lesion
       segmentation", Medical Image Analysis 36, 2017. :arxiv:`1603.05959`

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.simplecrf import denseCRF3D
    >>> param = {"MaxIterations": 2.0, "PosW": 2.0, "PosRStd": 5, "PosCStd": 5, "PosZStd": 5, "BilateralW": 3.0}
    >>> param |= {"BilateralRStd": 5.0, "BilateralCStd": 5.0, "BilateralZStd": 5.0}
    >>> param |= {"ModalityNum": 1, "BilateralModsStds": (5.0,)}
    >>> denseCRF3D.densecrf3d(np.zeros((4, 6, 5, 1)), np.full((4, 6, 5, 2), 0.5), param).shape
    (4, 6, 5)
    """
    if not isinstance(param, Mapping):
        raise InputTypeError(f"param must be a mapping of names to numbers, got {type(param).__name__}")
    missing = [name for name in _NAMES if name not in param]
    if missing:
        raise InputError(f"param must hold {', '.join(missing)}")
    number = {name: inputs.as_weight(param[name], f"{name} of param") for name in _NAMES[:-1]}
    p = inputs.as_numbers(P, "P", (4,))
    image = inputs.as_image(I, p.shape[:3], -1, name="I", keep_bytes=True)
    if number["ModalityNum"] != len(image):
        raise InputError(f"ModalityNum of param must be the {len(image)} channels of I, got {param['ModalityNum']!r}")
    ranges = inputs.as_scale(param["BilateralModsStds"], "BilateralModsStds of param", None)
    if len(ranges) != len(image):
        raise InputError(f"BilateralModsStds of param must be {len(image)} numbers, got {len(ranges)}")
    near, alike = (_sigma(number, kernel) for kernel in ("Pos", "Bilateral"))
    kernels = [
        GaussianKernel(near, number["PosW"]),
        BilateralKernel(image, alike, ranges, number["BilateralW"], channel_axis=0),
    ]
    crf = DenseCRF(np.minimum(costs_of(p), _FORBIDDEN), kernels)
    return as_bytes(minimize(crf, "mean_field", max_iter=max(0, int(number["MaxIterations"]))).labels, crf.n_labels)


def _sigma(number: Mapping[str, float], kernel: str) -> tuple[float, ...]:
    """The ranges of a kernel along the axes of a volume."""
    return tuple(inputs.as_scale(number[name], f"{name} of param", 1)[0] for name in (f"{kernel}{a}Std" for a in "ZRC"))
