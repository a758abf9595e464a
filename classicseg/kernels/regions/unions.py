"""Union-find over an int32 array of parents. The root of a set is its smallest member, so order never matters."""

from __future__ import annotations

from classicseg.machine.jit import inline
from classicseg.machine.simd import item, put


@inline
def find(parent, member):
    """Root of the set of `member` in the array `parent`; halves the path to it on the way."""
    above = item(parent, member)
    while above != member:
        higher = item(parent, above)
        put(parent, member, higher)
        member = higher
        above = item(parent, member)
    return member
