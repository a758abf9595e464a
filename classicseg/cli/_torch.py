"""What the commands that need PyTorch share."""

from __future__ import annotations

from types import ModuleType

from classicseg.errors import InputError


def train_module() -> ModuleType:
    """``classicseg.torch.train``, or one line that says what to install."""
    try:
        from classicseg.torch import train
    except ImportError as failure:
        raise InputError(str(failure)) from None
    return train
