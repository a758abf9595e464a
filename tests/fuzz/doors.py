"""Cases of the interfaces of SimpleCRF and numpymaxflow, of the transform for MONAI, and of films."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg import numpymaxflow
from classicseg.monai import CRFd
from classicseg.simplecrf import denseCRF, denseCRF3D, maxflow
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def _binary(labels: np.ndarray, **given: Any) -> None:
    assert np.isin(labels, (0, 1)).all()


def _numpymaxflow(draw: Draw) -> Call:
    shape = draw.shape((2, 3))
    arguments = {"image": np.moveaxis(draw.image(shape, 2), -1, 0), "prob": draw.probabilities(2, shape)}
    arguments |= {"lamda": draw.weight(), "sigma": draw.positive()} | draw.some(connectivity=lambda: 0)
    if draw.chance(0.5):
        return Call(numpymaxflow.maxflow, arguments, _binary)
    seed = draw.rng.random((2, *shape)) < 0.2
    return Call(numpymaxflow.maxflow_interactive, arguments | {"seed": seed}, _binary)


def _cut(draw: Draw) -> Call:
    n_axes = draw.of((2, 3))
    shape = draw.shape((n_axes,))
    arguments = {"I": draw.image(shape, 2), "P": np.moveaxis(draw.probabilities(2, shape), 0, -1)}
    arguments["param"] = (draw.weight(), draw.positive())
    words = ("lambda", "sigma")
    if draw.chance(0.5):
        return Call((maxflow.maxflow2d, maxflow.maxflow3d)[n_axes - 2], arguments, _binary, words=words)
    function = (maxflow.interactive_maxflow2d, maxflow.interactive_maxflow3d)[n_axes - 2]
    return Call(function, arguments | {"S": draw.rng.random((*shape, 2)) < 0.2}, _binary, words=words)


def _densecrf(draw: Draw) -> Call:
    shape, n = draw.shape((2,)), draw.integer(2, 3)
    param = (draw.weight(), draw.positive(), draw.positive(), draw.weight(), draw.positive(), draw.integer(0, 4))
    arguments = {"I": draw.image(shape, 3), "P": np.moveaxis(draw.probabilities(n, shape), 0, -1), "param": param}
    return Call(denseCRF.densecrf, arguments, words=("weight", "sigma", "sizes", "image"))


def _densecrf3d(draw: Draw) -> Call:
    shape, n = draw.shape((3,)), draw.integer(2, 3)
    param: dict[str, Any] = {f"{k}{a}Std": draw.positive() for k in ("Pos", "Bilateral") for a in "RCZ"}
    param |= {"MaxIterations": draw.integer(0, 4), "PosW": draw.weight(), "BilateralW": draw.weight()}
    param |= {"ModalityNum": 2, "BilateralModsStds": (draw.positive(), draw.positive())}
    arguments = {"I": draw.image(shape, 2), "P": np.moveaxis(draw.probabilities(n, shape), 0, -1), "param": param}
    return Call(denseCRF3D.densecrf3d, arguments, words=("weight", "sigma", "image"))


def _transform(draw: Draw) -> Call:
    shape, n = draw.shape((2, 3)), draw.integer(1, 3)
    pred = draw.numbers((n, *shape))
    arguments = {"image": np.moveaxis(draw.image(shape, 2), -1, 0), "pred": pred}
    arguments |= draw.some(preset=lambda: "pydensecrf", output=lambda: "marginals", max_iter=lambda: draw.integer(0, 3))

    def refined(image: Any, pred: Any, **options: Any) -> Any:
        return CRFd("pred", **options)({"image": image, "pred": pred})["pred"]

    words = ("the entry to refine", "logits", "unary", "p ", "color_sigma", "features")
    return Call(refined, arguments, words=words)


def _film(draw: Draw) -> Call:
    shape, n, channels = draw.shape((2,)), draw.integer(2, 3), draw.of((None, 3))
    arguments: dict[str, Any] = {"image": draw.image(shape, channels), "logits": draw.numbers((n, *shape))}
    arguments["channel_axis"] = None if channels is None else -1
    arguments |= draw.some(
        memory=lambda: draw.integer(1, 9), preset=lambda: draw.of(tuple(cs.PRESETS)), sigma=draw.positive,
        max_iter=lambda: draw.integer(0, 4),
    )  # fmt: skip

    def refined(image: Any, logits: Any, **options: Any) -> tuple[Any, ...]:
        refiner = cs.Refiner(**options)
        first = refiner(image, logits=logits)
        frames = refiner(image, logits=logits), refiner(image, logits=logits)
        refiner.reset()
        return first, *frames, refiner(image, logits=logits)

    def check(result: tuple[Any, ...], **_: Any) -> None:
        np.testing.assert_array_equal(result[0], result[-1])

    return Call(refined, arguments, check, words=("color_sigma", "features", "bilateral_sigma"))


DOOR_CASES: dict[str, Callable[[Draw], Call]] = {
    "numpymaxflow.maxflow": _numpymaxflow,
    "numpymaxflow.maxflow_interactive": _numpymaxflow,
    "simplecrf.denseCRF.densecrf": _densecrf,
    "simplecrf.denseCRF3D.densecrf3d": _densecrf3d,
    **{f"simplecrf.maxflow.{name}": _cut for name in maxflow.__all__},
    "monai.transform.CRFd": _transform,
    "Refiner": _film,
    "Refiner.reset": _film,
}
