"""A network with what belongs to it: the names of its classes and the normalisation of its images."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from classicseg import inputs, io
from classicseg.errors import InputError, InputTypeError
from classicseg.torch import networks
from classicseg.torch.networks import check_all_pixels
from classicseg.torch.tensors import enlarge, two_labels
from classicseg.torch.train.resize import resize_image
from classicseg.torch.train.windows import blended
from classicseg.torch.wrappers import find_logits

_MEAN, _STD = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)  # of ImageNet, in 8-bit units
_FORMAT = 1  # of model files; a reader refuses any other


class Model(nn.Module):
    """A network by name that sees images as they are, 0 to 255, and can be written to a file.

    Parameters
    ----------
    name : str
        As for :func:`networks.build`.
    classes : sequence of str
    width : float
    in_channels : int
    mean, std : sequence of float, optional
        What is subtracted from the image, then what it is divided by, for each channel; by default those of
        photographs.
    size : (int, int), optional
        Height and width to which :meth:`predict` resizes an image before the network sees it, if the model is trained
        on images of that size. Logits come back in the size of the image.
    sigmoid : bool
        One channel of logits for two classes, which tells the second from the first, as for a sigmoid. :meth:`predict`
        returns logits of both.
    seed : int
        Of the initial weights. The global random state is left alone.
    **options
        Of the network.

    Raises
    ------
    ValueError, TypeError
        As :func:`networks.build`.

    Notes
    -----
    A network of several channels sees a gray image as equal channels, in training as in prediction.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.torch import train
    >>> model = train.Model("unet", ["floor", "wall"], width=0.05)
    >>> model.predict(np.zeros((32, 48, 3), np.uint8)).shape
    (2, 32, 48)
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        classes: Sequence[str],
        *,
        width: float = 1.0,
        in_channels: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: tuple[int, int] | None = None,
        sigmoid: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        self.classes = tuple(map(str, classes))
        self.size = None if size is None else tuple(inputs.as_count(n, "size", 1) for n in size)
        if self.size is not None and len(self.size) != 2:
            raise InputError(f"size must be a height and a width, got {size!r}")
        self.origin: str | None = None  # a digest of the file from which the weights come at first
        n_labels = 1 if inputs.as_flag(sigmoid, "sigmoid") else len(self.classes)
        if sigmoid and len(self.classes) != 2:
            raise InputError(f"sigmoid=True is for 2 classes, got {len(self.classes)}")
        self.recipe = {"name": name, "width": width, "in_channels": in_channels, "sigmoid": bool(sigmoid), **options}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(inputs.as_count(seed, "seed", 0))
            self.network = networks.build(name, n_labels, in_channels, width, **options)
        check_all_pixels(self.network)
        self.register_buffer("mean", _per_channel(mean, _MEAN, in_channels, "mean"))
        self.register_buffer("std", _per_channel(std, _STD, in_channels, "std"))
        if not bool((self.std > 0).all()):
            raise InputError(f"std must be positive, got {std!r}")

    @property
    def minimum_size(self) -> int:
        """Smallest height and width of an image."""
        return self.network.minimum_size

    def forward(self, image: Tensor) -> Any:
        """What the network makes of (B, C, H, W) images of values 0 to 255."""
        return self.network((image - self.mean) / self.std)

    def predict(self, image: ArrayLike, *, window: tuple[int, int] | None = None, flips: bool = False) -> np.ndarray:
        """Logits (L, H, W) of one image, see :func:`predict`."""
        return predict(self, image, window=window, flips=flips)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, completely or not at all.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        """
        content = {
            "format": _FORMAT,
            "recipe": self.recipe,
            "classes": list(self.classes),
            "size": None if self.size is None else list(self.size),
            "state": {name: tensor.detach().cpu() for name, tensor in self.state_dict().items()},
        }
        save(content, path)

    def start_from(self, path: str | os.PathLike[str]) -> tuple[int, int]:
        """Take the weights of another model as a start, where names and shapes are the same, such as of other classes.

        Parameters
        ----------
        path : path
            A file of :meth:`save`.

        Returns
        -------
        taken, left : int
            Numbers of tensors that were taken, and of those of this model that stay as they are.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it holds no model, or most of it does not fit.
        """
        others, own = Model.load(path).network.state_dict(), self.network.state_dict()
        fitting = {name: x for name, x in others.items() if name in own and own[name].shape == x.shape}
        if 2 * len(fitting) < len(own):  # a few always do, such as counters
            raise InputError(
                f"{path} holds the model of another network or width: {len(fitting)} of its tensors fit, of {len(own)}"
            )
        self.network.load_state_dict(own | fitting)
        self.origin = _digest_of(path)
        return len(fitting), len(own) - len(fitting)

    def load_backbone(self, path: str | os.PathLike[str]) -> networks.LoadReport:
        """Take weights of a classifier as a start, all those of the network's trunk.

        Parameters
        ----------
        path : path
            Weights with the names of torchvision, such as those of its ``resnet50``, or of a checkpoint that has them
            as ``"state_dict"`` or ``"model"``. No code in the file is run.

        Returns
        -------
        networks.LoadReport
            Its heads, of other classes, are what is unexpected.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it holds no weights, or not all of the trunk, or of another shape: then nothing has changed.
        """
        content = load(path)
        weights = next((content[key] for key in ("state_dict", "model") if isinstance(content.get(key), dict)), content)
        try:
            report = networks.load_backbone(self.network, weights, strict=True)
        except (ValueError, TypeError) as failure:
            raise InputError(f"{path}: {failure}") from failure
        self.origin = _digest_of(path)
        return report

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a model.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it holds no model.
        """
        content = load(path)
        if content.get("format") != _FORMAT:
            raise InputError(f"{path} holds no model of this format, which Model.save and classicseg train write")
        try:
            model = cls(classes=content["classes"], size=content.get("size"), **content["recipe"])
            model.load_state_dict(content["state"])
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as failure:
            raise InputError(f"{path} holds no model that can be built here: {failure}") from failure
        return model.eval()


