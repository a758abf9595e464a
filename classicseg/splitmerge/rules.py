"""Labels for regions by rules that a person writes down: gray values, sizes, shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.splitmerge.otsu import otsu_cuts

_NOT_NUMBERS = ("neighbours",)
MOST_CLASSES = 256
"""As many as Otsu's method has bins."""
_MOST = 2**31 - 1  # labels are 32-bit numbers


class Rule:
    """A label for the regions whose measures lie in given intervals.

    Parameters
    ----------
    label : int
        At least 0.
    **intervals : (float or None, float or None)
        For columns of the region table, such as ``mean=(0, 80)``, ``area=(50, None)``, ``compactness=(0.7, None)``:
        both ends belong to the interval, None leaves an end open. All have to hold.

    Raises
    ------
    ValueError
        If an interval is empty, or there is none.
    TypeError
        If an interval is not a pair of numbers.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.Rule(1, mean=(0, 80), area=(50, None))
    Rule(1, mean=(0, 80), area=(50, None))
    """

    def __init__(self, label: int, **intervals: tuple[float | None, float | None]) -> None:
        self.label = inputs.as_count(label, "label", 0, _MOST)
        self.intervals: dict[str, tuple[float | None, float | None]] = {}
        if not intervals:
            raise InputError("a rule needs at least one interval, such as mean=(0, 80)")
        for column, interval in intervals.items():
            if not isinstance(interval, (tuple, list)) or len(interval) != 2:
                raise InputTypeError(f"{column} must be a pair (low, high), got {interval!r}")
            low, high = (None if end is None else inputs.as_weight(end, column) for end in interval)
            if low is not None and high is not None and low > high:
                raise InputError(f"{column}={interval!r} holds nothing: its low end is above its high end")
            self.intervals[column] = (low, high)

    def __repr__(self) -> str:
        ends = ((name, *map(_text, interval)) for name, interval in self.intervals.items())
        return f"Rule({', '.join([str(self.label), *(f'{name}=({low}, {high})' for name, low, high in ends)])})"

    def fits(self, regions: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which regions of a table it holds for, (n,) bool."""
        answer = np.ones(len(_column(regions, "area")), bool)
        for name, (low, high) in self.intervals.items():
            values = _column(regions, name)
            answer &= (low is None or values >= low) & (high is None or values <= high)
        return answer


def _text(end: float | None) -> str:
    """As a person writes it: 80, not 80.0."""
    return repr(int(end) if end is not None and end.is_integer() and abs(end) < 1e16 else end)


def as_classes(classes: Any) -> int:
    """How many classes Otsu's method is to find."""
    return inputs.as_count(classes, "classes", 2, MOST_CLASSES)


@dataclass(frozen=True)
class MultiOtsu:
    """Labels 1 to `classes` by thresholds of Otsu's method for several classes; regions are weighted by their area.

    Parameters
    ----------
    classes : int
        2 to 256.
    column : str
        Which measure to cut.

    Raises
    ------
    ValueError
        If `classes` is out of its range.

    References
    ----------
    .. [1] P.-S. Liao, T.-S. Chen, P.-C. Chung, "A fast algorithm for multilevel thresholding", J. Inf. Sci. Eng. 17,
       2001.

    Examples
    --------
    >>> import classicseg as cs
    >>> image = [[0, 50, 52, 99]]
    >>> regions = cs.describe_regions(cs.split_and_merge(image, 5), image)
    >>> cs.label_by_rule(regions, cs.MultiOtsu(3)).tolist()
    [1, 2, 3]
    """

    classes: int = 2
    column: str = "mean"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", as_classes(self.classes))

    def labels(self, regions: Mapping[str, np.ndarray]) -> np.ndarray:
        """The label of each region, (n,) int32."""
        values = _column(regions, self.column).astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"column {self.column!r} must be finite for Otsu's method")
        cuts = otsu_cuts(values, self.classes, _column(regions, "area"))
        return 1 + np.searchsorted(cuts, values, side="left").astype(np.int32)


def label_by_rule(
    regions: Mapping[str, np.ndarray], rules: Rule | MultiOtsu | Sequence[Rule], *, default: int = 0
) -> np.ndarray:
    """Assign a label to each region by hard-coded rules.

    Parameters
    ----------
    regions : mapping of str to ndarray
        A region table, as :func:`describe_regions` gives it.
    rules : Rule, sequence of Rule, or MultiOtsu
        The first rule that holds for a region gives its label.
    default : int
        Label of regions without a rule, at least 0.

    Returns
    -------
    ndarray, (n,), int32
        :func:`paint_regions` turns it into an image.

    Raises
    ------
    ValueError
        If a rule names an unknown column.
    TypeError
        If something else than rules is given.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.array([[10, 10, 200, 200], [10, 10, 200, 90]])
    >>> labels = cs.split_and_merge(image, 24)
    >>> dark_or_bright = [cs.Rule(1, mean=(None, 80)), cs.Rule(2, mean=(150, None), area=(2, None))]
    >>> cs.paint_regions(labels, cs.label_by_rule(cs.describe_regions(labels, image), dark_or_bright))
    array([[1, 1, 2, 2],
           [1, 1, 2, 0]], dtype=int32)
    """
    if isinstance(rules, MultiOtsu):
        return rules.labels(regions)
    listed: list[Any] = [rules] if isinstance(rules, Rule) else list(rules) if isinstance(rules, Sequence) else [None]
    if not listed or not all(isinstance(rule, Rule) for rule in listed):
        raise InputTypeError(f"rules must be a Rule, a sequence of them or MultiOtsu, got {rules!r}")
    labels = np.full(len(_column(regions, "area")), inputs.as_count(default, "default", 0, _MOST), np.int32)
    for rule in reversed(listed):
        labels[rule.fits(regions)] = rule.label
    return labels


def _column(regions: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if not isinstance(regions, Mapping):
        raise InputTypeError(f"regions must be a region table, got {type(regions).__name__}")
    if not isinstance(name, str) or name not in regions or name in _NOT_NUMBERS:
        known = ", ".join(column for column in regions if column not in _NOT_NUMBERS)
        raise InputError(f"the region table has no column {name!r} for a rule; it has {known}")
    return np.asarray(regions[name])
