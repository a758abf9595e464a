"""Parameters of the refinement CRF that have a name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, TypedDict

from classicseg.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from classicseg.energies.dense_crf import Quality


class Changes(TypedDict, total=False):
    """What a call of :func:`refine` may replace in its preset, and what is of no preset; None is as if not given."""

    sigma: float | Sequence[float] | None
    weight: float | None
    bilateral_sigma: float | Sequence[float] | None
    color_sigma: float | Sequence[float] | None
    bilateral_weight: float | None
    max_iter: int | None
    quality: Quality | None
    spacing: float | Sequence[float] | None
    align_corners: bool | None
    dilution: float | None
    temperature: float | None
    fill: int | None
    marginals: bool | None
    origin: Sequence[int] | None
    progress: bool | None
    exact: bool | None
    independent: bool | None
    like: ArrayLike | None


@dataclass(frozen=True)
class Preset:
    """Parameters of a refinement: the two kernels of its CRF, and how mean field is run.

    Attributes
    ----------
    sigma, weight : float
        Range and weight of the smoothness kernel. A weight of 0 leaves a kernel out.
    bilateral_sigma, color_sigma, bilateral_weight : float
        Range, range in the units of an 8-bit image, and weight of the appearance kernel.
    max_iter : int
        Mean-field updates.
    quality : {"fast", "high", "exact"}
        How kernels are filtered, see :class:`DenseCRF`.
    spacing : float or sequence of float
        Distance of neighbouring pixels along each axis, such as that of the voxels of a scanner.
    dilution : float
        How much less scores count if they are smaller than the image: costs are divided by ``f ** dilution``, with f
        pixels for each score along an axis. At 0 they count as scores of all pixels do that were enlarged before.
    relative : bool
        Whether `sigma` and `bilateral_sigma` are shares of the mean side of the image instead of pixels.
    summary : str
        What it is for.
    source : str
        Who uses it.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.PRESETS["pydensecrf"].bilateral_sigma
    80.0
    >>> gentle = cs.PRESETS["pydensecrf"].replace(bilateral_weight=4.0)
    >>> s = cs.sample()
    >>> labels = cs.refine(s.image, s.probabilities, preset=gentle)
    """

    sigma: float | Sequence[float]
    weight: float
    bilateral_sigma: float | Sequence[float]
    color_sigma: float | Sequence[float]
    bilateral_weight: float
    max_iter: int = 10
    quality: Quality = "fast"
    spacing: float | Sequence[float] = 1.0
    dilution: float = 0.0
    relative: bool = False
    summary: str = ""
    source: str = ""

    def replace(self, **changes: Any) -> Preset:
        """The same preset with other values of some attributes.

        Raises
        ------
        TypeError
            If there is no attribute of such a name.
        """
        check_names(changes, [field.name for field in dataclasses.fields(self)], "a preset has no attribute")
        return dataclasses.replace(self, **changes)

    def in_pixels(self, mean_side: float) -> Preset:
        """The same preset for an image of this mean side, not relative to it any more."""
        if not self.relative:
            return self
        return self.replace(
            sigma=scaled(self.sigma, mean_side, "sigma"),
            bilateral_sigma=scaled(self.bilateral_sigma, mean_side, "bilateral_sigma"),
            relative=False,
        )


_OF_NONE = {"align_corners", "exact", "fill", "independent", "like", "marginals", "origin", "progress", "temperature"}

OF_PRESETS = frozenset(Changes.__annotations__) - _OF_NONE
"""Changes of attributes of a preset."""

AUTO = "auto"
"""Stands for one of gentle, firm, strong and strongest, chosen for each image."""

_STRENGTH = "measured: benchmarks/pipelines/strength.py"

PRESETS = {
    "default": Preset(
        sigma=0.3,
        weight=-1.7,
        bilateral_sigma=0.3,
        color_sigma=13.0,
        bilateral_weight=2.0,
        max_iter=10,
        dilution=0.33,
        relative=True,
        summary="sharpens borders and keeps thin structures, for a network that is mostly right",
        source="measured: benchmarks/pipelines/choose_defaults.py",
    ),
    "conservative": Preset(
        sigma=0.5,
        weight=-1.0,
        bilateral_sigma=0.5,
        color_sigma=8.0,
        bilateral_weight=1.0,
        max_iter=10,
        dilution=0.33,
        relative=True,
        summary="half the effect of default, and safer still for what is thin",
        source="measured: benchmarks/pipelines/choose_defaults.py",
    ),
    "gentle": Preset(
        sigma=0.3,
        weight=-2.0,
        bilateral_sigma=0.3,
        color_sigma=13.0,
        bilateral_weight=2.0,
        dilution=0.33,
        relative=True,
        summary="for sharp networks and thin structures: borders are straightened, areas hardly change",
        source=_STRENGTH,
    ),
    "firm": Preset(
        sigma=0.15,
        weight=-3.4,
        bilateral_sigma=0.15,
        color_sigma=13.0,
        bilateral_weight=4.0,
        dilution=0.1,
        relative=True,
        summary="twice the effect of default, and nearer: for networks that are unsure at borders",
        source=_STRENGTH,
    ),
    "strong": Preset(
        sigma=0.012,
        weight=3.0,
        bilateral_sigma=0.2,
        color_sigma=5.0,
        bilateral_weight=10.0,
        relative=True,
        summary="for coarse outputs of large objects: irnet, for any size of image",
        source=_STRENGTH,
    ),
    "strongest": Preset(
        sigma=0.012,
        weight=3.0,
        bilateral_sigma=0.3,
        color_sigma=13.0,
        bilateral_weight=10.0,
        relative=True,
        summary="for large objects in noise: pydensecrf, for any size of image",
        source=_STRENGTH,
    ),
    "deeplab": Preset(
        sigma=1.0,
        weight=3.0,
        bilateral_sigma=67.0,
        color_sigma=3.0,
        bilateral_weight=4.0,
        max_iter=10,
        relative=False,
        summary="for coarse outputs of a strong network, objects of the PASCAL VOC kind",
        source="DeepLab v2: Chen et al., arXiv:1606.00915, as run by kazuto1011/deeplab-pytorch",
    ),
    "irnet": Preset(
        sigma=3.0,
        weight=3.0,
        bilateral_sigma=50.0,
        color_sigma=5.0,
        bilateral_weight=10.0,
        max_iter=10,
        relative=False,
        summary="for seeds of weak supervision that have to grow to the borders of objects",
        source="IRNet: Ahn et al., arXiv:1904.05044",
    ),
    "cutler": Preset(
        sigma=3.0,
        weight=7.0,
        bilateral_sigma=50.0,
        color_sigma=5.0,
        bilateral_weight=10.0,
        max_iter=10,
        relative=False,
        summary="for masks found without supervision, blocky ones of the patches of a transformer",
        source="CutLER: Wang et al., arXiv:2301.11320, maskcut/crf.py",
    ),
    "pydensecrf": Preset(
        sigma=3.0,
        weight=3.0,
        bilateral_sigma=80.0,
        color_sigma=13.0,
        bilateral_weight=10.0,
        max_iter=10,
        relative=False,
        summary="for very noisy pixelwise classifiers; removes what is thin",
        source="README of pydensecrf",
    ),
}

NAMES = (AUTO, *PRESETS)
"""What users may call a preset."""


def find(preset: str | Preset) -> Preset:
    """Return the preset of that name; one that is a preset already is returned as it is.

    Raises
    ------
    ValueError
        If there is none.
    """
    if isinstance(preset, Preset):
        return preset
    if not isinstance(preset, str) or preset not in PRESETS:
        raise InputError(f"preset must be a Preset or one of {', '.join(map(repr, NAMES))}, got {preset!r}")
    return PRESETS[preset]


def name_of(preset: Preset) -> str:
    """The name of a preset; "own" if it has none."""
    return next((name for name, known in PRESETS.items() if known == preset), "own")


def check(preset: str | Preset) -> None:
    """Refuse what :func:`find` does not find, but for the name of the choice among presets."""
    if not isinstance(preset, str) or preset != AUTO:
        find(preset)


@cache
def names_of(function: Callable[..., Any], options: type) -> tuple[str, ...]:
    """What a function can be told by name: the keys of its `options`, and its keyword-only parameters."""
    named = inspect.signature(function).parameters.values()
    return (*options.__annotations__, *(p.name for p in named if p.kind is p.KEYWORD_ONLY))


def check_names(given: Iterable[str], known: Sequence[str], complaint: str) -> None:
    """Refuse names that are not known, and propose those that were perhaps meant."""
    for name in given:
        if name not in known:
            import difflib  # here, as the command's help is answered at once

            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise InputTypeError(f"{complaint} {name!r}; {hint}")


def scaled(sigma: float | Sequence[float], factor: float, name: str) -> float | Sequence[float]:
    """A range, or several, in units that are `factor` times as small; an error calls it `name`."""
    from classicseg import inputs  # NumPy would make the help of the command wait

    numbers = [factor * x for x in inputs.as_positive(sigma, name, None)]
    return numbers[0] if isinstance(sigma, Real) else numbers
