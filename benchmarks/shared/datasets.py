"""Real images with the real, imperfect scores of a classifier, for benchmarks and tests.

They are research data that the package may not ship (see folders.py). A data set whose folder is not there is empty,
and whoever uses it skips it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import classicseg as cs
from benchmarks.shared.folders import DATA
from classicseg.io import VOID


@dataclass(frozen=True)
class Example:
    """One image."""

    name: str
    image: np.ndarray
    """(H, W, 3) uint8, or a float32 volume, (X, Y, Z) or (X, Y, Z, C)."""
    unary: np.ndarray
    """(L, H, W) or (L, X, Y, Z) float32 costs, -log p."""
    truth: np.ndarray
    """Labels, or VOID."""


def camvid() -> Iterator[Example]:
    """Street scenes, 11 classes and void; unaries of ESPNet."""
    for file in _files("camvid/test_unary_espnet/*.png"):
        image, truth = (_pixels(DATA / "camvid" / folder / file.name) for folder in ("test", "test_labels"))
        yield Example(file.stem, image, _stacked(file, 12), np.where(truth >= 11, VOID, truth))


def msrc() -> Iterator[Example]:
    """Objects and stuff, 21 classes; unaries of TextonBoost."""
    for file in _files("msrc21_textonboost/*_prob.npz"):
        name = file.name.removesuffix("_prob.npz")
        unary = -np.log(np.maximum(np.load(file)["prob"].astype(np.float32), 1e-3)).transpose(2, 0, 1)
        image, truth = _pixels(file.with_name(f"{name}.bmp")), _pixels(file.with_name(f"{name}_gt.png"))
        yield Example(name, image, np.ascontiguousarray(unary), truth)


def horses() -> Iterator[Example]:
    """Weizmann horses, 2 classes; unaries of a small U-Net."""
    for file in _files("horses/*_unary.png"):
        name = file.name.removesuffix("_unary.png")
        image, truth = _pixels(file.with_name(f"{name}.png")), _pixels(file.with_name(f"{name}_gt.png")) > 127
        yield Example(name, image, _stacked(file, 2), truth.astype(np.uint8))


def drive() -> Iterator[Example]:
    """Vessels of the retina, 2 classes; unaries of W-Net."""
    for file in _files("drive/*_unary.png"):
        name = file.name.removesuffix("_unary.png")
        truth, field_of_view = (_pixels(file.with_name(f"{name}_{kind}.gif")) > 127 for kind in ("gt", "fov"))
        image = _pixels(file.with_name(f"{name}.tif"))
        yield Example(name, image, _stacked(file, 2), np.where(field_of_view, truth, VOID).astype(np.uint8))


def brats() -> Iterator[Example]:
    """A brain with a tumour, two MRI channels, 5 classes; unaries of a small U-Net."""
    for file in _files("brats/*/unary_cnn.npz"):
        scores = np.load(file)
        box = tuple(slice(start, stop) for start, stop in np.reshape(scores["bbox"], (3, 2)))
        channels = [_volume(file.with_name(f"{kind}_subtrMeanDivStd.nii.gz"))[box] for kind in ("Flair", "T1c")]
        truth = _volume(file.with_name("OTMultiClass.nii.gz"))[box].astype(np.uint8)
        unary = scores["nlp16"].astype(np.float32) / 16
        yield Example(file.parent.name, np.stack(channels, axis=-1).astype(np.float32), unary, truth)


def hippocampus() -> Iterator[Example]:
    """MRI of the hippocampus, 3 classes; logits of a small U-Net."""
    for file in _files("hippocampus/*_logits.npz"):
        name = file.name.removesuffix("_logits.npz")
        logits = np.load(file)["logits"].astype(np.float32)
        logits -= logits.max(axis=0)
        image, truth = (_volume(file.with_name(f"{name}{kind}.nii.gz")) for kind in ("", "_gt"))
        unary = np.log(np.exp(logits).sum(axis=0)) - logits
        yield Example(name, image.astype(np.float32), unary, truth.astype(np.uint8))


DATASETS: dict[str, Callable[[], Iterator[Example]]] = {
    "camvid": camvid,
    "msrc": msrc,
    "horses": horses,
    "drive": drive,
    "brats": brats,
    "hippocampus": hippocampus,
}


def bundled() -> Iterator[Example]:
    """Two windows of the micrograph that comes with the library: what a trial without data uses."""
    sample = cs.sample("nuclei")
    for name, window in {"left": np.s_[:96, :80], "right": np.s_[:96, 80:160]}.items():
        p = np.maximum(sample.probabilities[:, *window].astype(np.float32), 1e-4)
        yield Example(name, sample.image[window].copy(), -np.log(p), sample.truth[window].copy())


def annotated() -> Iterator[Example]:
    """The three pictures that come with pydensecrf; unaries of scribbled annotations, 30 % of the labels wrong in two.

    An annotation is a palette image; its index 0 is unknown.
    """
    for name, wrong in (("im1", 0.0), ("im2", 0.0), ("im3", 0.0), ("im1", 0.3), ("im2", 0.3)):
        file = DATA / "densecrf_examples" / f"{name}.png"
        if not file.exists():
            continue
        image = _pixels(file)
        drawn = _pixels(file.with_name(f"anno{name[-1]}.png")).astype(int)
        yield Example(f"{name} noisy" if wrong else name, image, scribbled(drawn, wrong), np.full(drawn.shape, VOID))


def scribbled(drawn: np.ndarray, wrong: float = 0.0, certainty: float = 0.7) -> np.ndarray:
    """Unary of an annotation whose smallest value is unknown; a share of the labels is `wrong`."""
    values, labels = np.unique(drawn, return_inverse=True)
    labels, n = labels.reshape(drawn.shape), len(values) - 1
    if wrong:
        rng = np.random.default_rng(0)
        labels = np.where(rng.random(labels.shape) < wrong, rng.integers(1, n + 1, labels.shape), labels)
    unary = np.full((n, *drawn.shape), -np.log((1 - certainty) / (n - 1)), np.float32)
    for label in range(n):
        unary[label][labels == label + 1] = -np.log(certainty)
    unary[:, labels == 0] = np.log(n)
    return unary


def eight_bit(image: np.ndarray) -> np.ndarray:
    """The image in units in which the colour sigmas of the wild make sense."""
    if image.dtype == np.uint8:
        return image
    low, high = np.percentile(image, (0.5, 99.5))
    return ((image - low) * (255 / (high - low))).astype(np.float32)


def _files(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern))


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.array(picture)  # a writable copy: pydensecrf takes no other


def _stacked(file: Path, n_labels: int) -> np.ndarray:
    """Costs in sixteenths, one label below the other."""
    costs = _pixels(file).astype(np.float32) / 16
    return costs.reshape(n_labels, -1, costs.shape[1])


def _volume(file: Path) -> np.ndarray:
    import nibabel

    return np.asarray(nibabel.load(file).dataobj)
