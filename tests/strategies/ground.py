"""What streamed split-and-merge is given."""

import numpy as np
from hypothesis import strategies as st


def hills(rng, shape, width):
    """Whole numbers of smooth ground, with borders wherever they cross a threshold."""
    place = np.ix_(*(np.arange(n) / width for n in shape))
    waves = [np.sin(p * rng.uniform(0.5, 2) + rng.uniform(0, 6)) for p in place]
    return np.rint(60 * sum(waves) + 128).clip(0, 255).astype(np.uint8)


@st.composite
def split_problems(draw):
    """An image of several groups, and what is asked of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    few = int(rng.integers(1, 12))
    sides = draw(st.sampled_from(((9 * few, 1050), (1050, 9 * few), (530, 540), (few, 130, 140), (140, 130, few))))
    volume = len(sides) == 3
    image = hills(rng, sides, draw(st.sampled_from((3, 40, 1000)))) // draw(st.sampled_from((1, 60)))
    options = {"channel_axis": None}
    kind = draw(st.sampled_from(("bytes", "bytes", "floats", "colours"))) if not volume else "bytes"
    if kind == "floats":  # far from 0, and not whole
        image = image / np.float64(3) + draw(st.sampled_from((0.0, 1e6)))
    elif kind == "colours":
        image, options = np.stack([image, image[::-1], image[:, ::-1]], axis=-1), {"channel_axis": -1}
    if draw(st.booleans()):
        mask = rng.random(sides) < draw(st.sampled_from((0.5, 0.999)))
        mask[: int(rng.integers(0, sides[0]))] = draw(st.booleans())
        mask.reshape(-1)[rng.integers(mask.size)] = True
        options["mask"] = mask
        if kind == "floats":
            image[~mask] = np.nan
    options["connectivity"] = draw(st.sampled_from((1, 2)))
    options |= draw(st.sampled_from(({}, {"merge": None}, {"merge_homogeneity": 60}, {"max_depth": 2})))
    options |= draw(st.sampled_from(({}, {}, {"min_size": 3})))
    return image, draw(st.sampled_from((0, 7, 24))), options
