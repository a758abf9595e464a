"""The same dense CRF in pydensecrf2, in classicseg, and in classicseg's drop-in for pydensecrf."""

from __future__ import annotations

import importlib

import numpy as np

import classicseg as cs

Parameters = tuple[float, float, float, float, float, int]
"""sigma, weight, bilateral sigma, colour sigma, bilateral weight, updates"""

README: Parameters = (3, 3, 80, 13, 10, 10)
IRNET: Parameters = (3, 3, 50, 5, 10, 10)
DEEPLAB: Parameters = (1, 3, 67, 3, 4, 10)

PEER = "pydensecrf"
DROP_IN = "classicseg.pydensecrf"


def with_classicseg(
    unary: np.ndarray, image: np.ndarray, p: Parameters, *, n_threads: int | None = None, quality: str = "fast"
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and marginals."""
    axis = None if image.ndim == unary.ndim - 1 else -1
    kernels = [cs.GaussianKernel(p[0], p[1]), cs.BilateralKernel(image, p[2], p[3], p[4], channel_axis=axis)]
    result = cs.minimize(cs.DenseCRF(unary, kernels, quality=quality), max_iter=p[5], n_threads=n_threads)
    assert result.marginals is not None
    return result.labels, result.marginals


def with_pydensecrf(
    unary: np.ndarray, image: np.ndarray, p: Parameters, package: str = PEER
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and marginals; 8-bit RGB by the built-in terms, anything else by features."""
    dcrf, utils = (importlib.import_module(f"{package}.{name}") for name in ("densecrf", "utils"))
    n_labels, *spatial = unary.shape
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        crf = dcrf.DenseCRF2D(spatial[1], spatial[0], n_labels)
        crf.addPairwiseGaussian(sxy=p[0], compat=p[1])
        crf.addPairwiseBilateral(sxy=p[2], srgb=p[3], rgbim=image, compat=p[4])
    else:
        crf = dcrf.DenseCRF(int(np.prod(spatial)), n_labels)
        d = len(spatial)
        channels = image[..., None] if image.ndim == d else image
        crf.addPairwiseEnergy(utils.create_pairwise_gaussian((p[0],) * d, spatial), compat=p[1])
        features = utils.create_pairwise_bilateral((p[2],) * d, p[3], channels.astype(np.float32), chdim=d)
        crf.addPairwiseEnergy(features, compat=p[4])
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(n_labels, -1), np.float32))
    q = np.array(crf.inference(p[5])).reshape(unary.shape)
    return q.argmax(axis=0), q
