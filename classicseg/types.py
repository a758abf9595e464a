"""What solvers give back: :class:`Result` with a :class:`Step` for each iteration. Callbacks get a :class:`State`.

Results of all kinds are :class:`Brief` in a terminal, and :class:`Shown` as pictures in a notebook.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

R = TypeVar("R", bound="Result")

_FEW = 9  # entries that a short text shows


class Renderer(Protocol):
    """Draws results of one kind."""

    def figure(self, thing: Any, image: ArrayLike | None) -> Figure:
        """Picture it, over its image if that is given."""

    def html(self, thing: Any) -> str:
        """Picture it with its figures, for a notebook."""


RENDERERS: dict[str, Renderer] = {}
"""What draws results, by the names of their classes: the room ``plot`` enters itself."""


class Shown:
    """A result that a notebook shows as a picture."""

    def plot(self, image: ArrayLike | None = None) -> Figure:
        """Draw it with matplotlib.

        Parameters
        ----------
        image : array_like, (H, W) or (H, W, C), optional
            What was segmented: labels are laid over it.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If there is no matplotlib, the extra ``plot``.
        ValueError
            If the image does not fit.
        """
        if not find_spec("matplotlib"):
            raise ImportError("plot() needs matplotlib, the extra `plot`: pip install matplotlib")
        return self._renderer().figure(self, image)

    def _repr_html_(self) -> str | None:
        """Show it in a notebook; None, which stands for the plain text, without matplotlib."""
        return self._renderer().html(self) if find_spec("matplotlib") else None

    def _renderer(self) -> Renderer:
        import classicseg

        _ = classicseg.plot  # the package knows its rooms by name; this one enters its renderers when it comes
        return next(RENDERERS[base.__name__] for base in type(self).__mro__ if base.__name__ in RENDERERS)


class Brief:
    """A dataclass whose text fits on a line: large arrays are told by their shapes."""

    def __repr__(self) -> str:
        names = [field.name for field in dataclasses.fields(self) if field.repr]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={brief(getattr(self, name))}' for name in names)})"


def brief(value: object) -> str:
    """Say what it is, an array of more than a few numbers by its shape and dtype."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return repr(value)
    if value.size <= _FEW:  # type: ignore[attr-defined]
        return str(value.tolist())  # type: ignore[attr-defined]
    return f"<{'x'.join(map(str, shape))} {dtype}>"


@dataclass(frozen=True)
class Step:
    """One row of :attr:`Result.history`.

    Attributes
    ----------
    iteration : int
        1 for the first.
    seconds : float
        Wall-clock time since the solver was called, without that for loading or compiling kernels.
    energy : float or None
        Objective of the solver after the iteration: the energy of the labels, or the mean-field free energy where
        the solver works on marginals.
    lower_bound : float or None
        Bound on the energy of every labelling.
    change : float or None
        How much the iteration changed; each solver says in which measure.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.Step(iteration=1, seconds=0.5, energy=12.0).energy
    12.0
    """

    iteration: int
    seconds: float
    energy: float | None = None
    lower_bound: float | None = None
    change: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class State(Brief):
    """Where a solver stands; what ``callback(state)`` gets after each iteration.

    Attributes
    ----------
    iteration : int
        1 after the first.
    marginals : ndarray, (L, *spatial), float32, or None
        Read-only; copy what you want to keep.
    energy, change : float or None
        As in :class:`Step`.
    lower_bound : float or None
        As in :class:`Step`.
    labels : ndarray, spatial shape, int32, or None
        Read-only; copy what you want to keep.

    Examples
    --------
    >>> import classicseg as cs
    >>> def stop_when_calm(state):
    ...     return state.change < 1e-3
    >>> stop_when_calm(cs.State(iteration=3, marginals=None, energy=1.0, change=1e-4))
    True
    """

    iteration: int
    marginals: np.ndarray | None = None
    energy: float | None = None
    change: float | None = None
    lower_bound: float | None = None
    labels: np.ndarray | None = None


class _Computed:
    """A field that holds a number or a function; the function is called when the field is first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> float | None:
        if instance is None:
            return None  # the default of the field
        value = instance.__dict__[self._slot]
        if callable(value):
            value = instance.__dict__[self._slot] = float(value())
        number: float | None = value
        return number

    def __set__(self, instance: Any, value: float | Callable[[], float] | None) -> None:
        instance.__dict__[self._slot] = value


@dataclass(frozen=True, eq=False, repr=False)
class Result(Shown):
    """What a solver found. Fields that a method cannot give are None.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        Label of each pixel.
    marginals : ndarray, (L, *spatial), float32, or None
        Probability of each label at each pixel.
    energy : float or None
        True energy of `labels`. Computed when first read if the solver did not need it.
    lower_bound : float or None
        No labelling has an energy below.
    history : tuple of Step
        One row for each iteration. For mean-field methods its energies are mean-field free energies.
    n_iter : int
        Iterations done.
    converged : bool
        Whether the stopping rule was met before the iterations ran out.
    message : str
        Why the solver stopped.
    method : str
        Name of the solver.
    seconds : float
        Wall-clock time of the solver, without that for loading or compiling kernels.
    may_differ : float or None
        After work that cannot matter was left out: an estimate, not a bound, of the share of pixels whose labels are
        others for that. None where nothing was left out.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> result = cs.Result(np.zeros((4, 6), np.int32), energy=7.0, lower_bound=6.5, method="example")
    >>> result.gap
    0.5
    >>> result
    Result(method='example', labels=4x6, energy=7, gap=0.5, n_iter=0, converged=False, seconds=0.000)
    """

    labels: np.ndarray
    marginals: np.ndarray | None = None
    energy: _Computed = _Computed()
    lower_bound: float | None = None
    history: tuple[Step, ...] = ()
    n_iter: int = 0
    converged: bool = False
    message: str = ""
    method: str = ""
    seconds: float = 0.0
    may_differ: float | None = None

    @property
    def gap(self) -> float | None:
        """``energy - lower_bound``: the labels are at most this far from the best ones. None without a bound."""
        energy = self.energy
        if energy is None or self.lower_bound is None:
            return None
        return 0.0 if energy == self.lower_bound else energy - self.lower_bound  # both may be infinite

    def extended(self, cls: type[R], **more: Any) -> R:
        """The same result as one of a class with more fields; `more` are those, and fields that change."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "energy"}
        return cls(**{"energy": self.__dict__["_energy"], **fields, **more})

    def __repr__(self) -> str:
        energy = self.__dict__["_energy"]
        known = energy is not None and not callable(energy)
        parts = [
            f"method={self.method!r}",
            f"labels={'x'.join(map(str, self.labels.shape))}",
            *([f"energy={energy:g}"] if known else []),
            *([f"gap={self.gap:g}"] if known and self.lower_bound is not None else []),
            f"n_iter={self.n_iter}",
            f"converged={self.converged}",
            f"seconds={self.seconds:.3f}",
        ]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __getstate__(self) -> dict[str, Any]:
        _ = self.energy  # a function cannot be pickled; its value can
        return self.__dict__.copy()
