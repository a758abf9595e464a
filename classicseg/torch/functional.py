"""The dense CRF as a function of tensors: what :class:`DenseCRF` computes, without a module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.filters.base import NORMALIZATIONS
from classicseg.torch import backends, ops, tensors
from classicseg.torch.backends import exact
from classicseg.torch.lattice import Lattice, build_lattice, computing_dtype

OUTPUTS = ("logits", "marginals")


def position_features(
    shape: Sequence[int], sigma: Tensor, spacing: Sequence[float] | float = 1.0, n_images: int = 1
) -> Tensor:
    """Coordinates of the pixels of a grid in standard deviations.

    Parameters
    ----------
    shape : sequence of int
        Spatial shape.
    sigma : Tensor, (1,) or (len(shape),)
        Standard deviation along each axis, rows first, in pixels times `spacing`; differentiable. Of half precision,
        the coordinates are float32: they would be rounded beyond 256.
    spacing : float or sequence of float
        Distance of neighbouring pixels.
    n_images : int
        Size of the batch.

    Returns
    -------
    Tensor, (n_images, len(shape), *shape)
        x first, then y and z.

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> ct.position_features((2, 3), torch.tensor([2.0]))[0, 0].tolist()
    [[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]
    """
    sigmas = tensors.expand(tensors.not_half(sigma), len(shape), "sigma")
    steps = tensors.expand(torch.as_tensor(spacing, dtype=sigmas.dtype, device=sigma.device), len(shape), "spacing")
    axes = []
    for axis in reversed(range(len(shape))):
        line = torch.arange(shape[axis], dtype=sigmas.dtype, device=sigma.device) * steps[axis] / sigmas[axis]
        along = [1] * len(shape)
        along[axis] = -1
        axes.append(line.reshape(along).expand(*shape))
    return torch.stack(axes).expand(n_images, -1, *shape)


def bilateral_features(
    image: Tensor, sigma: Tensor, color_sigma: Tensor, spacing: Sequence[float] | float = 1.0
) -> Tensor:
    """Coordinates and colours of the pixels of images in standard deviations.

    Parameters
    ----------
    image : Tensor, (B, C, *spatial)
        Differentiable.
    sigma, spacing
        As in :func:`position_features`.
    color_sigma : Tensor, (1,) or (C,)
        Standard deviation of each channel; differentiable.

    Returns
    -------
    Tensor, (B, len(spatial) + C, *spatial)
        x, y and z, then the channels.

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> image = torch.full((1, 3, 4, 5), 26.0)
    >>> ct.bilateral_features(image, torch.tensor([80.0]), torch.tensor([13.0])).shape
    torch.Size([1, 5, 4, 5])
    """
    spatial = image.shape[2:]
    colors = tensors.expand(tensors.not_half(color_sigma), image.shape[1], "color_sigma")
    alike = tensors.not_half(image) / colors.reshape(-1, *(1,) * len(spatial))
    return torch.cat([position_features(spatial, sigma, spacing, image.shape[0]), alike], dim=1)


def dense_crf(
    logits: Tensor,
    features: Sequence[Tensor],
    weights: Tensor | Sequence[float],
    compatibility: Tensor | None = None,
    *,
    normalizations: Sequence[str] | str = "symmetric",
    n_iter: int = 5,
    output: str = "logits",
    backend: str = "auto",
    lattice: Lattice | None = None,
) -> Tensor:
    """Mean-field inference in a dense CRF, differentiable in everything but the lattice.

    Parameters
    ----------
    logits : Tensor, (B, L, *spatial), floating point
        Scores of the labels before the softmax: minus the unary.
    features : sequence of Tensor, (B, d, *spatial)
        Features of the pixels for each kernel in standard deviations, such as :func:`bilateral_features`. May be
        empty if a lattice is given and no gradient to them is wanted.
    weights : Tensor, (K,) or (K, L)
        Weight of each kernel, or of each kernel and label. Positive smooths.
    compatibility : Tensor, (L, L) or (K, L, L), optional
        Cost of label l (row) where a like pixel has label l' (column), for all kernels or for each; Potts,
        ``1 - eye(L)``, if None.
    normalizations : str or sequence of str
        Of the kernels. A lattice has its own, which count instead.
    n_iter : int
        Number of updates.
    output : {"logits", "marginals"}
        Refined logits are log-marginals; good for ``F.cross_entropy``.
    backend : {"auto", "numba", "torch", "triton", "torch+graphs", "triton+graphs", "exact"}
    lattice : Lattice, optional
        Of the same features; built if None.

    Returns
    -------
    Tensor, (B, L, *spatial)
        In the dtype of `logits`; inside, half precision is computed in float32.

    Raises
    ------
    ValueError
        If shapes, labels or devices do not fit, or a value is not finite.
    TypeError
        If something is not a floating point tensor.

    Notes
    -----
    Gradients with respect to logits, weights and compatibility are exact. Those with respect to features, by which
    sigmas and images are learned, use the identity of the Gaussian kernel: exact with ``backend="exact"``,
    approximate with a lattice, whose kernel is only nearly Gaussian.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`
    .. [2] S. Zheng et al., "Conditional random fields as recurrent neural networks", ICCV 2015. :arxiv:`1502.03240`

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> logits, image = torch.randn(1, 3, 8, 9), 255 * torch.rand(1, 3, 8, 9)
    >>> near = ct.position_features((8, 9), torch.tensor([2.0]))
    >>> alike = ct.bilateral_features(image, torch.tensor([8.0]), torch.tensor([20.0]))
    >>> marginals = ct.dense_crf(logits, [near, alike], [3.0, 5.0], output="marginals")
    >>> marginals.sum(1).allclose(torch.ones(1, 8, 9))
    True
    """
    tensors.as_logits(logits)
    inputs.choice(output, "output", OUTPUTS)
    inputs.choice(backend, "backend", ("auto", *backends.BACKENDS))
    n_iter = inputs.as_count(n_iter, "n_iter", 1)
    name = lattice.backend if lattice is not None else backends.choose(backend, logits.device)
    if lattice is not None and backend not in ("auto", lattice.backend):
        raise InputError(f"the lattice was built by backend {lattice.backend!r}, but backend={backend!r} is asked for")
    if isinstance(features, Tensor):
        raise InputTypeError(
            "features must be a sequence of tensors, one for each kernel; for one kernel pass [features]"
        )
    z = logits.flatten(2)
    flat = [_flat(f, logits) for f in features]
    n_kernels = len(flat) if lattice is None else len(lattice.normalizations)
    norms = [normalizations] * n_kernels if isinstance(normalizations, str) else list(normalizations)
    if not n_kernels or len(norms) != n_kernels or (lattice is not None and len(flat) not in (0, n_kernels)):
        raise InputError(
            f"there must be features and a normalization for each of at least one kernel, got {len(flat)} features, "
            f"{len(norms)} normalizations" + ("" if lattice is None else f" and a lattice of {n_kernels} kernels")
        )
    for norm in norms:
        inputs.choice(norm, "normalization", NORMALIZATIONS)
    rewards = _rewards(weights, compatibility, n_kernels, z)
    z = z.to(computing_dtype(z, name))
    marginals = output == "marginals"
    if name == "exact":
        with torch.autocast(z.device.type, enabled=False):
            for tensor, word in [(z, "logits"), (rewards, ops.REWARDS)]:
                tensors.check_summable(tensor.detach(), word)
            for f in flat:
                tensors.check_features(f.detach())
            matrices = exact.filters([f.to(z.dtype) for f in flat], norms)
            out = exact.mean_field(z, rewards.to(z.dtype), matrices, n_iter, marginals)
    else:
        if lattice is None:
            lattice = build_lattice(flat, norms, backend=name)
        else:
            lattice.check(logits)
        ops.check_mode(z, rewards, *flat)
        learned = [f.to(z.dtype) for f in flat] if any(f.requires_grad for f in flat) else []
        record = torch.is_grad_enabled() and (z.requires_grad or rewards.requires_grad or bool(learned))
        out, _ = ops.mean_field(
            z, rewards.to(z.dtype), learned, list(lattice.tensors), ops.as_text(lattice.normalizations), n_iter,
            marginals, record, _mixes(weights, compatibility, z.shape[1]), lattice.backend,
        )  # fmt: skip
    return out.to(logits.dtype).reshape(logits.shape)


def _flat(features: Tensor, logits: Tensor) -> Tensor:
    tensor = tensors.as_floats(features, "features")
    if tensor.dim() != logits.dim() or tensor.shape[0] != logits.shape[0] or tensor.shape[2:] != logits.shape[2:]:
        wanted = f"({', '.join(map(str, [logits.shape[0], 'd', *logits.shape[2:]]))})"
        raise InputError(f"features must have shape {wanted}, got {tuple(tensor.shape)}")
    tensors.on_device(tensor, logits, "features")
    return tensor.flatten(2)


def _mixes(weights: Tensor | Sequence[float], compatibility: Tensor | None, n_labels: int) -> bool:
    """Whether a label may reward two others differently, as far as is known without waiting for a GPU each time."""
    shape = torch.as_tensor(weights).shape
    if n_labels == 2:
        return False
    if len(shape) == 2 and shape[1] > 1:
        return True
    return compatibility is not None and not tensors.is_like_potts(compatibility)


def _rewards(weights: Tensor | Sequence[float], compatibility: Tensor | None, n_kernels: int, z: Tensor) -> Tensor:
    """What label l' of a like pixel adds to the logit of label l, (K, L', L)."""
    n_labels = z.shape[1]
    w = torch.as_tensor(weights, device=z.device)
    w = tensors.not_half(w) if w.is_floating_point() else w.float()
    if w.dim() not in (1, 2) or w.shape[0] != n_kernels or (w.dim() == 2 and w.shape[1] not in (1, n_labels)):
        raise InputError(f"weights must have shape ({n_kernels},) or ({n_kernels}, {n_labels}), got {tuple(w.shape)}")
    if compatibility is None:
        mu = 1 - torch.eye(n_labels, dtype=w.dtype, device=z.device)
    else:
        mu = tensors.not_half(tensors.as_floats(compatibility, "compatibility"))
        tensors.check_costs(mu, n_labels, n_kernels)
        tensors.on_device(mu, z, "compatibility")
    return -(w.reshape(n_kernels, -1, 1) * mu.mT)
