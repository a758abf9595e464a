"""What colours a label has: models that are estimated from some pixels and cost all of them.

Colours are (C, N) float32 arrays, one row for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.kernels.mixture import mixture_costs, moments
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import map_tasks

_TASK = 1 << 16
"""Pixels of one task. Borders are fixed, so that sums do not depend on the number of threads."""
_FLATTEST = 1e-12  # least variance of a component, as a share of its largest: float64 still tells it from 0


class ColorModel(Protocol):
    """Colours of one label."""

    def costs(self, colors: np.ndarray, n_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Cost ``-log p`` of each colour, (N,) float32, and the component that gives it, (N,) uint8."""
        ...

    def refit(self, colors: np.ndarray, where: np.ndarray, component: np.ndarray, n_threads: int = 1) -> ColorModel:
        """A model of the pixels that (N,) bool `where` tells, each in its component; itself if there are none."""
        ...


@dataclass(frozen=True, eq=False)
class ColorMixture:
    r"""A mixture of Gaussians in which each pixel belongs to the component that explains it best.

    .. math:: -\log p(z) = \min_k\, -\log \pi_k + \tfrac12 \log |2\pi\Sigma_k|
              + \tfrac12 (z - \mu_k)^T \Sigma_k^{-1} (z - \mu_k)

    Parameters
    ----------
    shares : ndarray, (K,)
        Share of the pixels in each component; 0 for one without pixels.
    means : ndarray, (K, C)
    covariances : ndarray, (K, C, C)
    floor : float
        Smallest variance in any direction.

    Notes
    -----
    Assigning pixels, estimating the Gaussians and cutting each lower the same energy, so it never rises [1]_. A floor
    under the variances keeps that: to raise the eigenvalues of a covariance to it gives the likeliest of the
    Gaussians that respect it.

    References
    ----------
    .. [1] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004. doi:10.1145/1015706.1015720
    .. [2] M. T. Orchard, C. A. Bouman, "Color quantization of images", IEEE TSP 39(12), 1991 (where to split).
       doi:10.1109/78.107417

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.energies.color_models import ColorMixture
    >>> gray = np.repeat(np.float32([[10, 12, 200, 202]]), 50, axis=1)
    >>> mixture = ColorMixture.fit(gray, 2)
    >>> mixture.means.ravel().tolist(), mixture.shares.tolist()
    ([11.0, 201.0], [0.5, 0.5])
    """

    shares: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    floor: float = 1.0

    @classmethod
    def fit(
        cls, colors: np.ndarray, n_components: int = 5, *, floor: float = 1.0, max_iter: int = 5, n_threads: int = 1
    ) -> ColorMixture:
        """Estimate a mixture: split where the colours spread most until there are K parts, then reassign.

        Parameters
        ----------
        colors : ndarray, (C, N), float32
            N at least 1.
        n_components : int
            At most that many, fewer if there are fewer colours.
        floor : float
            Smallest variance in any direction.
        max_iter : int
            Rounds of reassigning.
        n_threads : int
        """
        everywhere = np.ones(colors.shape[1], bool)
        part = np.zeros(colors.shape[1], np.uint8)
        mixture = cls._estimate(colors, part.astype(np.int32), 1, floor, n_threads)
        while len(mixture.shares) < n_components:
            spread, axes = np.linalg.eigh(mixture.covariances)
            widest = int((spread[:, -1] * mixture.shares).argmax())
            axis = axes[widest, :, -1]
            far = axis.astype(np.float32) @ colors > axis @ mixture.means[widest]
            split = (part == widest) & far
            if spread[widest, -1] <= floor or not split.any() or split.sum() == (part == widest).sum():
                break
            part[split] = len(mixture.shares)
            mixture = cls._estimate(colors, part.astype(np.int32), len(mixture.shares) + 1, floor, n_threads)
        for _ in range(max_iter):
            mixture = mixture.refit(colors, everywhere, mixture.costs(colors, n_threads)[1], n_threads)
        return mixture

    def costs(self, colors: np.ndarray, n_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Cost ``-log p`` of each colour, (N,) float32, and the component that gives it, (N,) uint8."""
        n = colors.shape[1]
        padded = np.pad(colors, ((0, 0), (0, PIXELS - n))) if n < PIXELS else np.ascontiguousarray(colors)
        used = np.flatnonzero(self.shares > 0)
        triangles = np.linalg.cholesky(self.covariances[used])
        whitening = np.linalg.inv(triangles) * np.sqrt(0.5)
        shift = np.einsum("kij,kj->ki", whitening, self.means[used])
        volume = np.log(2 * np.pi) / 2 * len(colors) + np.log(np.einsum("kii->ki", triangles)).sum(axis=1)
        constant = volume - np.log(self.shares[used])
        tables = [np.ascontiguousarray(table, np.float32) for table in (whitening, shift, constant)]
        cost, component = np.empty(padded.shape[1], np.float32), np.empty(padded.shape[1], np.uint8)
        size = max(n, PIXELS)

        def task(i: int) -> None:
            mixture_costs(padded, *tables, i * _TASK, min((i + 1) * _TASK, size), cost, component)

        map_tasks(task, -(-size // _TASK), n_threads)
        return cost[:n], used.astype(np.uint8)[component[:n]]

    def refit(self, colors: np.ndarray, where: np.ndarray, component: np.ndarray, n_threads: int = 1) -> ColorMixture:
        """The likeliest mixture of the pixels that `where` tells, each in its component; itself if there are none."""
        group = np.where(where, component.astype(np.int32), -1)
        if not where.any():
            return self
        return self._estimate(colors, group.astype(np.int32), len(self.shares), self.floor, n_threads)

    @classmethod
    def _estimate(
        cls, colors: np.ndarray, group: np.ndarray, n_components: int, floor: float, n_threads: int
    ) -> ColorMixture:
        sums = _moments(colors, group, n_components, n_threads)
        c = len(colors)
        count = sums[:, 0]
        divisor = np.maximum(count, 1)[:, None]
        means = sums[:, 1 : 1 + c] / divisor
        products = np.zeros((n_components, c, c))
        rows, columns = np.tril_indices(c)
        products[:, rows, columns] = products[:, columns, rows] = sums[:, 1 + c :] / divisor
        spread, axes = np.linalg.eigh(products - means[:, :, None] * means[:, None, :])
        least = np.maximum(floor, _FLATTEST * spread[:, -1:])
        covariances = np.einsum("kij,kj,klj->kil", axes, np.maximum(spread, least), axes)
        return cls(count / count.sum(), means, covariances, floor)


@dataclass(frozen=True, eq=False)
class ColorHistogram:
    """How often each colour occurs, smoothed over neighbouring colours.

    Parameters
    ----------
    frequencies : ndarray, (bins,) * C
        Sum to 1, none is 0.
    low, high : float
        Range of the colours, cut into bins.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.energies.color_models import ColorHistogram
    >>> gray = np.repeat(np.float32([[10, 200]]), 50, axis=1)
    >>> histogram = ColorHistogram.fit(gray, bins=8, low=0, high=255)
    >>> histogram.costs(np.float32([[10, 100]]))[0].round(1).tolist()
    [4.6, 8.9]
    """

    frequencies: np.ndarray
    low: float
    high: float

    @classmethod
    def fit(cls, colors: np.ndarray, *, bins: int, low: float, high: float) -> ColorHistogram:
        """Count the colours, (C, N) float32 in [low, high], in `bins` steps for each channel."""
        empty = cls(np.broadcast_to(np.float64(1), (bins,) * len(colors)), low, high)
        return empty.refit(colors, np.ones(colors.shape[1], bool), np.zeros(0, np.uint8))

    def costs(self, colors: np.ndarray, n_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Cost ``-log p`` of each colour, (N,) float32, and 0, for there is one component."""
        table = -np.log(self.frequencies.reshape(-1) / self._bin_volume()).astype(np.float32)
        return table[self._index(colors)], np.zeros(colors.shape[1], np.uint8)

    def refit(self, colors: np.ndarray, where: np.ndarray, component: np.ndarray, n_threads: int = 1) -> ColorHistogram:
        """The histogram of the pixels that (N,) bool `where` tells; itself if there are none."""
        from scipy.ndimage import gaussian_filter

        index = self._index(colors)[where]
        if not index.size:
            return self
        counts = np.bincount(index, minlength=self.frequencies.size).astype(np.float64)
        smooth = gaussian_filter(counts.reshape(self.frequencies.shape), 1.0)
        smooth += 1e-4 * counts.sum() / counts.size  # a colour never seen is unlikely, not impossible
        return ColorHistogram(smooth / smooth.sum(), self.low, self.high)

    def _index(self, colors: np.ndarray) -> np.ndarray:
        bins = len(self.frequencies)
        index = np.zeros(colors.shape[1], np.intp)
        for channel in colors:
            step = (channel - np.float32(self.low)) * np.float32(bins / max(self.high - self.low, 1e-30))
            index = index * bins + np.clip(step.astype(np.intp), 0, bins - 1)
        return index

    def _bin_volume(self) -> float:
        return float(((self.high - self.low) / len(self.frequencies) or 1.0) ** self.frequencies.ndim)


def fit_color_model(
    kind: str, colors: np.ndarray, where: np.ndarray, n_components: int, *, floor: float = 1.0, n_threads: int = 1
) -> ColorModel:
    """A model of some of the pixels, (N,) bool `where`, at least one; `kind` is ``"mixture"`` or ``"histogram"``.

    `n_components` and `floor`, the least variance, are those of a mixture. In 8-bit steps squared, flat skies in JPEG
    files have a variance of about 4; where few strokes tell the colours, 16 keeps what they do not show likely enough.

    Raises
    ------
    ValueError
        If the kind is unknown, or a histogram of more than 3 channels is wanted.
    """
    inputs.choice(kind, "colors", ("mixture", "histogram"))
    chosen = np.ascontiguousarray(colors[:, where])
    if kind == "mixture":
        return ColorMixture.fit(chosen, n_components, floor=floor, n_threads=n_threads)
    if len(colors) > 3:
        raise InputError(f"colors='histogram' is for up to 3 channels, got {len(colors)}; use colors='mixture'")
    bins = {1: 64, 2: 32, 3: 16}[len(colors)]
    return ColorHistogram.fit(chosen, bins=bins, low=float(colors.min()), high=float(colors.max()))


def _moments(colors: np.ndarray, group: np.ndarray, n_groups: int, n_threads: int) -> np.ndarray:
    """Sums of the moments of each group, (n_groups, 1 + C + C (C + 1) / 2) float64; see the kernel."""
    c, n = colors.shape
    rows = np.ascontiguousarray(colors)
    n_tasks = -(-n // _TASK)
    parts = np.zeros((n_tasks, n_groups, 1 + c + c * (c + 1) // 2))
    map_tasks(lambda i: moments(rows, group, i * _TASK, min((i + 1) * _TASK, n), parts[i]), n_tasks, n_threads)
    total: np.ndarray = parts.sum(axis=0)
    return total
