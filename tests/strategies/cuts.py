"""What streamed minimum cuts are given."""

import numpy as np
from hypothesis import strategies as st

from classicseg.energies.grid import directions, edge_shape


@st.composite
def cut_problems(draw):
    """An energy of two labels that streams, and the same in memory."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape, connectivity = draw(
        st.sampled_from((((9, 7), 4), ((13, 3), 4), ((1, 8), 4), ((8, 1), 4), ((11, 6), 8), ((6, 4, 3), 6)))
    )
    noise = draw(st.sampled_from((1, 4, 40)))
    unary = rng.integers(-noise, noise + 1, (2, *shape)) * draw(st.sampled_from((1.0, 0.25)))
    weights = {
        name: rng.integers(0, draw(st.sampled_from((1, 4, 12))) + 1, edge_shape(shape, offset))
        for name, offset in directions(len(shape), connectivity).items()
    }
    if draw(st.booleans()):
        unary[:, rng.random(shape) < 0.7] = 0
    if draw(st.booleans()):
        forbidden = rng.random(unary.shape) < 0.1
        forbidden[1] &= ~forbidden[0]
        unary[forbidden] = np.inf
    options = {}
    if draw(st.booleans()):
        options["mask"] = rng.random(shape) < 0.8
        options["mask"].reshape(-1)[0] = True
    return unary, weights, options
