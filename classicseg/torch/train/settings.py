"""How to train, and what a training did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.torch.train import schedule as schedules
from classicseg.torch.train.augment import Augmentation

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    n_epochs, batch_size : int
        Images that do not fill a batch are left out of an epoch; which ones differs from epoch to epoch.
    accumulate : int
        Parts of a batch that pass the network one after the other, in less memory: the gradient is that of the whole
        batch, whatever the loss divides by, for a third more time. Batch normalisation sees one part.
    lr, weight_decay : float
    optimizer : {"adamw", "sgd"}
        "sgd" has a momentum of 0.9.
    schedule : {"poly", "cosine", "constant"}
        How the learning rate falls, over all steps.
    warmup : int
        Steps at the start over which the learning rate grows.
    aux_weight : float
        Of the loss of an auxiliary head, where the network has one.
    crf_factor : float
        Learning rate of the parameters of a :class:`DenseCRF` as a multiple of that of the network: they are few, and
        each has a long way to go.
    max_norm : float, optional
        Longer gradients are shortened to this.
    seed : int
    augmentation : Augmentation
    amp : bool, optional
        Half precision, bfloat16 where the device has it; by default if the device is a GPU.
    channels_last : bool
        Weights with the channels innermost, as images are given: faster on most GPUs.
    compile : bool
        Train what ``torch.compile`` makes of the model: faster after the first steps, which take a minute or more.
    n_workers : int
        Threads that read and change images while the network learns; the result does not depend on it.
    patience : int, optional
        Stop if the score on the validation set has not risen for so many epochs.

    Raises
    ------
    ValueError, TypeError
        If a value is out of its range.

    Examples
    --------
    >>> from classicseg.torch import train
    >>> train.Settings(n_epochs=20).schedule
    'poly'
    """

    n_epochs: int = 50
    batch_size: int = 4
    accumulate: int = 1
    lr: float = 1e-3
    weight_decay: float = 1e-4
    optimizer: str = "adamw"
    schedule: str = "poly"
    warmup: int = 0
    aux_weight: float = 0.4
    crf_factor: float = 10.0
    max_norm: float | None = None
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    amp: bool | None = None
    n_workers: int = 1
    patience: int | None = None
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        at_least = {"n_epochs": 1, "batch_size": 1, "accumulate": 1, "warmup": 0, "seed": 0, "n_workers": 1}
        for name, minimum in at_least.items():
            inputs.as_count(getattr(self, name), name, minimum)
        if self.accumulate > self.batch_size:
            raise InputError(f"accumulate must be at most batch_size={self.batch_size}, got {self.accumulate}")
        if self.patience is not None:
            inputs.as_count(self.patience, "patience", 1)
        inputs.as_positive_number(self.lr, "lr")
        if self.max_norm is not None:
            inputs.as_positive_number(self.max_norm, "max_norm")
        for name in ("weight_decay", "aux_weight", "crf_factor"):
            inputs.as_weight(getattr(self, name), name, at_least=0)
        for name in ("channels_last", "compile"):
            inputs.as_flag(getattr(self, name), name)
        inputs.choice(self.optimizer, "optimizer", OPTIMIZERS)
        inputs.choice(self.schedule, "schedule", schedules.SCHEDULES)
        if not (self.amp is None or isinstance(self.amp, bool)):
            raise InputTypeError(f"amp must be True, False or None, got {self.amp!r}")
        if not isinstance(self.augmentation, Augmentation):
            raise InputTypeError(f"augmentation must be an Augmentation, got {type(self.augmentation).__name__}")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: mean loss, and the mean IoU on the validation set, if there is one."""

    number: int
    loss: float
    lr: float
    mean_iou: float | None
    seconds: float


@dataclass(frozen=True)
class Report:
    """What a training did.

    Attributes
    ----------
    history : tuple of Epoch
    best_epoch : int
        Whose weights the model has now: that of the highest mean IoU on the validation set, or the last one.
    best_score : float
        Mean IoU of that epoch, if there is a validation set.
    stopped_early : bool
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    best_score: float | None
    stopped_early: bool


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as they come back from a file."""
    plain = asdict(settings)
    plain["augmentation"] = {k: list(v) if isinstance(v, tuple) else v for k, v in plain["augmentation"].items()}
    return plain
