"""The dense CRF as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.energies.compatibility import Potts, as_compatibility
from classicseg.errors import InputError, InputTypeError
from classicseg.torch import backends, tensors
from classicseg.torch.functional import OUTPUTS, dense_crf
from classicseg.torch.kernels import PairwiseKernel
from classicseg.torch.lattice import Lattice, build_lattice

LEARNABLE = ("weights", "compatibility", "sigma")


class DenseCRF(nn.Module):
    """Mean-field inference in a dense CRF as a layer that can be trained [1]_ [2]_.

    Parameters
    ----------
    n_labels : int
        Number of labels L, at least 2.
    kernels : GaussianKernel, BilateralKernel or sequence of them
        At least one.
    compatibility : Potts, Diagonal, Matrix, (L, L) array_like, or Tensor (L, L) or (K, L, L), optional
        Cost of label l (row) where a like pixel has label l' (column), for all kernels or for each; ``Potts(1)`` if not
        given. What is learned need not be symmetric, as in [2]_.
    learn : sequence of {"weights", "compatibility", "sigma"}
        What is trained. Learning sigmas costs several times as much as the rest, and needs a new lattice at every
        step. With a lattice their gradients are approximate: good directions for up to 5 features, poor ones for more
        than 6.
    n_iter : int
        Number of updates.
    output : {"logits", "marginals"}
        Refined logits are log-marginals: give them to ``F.cross_entropy``.
    backend : {"auto", "numba", "torch", "triton", "torch+graphs", "triton+graphs", "exact"}
        All but the last filter with the same lattice: compiled kernels on the CPU, operations of PyTorch on any device,
        or programs in Triton on CUDA devices, the latter two launched one by one or recorded into CUDA graphs; "auto"
        takes "numba" for tensors on the CPU, else "torch". "exact" visits all pairs of pixels, on any device, for small
        images only.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If a kernel is not one of this package.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`
    .. [2] S. Zheng et al., "Conditional random fields as recurrent neural networks", ICCV 2015. :arxiv:`1502.03240`

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> crf = ct.DenseCRF(3, [ct.GaussianKernel(3, 3), ct.BilateralKernel(80, 13, 10)])
    >>> logits, image = torch.randn(2, 3, 24, 32, requires_grad=True), 255 * torch.rand(2, 3, 24, 32)
    >>> refined = crf(logits, image)
    >>> refined.shape
    torch.Size([2, 3, 24, 32])
    >>> torch.nn.functional.cross_entropy(refined, torch.zeros(2, 24, 32, dtype=torch.long)).backward()
    """

    def __init__(
        self,
        n_labels: int,
        kernels: PairwiseKernel | Sequence[PairwiseKernel],
        compatibility: Any = None,
        *,
        learn: Sequence[str] = ("weights", "compatibility"),
        n_iter: int = 5,
        output: str = "logits",
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.n_labels = inputs.as_count(n_labels, "n_labels", 2)
        self.n_iter = inputs.as_count(n_iter, "n_iter", 1)
        self.output: str = inputs.choice(output, "output", OUTPUTS)
        self.backend: str = inputs.choice(backend, "backend", ("auto", *backends.BACKENDS))
        self.learn = tuple(inputs.choice(word, "learn", LEARNABLE) for word in _words(learn))
        self.kernels = nn.ModuleList(_checked_kernels(kernels, self.n_labels))
        self.compatibility = nn.Parameter(_costs(compatibility, self.n_labels, len(self.kernels)))
        self.compatibility.requires_grad_("compatibility" in self.learn)
        for kernel in self.kernels:
            kernel.weight.requires_grad_("weights" in self.learn)
            for parameter in kernel.scale_parameters():
                parameter.requires_grad_("sigma" in self.learn)

    def extra_repr(self) -> str:
        """Settings for ``repr``."""
        return f"n_labels={self.n_labels}, n_iter={self.n_iter}, learn={self.learn}, backend={self.backend!r}"

    @property
    def normalizations(self) -> list[str]:
        """Of each kernel."""
        return [kernel.normalization for kernel in self.kernels]

    @property
    def learns_features(self) -> bool:
        """Whether a sigma is trained."""
        return any(p.requires_grad for kernel in self.kernels for p in kernel.scale_parameters())

    def weights(self) -> Tensor:
        """Weight of each kernel, (K, 1), or of each kernel and label, (K, L)."""
        n = max(kernel.weight.numel() for kernel in self.kernels)
        return torch.stack([kernel.weight.expand(n) for kernel in self.kernels])

    def features(self, image: Tensor | None, like: Tensor) -> list[Tensor]:
        """Features of each kernel, (B, d, *spatial), for logits of the shape of `like`."""
        shape, n_images = like.shape[2:], like.shape[0]
        return [kernel.features(shape, image, n_images) for kernel in self.kernels]

    def lattice(self, image: Tensor) -> Lattice:
        """The lattice of a batch of images, to be used in many calls.

        Parameters
        ----------
        image : Tensor, (B, C, *spatial)

        Returns
        -------
        Lattice
            Valid until a sigma changes.

        Raises
        ------
        ValueError
            If the backend is exact, which has no lattice.

        Examples
        --------
        >>> import torch, classicseg.torch as ct
        >>> crf = ct.DenseCRF(3, [ct.GaussianKernel(3, 3), ct.BilateralKernel(20, 13, 5)])
        >>> image = 255 * torch.rand(1, 3, 12, 16)
        >>> lattice = crf.lattice(image)
        >>> logits = torch.randn(1, 3, 12, 16)
        >>> torch.equal(crf(logits, lattice=lattice), crf(logits, image))
        True
        """
        checked = tensors.as_image(image, image)
        backend = backends.choose(self.backend, image.device)
        if backend == "exact":
            raise InputError("backend='exact' has no lattice; pass the image to each call")
        with torch.no_grad():
            return build_lattice(self.features(checked, image), self.normalizations, backend=backend)

    def forward(
        self,
        logits: Tensor,
        image: Tensor | None = None,
        *,
        lattice: Lattice | None = None,
        ignore: Tensor | None = None,
        n_iter: int | None = None,
    ) -> Tensor:
        """Refine logits.

        Parameters
        ----------
        logits : Tensor, (B, L, *spatial) or (B, L, *smaller), floating point
            Of a network, before the softmax. If they are smaller than the image they are enlarged to its size, linearly
            along each axis and with ``align_corners=False``.
        image : Tensor, (B, C, *spatial), optional
            Any real dtype, in the units of the colour sigmas. Not needed with a lattice, nor without bilateral kernels.
        lattice : Lattice, optional
            From :meth:`lattice`.
        ignore : Tensor of bool, (B, *spatial), optional
            True where a pixel takes no part, such as padding: it sends no messages and keeps its logits.
        n_iter : int, optional
            Instead of the layer's own number of updates.

        Returns
        -------
        Tensor, (B, L, *spatial)
            Log-marginals or marginals, as `output` says, in the dtype of `logits`.

        Raises
        ------
        ValueError
            If shapes, labels or devices do not fit or a value is not finite.
        TypeError
            If something is not a tensor of the right kind.
        """
        tensors.as_logits(logits, self.n_labels)
        tensors.on_device(self.compatibility, logits, "the layer")
        if isinstance(image, Tensor) and tensors.is_within(logits, image):
            logits = tensors.enlarge(logits, image)
        checked = None if image is None else tensors.as_image(image, logits)
        if lattice is not None and torch.is_grad_enabled() and self.learns_features:
            raise InputError("sigmas are learned, so the lattice changes with every step; pass the image instead")
        wants_features = lattice is None or (checked is not None and checked.requires_grad)
        features = self.features(checked, logits) if wants_features else []
        settings = {
            "normalizations": self.normalizations,
            "n_iter": self.n_iter if n_iter is None else n_iter,
            "output": self.output,
            "backend": self.backend if lattice is None else "auto",
        }
        model = self.weights(), self.compatibility
        if ignore is None:
            return dense_crf(logits, features, *model, lattice=lattice, **settings)  # type: ignore[arg-type]
        if lattice is not None:
            raise InputError("ignore changes the lattice; pass the image instead of the lattice")
        return _refine_rest(logits, features, model, ignore, settings)


def _refine_rest(
    logits: Tensor, features: list[Tensor], model: tuple[Tensor, Tensor], ignore: Tensor, settings: dict[str, Any]
) -> Tensor:
    """The CRF of the pixels that are not ignored, image by image."""
    if not isinstance(ignore, Tensor) or ignore.dtype != torch.bool:
        raise InputTypeError("ignore must be a torch.Tensor of dtype bool")
    if ignore.shape != (logits.shape[0], *logits.shape[2:]):
        wanted = (logits.shape[0], *logits.shape[2:])
        raise InputError(f"ignore must have shape {wanted}, got {tuple(ignore.shape)}")
    tensors.on_device(ignore, logits, "ignore")
    flat = logits.flatten(2)
    alone = flat.log_softmax(1) if settings["output"] == "logits" else flat.softmax(1)
    results = []
    for b, mask in enumerate(ignore.flatten(1)):
        kept = (~mask).nonzero()[:, 0]
        if kept.numel() == 0:
            results.append(alone[b])
            continue
        few = [f[b : b + 1].flatten(2)[:, :, kept] for f in features]
        refined = dense_crf(flat[b : b + 1, :, kept], few, *model, **settings)
        results.append(alone[b].index_copy(1, kept, refined[0].to(alone.dtype)))
    return torch.stack(results).reshape(logits.shape)


def _words(learn: Any) -> Sequence[str]:
    return (learn,) if isinstance(learn, str) else learn


def _checked_kernels(kernels: Any, n_labels: int) -> list[PairwiseKernel]:
    listed = [kernels] if isinstance(kernels, nn.Module) and not isinstance(kernels, nn.ModuleList) else list(kernels)
    if not listed:
        raise InputError("kernels must hold at least one kernel")
    for kernel in listed:
        if not isinstance(kernel, PairwiseKernel):
            raise InputTypeError(f"kernels must be kernels of classicseg.torch, got {kernel!r}")
        if kernel.weight.numel() not in (1, n_labels):
            raise InputError(f"weight must be 1 or {n_labels} numbers, got {kernel.weight.numel()}")
    return listed


def _costs(compatibility: Any, n_labels: int, n_kernels: int) -> Tensor:
    if isinstance(compatibility, Tensor):
        matrix = tensors.as_floats(compatibility, "compatibility").detach().to(torch.float32).clone()
        tensors.check_costs(matrix, n_labels, n_kernels)
        tensors.check_finite(matrix, "compatibility")
        return matrix
    chosen = as_compatibility(Potts() if compatibility is None else compatibility, n_labels, symmetric=False)
    return torch.from_numpy(chosen.matrix(n_labels)).to(torch.float32)
