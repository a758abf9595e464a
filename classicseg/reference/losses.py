"""The losses that segmentation networks are trained with, as their formulas.

Each compares the probabilities (L, n) of n pixels, or the logits that they come from, with the right labels: pixel by
pixel, or by how far the regions of each class overlap.

Lin et al., "Focal loss for dense object detection", ICCV 2017, arXiv:1708.02002. Sudre et al., "Generalised Dice
overlap as a deep learning loss function for highly unbalanced segmentations", 2017, arXiv:1707.03237. Salehi et al.,
"Tversky loss function for image segmentation using 3D fully convolutional deep networks", 2017, arXiv:1706.05721.
Berman et al., "The Lovász-Softmax loss", CVPR 2018, arXiv:1705.08790. Shrivastava et al., "Training region-based object
detectors with online hard example mining", CVPR 2016, arXiv:1604.03540. Szegedy et al., "Rethinking the Inception
architecture for computer vision", CVPR 2016, arXiv:1512.00567. Wang et al., "Dice semimetric losses", MICCAI 2023,
arXiv:2303.16296.
"""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (L, n) of logits (L, n)."""
    e = np.exp(logits - logits.max(axis=0))
    return e / e.sum(axis=0)


def one_hot(labels: np.ndarray, n_labels: int) -> np.ndarray:
    """1 at the label of each pixel, (L, n)."""
    return (np.arange(n_labels)[:, None] == labels).astype(float)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the probability of the right label, (n,)."""
    return focal(logits, labels, gamma=0)


def focal(logits: np.ndarray, labels: np.ndarray, gamma: float = 2) -> np.ndarray:
    """Cross-entropy times (1 - p)^gamma, (n,): the loss of what is nearly right nearly vanishes.

    Examples
    --------
    The arithmetic of an imbalanced image: 9700 pixels of background at p = 0.8, 300 of an object at p = 0.3.

    >>> import numpy as np
    >>> from classicseg.reference.losses import focal
    >>> logits = np.log([[0.8, 0.7], [0.2, 0.3]])
    >>> labels = np.array([0, 1])
    >>> for gamma in (0, 2, 5):
    ...     print(gamma, (focal(logits, labels, gamma) * [9700, 300]).round(2).tolist())
    0 [2164.49, 361.19]
    2 [86.58, 176.98]
    5 [0.69, 60.71]
    """
    p = softmax(logits)[labels, np.arange(labels.size)]
    return -np.log(p) * (1 - p) ** gamma


def dice(p: np.ndarray, g: np.ndarray, power: int = 1) -> np.ndarray:
    """One minus the Dice coefficient of each class, (L,), of probabilities and one-hot labels (L, n)."""
    return 1 - 2 * (p * g).sum(1) / ((p**power).sum(1) + g.sum(1))


def generalized_dice(p: np.ndarray, g: np.ndarray) -> float:
    """Dice of all classes together, each weighed by one over its squared size; all classes must be there."""
    weights = 1 / g.sum(1) ** 2
    return float(1 - 2 * (weights * (p * g).sum(1)).sum() / (weights * (p + g).sum(1)).sum())


def tversky(p: np.ndarray, g: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """One minus TP / (TP + alpha FP + beta FN) of each class, (L,)."""
    hit, false, missed = (p * g).sum(1), (p * (1 - g)).sum(1), ((1 - p) * g).sum(1)
    return 1 - hit / (hit + alpha * false + beta * missed)


def lovasz(p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Lovász extension of the Jaccard loss of each class, (L,): errors, worst first, times what each adds to it."""
    losses = []
    for found, true in zip(p, g, strict=True):
        errors = abs(true - found)
        total, before, wrong = 0.0, 0.0, np.zeros(errors.size, bool)
        for pixel in np.argsort(-errors):
            wrong[pixel] = True
            union = (true.astype(bool) | wrong).sum()
            now = wrong.sum() / union  # Jaccard loss if exactly these pixels were wrong
            total += errors[pixel] * (now - before)
            before = now
        losses.append(total)
    return np.array(losses)


def soft_focal(logits: np.ndarray, q: np.ndarray, gamma: float = 2) -> np.ndarray:
    """Focal loss for probabilities q (L, n) in place of labels, (n,); cross-entropy if gamma is 0."""
    p = softmax(logits)
    return (-q * (1 - p) ** gamma * np.log(p)).sum(0)


def smoothed(g: np.ndarray, share: float) -> np.ndarray:
    """One-hot labels (L, n) of which a share is spread over all labels alike (Szegedy et al. 2016)."""
    return (1 - share) * g + share / len(g)


def soft_dice(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """One minus the Dice coefficient of each class, (L,), for probabilities q: 0 where p = q (Wang et al. 2023)."""
    return 1 - 2 * np.minimum(p, q).sum(1) / (p.sum(1) + q.sum(1))


def hardest(logits: np.ndarray, labels: np.ndarray, threshold: float, min_share: float) -> float:
    """Mean cross-entropy of the pixels below a threshold, but at least of a share (Shrivastava et al. 2016)."""
    costs = np.sort(cross_entropy(logits, labels))[::-1]
    n_below = int((costs >= -np.log(threshold)).sum())
    return float(costs[: max(n_below, int(np.ceil(min_share * len(costs))), 1)].mean())
