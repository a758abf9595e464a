"""What `classicseg evaluate` says of sizes, where files say how large a pixel is: millilitres, distances, hectares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from classicseg.io.raster import Profile

_OF_VOLUMES = ("millilitres", "true_millilitres", "dice", "hd95", "mean_surface_distance")
_OF_AREAS = ("hectares", "true_hectares")
_NAMES = {
    "millilitres": "millilitres",
    "true_millilitres": "true millilitres",
    "dice": "Dice, %",
    "hd95": "HD95, mm",
    "mean_surface_distance": "surface distance, mm",
    "hectares": "hectares",
    "true_hectares": "true hectares",
}


class Sizes:
    """Volumes and areas of the classes of many files: means over scans, sums over maps.

    Parameters
    ----------
    n_labels : int
    """

    def __init__(self, n_labels: int) -> None:
        self._n = n_labels
        self._volumes: list[np.ndarray] = []
        self._areas: list[np.ndarray] = []

    def add(self, labels: np.ndarray, truth: np.ndarray, profile: Profile | None) -> None:
        """Labels and their truth, from a file that says so much."""
        import numpy as np

        from classicseg import io, metrics

        labels = np.where(truth == io.VOID, io.VOID, labels)  # what nobody knows has no size in either
        metres = None if profile is None else profile.metres
        if metres is None or len(metres) != labels.ndim:
            return
        if labels.ndim == 3:
            millimetres = [1000 * step for step in metres]
            found = metrics.volumes(labels, millimetres, truth, self._n, ignore_label=io.VOID)
            true = metrics.volumes(truth, millimetres, n_labels=self._n, ignore_label=io.VOID).millilitres
            self._volumes.append(np.array([
                found.millilitres, true, found.dice, found.hd95, found.mean_surface_distance
            ]))  # fmt: skip
        elif labels.ndim == 2 and hasattr(profile, "crs"):
            pair = (metrics.areas(array, metres, self._n, ignore_label=io.VOID) for array in (labels, truth))
            self._areas.append(np.array(list(pair)))

    def include(self, others: Sizes) -> None:
        """What was added to others."""
        self._volumes += others._volumes
        self._areas += others._areas

    def told(self, classes: list[str]) -> dict[str, dict[str, dict[str, float]]]:
        """What there is to say, by kind and class; NaN and infinite where a label is missing."""
        import warnings

        import numpy as np

        found = {}
        if self._volumes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # no scan has a class: NaN is the answer
                found["volumes"] = _by_class(np.nanmean(self._volumes, axis=0), _OF_VOLUMES, classes)
        if self._areas:
            found["areas"] = _by_class(np.sum(self._areas, axis=0), _OF_AREAS, classes)
        return found


def _by_class(values: np.ndarray, names: tuple[str, ...], classes: list[str]) -> dict[str, dict[str, float]]:
    return {
        label: dict(zip(names, of_class.tolist(), strict=True))
        for label, of_class in zip(classes, values.T, strict=True)
    }


def lines_of(told: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """The same for people."""
    return [
        f"{f'  {_NAMES[name]} of {label}':28}{100 * value if name == 'dice' else value:6.2f}"
        for kind in told.values()
        for label, of_class in kind.items()
        for name, value in of_class.items()
    ]


def as_json(told: dict[str, Any]) -> dict[str, Any]:
    """The same for programs: JSON knows neither NaN nor infinity."""
    import math

    if all(isinstance(value, float) for value in told.values()):
        return {name: value if math.isfinite(value) else None for name, value in told.items()}
    return {name: as_json(value) for name, value in told.items()}
