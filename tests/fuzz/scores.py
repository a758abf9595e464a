"""Cases of scores and of sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def score(function: Callable[..., Any], **more: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """Cases of a function of labels and truth."""

    def case(draw: Draw) -> Call:
        shape, n = draw.shape(), draw.integer(2, 5)
        arguments = {"labels": draw.labels(shape, n), "truth": draw.labels(shape, n), "n_labels": n}
        arguments |= {name: make(draw) for name, make in more.items()}
        return Call(function, arguments | draw.some(ignore_label=lambda: draw.of((0, 255, n - 1))))

    return case


def reliability(draw: Draw) -> Call:
    shape, n = draw.shape(), draw.integer(2, 5)
    arguments = {"probabilities": draw.probabilities(n, shape), "truth": draw.labels(shape, n)}
    return Call(
        cs.reliability, arguments | draw.some(n_bins=lambda: draw.integer(1, 20), mask=lambda: draw.mask(shape))
    )


def of_table(draw: Draw) -> Call:
    return Call(cs.calibration_error, {"table": draw.rng.integers(0, 9, (draw.integer(1, 6), 3)).astype(float)})


def of_confusion(draw: Draw) -> Call:
    n = draw.integer(1, 5)
    return Call(cs.scores_of, {"confusion": draw.rng.integers(0, draw.of((1, 3, 50)), (n, n))})


def volumes(draw: Draw) -> Call:
    def check(result: cs.Volumes, **_: Any) -> None:
        assert len({len(part) for part in dataclasses.astuple(result) if part is not None}) == 1
        assert np.isfinite(result.millilitres).all() and not np.less(result.hd95 or (), 0).any()

    shape, n = draw.shape((3,), 6), draw.integer(2, 4)
    arguments = {"labels": draw.labels(shape, n), "spacing": draw.of((1.5, (4.0, 1.0, 0.5)))}
    return Call(
        cs.volumes,
        arguments
        | draw.some(
            truth=lambda: draw.labels(shape, n), n_labels=lambda: n, ignore_label=lambda: draw.of((0, 255, n - 1))
        ),
        check,
    )


def areas(draw: Draw) -> Call:
    n = draw.integer(2, 5)
    arguments = {"labels": draw.labels(draw.shape((2,)), n), "pixel_size": draw.of((10, (0.5, 0.25)))}
    return Call(cs.areas, arguments | draw.some(n_labels=lambda: n, ignore_label=lambda: draw.of((0, 255, n - 1))))


SCORE_CASES = {
    "boundary_f_score": score(cs.boundary_f_score),
    "calibration_error": of_table,
    "reliability": reliability,
    "confusion_matrix": score(cs.confusion_matrix),
    "scores": score(cs.scores),
    "scores_of": of_confusion,
    "Scores": of_confusion,
    **dict.fromkeys(("volumes", "Volumes"), volumes),
    "areas": areas,
    "trimap_confusion": score(cs.trimap_confusion, width=lambda draw: draw.integer(1, 4)),
}
