"""Outputs of real classifiers, refined by dense CRFs: how much better they become, and how soon."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg.bench.problem import Problem
from classicseg.bench.suites.pictures import existing, gray, rgb
from classicseg.bench.tasks import Refinement

PARAMETERS = (3.0, 3.0, 80.0, 13.0, 10.0)
"""Those of the README of pydensecrf: sigma, weight, bilateral sigma, colour sigma, bilateral weight."""
ORIGIN = {
    "camvid": "CamVid with unaries of ESPNet: camvid/test/NAME.png, camvid/test_labels/ and camvid/test_unary_espnet/",
    "msrc": "MSRC-21 with unaries of TextonBoost: msrc21_textonboost/NAME.bmp, NAME_gt.png and NAME_prob.npz",
    "horses": "Weizmann horses with unaries of a network: horses/NAME.png, NAME_gt.png and NAME_unary.png",
}
KNOWN = {
    "camvid": ("0001TP_008550", "0001TP_008910"),
    "msrc": ("1_9_s", "2_14_s"),
    "horses": ("horse002", "horse022"),
}


def task(image: np.ndarray, unary: np.ndarray, truth: np.ndarray) -> Refinement:
    """A CRF with the usual parameters."""
    sigma, weight, bilateral_sigma, color_sigma, bilateral_weight = PARAMETERS
    kernels = [
        cs.GaussianKernel(sigma, weight), cs.BilateralKernel(image, bilateral_sigma, color_sigma, bilateral_weight)
    ]  # fmt: skip
    return Refinement(cs.DenseCRF(unary, kernels), image, unary, PARAMETERS, 10, truth)


def camvid(data: Path, name: str) -> Refinement:
    """A street, 11 classes and void."""
    image, truth = (_of(data / "camvid" / kind / f"{name}.png", read) for kind, read in _CAMVID)
    unary = _stacked(data / "camvid" / "test_unary_espnet" / f"{name}.png", 12)
    return task(image, unary, np.where(truth >= 11, 255, truth))


def msrc(data: Path, name: str) -> Refinement:
    """Objects and stuff, 21 classes."""
    folder = data / "msrc21_textonboost"
    probabilities = np.load(existing(folder / f"{name}_prob.npz"))["prob"].astype(np.float32)
    unary = np.ascontiguousarray(-np.log(np.maximum(probabilities, 1e-3)).transpose(2, 0, 1))
    return task(_of(folder / f"{name}.bmp", rgb), unary, _of(folder / f"{name}_gt.png", gray))


def horses(data: Path, name: str) -> Refinement:
    """A horse, 2 classes."""
    folder = data / "horses"
    truth = (_of(folder / f"{name}_gt.png", gray) > 127).astype(np.uint8)
    return task(_of(folder / f"{name}.png", rgb), _stacked(folder / f"{name}_unary.png", 2), truth)


def nuclei(data: Path | None) -> Refinement:
    """The micrograph that comes with the library, 2 classes."""
    sample = cs.sample("nuclei")
    window = np.s_[:96, :96]
    p = np.maximum(sample.probabilities[:, *window].astype(np.float32), 1e-4)
    return task(sample.image[window].copy(), -np.log(p), sample.truth[window].copy())


def problems(data: Path | None) -> list[Problem]:
    """The known ones, and whatever else of these sets is there."""
    makers: dict[str, tuple[Callable[..., Refinement], str]] = {
        "camvid": (camvid, "camvid/test_unary_espnet/{}.png"),
        "msrc": (msrc, "msrc21_textonboost/{}_prob.npz"),
        "horses": (horses, "horses/{}_unary.png"),
    }
    found = [Problem("dense/nuclei", nuclei, quick=True, summary="a micrograph that comes with the library")]
    for kind, (make, pattern) in makers.items():
        names = _names(data, pattern) or KNOWN[kind]
        found += [
            Problem(
                f"dense/{kind}-{name}", partial(make, name=name), (pattern.format(name),), ORIGIN[kind],
                summary=(make.__doc__ or "").rstrip("."),
            )
            for name in names
        ]  # fmt: skip
    return found


_CAMVID = (("test", rgb), ("test_labels", gray))


def _names(data: Path | None, pattern: str) -> list[str]:
    if data is None:
        return []
    start, end = Path(pattern).name.split("{}")
    files = sorted(data.glob(pattern.format("*")))
    return [file.name[len(start) : len(file.name) - len(end)] for file in files]


def _of(path: Path, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    return read(path).astype(np.uint8)


def _stacked(file: Path, n_labels: int) -> np.ndarray:
    """Costs in sixteenths, one label below the other."""
    costs = gray(file).astype(np.float32) / 16
    return costs.reshape(n_labels, -1, costs.shape[1])
