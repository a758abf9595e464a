"""How long do losses take, next to those of MONAI and kornia, of the same kind and with gradients?

    python benchmarks/torch/losses.py [--rounds 5] [--batch 8]

Logits (B, 21, 512, 512) and labels; forward and backward, one thread. The others' losses of one name are not always the
same function (their softmax focal loss, for one, averages over pixels and classes): this asks for the time only.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import save, this_run

needs("torch", "monai", "kornia")

import torch
from torch import nn

from classicseg.torch import losses

LABELS = 21


def contenders() -> dict[str, dict[str, nn.Module]]:
    """Losses by kind and library; labels are (B, H, W)."""
    import kornia.losses as kornia
    import monai.losses as monai

    class WithChannel(nn.Module):
        def __init__(self, loss: nn.Module) -> None:
            super().__init__()
            self.loss = loss

        def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.loss(logits, labels[:, None])

    shared = {"to_onehot_y": True}
    return {
        "cross-entropy": {"classicseg": losses.build("ce"), "PyTorch": nn.CrossEntropyLoss()},
        "focal": {
            "classicseg": losses.build("focal"),
            "MONAI": WithChannel(monai.FocalLoss(use_softmax=True, **shared)),
            "kornia": kornia.FocalLoss(alpha=None, reduction="mean"),
        },
        "Dice": {
            "classicseg": losses.build("dice"),
            "MONAI": WithChannel(monai.DiceLoss(softmax=True, **shared)),
            "kornia": kornia.DiceLoss(average="macro"),
        },
        "generalised Dice": {
            "classicseg": losses.build("generalized_dice"),
            "MONAI": WithChannel(monai.GeneralizedDiceLoss(softmax=True, **shared)),
        },
        "Tversky": {
            "classicseg": losses.build("tversky"),
            "MONAI": WithChannel(monai.TverskyLoss(softmax=True, **shared)),
            "kornia": kornia.TverskyLoss(alpha=0.5, beta=0.5),
        },
        "Lovász": {"classicseg": losses.build("lovasz"), "kornia": kornia.LovaszSoftmaxLoss()},
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    if options.tiny:
        options.rounds, options.batch = 1, 1
    size = 32 if options.tiny else 512
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logits = torch.randn(options.batch, LABELS, size, size, requires_grad=True)
    labels = torch.randint(0, LABELS, (options.batch, size, size))
    run, rows = this_run(threads=1, libraries=["torch", "monai", "kornia"]), []

    def step(loss: nn.Module) -> None:
        logits.grad = None
        loss(logits, labels).backward()

    for kind, by_library in contenders().items():
        calls = {name: lambda loss=loss: step(loss) for name, loss in by_library.items()}
        seconds = take_turns(calls, options.rounds)
        best = min((name for name in seconds if name != "classicseg"), key=lambda name: min(seconds[name]))
        row = {
            "loss": kind,
            "batch": options.batch,
            "ms": {name: milliseconds(s) for name, s in seconds.items()},
            "times_faster_than_the_best_other": ratio(seconds[best], seconds["classicseg"]),
        }
        rows.append(row)
        print(row, flush=True)
    save("torch_losses", rows, run, options.output, key="loss")


if __name__ == "__main__":
    main()
