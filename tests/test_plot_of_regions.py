import numpy as np
import pytest
from PIL import Image

import classicseg as cs
from classicseg import io, plot
from tests.oracles import photo


def test_quadtree_draws_the_borders_of_blocks():
    image = np.zeros((8, 8), np.uint8)
    picture = plot.quadtree(image, [[0, 0, 8]], color=(255, 0, 0), alpha=1)
    assert (picture[0] == (255, 0, 0)).all()
    assert (picture[:, 0] == (255, 0, 0)).all()
    assert (picture[1:-1, 1:-1] == 0).all()
    assert (plot.quadtree(image, [[0, 0, 2], [2, 2, 1]], alpha=1) == 0).all()
    assert plot.quadtree(photo(10, 12), [[0, 8, 8], [8, 0, 8]], zoom=3).shape == (30, 36, 3)


def test_regions_are_filled_with_their_means():
    image = photo(20, 30)
    labels = cs.split_and_merge(image, 30)
    picture = plot.regions(image, labels)
    np.testing.assert_allclose(picture[labels == 1][0], image[labels == 1].mean(axis=0), atol=0.51)
    shown = plot.regions(image, np.where(labels == 1, 0, labels), zoom=2, border=(1, 2, 3), background=(9, 9, 9))
    assert shown.shape == (40, 60, 3)
    assert (shown == (9, 9, 9)).all(axis=-1).any()
    assert (shown == (1, 2, 3)).all(axis=-1).any()


def test_frames_and_their_film(tmp_path):
    image = photo(20, 30)
    record = cs.record_split_and_merge(image, 30).record
    frames = plot.split_and_merge_frames(image, record, merge_frames=5, zoom=4)
    assert len(frames) == 1 + record.depth + 1 + 5
    assert {frame.shape for frame in frames} == {(102, 120, 3)}
    means = plot.regions(image, record.labels_after(len(record.merges)) + 1, zoom=4)
    np.testing.assert_array_equal(frames[-1][:80], means)
    io.write_animation(tmp_path / "film.gif", frames, seconds=0.2)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == len(frames)
        assert film.info["duration"] == 200


def recorded(shape):
    return cs.record_split_and_merge(np.zeros(shape), 1).record


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.quadtree(np.zeros((4, 4)), [[1, 2]]), "blocks must be integers"),
        (lambda: plot.quadtree(np.zeros((4, 4)), [[0, 0, 4]], alpha=3), "alpha"),
        (lambda: plot.quadtree(np.zeros((4, 4)), [[0, 0, 4]], zoom=0), "zoom"),
        (lambda: plot.regions(np.zeros((4, 4)), np.zeros((3, 4), int)), "labels must have shape"),
        (lambda: plot.split_and_merge_frames(np.zeros((4, 4)), recorded((3, 4))), "the record is of an image"),
        (lambda: io.write_animation("film.gif", []), "at least one"),
        (lambda: io.write_animation("film.gif", [np.zeros((2, 2, 3), np.uint8)], seconds=0), "seconds"),
        (lambda: io.write_animation("film.mp4", [np.zeros((2, 2, 3), np.uint8)]), "can be written as .gif"),
    ],
)
def test_bad_input_is_told(call, words):
    with pytest.raises(cs.InputError, match=words):
        call()
