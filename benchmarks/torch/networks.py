"""How long do networks take, next to their twins in torchvision and MONAI?

    python benchmarks/torch/networks.py [--rounds 5] [--size 128] [--batch 2]

Published widths, 21 labels, images (B, 3, size, size); one thread. Only networks of the same layers are compared:
DeepLabv3 in torchvision's form (stride 8, no multi-grid, one convolution more before the logits, auxiliary logits), and
the U-Net with MONAI's BasicUNet (ReLU and batch normalisation; its last level enlarges 128 maps to 128, ours to 64).
The PSPNet of segmentation-models-pytorch ends its trunk a stage earlier, and the other networks have no twin there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import save, this_run

needs("torch", "torchvision", "monai")

import torch
from torch import Tensor, nn

from classicseg.torch import networks

LABELS = 21


def import_torchvision() -> None:
    """The torchvision of a GPU imports beside a PyTorch of the CPU once these two operators are declared."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    globals()["library"] = library  # undone when it is forgotten
    import torchvision  # noqa: F401


def pairs() -> dict[str, tuple[Callable[[], nn.Module], str, Callable[[], nn.Module]]]:
    """Our network, whose the twin is, and the twin."""
    import_torchvision()
    from monai.networks.nets import BasicUNet
    from torchvision.models import segmentation

    form = {"output_stride": 8, "multi_grid": (1, 1, 1), "extra_conv": True, "aux": True}
    options = {"weights": None, "weights_backbone": None, "num_classes": LABELS, "aux_loss": True}
    return {
        "U-Net": (
            lambda: networks.build("unet", LABELS),
            "MONAI",
            lambda: BasicUNet(
                2, 3, LABELS, (64, 128, 256, 512, 1024, 64), act=("relu", {"inplace": True}), norm="batch", bias=False
            ),
        ),
        "DeepLabv3-50": (
            lambda: networks.build("deeplabv3_50", LABELS, **form),
            "torchvision",
            lambda: segmentation.deeplabv3_resnet50(**options),
        ),
        "DeepLabv3-101": (
            lambda: networks.build("deeplabv3_101", LABELS, **form),
            "torchvision",
            lambda: segmentation.deeplabv3_resnet101(**options),
        ),
    }


def forward(network: nn.Module, images: Tensor) -> None:
    network.eval()
    with torch.no_grad():
        network(images)


def forward_and_backward(network: nn.Module, images: Tensor) -> None:
    network.train()
    network.zero_grad(set_to_none=True)
    output = network(images)
    logits = list(output.values()) if isinstance(output, dict) else [output]
    sum(x.square().mean() for x in logits).backward()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    options = parser.parse_args()
    if options.tiny:
        options.rounds, options.size, options.batch = 1, 64, 2
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.randn(options.batch, 3, options.size, options.size)
    run, rows = this_run(threads=1, libraries=["torch", "torchvision", "monai"]), []
    for name, (make_ours, other, make_theirs) in pairs().items():
        both = {"classicseg": make_ours(), other: make_theirs()}
        row = {
            "network": name,
            "images": f"{options.batch}x3x{options.size}x{options.size}",
            "other": other,
            "parameters": {who: sum(p.numel() for p in network.parameters()) for who, network in both.items()},
        }
        for what, step in (("forward", forward), ("forward and backward", forward_and_backward)):
            calls = {who: lambda step=step, network=network: step(network, images) for who, network in both.items()}
            seconds = take_turns(calls, options.rounds)
            row[what] = {
                "ms": {who: milliseconds(s) for who, s in seconds.items()},
                "times_faster": ratio(seconds[other], seconds["classicseg"]),
            }
        rows.append(row)
        print(row, flush=True)
    save("torch_networks", rows, run, options.output, key="network")


if __name__ == "__main__":
    main()
