"""Tiles of a larger image have its units and its positions."""

import numpy as np
import pytest

import classicseg as cs

WHOLE = np.tile(np.linspace(0, 20000, 400).astype(np.uint16), (40, 1))
HALF = np.full((2, *WHOLE.shape), 0.5)
TILE = np.s_[8:40, 150:250]


def kernels(image, p, **arguments):
    return cs.refinement_crf(image, p, preset="default", **arguments).kernels


def test_a_tile_has_the_units_of_its_whole():
    whole, alone = kernels(WHOLE, HALF), kernels(WHOLE[TILE], HALF[:, *TILE])
    tile = kernels(WHOLE[TILE], HALF[:, *TILE], like=WHOLE, origin=(8, 150))
    assert tile[1].color_sigma == whole[1].color_sigma > 3 * alone[1].color_sigma
    assert tile[0].sigma == whole[0].sigma != alone[0].sigma


@pytest.mark.parametrize("spacing", [1.0, (0.7, 1.3)])
def test_a_tile_has_the_features_of_its_whole(spacing):
    """To the bit, so that lattices differ by what lies outside of the tile only."""
    whole = kernels(WHOLE, HALF, spacing=spacing)
    tile = kernels(WHOLE[TILE], HALF[:, *TILE], like=WHOLE, origin=(8, 150), spacing=spacing)
    for mine, other in zip(tile, whole, strict=True):
        columns = zip(mine.columns((32, 100)), other.columns(WHOLE.shape), strict=True)
        for part, all_of_it in columns:
            assert part.sigma == all_of_it.sigma
            np.testing.assert_array_equal(part.values, all_of_it.values[TILE])


def test_an_image_is_a_tile_of_itself():
    s = cs.sample("nuclei")
    labels = cs.refine(s.image, s.probabilities, like=s.image, origin=(0, 0))
    np.testing.assert_array_equal(labels, cs.refine(s.image, s.probabilities))


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"origin": (1,)}, ValueError, "origin must have 2 numbers"),
        ({"origin": (-1, 0)}, ValueError, "origin must be from 0"),
        ({"origin": (0.5, 0)}, TypeError, "origin must hold whole numbers"),
        ({"like": WHOLE[None]}, ValueError, "like must have 2 axes"),
        ({"like": np.full((3, 4), np.nan)}, ValueError, "like"),
    ],
)
def test_what_is_no_place_or_whole_is_named(change, error, word):
    with pytest.raises(error, match=word):
        cs.refine(WHOLE[TILE], HALF[:, *TILE], **change)
