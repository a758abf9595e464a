"""Train a network on a folder of images and labels; goes on from its checkpoint if it was stopped.

The folder holds classes.txt, one class in a line, and images/ with labels/ or train/ with train_labels/. Label pictures
hold the number of the class of each pixel; 255 is void. A list of pairs, --split train.txt, has an image, a tab and its
labels in each line, from the folder of the list. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from classicseg.cli import upright
from classicseg.cli.output import add_json_option, report
from classicseg.errors import InputError

if TYPE_CHECKING:
    from classicseg.torch.train import Epoch
    from classicseg.torch.train.dataset import Survey

SUMMARY = "images and labels in, a trained network out"
OUTPUTS = {"output": "models", "log": "logs"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--data", type=Path, required=True, help="folder with classes.txt, images and labels")
    parser.add_argument("--label-suffix", default="", metavar="END", help="such as _mask, if a.png has a_mask.png")
    parser.add_argument(
        "--split", help="such as train, for data/train and data/train_labels, or train.txt, a list; default: no splits"
    )
    parser.add_argument("--val-split", help="split or list that chooses the best epoch")
    parser.add_argument(
        "--val-share", type=float, default=0.2, metavar="P",
        help="without --val-split: the last of the images, this share of them (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="model: .pt or .pth; its checkpoint, .ckpt, lies beside it"
    )
    parser.add_argument("--net", default="unet", help="default: %(default)s")
    parser.add_argument("--width", type=float, help="factor of the channels (default: 0.25; 1 with --backbone)")
    parser.add_argument(
        "--sigmoid", action="store_true", help="one channel for two classes, that of the second, as for a sigmoid"
    )
    parser.add_argument("--loss", default="dice+ce", help="such as ce, focal, dice+ce, lovasz (default: %(default)s)")
    parser.add_argument(
        "--loss-option", action="append", default=[], metavar="NAME=X", help="such as gamma=3; may be given again"
    )
    parser.add_argument(
        "--class-weights", nargs="+", metavar="W",
        help="auto, the median share of a class over its own; effective, by effective numbers, with their beta if "
        "wanted; or a number for each class",
    )  # fmt: skip
    parser.add_argument(
        "--init", type=Path, metavar="MODEL", help="start from the weights of this model, where they fit"
    )
    parser.add_argument(
        "--backbone", type=Path, metavar="FILE",
        help="start from these weights of a classifier, such as resnet50.pth of torchvision, in the trunk of a network",
    )  # fmt: skip
    parser.add_argument("--optimizer", default="adamw", help="adamw or sgd (default: %(default)s)")
    parser.add_argument(
        "--amp", action=argparse.BooleanOptionalAction, default=None, help="half precision; default: on a GPU"
    )
    parser.add_argument("--workers", type=int, default=1, help="threads that read images (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=4, help="default: %(default)s")
    parser.add_argument(
        "--accumulate", type=int, default=1, metavar="N",
        help="let a batch pass the network in N parts, in less memory and a third more time",
    )  # fmt: skip
    parser.add_argument("--lr", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--max-norm", type=float, metavar="X", help="shorten longer gradients to this length")
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
    parser.add_argument("--log", type=Path, help="also write a line for each epoch: .csv or .jsonl")
    parser.add_argument("--log-dir", type=Path, help="folder for TensorBoard")
    upright.add_arguments(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Read, train, write, report."""
    from classicseg.cli._torch import enough_memory, train_module

    train = train_module()
    device = train.as_device(options.device)
    size = None if options.size is None else tuple(options.size)
    data, validation = _split(train, options, size)
    crop = None if options.crop is None else tuple(options.crop)
    settings = train.Settings(
        n_epochs=options.epochs,
        batch_size=options.batch,
        accumulate=options.accumulate,
        lr=options.lr,
        schedule=options.schedule,
        seed=options.seed,
        patience=options.patience,
        max_norm=options.max_norm,
        optimizer=options.optimizer,
        amp=options.amp,
        n_workers=options.workers,
        augmentation=train.Augmentation(crop=crop),
    )
    channels = max(data.survey.channels)  # 1 in a folder of gray images only
    if None not in (options.init, options.backbone):
        raise InputError("give either --init or --backbone")
    width = (0.25 if options.backbone is None else 1.0) if options.width is None else options.width
    model = train.Model(
        options.net, data.classes, width=width, in_channels=channels, size=size, sigmoid=options.sigmoid,
        seed=options.seed,
    )  # fmt: skip
    if options.init is not None:
        taken, left = model.start_from(options.init)
        print(f"{options.init}: {taken} tensors taken, {left} begin anew", file=sys.stderr)
    if options.backbone is not None:
        print(f"{options.backbone}: {model.load_backbone(options.backbone)}", file=sys.stderr)
    with enough_memory("lower --batch, --crop, --size or --width, raise --accumulate, or try --amp"):
        trained = train.fit(
            model,
            data,
            validation,
            loss=_loss(options, data.survey),
            settings=settings,
            device=device,
            checkpoint=options.output.with_suffix(".ckpt"),
            log_dir=options.log_dir,
            callback=None if options.log is None else partial(_log, options.log),
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


def _loss(options: argparse.Namespace, found: Survey) -> Any:
    """The loss with its options and weights."""
    from classicseg import io
    from classicseg.torch import losses

    more: dict[str, Any] = {}
    for word in options.loss_option:
        name, _, value = word.partition("=")
        try:
            more[name] = float(value)
        except ValueError:
            raise InputError(f"--loss-option must be a name and a number, as in gamma=3, got {word!r}") from None
    if options.class_weights is not None:
        rule, words = options.class_weights[0], options.class_weights[1:]
        try:
            numbers = [float(word) for word in (words if rule in ("auto", "effective") else options.class_weights)]
        except ValueError:
            words = " ".join(options.class_weights)
            raise InputError(
                f"--class-weights must be auto, effective, or a number for each class, got {words}"
            ) from None
        if options.class_weights == ["auto"]:
            numbers = found.balanced_weights()
        elif rule == "effective" and len(numbers) < 2:
            numbers = losses.class_balanced_weights(found.counts, *numbers)
        more["class_weights"] = numbers
        if len(more["class_weights"]) != len(found.counts):
            n = len(more["class_weights"])
            raise InputError(f"--class-weights must be {len(found.counts)} numbers, one for each class, got {n}")
    return losses.build(options.loss, ignore_index=io.VOID, **more) if more else options.loss


def _log(path: Path, epoch: Epoch) -> None:
    """Add a line for an epoch to a file, which the first begins."""
    row = asdict(epoch)
    with path.open("w" if epoch.number == 1 else "a", newline="", encoding="utf-8") as file:
        if path.suffix.lower() == ".jsonl":
            file.write(json.dumps(row) + "\n")
            return
        writer = csv.DictWriter(file, list(row))
        if epoch.number == 1:
            writer.writeheader()
        writer.writerow(row)


def _split(train: ModuleType, options: argparse.Namespace, size: tuple[int, ...] | None) -> tuple[Any, Any]:
    """Data to learn from, and those that are held out."""
    read = partial(train.FolderData, options.data, size=size, exif=options.exif, label_suffix=options.label_suffix)
    data = read(options.split)
    if options.val_split is not None:
        return data, read(options.val_split)
    if not 0 <= options.val_share < 1:
        raise InputError(f"--val-share must be at least 0 and below 1, got {options.val_share}")
    n_held = round(options.val_share * len(data))
    if n_held == 0:
        return data, None
    names = data.names
    return read(options.split, names=names[:-n_held]), read(options.split, names=names[-n_held:])
