"""The data of the experiment, with training, validation and test images kept apart.

In a fold, networks learn the training images; the best epoch and all parameters of CRFs are chosen on the validation
images; the test images are opened when everything is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import classicseg as cs
from benchmarks.shared.folders import DATA
from classicseg import io
from classicseg.torch import train

NETWORKS = {"fcn8s": 0.2, "unet": 0.2, "fcdensenet56": 0.25, "pspnet50": 0.2, "deeplabv3_50": 0.25}
"""Width of each network, as a factor of the published channels."""
OPTIONS: dict[str, dict[str, Any]] = {
    "pspnet50": {"uniform_dilation": True},
    "deeplabv3_50": {
        "output_stride": 16,
        "multi_grid": (1, 2, 4),
        "extra_conv": False,
        "uniform_dilation": True,
    },
}
"""The networks as their papers have them, which the defaults of the library do not follow everywhere."""


@dataclass(frozen=True)
class Fold:
    """Three sets of images."""

    name: str
    training: train.Data
    validation: train.Data
    test: train.Data


@dataclass(frozen=True)
class Problem:
    """Folds, what is trained on them and how."""

    name: str
    folds: Callable[[], list[Fold]]
    networks: tuple[str, ...]
    settings: train.Settings
    tuning: train.Settings
    """How the network and the CRF are trained together afterwards, and the network alone for comparison."""
    free: bool = False
    """Whether the licence of the images lets them be shown in the documentation."""
    budget: int = 25
    """Sets of parameters that are tried for the dense CRF."""
    width_factor: float = 1.0

    def width(self, network: str) -> float:
        """The channels of a network, as a factor of the published ones."""
        return NETWORKS[network] * self.width_factor


class Repeated:
    """Few images several times, so that an epoch is worth its name."""

    def __init__(self, data: train.Data, times: int) -> None:
        self.data, self.times, self.classes = data, times, data.classes

    def __len__(self) -> int:
        return len(self.data) * self.times

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.data[index % len(self.data)]

    def name(self, index: int) -> str:
        return self.data.name(index % len(self.data))


def camvid(size: tuple[int, int] | None = (180, 240)) -> list[Fold]:
    """Street scenes, 11 classes, at half size. The last 4 training frames of each of 3 sequences validate."""
    root = DATA / "camvid"
    names = train.FolderData(root, "train").names
    sequences: dict[str, list[str]] = {}
    for name in names:
        sequences.setdefault(name.split("_")[0], []).append(name)
    held = [name for sequence in sequences.values() for name in sequence[-4:]]
    learned = [name for name in names if name not in held]
    training, validation = (train.FolderData(root, "train", names=chosen, size=size) for chosen in (learned, held))
    return [Fold("test", training, validation, train.FolderData(root, "test", size=size))]


def nuclei() -> list[Fold]:
    """Fluorescent nuclei and background; each image is the test once, the next one validates, two are learned.

    Each image is stretched between its percentiles 0.1 and 99.9. The two stained slices of the set look so different
    from these that no network could know them from the others: they are left out.
    """
    images, labels = [], []
    for file in sorted((DATA / "dsb2018_nuclei").glob("*_labels.png")):
        image = io.read_image(file.with_name(file.name.replace("_labels", ""))).astype(np.float32)
        if image.mean() > 100:
            continue
        low, high = np.percentile(image, (0.1, 99.9))
        step = int(np.ceil(max(image.shape[:2]) / 400))
        image = np.clip((image - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
        size = tuple(n // step for n in image.shape[:2])
        images.append(train.resize_image(image, size))
        labels.append(train.resize_labels((io.read_labels(file) > 0).astype(np.uint8), size))
    return _one_left_out(images, labels, ("background", "nucleus"), 12)


def satellite() -> list[Fold]:
    """Land cover of Dubai, 5 classes, at half size; each image is the test once, the next one validates."""
    root = DATA / "dubai_landcover"
    images, labels = [], []
    for file in sorted(root.glob("*.jpg")):
        image, truth = io.read_image(file), io.read_labels(file.with_name(f"{file.stem}_gt.png"))
        size = tuple(n // 2 for n in truth.shape)
        images.append(train.resize_image(image, size))
        labels.append(train.resize_labels(truth, size))
    return _one_left_out(images, labels, ("building", "land", "road", "vegetation", "water"), 8)


def _one_left_out(
    images: list[np.ndarray], labels: list[np.ndarray], classes: tuple[str, ...], times: int
) -> list[Fold]:
    def chosen(*which: int) -> train.ArrayData:
        return train.ArrayData([images[i] for i in which], [labels[i] for i in which], classes)

    n = len(images)
    folds = []
    for k in range(n):
        after = (k + 1) % n
        rest = [i for i in range(n) if i not in (k, after)]
        folds.append(Fold(f"image{k}", Repeated(chosen(*rest), times), chosen(after), chosen(k)))
    return folds


def bundled() -> list[Fold]:
    """Three windows of the micrograph of the library: for a trial without data."""
    sample = cs.sample("nuclei")
    windows = [np.s_[:64, :64], np.s_[64:128, :64], np.s_[:64, 64:128]]
    images, labels = ([part[window].copy() for window in windows] for part in (sample.image, sample.truth))
    return _one_left_out(images, labels, ("background", "nucleus"), 2)[:1]


_BRIEF = train.Settings(n_epochs=1, batch_size=2, augmentation=train.Augmentation(crop=(32, 32)))
TINY = Problem("tiny", bundled, ("unet", "deeplabv3_50"), _BRIEF, _BRIEF, budget=1, width_factor=0.2)

PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(
            "camvid",
            camvid,
            tuple(NETWORKS),
            train.Settings(
                n_epochs=24, batch_size=3, lr=2e-3, max_norm=5.0, augmentation=train.Augmentation(crop=(120, 160))
            ),
            train.Settings(
                n_epochs=3, batch_size=3, lr=3e-4, max_norm=5.0, augmentation=train.Augmentation(crop=(120, 160))
            ),
        ),
        Problem(
            "camvid_full",
            partial(camvid, size=None),
            ("deeplabv3_50", "pspnet50"),  # logits of a 16th and of an 8th of the size
            train.Settings(
                n_epochs=36, batch_size=3, lr=2e-3, max_norm=5.0, augmentation=train.Augmentation(crop=(240, 320))
            ),
            train.Settings(
                n_epochs=3, batch_size=3, lr=3e-4, max_norm=5.0, augmentation=train.Augmentation(crop=(240, 320))
            ),
        ),
        Problem(
            "nuclei",
            nuclei,
            ("unet",),
            train.Settings(
                n_epochs=12,
                batch_size=2,
                lr=2e-3,
                max_norm=5.0,
                augmentation=train.Augmentation(crop=(128, 128), scale=(0.5, 2.0)),
            ),
            train.Settings(
                n_epochs=3,
                batch_size=2,
                lr=3e-4,
                max_norm=5.0,
                augmentation=train.Augmentation(crop=(128, 128), scale=(0.5, 2.0)),
            ),
            free=True,  # CC0
        ),
        Problem(
            "satellite",
            satellite,
            ("unet",),
            train.Settings(
                n_epochs=15, batch_size=4, lr=2e-3, max_norm=5.0, augmentation=train.Augmentation(crop=(128, 160))
            ),
            train.Settings(
                n_epochs=3, batch_size=4, lr=3e-4, max_norm=5.0, augmentation=train.Augmentation(crop=(128, 160))
            ),
        ),
    )
}
