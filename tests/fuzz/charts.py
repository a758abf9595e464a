"""Cases of what is drawn with matplotlib, and of how results show themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg import plot
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def drawn(function: Callable[..., Any]) -> Callable[..., int]:
    """The same function, but its figure is closed, and only the number of its panels comes back."""

    def draw(**arguments: Any) -> int:
        import matplotlib as mpl

        mpl.use("Agg")
        import matplotlib.pyplot as plt

        try:
            return len(function(**arguments).axes)
        finally:
            plt.close("all")

    return draw


def crf(draw: Draw) -> cs.GridCRF:
    unary = draw.numbers((draw.of((2, 2, 2, 3)), *draw.shape((2,))))
    return cs.GridCRF(unary, cs.Potts(draw.positive()), connectivity=draw.of((4, 8)))


def result(draw: Draw) -> cs.Result:
    return cs.minimize(crf(draw), draw.of(("icm", "trws")), max_iter=3)


def trace(draw: Draw) -> Call:
    many = {"one": result(draw), "other": result(draw)}
    return Call(drawn(plot.trace), {"results": draw.of((many["one"], many))} | draw.some(logarithmic=lambda: True))


def lattice(draw: Draw) -> Call:
    features = draw.rng.normal(0, draw.of((0.1, 2.0)), (2, draw.integer(1, 20)))
    return Call(
        drawn(plot.lattice), {"features": features} | draw.some(values=lambda: draw.rng.random(features.shape[1]))
    )


def slider(draw: Draw) -> Call:
    shape = draw.shape((2,))
    arguments = {"before": draw.image(shape, 3), "after": draw.image(shape)}
    return Call(plot.before_after, arguments | draw.some(names=lambda: ("<a>", "b"), start=lambda: 0.25))


def uncertainty(draw: Draw) -> Call:
    return Call(plot.uncertainty, {"marginals": draw.probabilities(draw.integer(2, 5), draw.shape((1, 2, 3)))})


def of_result(draw: Draw) -> Call:
    found = result(draw)
    return Call(drawn(found.plot), draw.some(image=lambda: draw.image(found.labels.shape, 3)))


def of_refinement(draw: Draw) -> Call:
    s = cs.sample("nuclei")
    found = cs.refinement(s.image[:40, :50], s.probabilities[:, :40, :50], preset="firm")
    return Call(drawn(found.plot), draw.some(image=lambda: s.image[:40, :50]))


def of_segmentation(draw: Draw) -> Call:
    image = draw.image(draw.shape((2,)))
    return Call(drawn(cs.record_split_and_merge(image, 10.0).plot), draw.some(image=lambda: image))


def of_cutout(draw: Draw) -> Call:
    image = np.full((16, 16), 20)
    image[5:9, 6:11] = 250
    return Call(drawn(cs.cutout(image, box=(2, 2, 14, 14)).plot), draw.some(image=lambda: image))


def of_tuned(draw: Draw) -> Call:
    tuned = cs.Tuned({"preset": "auto"}, 0.5, 0.4, 0.3, ())
    return Call(drawn(tuned.plot), draw.some(image=lambda: np.zeros((3, 4))))


CHART_CASES = {
    "plot.before_after": slider,
    "plot.flow": lambda draw: Call(drawn(plot.flow), {"crf": crf(draw)}),
    "plot.lattice": lattice,
    "plot.trace": trace,
    "plot.uncertainty": uncertainty,
    "Result.plot": of_result,
    "Refinement.plot": of_refinement,
    "Segmentation.plot": of_segmentation,
    "Cutout.plot": of_cutout,
    "Tuned.plot": of_tuned,
}
