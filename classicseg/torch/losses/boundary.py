"""Boundary loss: what is found far outside an object costs more than what is found just beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from classicseg.io import VOID
from classicseg.torch.losses._inputs import SegmentationLoss


class BoundaryLoss(SegmentationLoss):
    """Mean of probabilities times signed distances to the true boundary (Kervadec et al. [1]_).

    A perfect answer makes it negative. It is meant as an addition, as in ``losses.build("dice+boundary")``.

    Parameters
    ----------
    class_weights : sequence of float, optional
        Of the mean over classes.
    ignore_index : int
        Label of pixels that do not count. Distances are computed as if such pixels were of no class.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    Notes
    -----
    Distances, in pixels, come from SciPy on the CPU: +d outside an object and -(d - 1) inside, as published. A class
    counts nothing in an image that has none of it, or nothing else.

    References
    ----------
    .. [1] H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed, "Boundary loss for highly
       unbalanced segmentation", MIDL 2019. :arxiv:`1812.07032`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> labels = torch.tensor([[0, 0, 1, 1]])
    >>> round(losses.BoundaryLoss()(torch.zeros(1, 2, 4), labels).item(), 4)
    0.25
    """

    def __init__(self, *, class_weights: Sequence[float] | Tensor | None = None, ignore_index: int = VOID) -> None:
        super().__init__(class_weights, ignore_index)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        weights = self.weights(z)
        truth = torch.where(valid, y, -1).cpu().numpy()
        maps = [np.stack([signed_distance(image == label) for label in range(z.shape[1])]) for image in truth]
        distances = torch.from_numpy(np.stack(maps)).to(z)
        p = torch.where(valid[:, None], z, 0).softmax(1)
        each = ((p * distances).movedim(1, -1) @ weights) / weights.sum()
        return (each * valid).sum() / valid.sum().clamp_min(1)


def signed_distance(region: np.ndarray) -> np.ndarray:
    """Distance of each pixel to a region; inside, minus the distance to what is outside, plus one."""
    if region.all() or not region.any():
        return np.zeros(region.shape)
    outside, inside = ndimage.distance_transform_edt(~region), ndimage.distance_transform_edt(region)
    return np.where(region, 1 - inside, outside)
