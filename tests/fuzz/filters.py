"""Cases of filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def a_filter(cls: Any, method: str) -> Callable[[Draw], Call]:
    """Cases of one method of one filter, made anew for each call."""

    def case(draw: Draw) -> Call:
        shape = draw.shape((1, 2, 2, 3))
        if cls is cs.GaussianFilter:
            arguments: dict[str, Any] = {"shape": shape, "sigma": draw.positive()}
            arguments |= draw.some(spacing=draw.positive)
        else:
            arguments = {"features": draw.numbers((draw.integer(1, 6), *shape))}
            if cls is cs.PermutohedralLattice:
                arguments |= draw.some(accurate=lambda: True)
        own = set(arguments)
        if method == "filter":
            arguments["values"] = draw.numbers((draw.of((1, 2, 3, 8, 17)), *shape))
            arguments |= draw.some(
                normalization=lambda: draw.of(("none", "before", "after", "symmetric")), adjoint=lambda: True
            )
        if method == "factors":
            arguments["normalization"] = draw.of(("none", "before", "after", "symmetric"))

        def apply(**given: Any) -> Any:
            made = cls(**{name: given[name] for name in own})
            attribute = getattr(made, method, made.shape)
            return (
                attribute(**{name: given[name] for name in given if name not in own})
                if callable(attribute)
                else attribute
            )

        def check(result: Any, **given: Any) -> None:
            if method == "filter":
                assert result.dtype == np.float32 and result.shape == np.shape(given["values"])
            if method in ("filter", "row_sums"):
                assert np.isfinite(result).all(), "not finite"

        return Call(apply, arguments, check)

    return case


FILTER_CASES = {
    f"{cls.__name__}{part}": a_filter(cls, part[1:])
    for cls in (cs.PermutohedralLattice, cs.GaussianFilter, cs.ExactFilter)
    for part in ("", ".filter", ".factors", ".row_sums")
} | {"PermutohedralLattice.n_vertices": a_filter(cs.PermutohedralLattice, "n_vertices")}
