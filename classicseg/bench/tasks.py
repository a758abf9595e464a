"""Problems that are judged by what people drew, not by an energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.types import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Refinement(Brief):
    """The output of a classifier, to be refined by a dense CRF; the score is 100 - mean IoU in percent.

    Attributes
    ----------
    crf : DenseCRF
        A Gaussian and a bilateral kernel, Potts.
    image : ndarray, (H, W, 3), uint8
    unary : ndarray, (L, H, W), float32
    parameters : tuple of float
        Sigma and weight of the Gaussian, sigma, colour sigma and weight of the bilateral kernel.
    n_iter : int
        Updates of mean field.
    truth : ndarray, (H, W)
        Labels, 255 where nothing is scored.
    """

    crf: DenseCRF
    image: np.ndarray
    unary: np.ndarray
    parameters: tuple[float, float, float, float, float]
    n_iter: int
    truth: np.ndarray

    def __repr__(self) -> str:
        return f"Refinement({self.crf!r}, {self.n_iter} updates)"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the labels."""
        return self.truth.shape


@dataclass(frozen=True, eq=False, repr=False)
class Regions(Brief):
    """A photo and how people divided it; the score is 100 - covering in percent.

    Attributes
    ----------
    image : ndarray, (H, W, 3), uint8
    humans : tuple of ndarray, (H, W)
        One segmentation from each person.
    """

    image: np.ndarray
    humans: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        return f"Regions({self.shape[0]}x{self.shape[1]} pixels, {len(self.humans)} people)"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the labels."""
        return self.image.shape[:2]
