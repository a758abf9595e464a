"""Cases of the drop-in for pydensecrf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.pydensecrf import densecrf as dcrf
from classicseg.pydensecrf import eigen, utils
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def dropin(draw: Draw) -> Call:
    """A CRF filled term by term, and inference in one piece and step by step."""
    height, width, n = draw.integer(1, 7), draw.integer(1, 7), draw.of((1, 2, 2, 3))
    arguments: dict[str, Any] = {"w": width, "h": height, "nlabels": n, "u": draw.numbers((n, height * width))}
    arguments |= draw.some(
        sxy=draw.positive, features=lambda: draw.numbers((draw.integer(1, 4), height * width)),
        rgbim=lambda: draw.image((height, width), 3),
    )  # fmt: skip
    compat = draw.of((draw.weight(), draw.rng.random(n), np.eye(n)))
    arguments |= {"srgb": draw.positive(), "compat": compat, "niter": draw.integer(0, 4)}
    arguments |= draw.some(kernel=lambda: draw.integer(0, 2), normalization=lambda: draw.integer(0, 3))

    def infer(
        w: Any, h: Any, nlabels: Any, u: Any, srgb: Any, compat: Any, niter: Any,
        sxy: Any = 3, features: Any = None, rgbim: Any = None, **options: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        crf = dcrf.DenseCRF2D(w, h, nlabels)
        crf.setUnaryEnergy(u)
        crf.addPairwiseGaussian(sxy, compat, **options)
        if features is not None:
            crf.addPairwiseEnergy(features, compat, **options)
        if rgbim is not None:
            crf.addPairwiseBilateral(sxy, srgb, rgbim, compat, **options)
        marginals = crf.inference(niter)
        assert marginals.dtype == np.float32 and np.abs(marginals.sum(axis=0) - 1).max() < 1e-3
        q, first, second = crf.startInference()
        crf.stepInference(q, first, second)
        return marginals, q, crf.klDivergence(q)

    return Call(infer, arguments, words=("unary", "weight", "features", "sigma"))


def dropin_of_variables(draw: Draw) -> Call:
    n, n_labels = draw.integer(1, 9), draw.integer(1, 3)
    logistic = {"L": draw.numbers((n_labels, 2)), "f": draw.numbers((2, n))}
    arguments = {"nvar": n, "nlabels": n_labels, "features": draw.numbers((2, n)), "compat": draw.weight()}

    def infer(nvar: Any, nlabels: Any, features: Any, compat: Any, **unary: Any) -> np.ndarray:
        crf = dcrf.DenseCRF(nvar, nlabels)
        crf.setUnary(dcrf.LogisticUnary(**unary) if "L" in unary else dcrf.ConstUnary(**unary))
        crf.addPairwiseEnergy(features, compat)
        return crf.inference(2)

    return Call(infer, arguments | draw.of((logistic, {"u": draw.numbers((n_labels, n))})))


def _helper(name: str) -> Callable[[Draw], Call]:
    """Cases of one function of ``pydensecrf.utils``."""
    return lambda draw: next(call for call in (*_unaries(draw), *_features(draw)) if call.function.__name__ == name)


def _unaries(draw: Draw) -> tuple[Call, ...]:
    n, names = draw.integer(2, 4), ("n_labels", "gt_prob")  # what the new function calls them
    sm = draw.probabilities(n, draw.shape((1, 2)))
    labels = draw.labels(draw.shape((1, 2)), n + 1)
    return (
        Call(utils.unary_from_softmax, {"sm": sm} | draw.some(scale=lambda: 0.5, clip=lambda: None)),
        Call(utils.softmax_to_unary, {"sm": sm} | draw.some(GT_PROB=lambda: 0.9), words=("scale",)),
        Call(utils.unary_from_labels, {"labels": labels, "n_labels": n, "gt_prob": 0.7}),
        Call(utils.compute_unary, {"labels": labels, "M": n} | draw.some(GT_PROB=lambda: 0.6), words=names),
    )  # fmt: skip


def _features(draw: Draw) -> tuple[Call, ...]:
    shape, channels = draw.shape((2, 3)), draw.integer(1, 3)
    sdims = tuple(draw.positive() for _ in shape)
    schan = tuple(draw.positive() for _ in range(channels))
    return (
        Call(utils.create_pairwise_gaussian, {"sdims": sdims, "shape": shape}),
        Call(
            utils.create_pairwise_bilateral,
            {"sdims": sdims, "schan": schan, "img": draw.image(shape, channels), "chdim": -1},
        ),
    )  # fmt: skip


def _eigen(draw: Draw) -> Call:
    if draw.chance(0.5):
        return Call(eigen.matrixXf, {"values": draw.numbers((2, 3))})
    return Call(eigen.vectorXf, {"values": draw.numbers((3,))})


def _kinds(draw: Draw) -> Call:
    def both(value: int) -> tuple[Any, ...]:
        return dcrf.KernelType(value), dcrf.NormalizationType(value)

    return Call(both, {"value": draw.integer(0, 2)}, fixed=("value",))


DROPIN_CASES: dict[str, Callable[[Draw], Call]] = {
    **{
        f"pydensecrf.densecrf.{name}": dropin
        for cls in (dcrf.DenseCRF, dcrf.DenseCRF2D)
        for name in (cls.__name__, *(f"{cls.__name__}.{part}" for part in dir(cls) if not part.startswith("_")))
    },
    **{f"pydensecrf.densecrf.{name}": dropin_of_variables for name in ("Unary", "ConstUnary", "LogisticUnary")},
    **{f"pydensecrf.densecrf.{name}": _kinds for name in ("KernelType", "NormalizationType")},
    **{f"pydensecrf.utils.{name}": _helper(name) for name in utils.__all__},
    "pydensecrf.eigen.matrixXf": _eigen,
    "pydensecrf.eigen.vectorXf": _eigen,
}  # fmt: skip
