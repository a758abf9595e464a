"""More than roof duality proves: both values of every bit are tried out, and some bits are held."""

from __future__ import annotations

import numpy as np

from classicseg.solvers.cut.quadratic import UNKNOWN, Quadratic, Roof


class Proven:
    """What is known of the minima of a quadratic function: bits, and bits that are equal or opposite.

    Bits that are known to depend on each other have one leader, a bit y, and are ``base + sign y``: ``(0, 1)`` if
    equal, ``(1, -1)`` if opposite, ``(bit, 0)`` if known.

    Attributes
    ----------
    function : Quadratic
        Of the bits that are left, as they were numbered when it was last :meth:`reduce` d.
    bound : float
        The highest one that was found.
    """

    def __init__(self, function: Quadratic, only: np.ndarray) -> None:
        n = len(only)
        self._whole, self.bound = function, -np.inf
        self._base, self._sign, self._leader = np.zeros(n), np.ones(n), np.arange(n)
        self._left = np.arange(n)
        self.know(np.flatnonzero(only != UNKNOWN), only[only != UNKNOWN])
        self.reduce()

    @property
    def bits(self) -> np.ndarray:
        """The bits, (n,), `UNKNOWN` where they are not known."""
        return np.where(self._sign == 0, self._base, UNKNOWN).astype(int)

    def know(self, some: np.ndarray, values: np.ndarray) -> None:
        """Note the values of some bits of the reduced function, as it was last reduced."""
        for bit, value in zip(self._left[some].tolist(), values.tolist(), strict=True):
            leader, base, sign = self._leader[bit], self._base[bit], self._sign[bit]
            if sign != 0:
                led = self._leader == leader
                self._base[led] += self._sign[led] * (value - base) / sign
                self._sign[led] = 0

    def tie(self, bit: int, some: np.ndarray, opposite: np.ndarray) -> None:
        """Note that some bits of the reduced function are equal to another one, or opposite."""
        bit = int(self._left[bit])
        for other, turned in zip(self._left[some].tolist(), opposite.tolist(), strict=True):
            if self._sign[bit] == 0 or self._sign[other] == 0 or self._leader[bit] == self._leader[other]:
                continue
            led = self._leader == self._leader[other]
            # other = base + sign y, and is to be bit = base' + sign' y', or 1 - bit
            base, sign = (1 - self._base[bit], -self._sign[bit]) if turned else (self._base[bit], self._sign[bit])
            base, sign = (base - self._base[other]) * self._sign[other], sign * self._sign[other]  # y = base + sign y'
            self._base[led] += self._sign[led] * base
            self._sign[led] *= sign
            self._leader[led] = self._leader[bit]

    def is_settled(self, bit: int) -> bool:
        """Whether a bit of the reduced function is known by now, or has another leader."""
        node = self._left[bit]
        return bool(self._sign[node] == 0 or self._leader[node] != node)

    @property
    def is_solved(self) -> bool:
        """Whether no bit is left."""
        return len(self._left) == 0

    def reduce(self) -> None:
        """Write the function in the bits that are left."""
        free = self._sign != 0
        self._left = np.flatnonzero(free & (self._leader == np.arange(len(free))))
        number = np.zeros(len(free), np.int64)
        number[self._left] = np.arange(len(self._left))
        self._number = np.where(free, number[self._leader], 0)
        self.function = self._whole.substituted(self._base, self._sign, self._number, len(self._left))

    def of_left(self, bits: np.ndarray) -> np.ndarray:
        """Those of all (n,) bits that are left."""
        return bits[self._left]

    def of_all(self, left: np.ndarray) -> np.ndarray:
        """All bits, if these are the bits that are left."""
        y = left[self._number] if left.size else 0
        return (self._base + self._sign * y).astype(int)


def roof(proven: Proven, *, weak: bool) -> int:
    """Note what roof duality tells of the bits that are left; returns of how many."""
    if proven.is_solved:
        proven.bound = proven.function.constant
        return 0
    bound, bits = Roof(proven.function).solve(weak=weak)
    proven.bound = max(proven.bound, bound)
    known = np.flatnonzero(bits != UNKNOWN)
    proven.know(known, bits[known])
    proven.reduce()
    return known.size


def probe(proven: Proven, least: float) -> bool:
    """Try out both values of each bit that is left; returns whether that tells anything [1]_.

    `least` is a value that the minimum is not above.

    References
    ----------
    .. [1] E. Boros, P. Hammer, G. Tavares, "Preprocessing of unconstrained quadratic binary optimization", RUTCOR
       research report 10-2006, 2006
    """
    dual, told = Roof(proven.function), False
    for bit in range(len(proven.function.linear)):
        if proven.is_settled(bit):
            continue
        here, answers = np.array([bit]), []
        for value in (0, 1):
            dual.hold(here, np.array([value]))
            answers.append(dual.solve())
        dual.hold(here, np.array([UNKNOWN]))
        (of_zero, zero), (of_one, one) = answers
        proven.bound = max(proven.bound, min(of_zero, of_one))
        if max(of_zero, of_one) > least >= min(of_zero, of_one):
            bits = one if of_zero > least else zero
            known, tied = bits != UNKNOWN, np.zeros(len(bits), bool)
        else:
            bits, known = zero, (zero != UNKNOWN) & (zero == one)
            tied = (zero != UNKNOWN) & (one != UNKNOWN) & (zero != one)
            tied[bit] = False
        if known.any() or tied.any():
            told = True
            proven.know(np.flatnonzero(known), bits[known])
            proven.tie(bit, np.flatnonzero(tied), zero[tied] == 1)
    if told:
        proven.reduce()
    return told


def improve(function: Quadratic, bits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bits that are as good as the given ones or better [1]_.

    Some bits, drawn at random, are held; what roof duality then tells of others is taken over, until all are held.

    References
    ----------
    .. [1] C. Rother, V. Kolmogorov, V. Lempitsky, M. Szummer, "Optimizing binary MRFs via extended roof duality", CVPR
       2007. doi:10.1109/CVPR.2007.383203
    """
    dual, bits, order = Roof(function), bits.copy(), rng.permutation(len(bits))
    while order.size:
        some = order[: -(-order.size // _PARTS)]
        dual.hold(some, bits[some])
        order = order[some.size :]
        told = dual.solve()[1][order]
        known = told != UNKNOWN
        bits[order[known]] = told[known]
        if known.any():
            dual.hold(order[known], told[known])
        order = order[~known]
    return bits


_PARTS = 8  # of the bits that are open, one is held at a time: more are slower, fewer leave less to find
