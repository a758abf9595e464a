"""Train a network on a folder of images and labels; goes on from its checkpoint if it was stopped.

The folder holds classes.txt, one class in a line, and images/ with labels/ or train/ with train_labels/. Label pictures
hold the number of the class of each pixel; 255 is void. Needs PyTorch.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

from classicseg.cli import upright
from classicseg.cli.output import add_json_option, report
from classicseg.errors import InputError

SUMMARY = "images and labels in, a trained network out"
OUTPUTS = {"output": "models"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--data", type=Path, required=True, help="folder with classes.txt, images and labels")
    parser.add_argument("--split", help="such as train, for data/train and data/train_labels; default: no splits")
    parser.add_argument("--val-split", help="split that chooses the best epoch")
    parser.add_argument(
        "--val-share", type=float, default=0.2, metavar="P",
        help="without --val-split: the last of the images, this share of them (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="model: .pt or .pth; its checkpoint, .ckpt, lies beside it"
    )
    parser.add_argument("--net", default="unet", help="default: %(default)s")
    parser.add_argument("--width", type=float, default=0.25, help="factor of the channels (default: %(default)s)")
    parser.add_argument("--loss", default="dice+ce", help="such as ce, focal, dice+ce, lovasz (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--lr", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--schedule", default="poly", help="poly, cosine or constant (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="resize all images to this; the model resizes new ones",
    )
    parser.add_argument("--crop", type=int, nargs=2, metavar=("H", "W"), help="learn from random windows of this size")
    parser.add_argument("--patience", type=int, metavar="N", help="stop after N epochs without a better score")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--device", help="such as cpu or cuda; default: a GPU if there is one")
    parser.add_argument("--log-dir", type=Path, help="folder for TensorBoard")
    upright.add_arguments(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Read, train, write, report."""
    from dataclasses import asdict

    from classicseg.cli._torch import train_module

    train = train_module()
    device = train.as_device(options.device)
    size = None if options.size is None else tuple(options.size)
    data, validation = _split(train, options, size)
    crop = None if options.crop is None else tuple(options.crop)
    settings = train.Settings(
        n_epochs=options.epochs,
        batch_size=options.batch,
        lr=options.lr,
        schedule=options.schedule,
        seed=options.seed,
        patience=options.patience,
        augmentation=train.Augmentation(crop=crop),
    )
    channels = max(data.survey.channels)  # 1 in a folder of gray images only
    model = train.Model(
        options.net, data.classes, width=options.width, in_channels=channels, size=size, seed=options.seed
    )
    trained = train.fit(
        model,
        data,
        validation,
        loss=options.loss,
        settings=settings,
        device=device,
        checkpoint=options.output.with_suffix(".ckpt"),
        log_dir=options.log_dir,
        progress=True,
    )
    model.save(options.output)
    done = {
        "output": str(options.output),
        "network": options.net,
        "classes": list(data.classes),
        "n_images": [len(data), 0 if validation is None else len(validation)],
        "best_epoch": trained.best_epoch,
        "best_mean_iou": trained.best_score,
        "stopped_early": trained.stopped_early,
        "history": [asdict(epoch) for epoch in trained.history],
    }
    score = "" if trained.best_score is None else f", mean IoU {100 * trained.best_score:.1f} % on the held-out images"
    epochs = f"weights of epoch {trained.best_epoch} of {len(trained.history)}"
    report(options, done, f"{options.output}: {options.net}, {epochs}{score}")


def _split(train: ModuleType, options: argparse.Namespace, size: tuple[int, ...] | None) -> tuple[Any, Any]:
    """Data to learn from, and those that are held out."""
    data = train.FolderData(options.data, options.split, size=size, exif=options.exif)
    if options.val_split is not None:
        return data, train.FolderData(options.data, options.val_split, size=size, exif=options.exif)
    if not 0 <= options.val_share < 1:
        raise InputError(f"--val-share must be at least 0 and below 1, got {options.val_share}")
    n_held = round(options.val_share * len(data))
    if n_held == 0:
        return data, None
    names = data.names
    learned, held = (
        train.FolderData(options.data, options.split, size=size, names=chosen, exif=options.exif)
        for chosen in (names[:-n_held], names[-n_held:])
    )
    return learned, held
