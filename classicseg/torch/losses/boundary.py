"""Boundary loss: what is found far outside an object costs more than what is found just beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID
from classicseg.torch import tensors
from classicseg.torch.losses._inputs import SegmentationLoss, one_or_nan


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
    counts nothing in an image that has none of it, or nothing else. Whoever trains computes them while images are
    read, with :meth:`maps`, as :func:`classicseg.torch.train.fit` does.

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

    def forward(self, logits: Tensor, labels: Tensor, distances: Tensor | None = None) -> Tensor:
        """The loss of logits (B, L, *spatial) for labels (B, *spatial).

        Distances, ``(B, L, *spatial)``, are those of :meth:`maps`, if they are known; otherwise this waits for a GPU.
        """
        z, y, valid, fits = self.check(logits, labels)
        z = tensors.two_labels(z)
        if distances is None:
            if torch.jit.is_tracing():
                raise InputError("distances must be given, as a trace would keep those of its example")
            of_images = [self.maps(image, z.shape[1]) for image in torch.where(valid, y, self.ignore_index).cpu()]
            distances = torch.stack(of_images).to(z)
        else:
            tensors.as_floats(distances, "distances")
            if distances.shape != z.shape:
                raise InputError(f"distances must have shape {tuple(z.shape)}, got {tuple(distances.shape)}")
            tensors.on_device(distances, z, "distances")
        weights = self.weights(z)
        p = torch.where(valid[:, None], z, 0).softmax(1)
        each = ((p * distances).movedim(1, -1) @ weights) / weights.sum()
        value = (each * valid).sum() / valid.sum().clamp_min(1)
        return value if fits is None else value * one_or_nan(fits)

    def maps(self, labels: Any, n_labels: int) -> Tensor:
        """Signed distances to each label's region in one image, for a data loader.

        Parameters
        ----------
        labels : array_like of int, (*spatial)
        n_labels : int

        Returns
        -------
        Tensor, (n_labels, *spatial), float32
            On the CPU. Those of several images, stacked, are the `distances` of :meth:`forward`.

        Raises
        ------
        ValueError, TypeError
            If labels are not whole numbers, or out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from classicseg.torch import losses
        >>> losses.BoundaryLoss().maps(np.array([0, 0, 1, 1]), 2).tolist()
        [[-1.0, 0.0, 1.0, 2.0], [2.0, 1.0, 0.0, -1.0]]
        """
        n = inputs.as_count(n_labels, "n_labels", 2)
        truth = inputs.read(labels, "labels")
        if truth.dtype.kind not in "iu":
            raise InputTypeError(f"labels must hold integers, got dtype {truth.dtype}")
        wrong = (truth != self.ignore_index) & ((truth < 0) | (truth >= n))
        if wrong.any():
            raise InputError(
                f"labels must be 0 to {n - 1} or ignore_index={self.ignore_index}, got {int(truth[wrong][0])}"
            )
        regions = [(truth == label) & (truth != self.ignore_index) for label in range(n)]
        return torch.from_numpy(np.stack([signed_distance(region) for region in regions]).astype(np.float32))


def signed_distance(region: np.ndarray) -> np.ndarray:
    """Distance of each pixel to a region; inside, minus the distance to what is outside, plus one."""
    if region.all() or not region.any():
        return np.zeros(region.shape)
    outside, inside = ndimage.distance_transform_edt(~region), ndimage.distance_transform_edt(region)
    return np.where(region, 1 - inside, outside)
