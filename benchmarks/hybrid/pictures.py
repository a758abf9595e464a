"""Pictures of the best, a typical and the worst case of a fold: what the tuned CRF changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hybrid.problems import Fold
from classicseg import io, plot

SHOWN = ("network", "default", "tuned", "rnn", "grid")


def write_cases(
    fold: Fold, records: dict[str, list[dict[str, Any]]], labels: dict[str, np.ndarray], folder: Path
) -> None:
    """Write best.png, typical.png and worst.png: image, truth, then what SHOWN says."""
    gains = [
        _accuracy(after) - _accuracy(before) for after, before in zip(records["tuned"], records["network"], strict=True)
    ]
    order = np.argsort(gains, kind="stable")
    for name, i in (("best", order[-1]), ("typical", order[len(order) // 2]), ("worst", order[0])):
        image, truth = fold.test[int(i)]
        rows = [image, painted(truth), *(painted(labels[f"{method}_{i}"]) for method in SHOWN)]
        io.write_image(folder / f"{name}.png", beside(rows))


def write_gallery(
    folds: list[Fold], runs: list[dict[str, Any]], folders: list[Path], target: Path, height: int = 200
) -> None:
    """Best, typical and worst of the test images of all folds, one above the other."""
    cases = [
        (_accuracy(after) - _accuracy(before), fold, folder, i)
        for fold, run, folder in zip(folds, runs, folders, strict=True)
        for i, (after, before) in enumerate(zip(run["records"]["tuned"], run["records"]["network"], strict=True))
    ]
    cases.sort(key=lambda case: case[0])
    rows = []
    for _, fold, folder, i in (cases[-1], cases[len(cases) // 2], cases[0]):
        image, truth = fold.test[i]
        with np.load(folder / "labels.npz") as labels:
            parts = [image, painted(truth), *(painted(labels[f"{method}_{i}"]) for method in SHOWN)]
        step = max(1, image.shape[0] // height)
        rows.append(beside([part[::step, ::step] for part in parts]))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    io.write_image(target, np.concatenate(padded))


def painted(labels: np.ndarray) -> np.ndarray:
    """Labels as colours."""
    picture: np.ndarray = plot.palette(256)[labels]
    return picture


def beside(pictures: list[np.ndarray], gap: int = 4) -> np.ndarray:
    """Pictures in a row."""
    height = pictures[0].shape[0]
    white = np.full((height, gap, 3), 255, np.uint8)
    joined = [part for picture in pictures for part in (np.broadcast_to(picture, (height, picture.shape[1], 3)), white)]
    return np.concatenate(joined[:-1], axis=1).astype(np.uint8)


def _accuracy(record: dict[str, Any]) -> float:
    confusion = np.array(record["confusion"])
    return float(np.trace(confusion) / confusion.sum())
