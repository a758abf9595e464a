"""For pipelines of MONAI: its CRF block, and a dictionary transform that refines.

``from classicseg.monai import CRF`` in the place of ``from monai.networks.blocks import CRF`` needs no compiled
extension of MONAI, gives its numbers, and differentiates; it needs PyTorch. :class:`CRFd` stands in a ``Compose`` and
needs neither PyTorch nor MONAI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from classicseg.monai.transform import CRFd

if TYPE_CHECKING:
    from classicseg.monai.block import CRF

__all__ = ["CRF", "CRFd"]


def __getattr__(name: str) -> object:
    """The block is imported when it is first used: it is made of PyTorch."""
    if name == "CRF":
        import classicseg.torch  # noqa: F401 (says what to install, if need be)
        from classicseg.monai.block import CRF

        return CRF
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
