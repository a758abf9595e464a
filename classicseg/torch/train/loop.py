"""The training loop.

Everything random at a step is drawn from the seed and the number of that step. A run that was killed and goes on from
its checkpoint therefore ends with the weights of one that was left alone, bit for bit on a CPU.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID
from classicseg.metrics import Scores, confusion_matrix, scores_of
from classicseg.solvers.run import progress_bar
from classicseg.torch import losses
from classicseg.torch.train import schedule as schedules
from classicseg.torch.train.dataset import Data
from classicseg.torch.train.gradients import Batch, Learner
from classicseg.torch.train.identity import check_fixed, check_same, identity_of
from classicseg.torch.train.model import as_device, load, predict, save, with_channels
from classicseg.torch.train.preparation import batchable, check, new_optimizer, survey_of
from classicseg.torch.train.settings import Epoch, Report, Settings
from classicseg.torch.train.tally import Tally

Loss = Callable[[Tensor, Tensor], Tensor]


def fit(
    model: nn.Module,
    data: Data,
    validation: Data | None = None,
    *,
    loss: str | Loss = "ce",
    settings: Settings | None = None,
    device: str | torch.device | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    save_every: int | None = None,
    log_dir: str | os.PathLike[str] | None = None,
    callback: Callable[[Epoch], bool | None] | None = None,
    progress: bool = False,
) -> Report:
    """Train a model, which is changed in place.

    Parameters
    ----------
    model : nn.Module
        From (B, C, H, W) images of values 0 to 255 to logits: a :class:`Model`, a :class:`CRFasRNN` around one, or any
        other. Parts that are in evaluation while the whole is in training stay so, such as frozen batch normalisation.
    data, validation : FolderData, ArrayData or the like
        What is learned, and what is held out to choose the best epoch. Gray images become equal channels for a
        network of colours.
    loss : str or callable
        A name for :func:`losses.build` such as ``"dice+ce"``, or a function of logits (B, L, H, W) and labels
        (B, H, W) with 255 for void. Logits of two classes may have one channel, if the network gives that.
    settings : Settings, optional
    device : str or torch.device, optional
        By default a GPU if there is one.
    checkpoint : path, optional
        Written after each epoch; if the file exists, the training goes on from there. That of an ended training goes
        on if `n_epochs` is larger now; else a warning says that nothing was done.
    save_every : int, optional
        Write the checkpoint after so many steps too.
    log_dir : path, optional
        Folder for TensorBoard, which must be installed.
    callback : callable, optional
        Gets each :class:`Epoch`; True ends the training.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        Before the first step, if a file of the data is wrong, an image is too small for the network, the labels are
        0 and 255 only, PyTorch cannot use the device, or the checkpoint is of another training: of other settings, of
        another loss, network or size, or of images or labels that have changed. Later, if the loss is not finite.
    TypeError
        If an argument is of a wrong kind.

    Warns
    -----
    UserWarning
        If a class has no pixel, or the training of the checkpoint has ended.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.torch import train
    >>> images = [np.full((16, 16, 3), value, np.uint8) for value in (0, 255)]
    >>> data = train.ArrayData(images, [image[:, :, 0] // 255 for image in images], ["dark", "bright"])
    >>> model = train.Model("unet", data.classes, width=0.03)
    >>> report = train.fit(model, data, settings=train.Settings(n_epochs=2, batch_size=2))
    >>> len(report.history)
    2
    """
    if not isinstance(model, nn.Module):
        raise InputTypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    chosen = Settings() if settings is None else settings
    run = _Run(model, data, validation, loss, chosen, as_device(device), checkpoint, save_every)
    writer = None if log_dir is None else _writer(log_dir)
    bar = _bar(run) if progress else None
    try:
        with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
            while not run.ended:
                epoch = run.epoch(bar)
                if writer is not None:
                    for name, value in asdict(epoch).items():
                        if value is not None:
                            writer.add_scalar(name, value, epoch.number)
                if callback is not None and callback(epoch):
                    run.ended = True
                run.save()
    finally:
        for shown in (bar, writer):
            if shown is not None:
                shown.close()
    return run.report()


def evaluate(model: nn.Module, data: Data) -> Scores:
    """Scores of a model over all pixels of a data set.

    Parameters
    ----------
    model : nn.Module
        As for :func:`fit`.
    data : FolderData, ArrayData or the like

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If a file of the data is wrong or does not suit the network, or the labels are 0 and 255 only.

    Warns
    -----
    UserWarning
        If a class has no pixel.
    """
    check(model, data, survey_of(data), None, "the data")
    return _scored(model, data)


def _scored(model: nn.Module, data: Data) -> Scores:
    n_labels = len(data.classes)
    total = np.zeros((n_labels, n_labels), np.int64)
    for i in range(len(data)):
        image, truth = data[i]
        total += confusion_matrix(predict(model, image).argmax(0), truth, n_labels, ignore_label=VOID)
    return scores_of(total)


def loss_of(loss: str | Loss) -> Loss:
    """A loss by its name, which leaves out void, or the loss itself."""
    if callable(loss):
        return loss
    built: Loss = losses.build(loss, ignore_index=VOID)
    return built


class _Run:
    """State of a training between two steps."""

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        validation: Data | None,
        loss: str | Loss,
        settings: Settings,
        device: torch.device,
        checkpoint: str | os.PathLike[str] | None,
        save_every: int | None,
    ) -> None:
        self.model, self.data, self.validation, self.settings = model, data, validation, settings
        self.loss, self.device = loss_of(loss), device
        self.path = None if checkpoint is None else Path(checkpoint)
        self.save_every = None if save_every is None else inputs.as_count(save_every, "save_every", 1)
        found = survey_of(data)
        self.augmentation = batchable(found, settings)
        check(model, data, found, self.augmentation.crop, "the data")
        held_out = None if validation is None else survey_of(validation)
        if validation is not None and held_out is not None:
            check(model, validation, held_out, None, "the validation set")
        self.identity = identity_of(model, data.classes, loss, settings, found, held_out)
        model.to(device)
        # Parts in evaluation are frozen, unless all is: batch normalisation, for one, keeps what it has learned.
        self.frozen = [module for module in model.modules() if model.training and not module.training]
        self.optimizer = new_optimizer(model, settings)
        on_gpu = device.type == "cuda"
        self.half = on_gpu if settings.amp is None else settings.amp
        coarse = self.half and on_gpu and not torch.cuda.is_bf16_supported()
        self.scaler = torch.amp.GradScaler(device.type, enabled=coarse)
        self.n_batches = len(data) // settings.batch_size or 1
        self.history: list[Epoch] = []
        self.step, self.seconds = 0, 0.0
        self.tally = Tally(int(on_gpu))
        self.learner = Learner(torch.compile(model) if settings.compile else model, self.loss, settings)
        if settings.channels_last:  # images come so
            model.to(memory_format=torch.channels_last)
        self.best_epoch = 0
        self.best_state: dict[str, Tensor] | None = None
        self.best_score: float | None = None
        self.ended = self.stopped_early = False
        if self.path is not None and self.path.exists():
            self.restore()

    def epoch(self, bar: Any) -> Epoch:
        """Train to the end of an epoch, and score it."""
        start = time.perf_counter() - self.seconds
        number = len(self.history)
        rate = 0.0
        for batch in self.batches(number, self.step - number * self.n_batches):
            rate = self.update(batch)
            if bar is not None:
                bar.update()
            if self.save_every and self.step % self.save_every == 0 and self.step % self.n_batches:
                self.seconds = time.perf_counter() - start
                self.save()
        score = None if self.validation is None else _scored(self.model, self.validation).mean_iou
        done = Epoch(number + 1, self.tally.total / self.n_batches, rate, score, time.perf_counter() - start)
        self.history.append(done)
        self.tally, self.seconds = Tally(self.tally.delay), 0.0
        self._judge(done)
        if bar is not None:
            bar.set_postfix(loss=f"{done.loss:.3f}", **({} if score is None else {"miou": f"{score:.3f}"}))
        return done

    def _judge(self, done: Epoch) -> None:
        if done.mean_iou is None:
            self.best_epoch = done.number
        elif self.best_score is None or done.mean_iou > self.best_score:
            self.best_epoch, self.best_score = done.number, done.mean_iou
            self.best_state = {name: x.detach().cpu().clone() for name, x in self.model.state_dict().items()}
        patience = self.settings.patience
        self.stopped_early = patience is not None and done.number - self.best_epoch >= patience
        self.ended = self.stopped_early or done.number >= self.settings.n_epochs

    def update(self, batch: Batch) -> float:
        """One step; returns its learning rate."""
        settings = self.settings
        n_steps = settings.n_epochs * self.n_batches
        rate = settings.lr * schedules.factor(settings.schedule, self.step, n_steps, settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.model.train()
        for module in self.frozen:
            module.training = False
        self.optimizer.zero_grad(set_to_none=True)
        kind = torch.bfloat16 if not self.scaler.is_enabled() else torch.float16
        half = partial(torch.autocast, self.device.type, dtype=kind, enabled=self.half)
        seeds = np.random.SeedSequence([settings.seed, self.step]).generate_state(settings.accumulate).tolist()
        value = self.learner.learn(batch.to(self.device), seeds, half, self.scaler.scale)
        self.tally.add(value, self.step)
        if settings.max_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.max_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        return rate

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """The batches of an epoch from the `first` on; each is made while the one before is learned."""
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(self.data))
        size = min(self.settings.batch_size, len(self.data))
        chunks = [order[i * size : (i + 1) * size] for i in range(first, self.n_batches)]
        with ThreadPoolExecutor(self.settings.n_workers) as pool:
            waiting = [pool.submit(self._example, epoch, int(i)) for i in chunks[0]]
            for chunk in [*chunks[1:], np.zeros(0, int)]:
                ready, waiting = waiting, [pool.submit(self._example, epoch, int(i)) for i in chunk]
                batch = Batch.of([example.result() for example in ready])
                yield batch.pinned() if self.device.type == "cuda" else batch

    def _example(self, epoch: int, i: int) -> tuple[np.ndarray, np.ndarray, Tensor | None]:
        """An image and its labels as they are seen in an epoch, and the distances that the loss asks for."""
        image, labels = self.data[i]
        rng = np.random.default_rng([self.settings.seed, epoch, i])
        image, labels = self.augmentation(with_channels(image, self.model), labels, rng)
        return image, labels, self.learner.maps(labels, len(self.data.classes))

    def save(self) -> None:
        """Write the checkpoint."""
        if self.path is None:
            return
        content = {
            "identity": self.identity,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "progress": [self.step, self.tally.total, self.seconds],
            "best": [self.best_epoch, self.best_score],
            "best_state": self.best_state,
            "ended": [self.ended, self.stopped_early],
            "n_epochs": self.settings.n_epochs,
        }
        save(content, self.path)

    def restore(self) -> None:
        """Go on from the checkpoint."""
        assert self.path is not None
        content = load(self.path)
        check_same(self.identity, content.get("identity", {}), self.path)
        try:
            check_fixed(self.model, content["model"], self.path)
            self.model.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
        except (KeyError, RuntimeError) as failure:
            raise InputError(f"{self.path} is the checkpoint of another model: {failure}") from failure
        self.scaler.load_state_dict(content["scaler"])
        self.history = [Epoch(**epoch) for epoch in content["history"]]
        self.step, total, self.seconds = content["progress"]
        self.tally = Tally(self.tally.delay, total)
        self.best_epoch, self.best_score = content["best"]
        self.best_state = content["best_state"]
        self.ended, self.stopped_early = content["ended"]
        longest, here = content["n_epochs"], self.settings.n_epochs
        self.ended = len(self.history) >= here or (self.ended and here <= longest)
        if self.ended:
            warnings.warn(
                f"{self.path}: this training has ended, after {len(self.history)} epochs, and nothing was done; delete "
                f"the file to train anew, or go on with n_epochs above {max(longest, here)}",
                stacklevel=4,
            )

    def report(self) -> Report:
        """Give the model its best weights, and tell."""
        if self.best_state is not None:
            self.model.load_state_dict(self.best_state)
        self.model.eval()
        return Report(tuple(self.history), self.best_epoch, self.best_score, self.stopped_early)


def _bar(run: _Run) -> Any:
    bar = progress_bar("train", run.settings.n_epochs * run.n_batches)
    if bar is not None:
        bar.update(run.step)
    return bar


def _writer(log_dir: str | os.PathLike[str]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as failure:
        raise InputError("log_dir needs TensorBoard: pip install tensorboard") from failure
    return SummaryWriter(os.fspath(log_dir))
