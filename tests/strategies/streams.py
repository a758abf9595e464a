"""What streamed refinement is given."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def problems(draw):
    """An image with scores of its pixels or of fewer points, and what goes with them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 40)),
            st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9)),
            st.tuples(st.integers(2, 300)),
        )
    )
    dtype, n_channels = (
        draw(st.sampled_from([("u1", 3), ("u2", 3), ("f4", 3), ("f8", 3)])) if len(shape) == 2 else ("f4", 0)
    )
    values = rng.integers(0, 256, (*shape, n_channels) if n_channels else shape)
    image = (values * (100 if dtype == "u2" else 1)).astype(dtype)
    if dtype == "f8":  # far from 0, and a value that is out of all proportion
        image += 1e7
        image.reshape(-1)[rng.integers(image.size)] = draw(st.sampled_from((-9999.0, 1e7 + 1e9, 1e7)))
    n_labels = draw(st.sampled_from((2, 3)))
    grid = shape
    if draw(st.booleans()):
        grid = tuple(int(rng.integers(1, n + 1)) for n in shape)
    kind = draw(st.sampled_from(("probabilities", "logits", "unary")))
    scores = rng.standard_normal((n_labels, *grid)).astype(np.float32) * 3
    if kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=0)
    options = {kind: scores, "channel_axis": -1 if n_channels else None}
    if draw(st.booleans()):
        mask = rng.random(shape) < draw(st.sampled_from((0.05, 0.5, 0.95)))
        mask.reshape(-1)[rng.integers(mask.size)] = True
        options["mask"] = mask
        if dtype.startswith("f"):
            image[~mask] = np.nan
    options["preset"] = draw(st.sampled_from(("default", "pydensecrf", "strong")))
    options["max_iter"] = draw(st.integers(0, 4))
    if draw(st.booleans()):
        options |= {"temperature": 1.7, "spacing": [1.5] * len(shape), "align_corners": True}
    return image, options
