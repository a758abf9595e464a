"""Single numbers, a few numbers, and words."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.reading import not_empty, read, text

_SMALLEST, _LARGEST = 1e-30, 1e30  # of sigmas and spacings: quotients in float32 neither overflow nor vanish
_INT32 = np.iinfo(np.int32)

T = TypeVar("T")


def as_positive(value: Any, name: str, n: int | None) -> tuple[float, ...]:
    """`n` positive finite numbers; a single one stands for all. Any count of at least 1 if `n` is None."""
    array = np.atleast_1d(read(value, name, booleans=False)).astype(np.float64)
    if array.ndim > 1 or array.size == 0:
        raise InputError(f"{name} must be a number or a sequence of numbers, got shape {text(array.shape)}")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    if n is not None and array.size not in (1, n):
        raise InputError(f"{name} must be {'1 number' if n == 1 else f'1 or {n} numbers'}, got {array.size}: {value!r}")
    numbers = tuple(array.tolist())
    return numbers * n if n is not None and len(numbers) == 1 else numbers


def as_scale(value: Any, name: str, n: int | None) -> tuple[float, ...]:
    """Sigmas or spacings: as :func:`as_positive`, and of a size that float32 can divide by."""
    numbers = as_positive(value, name, n)
    if min(numbers) < _SMALLEST or max(numbers) > _LARGEST:
        raise InputError(f"{name} must be between {_SMALLEST:g} and {_LARGEST:g}, got {value!r}")
    return numbers


def as_origin(value: Any, n: int | None) -> tuple[int, ...]:
    """Where a tile begins: whole numbers from 0 to 2**24, up to which float32 counts, one for each of `n` axes."""
    array = read(value, "origin", booleans=False)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer) or array.size == 0:
        raise InputTypeError(f"origin must hold whole numbers, one for each axis, got {value!r}")
    if n is not None and array.size != n:
        raise InputError(f"origin must have {n} numbers, got {array.size}: {value!r}")
    if array.min() < 0 or array.max() > 2**24:
        raise InputError(f"origin must be from 0 to {2**24}, got {value!r}")
    return tuple(array.tolist())


def as_weight(value: Any, name: str, *, at_least: float | None = None, below: float | None = None) -> float:
    """A finite number, of either sign or in ``[at_least, below)``."""
    array = read(value, name, booleans=False)
    if array.ndim > 0:
        raise InputTypeError(f"{name} must be a single number, got shape {text(array.shape)}")
    number = float(array)
    if not np.isfinite(number):
        raise InputError(f"{name} must be finite, got {value!r}")
    if (at_least is not None and number < at_least) or (below is not None and number >= below):
        limits = {"at least": at_least, "below": below}
        said = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if limit is not None)
        raise InputError(f"{name} must be {said}, got {value!r}")
    return number


def as_value(value: Any, name: str) -> float:
    """A number that a pixel may have, NaN and infinity included."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | np.number):
        raise InputTypeError(f"{name} must be a number, got {value!r}")
    return float(value)


def as_positive_number(value: Any, name: str) -> float:
    """A single number, positive and finite; no list or array that holds one."""
    number = as_weight(value, name)
    if number <= 0:
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    return number


def as_count(value: Any, name: str, minimum: int, maximum: int | None = None) -> int:
    """A whole number of at least `minimum`, and at most `maximum` if there is one."""
    count = as_integer(value, name)
    if count < minimum:
        raise InputError(f"{name} must be at least {minimum}, got {count}")
    if maximum is not None and count > maximum:
        raise InputError(f"{name} must be at most {maximum}, got {count}")
    return count


def as_flag(value: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def as_shape(shape: Any, name: str) -> tuple[int, ...]:
    """Lengths of one or more axes, each at least 1."""
    return tuple(as_count(size, name, 1) for size in not_empty(np.atleast_1d(read(shape, name)), name).tolist())


def as_color(color: Any, name: str) -> np.ndarray:
    """Red, green and blue, 0 to 255, as (3,) float64."""
    values = read(color, name).astype(np.float64)
    if values.shape != (3,) or not ((values >= 0) & (values <= 255)).all():
        raise InputError(f"{name} must be three numbers from 0 to 255, got {color!r}")
    return values


def as_probability(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    number = as_weight(value, name)
    if not 0 <= number <= 1:
        raise InputError(f"{name} must be between 0 and 1, got {value!r}")
    return number


def as_generator(rng: Any) -> np.random.Generator:
    """A generator from what a user gives for random numbers: None, a seed, or a generator."""
    try:
        return np.random.default_rng(rng)
    except TypeError as failure:
        raise InputTypeError(f"rng must be None, a seed or a NumPy generator, got {rng!r}") from failure
    except ValueError as failure:
        raise InputError(f"rng must be None, a seed of at least 0 or a NumPy generator, got {rng!r}") from failure


def choice(value: T, name: str, options: Sequence[str]) -> T:
    """`value`, if it is one of a few words."""
    if not isinstance(value, str) or value not in options:
        raise InputError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def as_integer(value: Any, name: str) -> int:
    """A whole number of any kind but bool."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputTypeError(f"{name} must be a whole number, got {value!r}") from None


def as_int32(value: Any, name: str) -> int:
    """A whole number that 32 bits hold."""
    number = as_integer(value, name)
    if not _INT32.min <= number <= _INT32.max:
        raise InputError(f"{name} must fit into 32 bits, got {number}")
    return number
