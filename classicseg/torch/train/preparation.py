"""Before the first step: whether the data suit the model, to which size pictures are cut, and what is optimised."""

from __future__ import annotations

import torch
from torch import nn

from classicseg.errors import InputError
from classicseg.io.classes import check_counts
from classicseg.torch.dense_crf import DenseCRF
from classicseg.torch.networks import SegmentationNetwork, check_all_pixels
from classicseg.torch.train.augment import Augmentation, with_crop
from classicseg.torch.train.data import ArrayData, FolderData
from classicseg.torch.train.dataset import Data, Survey, survey
from classicseg.torch.train.model import n_channels
from classicseg.torch.train.settings import Settings


def survey_of(data: Data) -> Survey:
    """What a data set holds; ours look only once."""
    return data.survey if isinstance(data, ArrayData | FolderData) else survey(data)


def check(model: nn.Module, data: Data, found: Survey, crop: tuple[int, int] | None, what: str) -> None:
    """Compare what a data set holds with the needs of the model and of its loss."""
    check_all_pixels(model)
    networks = [m for m in model.modules() if isinstance(m, SegmentationNetwork)]
    if networks and max(2, networks[0].n_labels) != max(2, len(data.classes)):  # of one class see below
        given = f"{networks[0].n_labels} labels" if networks[0].n_labels > 1 else "one channel, for 2 classes"
        raise InputError(f"the network has {given}, but the data have {len(data.classes)} classes")
    channels = n_channels(model)
    least = max((network.minimum_size for network in networks), default=1)
    for i, size in enumerate(found.sizes):
        height, width = size if crop is None else crop
        if min(height, width) < least:
            raise InputError(
                f"{data.name(i)} must be at least {least}x{least} pixels for this network, got {height}x{width}"
            )
        if channels is not None and found.channels[i] not in (1, channels):
            wanted = "be gray" if channels == 1 else f"have {channels} channels, or one,"
            raise InputError(f"{data.name(i)} must {wanted} for this network, got {found.channels[i]} channels")
    check_counts(found.counts, found.n_void, data.classes, what)


def batchable(found: Survey, settings: Settings) -> Augmentation:
    """Pictures of several sizes are cut to the smallest of them."""
    smallest = found.sizes.min(0)
    if (found.sizes == smallest).all():
        return settings.augmentation
    return with_crop(settings.augmentation, (int(smallest[0]), int(smallest[1])))


def new_optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Weights of convolutions decay; biases, norms and the parameters of a CRF do not."""
    of_crf = {id(p) for m in model.modules() if isinstance(m, DenseCRF) for p in m.parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise InputError("model has no parameter to train")
    groups = [
        {"params": [p for p in trained if p.dim() > 2], "weight_decay": settings.weight_decay, "factor": 1.0},
        {"params": [p for p in trained if p.dim() <= 2 and id(p) not in of_crf], "weight_decay": 0.0, "factor": 1.0},
        {"params": [p for p in trained if id(p) in of_crf], "weight_decay": 0.0, "factor": settings.crf_factor},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9)
    return torch.optim.AdamW(groups, lr=settings.lr)
