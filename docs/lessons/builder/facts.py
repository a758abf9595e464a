"""What the library says, where a page computes it by formulas or shows it: ``facts.json``, made with PyTorch.

Pages need no PyTorch to be built, nor the tests that open them; a test says when the facts are no longer those of the
library.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from unittest.mock import patch

import numpy as np

from builder.data import grain
from builder.sources import FACTS

SIDE = 100
"""Of the picture with an object of few pixels."""

NETWORKS = ("fcn8s", "unet", "fcdensenet103", "pspnet50", "deeplabv3_50")
FIELD_SIDE, CELL = 512, 8
"""Sides of the images that networks see, and of the cells in which is told what they look at."""

LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": "ce"},
    {"loss": "ce", "weight": 9, "pixels": 1200, "back": 955, "object": 85},
    {"loss": "ce", "back": 990, "object": 1},
    {"loss": "focal", "gamma": 2},
    {"loss": "focal", "gamma": 5},
    {"loss": "focal", "gamma": 0.5, "weight": 32, "back": 990, "object": 1},
    {"loss": "dice"},
    {"loss": "dice", "back": 990, "object": 1},
    {"loss": "dice", "pixels": 1, "back": 999, "object": 1},
    {"loss": "tversky", "alpha": 0.3, "weight": 5, "object": 620},
)
DESCENTS: tuple[dict[str, Any], ...] = (
    {"loss": "ce", "start": 120, "step": 30},
    {"loss": "focal", "gamma": 2, "weight": 3, "start": 20, "step": 7},
    {"loss": "dice", "start": 100, "step": 25},
    {"loss": "tversky", "alpha": 0.8, "start": 60, "step": 12, "pixels": 40},
)
STACKS = (
    "c3.1.1-c3.1.1-c3.1.1",
    "c3.1.2-c3.1.2-c3.1.2",
    "c3.1.1-c3.1.2-c3.1.5",
    "c3.1.1-c2.2.1-c3.1.1-c2.2.1-c3.1.3",
    "c3.2.1-c3.1.1-t3.2.1",
    "c3.1.1-t4.2.1-c3.1.1",
)
OVERLAPS = tuple((window, stride) for window in range(2, 8) for stride in range(2, 5) if window >= stride)
_DEFAULT = {"weight": 1, "pixels": 300, "back": 800, "object": 300}


def facts() -> dict[str, Any]:
    """All of them."""
    return {
        "losses": [loss_of(state) for state in LOSSES],
        "descents": [descent(state) for state in DESCENTS],
        "stacks": [paths(stack) for stack in STACKS],
        "overlaps": [overlap(*case) for case in OVERLAPS],
        "networks": [network(name) for name in NETWORKS],
    }


def write() -> None:
    """Write them into their file."""
    FACTS.write_text(json.dumps(facts(), indent=1) + "\n", encoding="utf-8")


def kept() -> dict[str, Any]:
    """Those in the file."""
    found: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))
    return found


# --- losses -----------------------------------------------------------------------------------------------------------


def _library_loss(state: dict[str, Any]) -> Any:
    from classicseg.torch import losses

    options = {"class_weights": [1.0, state["weight"]]}
    if state["loss"] == "focal":
        return losses.FocalLoss(state["gamma"], **options)
    if state["loss"] == "tversky":
        return losses.TverskyLoss(state["alpha"], 1 - state["alpha"], **options)
    return {"ce": losses.CrossEntropy, "dice": losses.DiceLoss}[state["loss"]](**options)


def loss_of(given: dict[str, Any]) -> dict[str, Any]:
    """The loss of an image whose two classes have one probability each, and how hard a pixel of each pulls."""
    import torch

    state = {**_DEFAULT, **given}
    labels = (torch.arange(SIDE * SIDE) < state["pixels"]).long()[None]
    p = torch.tensor([1 - state["back"] / 1000, state["object"] / 1000], dtype=torch.float64)[labels]
    logits = torch.stack([(1 - p).log(), p.log()], 1).requires_grad_()
    value = _library_loss(state)(logits, labels)
    value.backward()
    pull = logits.grad.gather(1, labels[:, None])[0, 0].abs()
    return {"state": given, "loss": value.item(), "back": pull[-1].item(), "object": pull[0].item()}


def picture(n_object: int) -> tuple[np.ndarray, np.ndarray]:
    """Gray levels, and the truth: the `n_object` pixels nearest to the middle, where it is brighter."""
    middle = (SIDE - 1) / 2
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE)
    truth = np.zeros(SIDE * SIDE, np.int64)
    truth[np.argsort((rows - middle) ** 2 + (columns - middle) ** 2, kind="stable")[:n_object]] = 1
    noise = np.frombuffer(grain(), np.int8)
    return (40 + 30 * truth + noise).clip(0, 100), truth


def descent(given: dict[str, Any]) -> dict[str, Any]:
    """The threshold after some steps downhill, its loss and the slope of that."""
    import torch

    state = {**_DEFAULT, **given}
    gray, truth = map(torch.from_numpy, picture(state["pixels"]))
    threshold = torch.tensor(float(state["start"]), dtype=torch.float64, requires_grad=True)
    loss = _library_loss(state)
    for step in range(state["step"] + 1):
        score = (gray - threshold) / 5
        value = loss(torch.stack([torch.zeros_like(score), score])[None], truth[None])
        (slope,) = torch.autograd.grad(value, threshold)
        if step < state["step"]:
            with torch.no_grad():
                threshold.sub_(200 * slope).clamp_(0, 140)
    return {"state": given, "threshold": threshold.item(), "loss": value.item(), "slope": slope.item()}


# --- receptive fields -------------------------------------------------------------------------------------------------


def _layers(stack: str) -> Any:
    """A stack of layers in one dimension, all weights 1, of its text: kind, window, stride, dilation."""
    from torch import nn

    layers = []
    for text in stack.split("-"):
        window, stride, dilation = map(int, text[1:].split("."))
        if text[0] == "c":
            padding = dilation * (window - 1) // 2
            layers.append(nn.Conv1d(1, 1, window, stride, padding=padding, dilation=dilation, bias=False))
        else:
            layers.append(nn.ConvTranspose1d(1, 1, window, stride, padding=(window - stride) // 2, bias=False))
        nn.init.ones_(layers[-1].weight)
    return nn.Sequential(*layers).double()


def paths(stack: str) -> dict[str, Any]:
    """How many paths lead from the pixels of a row to an output in the middle."""
    import torch

    row = torch.zeros(1, 1, 512, dtype=torch.float64, requires_grad=True)
    out = _layers(stack)(row)[0, 0]
    (paths,) = torch.autograd.grad(out[len(out) // 2], row)
    counts = paths[0, 0]
    seen = counts.nonzero()[:, 0]
    return {"stack": stack, "counts": [int(n) for n in counts[seen[0] : seen[-1] + 1]]}


def overlap(window: int, stride: int) -> dict[str, int]:
    """How often a transposed convolution writes its pixels, at least and at most, away from the border."""
    import torch
    from torch import nn

    layer = nn.ConvTranspose2d(1, 1, window, stride, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        inner = layer(torch.ones(1, 1, 16, 16))[0, 0, 8:-8, 8:-8]
    return {"window": window, "stride": stride, "least": int(inner.min()), "most": int(inner.max())}


def network(name: str) -> dict[str, Any]:
    """Numbers of a network: what it has, and at what it looks if every layer averages what it sees."""
    import torch
    from torch import nn

    from classicseg.torch import networks

    with torch.device("meta"):
        full = networks.build(name, n_labels=21)
    seen = _share(_averaging(name), torch.ones(1, 3, FIELD_SIDE, FIELD_SIDE, dtype=torch.float64), FIELD_SIDE // 2)
    share = seen.sum(0)
    n_cells = FIELD_SIDE // CELL
    cells = seen.reshape(n_cells, CELL, n_cells, CELL).sum((1, 3))
    shades = (255 * (cells / cells.max()) ** 0.25).round().to(torch.uint8).numpy()
    distance = (torch.arange(FIELD_SIDE) + 0.5 - FIELD_SIDE / 2).abs()
    within = [share[distance < d].sum().item() for d in range(1, FIELD_SIDE // 2 + 1)]
    return {
        "name": name,
        "parameters": sum(p.numel() for p in full.parameters()),
        "layers": sum(isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) for layer in full.modules()),
        "field": _field(name),
        "half": 2 * (1 + next(i for i, part in enumerate(within) if part >= 0.5)),
        "cells": base64.b64encode(shades.tobytes()).decode(),
    }


def _averaging(name: str) -> Any:
    """A narrow network of that name in which each layer gives the mean of what it sees."""
    import torch
    from torch import nn

    from classicseg.torch import networks
    from classicseg.torch.networks.fcn import BilinearTransposed

    averaging = networks.build(name, n_labels=1, width=1 / 64).eval().double()
    with torch.no_grad():
        for layer in averaging.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.fill_(1 / layer.weight[0].numel())
            elif isinstance(layer, nn.ConvTranspose2d) and not isinstance(layer, BilinearTransposed):
                layer.weight.fill_(1 / layer.in_channels)
    return averaging


def _share(averaging: Any, image: Any, column: int) -> Any:
    """The share that each pixel (H, W) has in a score in the middle row."""
    from torch.nn import functional as F

    def mean(x: Any, window: int, stride: Any = None, padding: int = 0, *_: Any, **options: Any) -> Any:
        return F.avg_pool2d(x, window, stride, padding, ceil_mode=options.get("ceil_mode", False))

    image = image.requires_grad_()
    with patch("torch.nn.functional.max_pool2d", mean):
        averaging(image)[0, 0, image.shape[2] // 2, column].backward()
    share = image.grad[0].sum(0)
    return share / share.sum()


def _field(name: str) -> int | None:
    """The most columns that any score sees; None if that is the whole image, however wide."""
    import torch

    averaging, width, widest = _averaging(name), 3072, 0
    for phase in range(0, 32, 4):  # fields change with the place in a cell of 32, in steps of more than 4
        image = torch.ones(1, 3, averaging.minimum_size, width, dtype=torch.float64)
        columns = _share(averaging, image, width // 2 + phase).sum(0).nonzero()[:, 0]
        widest = max(widest, int(columns[-1] - columns[0]) + 1)
    return None if widest == width else widest
