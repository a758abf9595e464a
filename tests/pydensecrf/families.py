"""Parameters that the wild uses, and a run of either library with them."""

import numpy as np

FAMILIES = {  # Gaussian sxy, compat; bilateral sxy, srgb, compat; updates
    "readme": (3, 3, 80, 13, 10, 10),
    "irnet": (3, 3, 50, 5, 10, 10),
    "deeplab": (1, 3, 67, 3, 4, 10),
    "afa": (3, 3, 64, 5, 4, 10),
    "saliency": (3, 3, 60, 5, 5, 1),
}


def run(dcrf, unary, image, parameters, normalization=3):
    sxy, compat, bilateral, srgb, bilateral_compat, n_iter = parameters
    labels, height, width = unary.shape
    d = dcrf.DenseCRF2D(width, height, labels)
    d.setUnaryEnergy(unary.reshape(labels, -1))
    d.addPairwiseGaussian(sxy=sxy, compat=compat, normalization=dcrf.NormalizationType(normalization))
    d.addPairwiseBilateral(
        sxy=bilateral, srgb=srgb, rgbim=image, compat=bilateral_compat,
        normalization=dcrf.NormalizationType(normalization),
    )  # fmt: skip
    return np.array(d.inference(n_iter))
