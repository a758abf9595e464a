"""A network and a CRF behind it as one module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputTypeError
from classicseg.torch.dense_crf import DenseCRF
from classicseg.torch.networks import check_all_pixels
from classicseg.torch.tensors import enlarge, two_labels


class HybridCRF(nn.Module):
    """Any network for segmentation with a CRF behind it.

    Parameters
    ----------
    model : nn.Module
        Called with the images. What it returns may be a tensor, a dict, an object with ``.logits``, or a tuple. One
        channel of logits, as for a sigmoid, counts as two labels.
    crf : DenseCRF
    output : str, int or callable, optional
        Where the logits are in what the model returns: a key, an attribute, a position, or a function of it. If None,
        they are looked for: a tensor itself; ``"out"`` or ``"logits"`` of a dict; ``.logits``; the first of a tuple.
    to_crf_image : callable, optional
        Turns the image that the model sees into the one that the CRF sees, for instance by undoing a normalisation:
        colour sigmas are in the units of the image.

    Raises
    ------
    TypeError
        If `model` or `crf` is not a module of the right kind.
    ValueError
        If `model` is a :class:`networks.UNet` that leaves out the border of an image.

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> network = torch.nn.Conv2d(3, 3, 3, stride=4, padding=1)
    >>> crf = ct.DenseCRF(3, [ct.GaussianKernel(), ct.BilateralKernel(20, 0.1, 5)])
    >>> ct.HybridCRF(network, crf)(torch.rand(1, 3, 16, 24)).shape
    torch.Size([1, 3, 16, 24])
    """

    def __init__(
        self,
        model: nn.Module,
        crf: DenseCRF,
        output: str | int | Callable[[Any], Tensor] | None = None,
        *,
        to_crf_image: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise InputTypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        if not isinstance(crf, DenseCRF):
            raise InputTypeError(f"crf must be a classicseg.torch.DenseCRF, got {type(crf).__name__}")
        check_all_pixels(model)
        self.model, self.crf, self.output, self.to_crf_image = model, crf, output, to_crf_image

    def forward(
        self, image: Tensor, *args: Any, crf_image: Tensor | None = None, ignore: Tensor | None = None, **kwargs: Any
    ) -> Tensor | dict[str, Tensor]:
        """Logits of the model, enlarged to the size of the image if need be, refined by the CRF.

        Parameters
        ----------
        image : Tensor, (B, C, *spatial)
            Handed to the model, with all further arguments.
        crf_image : Tensor, (B, C', *spatial), optional
            What the CRF sees instead.
        ignore : Tensor of bool, (B, *spatial), optional
            See :meth:`DenseCRF.forward`.

        Returns
        -------
        Tensor, (B, L, *spatial)
            In training, for a model that returns a dict with ``"aux"``, auxiliary logits for the loss, a dict again:
            ``{"out", "aux"}``.

        Raises
        ------
        TypeError
            If there are no logits in what the model returns.
        """
        found = self.model(image, *args, **kwargs)
        logits = find_logits(found, self.output)
        seen = crf_image if crf_image is not None else self.to_crf_image(image) if self.to_crf_image else image
        refined = self.refine(enlarge(two_labels(logits), seen), seen, ignore)
        if self.training and isinstance(found, Mapping) and "aux" in found:
            return {"out": refined, "aux": found["aux"]}
        return refined

    def refine(self, logits: Tensor, image: Tensor, ignore: Tensor | None) -> Tensor:
        """What the CRF makes of logits in the size of the image."""
        refined: Tensor = self.crf(logits, image, ignore=ignore)
        return refined


class CRFasRNN(HybridCRF):
    """A network and a CRF trained end to end [1]_: few updates in training, where more would let gradients vanish.

    Parameters
    ----------
    model, crf, output, to_crf_image
        As in :class:`HybridCRF`; ``crf.n_iter`` is the number of updates in training, 5 in the paper.
    n_iter_eval : int
        Number of updates when not training, 10 in the paper.

    References
    ----------
    .. [1] S. Zheng et al., "Conditional random fields as recurrent neural networks", ICCV 2015. :arxiv:`1502.03240`

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> crf = ct.DenseCRF(2, [ct.GaussianKernel(), ct.BilateralKernel(20, 0.1, 5)])
    >>> network = ct.CRFasRNN(torch.nn.Conv2d(3, 2, 3, padding=1), crf)
    >>> network(torch.rand(1, 3, 16, 24)).mean().backward()
    """

    def __init__(
        self,
        model: nn.Module,
        crf: DenseCRF,
        output: str | int | Callable[[Any], Tensor] | None = None,
        *,
        to_crf_image: Callable[[Tensor], Tensor] | None = None,
        n_iter_eval: int = 10,
    ) -> None:
        super().__init__(model, crf, output, to_crf_image=to_crf_image)
        self.n_iter_eval = inputs.as_count(n_iter_eval, "n_iter_eval", 1)

    def refine(self, logits: Tensor, image: Tensor, ignore: Tensor | None) -> Tensor:
        """See :class:`HybridCRF`."""
        refined: Tensor = self.crf(logits, image, ignore=ignore, n_iter=None if self.training else self.n_iter_eval)
        return refined


def find_logits(output: Any, where: str | int | Callable[[Any], Tensor] | None) -> Tensor:
    """The logits in what a model returned."""
    found: Any = None
    if callable(where):
        found = where(output)
    elif isinstance(where, int) or (where is not None and isinstance(output, Mapping)):
        found = output[where]
    elif where is not None:
        found = getattr(output, where)
    elif isinstance(output, Tensor):
        found = output
    elif isinstance(output, Mapping):
        found = output.get("out", output.get("logits"))
    elif hasattr(output, "logits"):
        found = output.logits
    elif isinstance(output, (tuple, list)) and output:
        found = output[0]
    if not isinstance(found, Tensor):
        raise InputTypeError(
            f"no logits found in what the model returned, a {type(output).__name__}; "
            "output= takes a key, an attribute, a position or a function"
        )
    return found
