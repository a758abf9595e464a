"""Pictures that are stored as the sensor saw them are read upright."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from classicseg import io
from classicseg.errors import InputError
from classicseg.io.orientation import Turn

PICTURE = np.random.default_rng(0).integers(0, 255, (6, 9, 3), dtype=np.uint8)


def tag(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
def test_they_are_turned_as_pillow_turns_them(tmp_path, orientation):
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=tag(orientation))
    with Image.open(tmp_path / "a.png") as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.png"), upright)
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.png", exif=False), PICTURE)
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=tag(orientation))
    assert io.read_image(tmp_path / "a.jpg").shape == upright.shape
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "l.png", exif=tag(orientation))
    np.testing.assert_array_equal(io.read_labels(tmp_path / "l.png"), upright[..., 0])
    np.testing.assert_array_equal(io.read_labels(tmp_path / "l.png", exif=False), PICTURE[..., 0])
    alpha = (PICTURE[..., :1] > 100) * np.uint8(255)
    Image.fromarray(np.concatenate([PICTURE, alpha], 2)).save(tmp_path / "s.png", exif=tag(orientation))
    image, mask = io.read_masked_image(tmp_path / "s.png")
    np.testing.assert_array_equal(image, upright)
    np.testing.assert_array_equal(mask, upright[..., 0] > 100)


@pytest.mark.parametrize("orientation", [3, 6])
def test_so_are_tiffs(tmp_path, orientation):
    upright = np.rot90(PICTURE, 2 if orientation == 3 else -1)
    path, tags = tmp_path / "a.tif", {"extratags": [(274, "H", 1, orientation, True)]}
    tifffile.imwrite(path, PICTURE, photometric="rgb", **tags)
    np.testing.assert_array_equal(io.read_image(path), upright)
    np.testing.assert_array_equal(io.read_image(path, exif=False), PICTURE)
    tifffile.imwrite(path, np.moveaxis(PICTURE, -1, 0), photometric="rgb", planarconfig="separate", **tags)
    np.testing.assert_array_equal(io.read_image(path), np.moveaxis(upright, -1, 0))
    alpha = (PICTURE[..., 0] > 100) * np.uint8(255)
    layers = np.stack([PICTURE[..., 1], alpha], -1)
    tifffile.imwrite(path, layers, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"], **tags)
    image, mask = io.read_masked_image(path)
    np.testing.assert_array_equal(image, upright[..., 1])
    np.testing.assert_array_equal(mask, upright[..., 0] > 100)
    tifffile.imwrite(path, PICTURE[..., 0], **tags)
    np.testing.assert_array_equal(io.read_labels(path), upright[..., 0])
    volume = np.stack([PICTURE[..., 0]] * 2)
    tifffile.imwrite(path, volume, photometric="minisblack", **tags)
    np.testing.assert_array_equal(io.read_image(path), volume)


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_numbers_that_mean_nothing_turn_nothing(tmp_path, orientation):
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=tag(orientation))
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.png"), PICTURE)


def test_what_belongs_to_a_picture_lies_as_it_is_stored_or_upright_or_nobody_knows():
    turn = Turn(6, (6, 9))
    assert turn.is_stored_like((6, 9)) is True
    assert turn.is_stored_like((9, 6)) is False
    assert turn.is_stored_like((2, 3)) is True  # smaller scores, by their shape
    assert turn.is_stored_like((7, 7)) is None
    assert Turn(3, (6, 9)).is_stored_like((6, 9)) is None


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "JPEG2000"])
def test_labels_are_not_read_from_formats_that_lose_values(tmp_path, kind):
    Image.fromarray(PICTURE[..., 0]).save(tmp_path / "l.png", format=kind)
    with pytest.raises(InputError, match=r"l\.png (is compressed with loss|holds colours)"):
        io.read_labels(tmp_path / "l.png")
