"""Scores of images, and what can be said of a method from a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from classicseg import metrics
from classicseg.torch import train

WIDTHS = (1, 2, 3, 5, 10, 20)
RESAMPLES = 2000


def record(labels: np.ndarray, truth: np.ndarray, n_labels: int, seconds: float) -> dict[str, Any]:
    """What is kept of one image."""
    return {
        "confusion": metrics.confusion_matrix(labels, truth, n_labels, ignore_label=train.VOID).tolist(),
        "trimap": [
            metrics.trimap_confusion(labels, truth, n_labels, width, ignore_label=train.VOID).tolist()
            for width in WIDTHS
        ],
        "boundary_f": metrics.boundary_f_score(labels, truth, n_labels, ignore_label=train.VOID),
        "seconds": seconds,
    }


def mean_iou(confusions: np.ndarray) -> np.ndarray:
    """Mean IoU over the labels in the truth, of each matrix (..., L, L)."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    in_truth, given = confusions.sum(-1), confusions.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = right / (in_truth + given - right)
    counted = in_truth > 0
    return np.where(counted, iou, 0).sum(-1) / counted.sum(-1)


def summary(runs: Sequence[Sequence[dict[str, Any]]], base: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Scores of a method; `runs` are its records by seed and image, `base` those of the network alone.

    Intervals are 95 % bootstrap intervals over test images, the same resamples for both, so that of the gain is that
    of the paired difference. They say nothing of how another training would differ: that is the spread of the seeds.
    """
    own, alone = (np.array([[r["confusion"] for r in run] for run in x]) for x in (runs, base))
    n_images = own.shape[1]
    drawn = np.random.default_rng(0).multinomial(n_images, np.full(n_images, 1 / n_images), RESAMPLES)
    resampled, of_base = (mean_iou(np.einsum("bn,snij->bsij", drawn, x)).mean(1) for x in (own, alone))
    by_seed, base_by_seed = mean_iou(own.sum(1)), mean_iou(alone.sum(1))
    borders, base_borders = (np.array([[r["boundary_f"] for r in run] for run in x]).mean(0) for x in (runs, base))
    gains = drawn @ (borders - base_borders) / n_images
    trimaps = np.array([[r["trimap"] for r in run] for run in runs]).sum(1)  # seeds, widths, L, L
    return {
        "miou": float(by_seed.mean()),
        "miou_interval": _interval(resampled),
        "miou_by_seed": by_seed.tolist(),
        "gain": float((by_seed - base_by_seed).mean()),
        "gain_interval": _interval(resampled - of_base),
        "boundary_f": float(borders.mean()),
        "boundary_gain": float((borders - base_borders).mean()),
        "boundary_gain_interval": _interval(gains),
        "trimap": {str(width): float(x) for width, x in zip(WIDTHS, mean_iou(trimaps).mean(0), strict=True)},
        "iou": [None if np.isnan(x) else float(x) for x in _iou(own.sum((0, 1)))],
        "ms": float(1e3 * np.median([r["seconds"] for run in runs for r in run])),
    }


def _iou(confusion: np.ndarray) -> np.ndarray:
    right = np.diag(confusion)
    with np.errstate(invalid="ignore"):
        return right / (confusion.sum(0) + confusion.sum(1) - right)


def _interval(values: np.ndarray) -> list[float]:
    return [float(x) for x in np.percentile(values, (2.5, 97.5))]
