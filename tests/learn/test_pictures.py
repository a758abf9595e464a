import numpy as np
import pytest

from classicseg import io
from classicseg.learn.pictures import picture


def saved(folder, image, name="photo.png"):
    io.write_image(folder / name, image)
    return folder / name


def test_large_photos_shrink_and_keep_their_shape(tmp_path):
    image = np.zeros((400, 1000, 3), np.uint8)
    image[:, 500:] = (200, 100, 0)
    found = picture(saved(tmp_path, image))
    assert found.image.shape == (256, 640, 3)
    assert found.image[100, 600].tolist() == [200, 100, 0]


def test_labels_are_clusters_of_colors_from_dark_to_bright(tmp_path):
    image = np.repeat(np.repeat(np.array([[200, 0], [60, 120]], np.uint8), 10, 0), 10, 1)
    found = picture(saved(tmp_path, image))
    assert found.probabilities.argmax(0)[::10, ::10].tolist() == [[3, 0], [1, 2]]
    np.testing.assert_allclose(found.probabilities.sum(0), 1, rtol=1e-6)


def test_photos_of_one_color_are_no_trouble(tmp_path):
    found = picture(saved(tmp_path, np.full((20, 20), 7, np.uint8)))
    assert np.isfinite(found.probabilities).all()


def test_what_was_dropped_goes_before_the_file(tmp_path):
    path = saved(tmp_path, np.full((20, 30), 7, np.uint8), "other.png")
    assert picture(tmp_path / "no.png", ("../other.png", path.read_bytes())).image.shape == (20, 30, 3)


@pytest.mark.parametrize("shape", [(15, 40), (20, 20, 20), (20, 20, 5)])
def test_what_is_no_photo_is_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(ValueError, match="a photo must have 2 axes"):
        picture(tmp_path / "a.npy")


def test_broken_files_are_a_sentence():
    with pytest.raises(ValueError, match=r"photo\.jpg"):
        picture(dropped=("photo.jpg", b"nothing"))
