"""Training of networks, with or without a CRF behind them, on plain folders of images.

::

    from classicseg.torch import train

    data = train.FolderData("streets", "train")
    model = train.Model("unet", data.classes, width=0.25)
    train.fit(model, data, train.FolderData("streets", "val"), checkpoint="unet.ckpt", progress=True)
    model.save("unet.pt")
"""

from __future__ import annotations

from classicseg.io import VOID
from classicseg.torch.train.augment import Augmentation
from classicseg.torch.train.data import ArrayData, FolderData
from classicseg.torch.train.dataset import Data
from classicseg.torch.train.loop import evaluate, fit
from classicseg.torch.train.model import Model, as_device, predict
from classicseg.torch.train.resize import resize_image, resize_labels
from classicseg.torch.train.settings import Epoch, Report, Settings

__all__ = [
    "VOID",
    "ArrayData",
    "Augmentation",
    "Data",
    "Epoch",
    "FolderData",
    "Model",
    "Report",
    "Settings",
    "as_device",
    "evaluate",
    "fit",
    "predict",
    "resize_image",
    "resize_labels",
]