def predict(
    model: nn.Module, image: ArrayLike, *, window: tuple[int, int] | None = None, flips: bool = False
) -> np.ndarray:
    """Logits of one image.

    Parameters
    ----------
    model : nn.Module
        From (1, C, H, W) images of values 0 to 255. One channel of logits, as for a sigmoid, counts as two labels.
    image : array_like, (H, W) or (H, W, C)
        Of 8 bits, or of values from 0 to 255 in any dtype, which are rounded: it is seen as it is. The range of all
        other values, but for a few in a thousand, becomes 0 to 255, in training as here. A :class:`Model` of a size
        sees it in that size; one channel becomes as many equal ones as the network needs.
    window : (int, int), optional
        Height and width of windows that overlap by half at least, which the network sees one after the other instead
        of a large image; their probabilities are blended.
    flips : bool
        The mean with the mirror image, for twice the time.

    Returns
    -------
    ndarray, (L, H, W), float32
        In the size of the image. Of windows and flips, logarithms of mean probabilities.

    Raises
    ------
    ValueError
        If the image does not suit the network or is not finite, or the network returns NaN.
    """
    check_all_pixels(model)
    array = inputs.read(image, "image")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.size == 0:
        raise InputError(f"image must have shape (H, W) or (H, W, C), got {np.shape(image)}")
    seen, n = with_channels(inputs.as_bytes(array, -1), model), n_channels(model)
    if n is not None and seen.shape[2] != n:
        wanted = "be gray" if n == 1 else f"have {n} channels, or one,"
        raise InputError(f"image must {wanted} for this network, got {array.shape[2]} channels")
    size = None if window is None else tuple(inputs.as_count(n, "window", 1) for n in window)
    if size is not None and len(size) != 2:
        raise InputError(f"window must be a height and a width, got {window!r}")
    if isinstance(model, Model) and model.size is not None:
        if size is not None:
            raise InputError(f"window: this model sees images in the size {model.size}, and so no parts of them")
        seen = resize_image(seen, model.size)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    x = torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1), np.float32))[None].to(device)
    with evaluating(model), torch.no_grad():
        scores = partial(_scores, model, bool(inputs.as_flag(flips, "flips")))
        found = scores(x) if size is None else blended(scores, x, (size[0], size[1]))
        large = enlarge(found, x.new_empty(1, 1, *array.shape[:2]))
        logits: np.ndarray = large[0].float().cpu().numpy()
    if np.isnan(logits).any():
        raise InputError(
            "the network returned NaN: its weights cannot be right; while it is trained, a smaller lr or max_norm=1 "
            "may help"
        )
    return logits


def _scores(model: nn.Module, flips: bool, x: Tensor) -> Tensor:
    """Logits of an image (1, C, H, W), or the logarithm of the mean probability of it and of its mirror image."""
    given = two_labels(enlarge(find_logits(model(x), None), x).float())
    if not flips:
        return given
    mirrored = two_labels(enlarge(find_logits(model(x.flip(3)), None), x).float()).flip(3)
    return torch.logaddexp(given.log_softmax(1), mirrored.log_softmax(1)) - math.log(2)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """All modules in evaluation, and afterwards as they were: those that are frozen stay so."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def as_device(device: str | torch.device | None) -> torch.device:
    """A device that PyTorch can use here.

    Parameters
    ----------
    device : str or torch.device, optional
        By default a GPU if there is one, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If there is none of that name, or no number can be kept on it.

    Examples
    --------
    >>> from classicseg.torch import train
    >>> train.as_device("cpu")
    device(type='cpu')
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as failure:
        reason = str(failure).partition("\n")[0].rstrip(".")
        raise InputError(f"device must be one that PyTorch can use, such as 'cpu', got {device!r}: {reason}") from None
    return chosen


def n_channels(model: nn.Module) -> int | None:
    """Channels of the images of the first of our networks in a model, None if there is none."""
    return next((m.in_channels for m in model.modules() if isinstance(m, networks.SegmentationNetwork)), None)


def with_channels(image: np.ndarray, model: nn.Module) -> np.ndarray:
    """(H, W, C) images of one channel as the equal channels that the network of a model needs."""
    n = n_channels(model)
    return image if n is None or image.shape[2] != 1 else np.repeat(image, n, axis=2)


def save(content: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write tensors and plain values to a file, completely or not at all, even if the power fails."""
    with io.replacing(Path(path)) as temporary, temporary.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what :func:`save` wrote. No code in the file is run."""
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as failure:  # zip, pickle and runtime errors of many kinds; their texts advise to run code
        raise InputError(
            f"{source} cannot be read as a file of PyTorch: it is damaged, or holds more than tensors and plain values"
        ) from failure
    if not isinstance(content, dict):
        raise InputTypeError(f"{source} must hold a dict, got {type(content).__name__}")
    return content


def _digest_of(path: str | os.PathLike[str]) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _per_channel(values: Sequence[float] | None, default: Sequence[float], n: int, name: str) -> Tensor:
    if values is None:
        values = default if n == 3 else [float(np.mean(default))] * n
    tensor = torch.as_tensor(values, dtype=torch.float32).reshape(-1, 1, 1)
    if len(tensor) != n:
        raise InputError(f"{name} must be {n} numbers, one for each channel, got {len(tensor)}")
    return tensor
