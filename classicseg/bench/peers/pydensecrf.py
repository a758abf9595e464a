"""pydensecrf2, the fork of pydensecrf that still installs: mean field of dense CRFs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.contender import Contender, Limits
from classicseg.bench.tasks import Refinement


def _refuses(instance: Any) -> str | None:
    return None if isinstance(instance, Refinement) else "it serves dense CRFs of images"


def _prepare(instance: Refinement, limits: Limits) -> Callable[[], np.ndarray]:
    from pydensecrf import densecrf

    unary = np.ascontiguousarray(instance.unary.reshape(len(instance.unary), -1), np.float32)
    image = np.array(instance.image)
    sigma, weight, bilateral_sigma, color_sigma, bilateral_weight = instance.parameters

    def call() -> np.ndarray:
        height, width = instance.shape
        crf = densecrf.DenseCRF2D(width, height, len(unary))
        crf.setUnaryEnergy(unary)
        crf.addPairwiseGaussian(sxy=sigma, compat=weight)
        crf.addPairwiseBilateral(sxy=bilateral_sigma, srgb=color_sigma, rgbim=image, compat=bilateral_weight)
        labels: np.ndarray = np.array(crf.inference(instance.n_iter)).argmax(axis=0).reshape(instance.shape)
        return labels

    return call


CONTENDERS = (Contender("pydensecrf2", _refuses, _prepare, package="pydensecrf", install="pydensecrf2"),)
