"""Values for calls: sensible ones, and what becomes of them: other layouts of the same values, or something hostile."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np


class Raises:
    """An object that cannot become an array."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise self._error("no array here")

    def __repr__(self) -> str:
        return f"Raises({self._error.__name__})"


class Fresh:
    """An argument that a call uses up, made anew for each, such as a generator."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


HOSTILE: tuple[Any, ...] = (
    None, "", "word", b"bytes", True, np.nan, np.inf, -np.inf, 1e300, -1e300, 5e-324, 1e-38, -1, 0, 1, -0.5, 2**31,
    2**63, -(2**70), 1j, np.float16(1), np.int8(-1), np.datetime64("NaT"), Fraction(1, 3), Decimal("0.5"),
    (), [], {}, {"a": 1}, [1, [2, 3]], ["a", "b"], [None, 1.0], [np.nan], object, len,
    *map(Raises, (ValueError, TypeError, RuntimeError, OSError)),
    np.array([]), np.zeros((0, 3)), np.zeros((2, 0, 3)), np.array(3.0), np.array("text"), np.array([None, 1], object),
    np.zeros(3, [("a", "f4"), ("b", "i4")]), np.zeros(3, "M8[s]"), np.zeros((2, 2), complex),
    np.zeros((1,) * 33), np.full((3, 4), np.nan), np.broadcast_to(np.float32(1), (3, 4)),
    np.ma.MaskedArray([1.0, 2.0], [True, False]), np.ones((2, 3), bool), np.zeros((3, 4, 3), np.uint8),
)  # fmt: skip
"""What nobody should pass, and what somebody will."""

NUMBERS = (
    0,
    0.0,
    1,
    -1,
    1e-30,
    5e-324,
    1e30,
    1e38,
    1e300,
    2**15,
    2**31 - 1,
    2**31,
    2**53,
    2**63,
    2**64,
    np.nan,
    np.inf,
)
DTYPES = (
    "?",
    "i1",
    "u1",
    "i2",
    "u2",
    "i4",
    "u4",
    "i8",
    "u8",
    "f2",
    "f4",
    "f8",
    "g",
    ">i2",
    ">f4",
    ">f8",
    "O",
    "c8",
    "S3",
)
ENDLESS = ("max_iter", "niter", "budget", "merge_frames")  # a large number is legal, and takes as long as it says
FUNCTIONS = ("callback", "function", "homogeneity", "merge_homogeneity", "crf")


class Draw:
    """Random choices of one case.

    Parameters
    ----------
    name : str
        Of the case; two with the same seed have nothing in common.
    seed : int
    """

    def __init__(self, name: str, seed: int) -> None:
        self.rng = np.random.default_rng([zlib.crc32(name.encode()), seed])

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def integer(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def of(self, options: Sequence[Any]) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def positive(self) -> float:
        """Of any size that makes sense."""
        return float(self.of((0.01, 0.5, 1, 1, 2, 3, 8, 80, 1000)) * self.of((1, 1, self.rng.random() + 0.1)))

    def weight(self) -> float:
        return float(self.of((0, 1, 1, 2, 3, 10, 0.1, 1e-6, 1e6)) * self.of((1, 1, self.rng.random())))

    def some(self, **options: Callable[[], Any]) -> dict[str, Any]:
        """A few of the options, each made by its function."""
        p = self.of((0.0, 0.3, 0.7))
        return {name: make() for name, make in options.items() if self.chance(p)}

    # --- arrays ---------------------------------------------------------------------------------------------------

    def shape(self, axes: Sequence[int] = (2, 2, 2, 3), most: int = 9) -> tuple[int, ...]:
        n = self.of(axes)
        most = most if n < 3 else max(2, most // 2)
        return tuple(1 if self.chance(0.1) else self.integer(1, most) for _ in range(n))

    def smaller(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape of as many axes, nowhere longer."""
        return tuple(self.integer(1, n) for n in shape)

    def numbers(self, shape: tuple[int, ...]) -> np.ndarray:
        """Whole or not, of one size or of many, with ties."""
        match self.integer(0, 5):
            case 0:
                values = np.zeros(shape) + self.integer(-3, 3)
            case 1 | 2:
                values = self.rng.integers(-5, 20, shape).astype(self.of(("i4", "i8", "f4", "f8")))
            case 3:
                values = self.rng.normal(size=shape) * 10.0 ** self.rng.integers(-6, 7, shape)
            case _:
                values = self.rng.normal(size=shape) * 3
        return values.astype(np.float32) if values.dtype == np.float64 and self.chance(0.5) else values

    def image(self, shape: tuple[int, ...], channels: int | None = None) -> np.ndarray:
        """Noise, steps, ramps or nothing at all, in any real dtype."""
        full = shape if channels is None else (*shape, channels)
        match self.integer(0, 4):
            case 0:
                values = np.full(full, self.integer(0, 255))
            case 1:
                values = self.rng.integers(0, 2, full) * self.integer(1, 200)
            case 2:
                values = np.add.outer(np.arange(full[0]) * 9, self.rng.integers(0, 30, full[1:])) % 256
            case _:
                values = self.rng.integers(0, 256, full)
        dtype = self.of(("u1", "u1", "u2", "i4", "i8", "f2", "f4", "f8", "f8"))
        scale = 1.0 if dtype[0] in "ui" else self.of((1.0, 1.0, 1 / 255, 1e-6, 1e6 if dtype != "f2" else 8.0))
        return (values * scale).astype(dtype) if scale != 1 else values.astype(dtype)

    def labels(self, shape: tuple[int, ...], n_labels: int, low: int = 0) -> np.ndarray:
        top = self.of((n_labels, max(low + 1, n_labels // 2)))
        return self.rng.integers(low, top, shape).astype(self.of(("i1", "i4", "i8", "i2")))

    def probabilities(self, n_labels: int, shape: tuple[int, ...]) -> np.ndarray:
        sharp = self.of((0.0, 1.0, 5.0, 50.0))
        scores = np.exp(sharp * self.rng.random((n_labels, *shape)))
        return (scores / scores.sum(axis=0)).astype(self.of(("f4", "f4", "f8")))

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        mask = self.rng.random(shape) < self.of((0.3, 0.8, 1.1))
        mask.flat[0] = True
        return mask


# --- the same values in another layout ----------------------------------------------------------------------------


def dressed(draw: Draw, value: Any) -> Any:
    """Equal values: arrays read-only, strided, reversed, in Fortran order or of the other byte order."""
    if isinstance(value, Fresh):
        return value.make()
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(dressed(draw, part) for part in value)
    if type(value) is dict:
        return {name: dressed(draw, part) for name, part in value.items()}
    if type(value) is not np.ndarray or value.dtype.hasobject or value.ndim == 0 or value.ndim > 5:
        return value
    match draw.integer(0, 6):
        case 0:
            value = value.copy()
            value.setflags(write=False)
        case 1:
            value = np.asfortranarray(value)
        case 2:
            value = np.repeat(value, 2, axis=-1)[..., ::2]
        case 3:
            value = value[::-1].copy()[::-1]
        case 4 if value.dtype.kind in "iuf":
            value = value.astype(value.dtype.newbyteorder())
        case 5:
            room = np.empty(value.nbytes + 1, np.uint8)[1:].view(value.dtype).reshape(value.shape)  # not aligned
            room[...] = value
            value = room
    return value


# --- something hostile --------------------------------------------------------------------------------------------


def hostile(draw: Draw, name: str, value: Any) -> Any:
    """Something in the place of the argument `name`: a stranger, or the `value` with a fault."""
    if isinstance(value, np.ndarray) and value.size and draw.chance(0.75):
        return _faulty(draw, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and draw.chance(0.5):
        choices = [x for x in NUMBERS if not (name in ENDLESS and 50 < x < np.inf)]
        return draw.of(choices) * draw.of((1, 1, 1, -1))
    if isinstance(value, (list, tuple)) and len(value) and type(value) in (list, tuple) and draw.chance(0.6):
        parts = list(value)
        i = draw.integer(0, len(parts) - 1)
        parts[i] = hostile(draw, name, parts[i])
        return type(value)(draw.of((parts, parts, parts[:i], [*parts, parts[i]])))
    if name in ENDLESS:
        return draw.of([x for x in HOSTILE if not isinstance(x, int) or x < 50])
    if name in FUNCTIONS:  # what a function of the caller raises is the caller's
        return draw.of([x for x in HOSTILE if not callable(x)])
    return draw.of(HOSTILE)


def _faulty(draw: Draw, array: np.ndarray) -> Any:
    where = draw.integer(0, array.size - 1)
    match draw.integer(0, 8):
        case 0 | 1:
            values = array.astype(draw.of(("f4", "f8")) if array.dtype.kind != "f" else array.dtype)
            with np.errstate(over="ignore"):
                values.flat[where] = draw.of((np.nan, np.inf, -np.inf, 1e30, -3.4e38, 1e300, 5e-324, 1e20))
            return values
        case 2:
            values = array.copy()
            if array.dtype.kind in "iu":
                info = np.iinfo(array.dtype)
                values.flat[where] = draw.of((info.min, info.max, info.max - 1))
            else:
                values.flat[where] = draw.of((0, 1))
            return values
        case 3:
            with np.errstate(all="ignore"):
                return array.astype(draw.of(DTYPES if array.dtype.kind != "f" or np.isfinite(array).all() else ("f8",)))
        case 4:
            return draw.of((array[np.newaxis], array.reshape(-1), array[..., :-1], array[:0], array.swapaxes(0, -1)))
        case 5:
            return array.tolist()
        case 6:
            return np.concatenate([array, array], axis=-1)
        case 7:
            with np.errstate(all="ignore"):
                return array.astype("f8") * draw.of((1e-300, 1e30, 1e300, -1, 1e-45))
        case _:
            return np.ma.MaskedArray(array, draw.rng.random(array.shape) < 0.5)
