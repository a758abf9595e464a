"""Energies made of photos, volumes and random fields: two labels, many labels, three axes.

All costs and weights are integers, so that energies of different programs can be compared to the last digit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

import classicseg as cs
from classicseg.bench.suites.fields import costs, picture
from classicseg.bench.suites.pictures import existing, rgb

GAMMA = {"flower": 50.0, "sheep": 50.0, "retina": 5.0, "motorcycle": 10.0}
"""Photos of the binary problems, two of the GrabCut set and two of scikit-image, and the weight of their edges."""


def binary(
    data: Path,
    photo: str,
    size: int | None = None,
    connectivity: int = 4,
    *,
    gamma: float | None = None,
    scale: int = 100,
) -> cs.GridCRF:
    """Object and background of a photo by colour histograms, edges of weight gamma that follow the contrast [2]_.

    Parameters
    ----------
    data : path
        Folder of data, for photos of the GrabCut set.
    photo : str
        One of the GrabCut set, ``"retina"`` (vessels, thin as hair) or ``"motorcycle"`` (texture everywhere).
    size : int, optional
        Resampled to (size, size); native resolution if None.
    connectivity : {4, 8}
    gamma : float, optional
        Weight of edges without contrast; by default that of GAMMA. 2 is easy, 10 usual, 50 hard for solvers.
    scale : int
        Costs and weights are multiplied by this and rounded.

    References
    ----------
    .. [2] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004. doi:10.1145/1015706.1015720
    """
    from PIL import Image

    image, inside = _photo(data, photo)
    if size is not None:
        image = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
        inside = np.asarray(Image.fromarray(inside).resize((size, size), Image.Resampling.NEAREST))
    unary = _integers(-np.log(np.stack([_frequency(image, ~inside), _frequency(image, inside)])) * scale)
    contrast = cs.contrast_weights(image, connectivity=connectivity)
    weight = scale * (GAMMA.get(photo, 50.0) if gamma is None else gamma)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(weight * w) for name, w in contrast.items()})


def _photo(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8, and where the object is, roughly."""
    if name == "retina":
        from skimage import data

        green = data.retina()[..., 1].astype(np.float32)
        even = gaussian_filter(green, 20)
        field = even > 50  # not the black frame
        dark = np.where(field, gaussian_filter(green, 1) - even, 0)
        flat = np.clip(128 + 4 * dark, 0, 255).astype(np.uint8)
        return np.repeat(flat[..., None], 3, axis=2), dark < -6
    if name == "motorcycle":
        from skimage import data

        image = data.stereo_motorcycle()[0]
        inside = np.zeros(image.shape[:2], bool)
        inside[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : -image.shape[1] // 4] = True
        return image, inside
    image = rgb(folder / "mrf" / "grabcut" / "imgs" / f"{name}.jpg").astype(np.uint8)
    x0, y0, x1, y1 = map(
        int, existing(folder / "mrf" / "grabcut" / "bboxes" / f"{name}.txt").read_text(encoding="ascii").split()
    )
    inside = np.zeros(image.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    return image, inside


def _frequency(image: np.ndarray, where: np.ndarray, bins: int = 16) -> np.ndarray:
    """How often the colour of each pixel is in a part of the image, by a smoothed histogram."""
    index = image.astype(np.intp) * bins // 256
    flat = np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), (bins,) * 3)
    counts = np.bincount(flat[where], minlength=bins**3).astype(np.float64).reshape((bins,) * 3)
    smooth = gaussian_filter(counts, 1.0).reshape(-1)
    share = (smooth + 0.01) / (smooth + 0.01).sum()
    return share[flat]


def potts(n_labels: int, size: int | None = 256, *, contrast: bool = False, noise: float = 20.0) -> cs.GridCRF:
    """A noisy photo in `n_labels` of its own colours, Potts; with `contrast`, weights that follow the photo."""
    from PIL import Image
    from skimage import data

    photo = Image.fromarray(data.astronaut() if size is None or size <= 512 else data.stereo_motorcycle()[0])
    image = photo if size is None else photo.resize((size, size), Image.Resampling.BICUBIC)
    few = image.quantize(n_labels, method=Image.Quantize.MEDIANCUT)
    colors = np.asarray((few.getpalette() or [])[: 3 * n_labels], np.float64).reshape(-1, 3)
    rng = np.random.default_rng(n_labels)
    seen = np.asarray(image, np.float64) + noise * rng.standard_normal((image.height, image.width, 3))
    unary = _integers([np.minimum(np.square(seen - color).sum(axis=-1) / (2 * noise), 2000) for color in colors])
    if not contrast:
        return cs.GridCRF(unary, cs.Potts(60))
    weights = cs.contrast_weights(np.asarray(image), connectivity=4)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(100 * w) for name, w in weights.items()})


def organ(size: int = 64, connectivity: int = 6, *, weight: float = 0.5, scale: int = 100) -> cs.GridCRF:
    """A lobed organ with a hollow in noise; 2 labels, equal weights divided by the length of the edge."""
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    radius = 0.62 + 0.12 * np.cos(4 * np.arctan2(y, x)) * np.cos(3 * z)
    distance = np.sqrt(x * x + 1.3 * y * y + 0.8 * z * z)
    body = (distance < radius) & (distance > 0.25)
    rng = np.random.default_rng(size)
    seen = body + 0.6 * rng.standard_normal(body.shape)
    unary = _integers(scale * np.stack([seen**2, (seen - 1) ** 2]) / (2 * 0.6**2))
    equal = cs.contrast_weights(np.zeros(body.shape), connectivity=connectivity, channel_axis=None)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(scale * weight * w) for name, w in equal.items()})


def mr_volume(data: Path, connectivity: int = 6, *, weight: float = 5.0, scale: int = 100) -> cs.GridCRF:
    """An MR volume of 120 x 150 x 100 voxels, histograms inside and outside of a network's answer, contrast weights."""
    import nibabel

    files = (existing(data / "mrf" / "volumes" / f"2013_12_1_{kind}.nii.gz") for kind in ("img", "init"))
    volumes: list[Any] = [nibabel.load(file) for file in files]
    image, answer = (np.asarray(volume.dataobj) for volume in volumes)
    level = np.minimum(image.astype(np.intp) // 8, 63)
    costs = []
    for where in (answer == 0, answer > 0):
        share = gaussian_filter(np.bincount(level[where], minlength=64) + 0.5, 1.0)
        costs.append(-np.log(share / share.sum())[level])
    contrast = cs.contrast_weights(image, connectivity=connectivity, channel_axis=None)
    weights = {name: _integers(scale * weight * w) for name, w in contrast.items()}
    return cs.GridCRF(_integers(scale * np.stack(costs)), cs.Potts(), weights)


def linear(n_labels: int = 16, size: int = 512) -> cs.GridCRF:
    """Noise in truncated linear costs."""
    unary = np.random.default_rng(0).integers(0, 100, (n_labels, size, size))
    return cs.GridCRF(unary, cs.TruncatedLinear(10, truncation=3))


def of_fields(shape: tuple[int, ...], n_labels: int, connectivity: int) -> cs.GridCRF:
    """Smooth regions in noise and edges that follow a picture, all generated."""
    contrast = cs.contrast_weights(picture(shape), connectivity=connectivity)
    weights = {name: _integers(40 * w) for name, w in contrast.items()}
    return cs.GridCRF(_integers(60 * costs(n_labels, shape)), cs.Potts(), weights)


def _integers(values: ArrayLike) -> np.ndarray:
    return np.rint(values).astype(np.int32)
