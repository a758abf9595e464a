"""Losses that ask of a network what a CRF would ask: like pixels get like labels. For training with few annotations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.torch import backends, tensors
from classicseg.torch.functional import bilateral_features
from classicseg.torch.lattice import Lattice, build_lattice, computing_dtype
from classicseg.torch.losses._inputs import one_or_nan

_EMPTY = 1e-12  # keeps the mean finite where no pixel counts
_ROUNDING = 0.02  # of sums of probabilities in half precision


class DenseCRFLoss(nn.Module):
    r"""Energy of soft labels in a fully connected CRF, per pixel: the relaxed regularisation loss of Tang et al. [1]_.

    .. math:: \frac{w}{B N} \sum_l s_l^\top K (1 - s_l)

    with the row-normalised bilateral kernel K and probabilities s: the mean weight of differing labels around a pixel.

    Parameters
    ----------
    sigma, color_sigma : float
        Standard deviations of position, in pixels, and colour, in the units of the image.
    weight : float
        Factor of the loss.
    backend : {"auto", "numba", "torch", "triton", "torch+graphs", "triton+graphs"}

    Raises
    ------
    ValueError
        If a sigma is not positive.

    Notes
    -----
    One application of the filter forward, and its transpose backward: the gradient is exact for the lattice.

    What a mask takes out is not there: nothing depends on its colours and probabilities, and rows are normalised over
    the weights of the mask.

    On a GPU, probabilities and masks are not looked at, as that would wait for all its work: where they are none, the
    loss is NaN.

    References
    ----------
    .. [1] M. Tang, F. Perazzi, A. Djelouah, I. Ben Ayed, C. Schroers, Y. Boykov, "On regularized losses for
       weakly-supervised CNN segmentation", ECCV 2018. :arxiv:`1803.09569`

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> loss = ct.DenseCRFLoss(sigma=20, color_sigma=13)
    >>> logits, image = torch.zeros(1, 2, 8, 9, requires_grad=True), torch.zeros(1, 3, 8, 9)
    >>> round(loss(logits.softmax(1), image).item(), 3)  # undecided everywhere: half of the labels differ
    0.5
    """

    def __init__(
        self, sigma: float = 100.0, color_sigma: float = 15.0, weight: float = 1.0, *, backend: str = "auto"
    ) -> None:
        super().__init__()
        self.register_buffer("sigma", tensors.as_scales(sigma, "sigma"))
        self.register_buffer("color_sigma", tensors.as_scales(color_sigma, "color_sigma"))
        self.weight = inputs.as_weight(weight, "weight", at_least=-inputs.LARGEST, below=inputs.LARGEST)
        self.backend: str = inputs.choice(backend, "backend", ("auto", *backends.LATTICES))
        self.has_seen_unit = False

    def lattice(self, image: Tensor, *, mask: Tensor | None = None) -> Lattice:
        """The lattice of a batch of images, to be used in many calls.

        Parameters
        ----------
        image : Tensor, (B, C, *spatial)
        mask : Tensor, (B, *spatial), optional
            As in :meth:`forward`; so that what is masked leaves no trace in the lattice.

        Returns
        -------
        Lattice
        """
        checked = tensors.as_image(image, image)
        if not (torch.compiler.is_compiling() or self.has_seen_unit):  # a graph would depend on the second
            self.has_seen_unit = tensors.warn_of_color_unit(checked, self.color_sigma)
        features = bilateral_features(checked, self.sigma, self.color_sigma)
        if mask is not None:
            features = _without(features, _masked(mask, checked) > 0)
        return build_lattice([features], ["after"], backend=self.backend)

    def forward(
        self,
        probabilities: Tensor,
        image: Tensor | None = None,
        *,
        lattice: Lattice | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """The loss, a number.

        Parameters
        ----------
        probabilities : Tensor, (B, L, *spatial)
            After the softmax; or, of one channel, after the sigmoid.
        image : Tensor, (B, C, *spatial), optional
            Not needed with a lattice.
        lattice : Lattice, optional
            From :meth:`lattice`.
        mask : Tensor, (B, *spatial), optional
            Weight in [0, 1] of each pixel; 0 takes it out, as the border of a crop or what is annotated. A lattice that
            is given should be built with it, so that what lies there leaves no trace.

        Returns
        -------
        Tensor, ()

        Raises
        ------
        ValueError
            If shapes or devices do not fit, or values are not finite or no probabilities.
        """
        probabilities = _of_labels(probabilities)
        if lattice is None:
            if image is None:
                raise InputError("image or lattice must be given")
            tensors.as_image(image, probabilities)
            lattice = self.lattice(image, mask=mask)
        s = probabilities.to(computing_dtype(probabilities, lattice.backend))
        gate = None if mask is None else _masked(mask, probabilities).to(s.dtype)
        s, factor = _checked(s, gate)
        s = s if gate is None else s * gate
        total = s.sum(1, keepdim=True)
        filtered = lattice.filter(torch.cat([s, total] if gate is None else [s, total, gate], 1))
        alike, around = filtered[:, : s.shape[1]], filtered[:, s.shape[1] : s.shape[1] + 1]
        energy = total * around - (s * alike).sum(1, keepdim=True)
        if gate is not None:  # the sums of the rows are those of the pixels that count
            there = gate > 0
            energy = energy * there / torch.where(there, filtered[:, -1:].detach(), 1)
        return self.weight * factor * energy.sum() / total.detach().sum().clamp_min(_EMPTY)


class GatedCRFLoss(nn.Module):
    r"""Mean weight of differing labels among the pixels of a window, the gated CRF loss of Obukhov et al. [1]_.

    .. math:: \frac{w}{\sum_i m_i} \sum_i \sum_{j \ne i, |p_i - p_j|_\infty \le r} m_i m_j\, k(f_i, f_j)
              (1 - \langle s_i, s_j \rangle)

    Parameters
    ----------
    sigma, color_sigma : float
        Standard deviations of position and colour of the Gaussian kernel.
    radius : int
        Half the side of the window.
    weight : float
        Factor of the loss.

    Raises
    ------
    ValueError
        If a sigma is not positive or the radius is less than 1.

    Notes
    -----
    No lattice: all pairs within the window, one displacement at a time, so that memory does not grow with the window.

    References
    ----------
    .. [1] A. Obukhov, S. Georgoulis, D. Dai, L. Van Gool, "Gated CRF loss for weakly supervised semantic image
       segmentation", 2019. :arxiv:`1906.04651`

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> same = torch.zeros(1, 2, 8, 9)
    >>> same[:, 0] = 1
    >>> float(ct.GatedCRFLoss()(same, 255 * torch.rand(1, 3, 8, 9)))
    0.0
    """

    def __init__(self, sigma: float = 6.0, color_sigma: float = 25.0, radius: int = 5, weight: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("sigma", tensors.as_scales(sigma, "sigma"))
        self.register_buffer("color_sigma", tensors.as_scales(color_sigma, "color_sigma"))
        self.has_seen_unit = False
        self.radius = inputs.as_count(radius, "radius", 1)
        self.weight = inputs.as_weight(weight, "weight", at_least=-inputs.LARGEST, below=inputs.LARGEST)

    def forward(self, probabilities: Tensor, image: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """The loss, a number.

        Parameters
        ----------
        probabilities : Tensor, (B, L, *spatial)
            After the softmax; or, of one channel, after the sigmoid.
        image : Tensor, (B, C, *spatial)
        mask : Tensor, (B, *spatial), optional
            The gates: weight in [0, 1] of each pixel.

        Returns
        -------
        Tensor, ()

        Raises
        ------
        ValueError
            If shapes or devices do not fit or a value is not finite.
        """
        probabilities = _of_labels(probabilities)
        s = probabilities if probabilities.dtype == torch.float64 else probabilities.float()
        seen = tensors.as_image(image, probabilities)
        if not (torch.compiler.is_compiling() or self.has_seen_unit):  # a graph would depend on the second
            self.has_seen_unit = tensors.warn_of_color_unit(seen, self.color_sigma)
        features = bilateral_features(seen, self.sigma, self.color_sigma).to(s.dtype)
        spatial = s.shape[2:]
        gate = None if mask is None else _masked(mask, probabilities).to(s.dtype)
        if gate is not None:
            features = _without(features, gate > 0)
        tensors.check_finite(features.detach(), "image")
        s, factor = _checked(s, gate)
        gate = s.new_ones(s.shape[0], 1, *spatial) if gate is None else gate
        energy = s.new_zeros(())
        steps = itertools.product(range(-self.radius, self.radius + 1), repeat=len(spatial))
        for step in steps:
            if step <= (0,) * len(spatial) or any(abs(d) >= n for d, n in zip(step, spatial, strict=True)):
                continue  # each pair once
            here, there = _shifted(step, spatial)
            squared = (features[here] - features[there]).square().sum(1, keepdim=True)
            kernel = torch.exp(-0.5 * squared) * gate[here] * gate[there]
            energy = energy + 2 * (kernel * (1 - (s[here] * s[there]).sum(1, keepdim=True))).sum()
        return self.weight * factor * energy / gate.sum().clamp_min(_EMPTY)


def _of_labels(probabilities: Tensor) -> Tensor:
    """Probabilities of all labels, of two where one channel has those of the second."""
    tensors.as_logits(probabilities, name="probabilities", at_least=1)
    return torch.cat([1 - probabilities, probabilities], 1) if probabilities.shape[1] == 1 else probabilities


def _masked(mask: Tensor, probabilities: Tensor) -> Tensor:
    if not isinstance(mask, Tensor):
        raise InputTypeError(f"mask must be a torch.Tensor, got {type(mask).__name__}")
    wanted = (probabilities.shape[0], *probabilities.shape[2:])
    if tuple(mask.shape) != wanted:
        raise InputError(f"mask must have shape {wanted}, got {tuple(mask.shape)}")
    tensors.on_device(mask, probabilities, "mask")
    return mask[:, None]


def _without(features: Tensor, there: Tensor) -> Tensor:
    """Features (B, d, *spatial) in which pixels that are not there have those of one that is: they add no vertex."""
    flat, first = features.flatten(2), there.flatten(2).to(torch.uint8).argmax(2, keepdim=True)  # of each image
    of_first = flat.gather(2, first.expand(-1, flat.shape[1], -1))
    return torch.where(there.flatten(2), flat, of_first).reshape(features.shape)


def _checked(probabilities: Tensor, gate: Tensor | None) -> tuple[Tensor, Tensor]:
    """Probabilities, 0 outside a mask; and 1, or NaN where what is wrong is on a GPU and nobody waits to read it."""
    s = probabilities if gate is None else torch.where(gate > 0, probabilities, 0)
    with torch.no_grad():
        low, high = s.amin(), s.amax()
        missed = (s.sum(1, keepdim=True) - (1 if gate is None else (gate > 0).to(s.dtype))).abs().amax()
        fits = (low >= -_ROUNDING) & (high <= 1 + _ROUNDING) & (missed <= _ROUNDING)
        if gate is not None:
            fits &= (gate.amin() >= 0) & (gate.amax() <= 1)
    if s.device.type == "cpu" and not bool(fits):
        if gate is not None and not bool(((gate >= 0) & (gate <= 1)).all()):
            raise InputError(f"mask must be weights from 0 to 1, got {float(gate.min()):g} to {float(gate.max()):g}")
        tensors.check_finite(s.detach(), "probabilities")
        raise InputError(
            f"probabilities must be from 0 to 1 and sum to 1 over the labels, got {float(low):g} to {float(high):g}, "
            f"with sums that miss 1 by up to {float(missed):g}; of logits, pass logits.softmax(1)"
        )
    return s, one_or_nan(fits).to(s.dtype)


def _shifted(step: Sequence[int], shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of all pixels whose partner at `step` lies in the image, and of the partners."""
    everything = (slice(None), slice(None))
    pairs = list(zip(step, shape, strict=True))
    here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in pairs)
    there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in pairs)
    return everything + here, everything + there
