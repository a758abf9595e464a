"""The block ``monai.networks.blocks.CRF``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.torch import tensors
from classicseg.torch.functional import dense_crf, position_features


class CRF(nn.Module):
    """Mean field with the calls and the numbers of MONAI's block of that name.

    Parameters
    ----------
    iterations : int
        Updates; 0 is a softmax.
    bilateral_weight, gaussian_weight : float
        Weights of the two kernels.
    bilateral_spatial_sigma, gaussian_spatial_sigma : float
        Standard deviations of the positions, in pixels.
    bilateral_color_sigma : float
        Standard deviation of the reference, in its own units.
    update_factor : float
        Multiplies both weights.
    compatibility_matrix : Tensor, (L, L), optional
        What a like pixel of label l (row) adds to the logit of label l' (column); the identity if None. A *reward*, not
        a cost: a large diagonal smooths.

    Notes
    -----
    Where other pixels weigh in, MONAI divides by the sum of their weights (``normalization="after"``) and does not
    leave out the pixel itself. Both and the order of its features are kept. All attributes may be set later.

    Examples
    --------
    >>> import torch
    >>> from classicseg.monai import CRF
    >>> logits, scan = torch.randn(1, 2, 12, 10, 8), torch.rand(1, 1, 12, 10, 8)
    >>> CRF(iterations=2, bilateral_color_sigma=0.2)(logits, scan).sum(1).allclose(torch.ones(1, 12, 10, 8))
    True
    """

    def __init__(
        self,
        iterations: int = 5,
        bilateral_weight: float = 1.0,
        gaussian_weight: float = 1.0,
        bilateral_spatial_sigma: float = 5.0,
        bilateral_color_sigma: float = 0.5,
        gaussian_spatial_sigma: float = 5.0,
        update_factor: float = 3.0,
        compatibility_matrix: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.bilateral_weight = bilateral_weight
        self.gaussian_weight = gaussian_weight
        self.bilateral_spatial_sigma = bilateral_spatial_sigma
        self.bilateral_color_sigma = bilateral_color_sigma
        self.gaussian_spatial_sigma = gaussian_spatial_sigma
        self.update_factor = update_factor
        self.compatibility_matrix = compatibility_matrix

    def forward(self, input_tensor: Tensor, reference_tensor: Tensor) -> Tensor:
        """Marginals of logits, led by a reference.

        Parameters
        ----------
        input_tensor : Tensor, (B, L, *spatial)
            Logits; differentiable, one to three spatial axes or more.
        reference_tensor : Tensor, (B, C, *spatial)
            Image or volume.

        Returns
        -------
        Tensor, (B, L, *spatial)
            Probabilities.

        Raises
        ------
        ValueError
            If shapes do not fit, a sigma is not positive, or a value is not finite.
        TypeError
            If something is not a tensor of the right kind.
        """
        logits = tensors.as_logits(input_tensor, name="input_tensor")
        reference = tensors.as_image(reference_tensor, logits, "reference_tensor")
        if inputs.as_count(self.iterations, "iterations", 0) == 0:
            return logits.softmax(1)
        factor = inputs.as_weight(self.update_factor, "update_factor")
        weights = [
            factor * inputs.as_weight(self.bilateral_weight, "bilateral_weight"),
            factor * inputs.as_weight(self.gaussian_weight, "gaussian_weight"),
        ]
        color_sigma = inputs.as_positive_number(self.bilateral_color_sigma, "bilateral_color_sigma")
        apart = self._positions(reference, "bilateral_spatial_sigma")
        features = [
            torch.cat([apart, reference / color_sigma], dim=1),
            self._positions(reference, "gaussian_spatial_sigma"),
        ]
        costs = -self._rewards(logits).mT
        return dense_crf(
            logits, features, weights, costs, normalizations="after", n_iter=self.iterations, output="marginals"
        )

    def _positions(self, reference: Tensor, name: str) -> Tensor:
        """Coordinates in standard deviations, the first axis first: another order would change the third decimal."""
        sigma = inputs.as_positive_number(getattr(self, name), name)
        scale = torch.tensor([sigma], dtype=reference.dtype, device=reference.device)
        return position_features(reference.shape[2:], scale, 1.0, reference.shape[0]).flip(1)

    def _rewards(self, logits: Tensor) -> Tensor:
        like = {"dtype": logits.dtype, "device": logits.device}
        if self.compatibility_matrix is None:
            return torch.eye(logits.shape[1], **like)
        return torch.as_tensor(self.compatibility_matrix, **like)
