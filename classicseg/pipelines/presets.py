"""Parameters of the refinement CRF that have a name."""

from __future__ import annotations

from dataclasses import dataclass

from classicseg.errors import InputError


@dataclass(frozen=True)
class Preset:
    """Parameters of the two kernels of a refinement CRF.

    Attributes
    ----------
    sigma, weight : float
        Range and weight of the smoothness kernel.
    bilateral_sigma, color_sigma, bilateral_weight : float
        Range, range in the units of an 8-bit image, and weight of the appearance kernel.
    max_iter : int
        Mean-field updates.
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
    """

    sigma: float
    weight: float
    bilateral_sigma: float
    color_sigma: float
    bilateral_weight: float
    max_iter: int
    relative: bool
    summary: str
    source: str


PRESETS = {
    "default": Preset(
        sigma=0.3,
        weight=-1.7,
        bilateral_sigma=0.3,
        color_sigma=13.0,
        bilateral_weight=2.0,
        max_iter=10,
        relative=True,
        summary="sharpens borders and keeps thin structures, for a network that is mostly right",
        source="measured: benchmarks/choose_defaults.py",
    ),
    "conservative": Preset(
        sigma=0.5,
        weight=-1.0,
        bilateral_sigma=0.5,
        color_sigma=8.0,
        bilateral_weight=1.0,
        max_iter=10,
        relative=True,
        summary="half the effect of default, and safer still for what is thin",
        source="measured: benchmarks/choose_defaults.py",
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


def find(name: str) -> Preset:
    """Return the preset of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(map(repr, PRESETS))}, got {name!r}")
    return PRESETS[name]
