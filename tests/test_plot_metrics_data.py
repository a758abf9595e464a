import numpy as np
import pytest

import classicseg as cs
from classicseg import data, metrics, plot
from classicseg.errors import BudgetError, InputError


def test_palettes_grow_without_changing():
    np.testing.assert_array_equal(plot.palette(5), plot.palette(30)[:5])
    assert len(np.unique(plot.palette(60), axis=0)) == 60


def test_overlays_show_any_image():
    labels = np.eye(6, 8, dtype=int)
    for image in (np.zeros((6, 8)), np.zeros((6, 8, 5)), np.zeros((6, 8, 2), np.uint16), np.ones((6, 8, 3), bool)):
        picture = plot.overlay(image, labels)
        assert picture.shape == (6, 8, 3)
        assert picture.dtype == np.uint8
    np.testing.assert_array_equal(plot.label_image([[0, 9]], ignore_label=9)[0, 1], 255)
    for call in (
        lambda: plot.overlay(np.zeros((6, 7)), labels),
        lambda: plot.overlay(np.zeros((6, 8)), labels, alpha=2),
    ):
        with pytest.raises(InputError):
            call()


def test_scores():
    truth = np.array([0, 0, 1, 1, 2, 255])
    labels = np.array([0, 1, 1, 1, 0, 0])
    scores = metrics.scores(labels, truth, 4, ignore_label=255)
    assert scores.accuracy == pytest.approx(3 / 5)
    np.testing.assert_allclose(scores.iou, [1 / 3, 2 / 3, 0, np.nan])
    np.testing.assert_allclose(scores.dice, [0.5, 0.8, 0, np.nan])
    assert scores.mean_iou == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="no scored pixel"):
        metrics.scores([0], [255], 2, ignore_label=255)
    with pytest.raises(InputError, match="truth"):
        metrics.scores([0], [7], 2)


def test_what_is_said_about_void_pixels_does_not_matter():
    truth = np.array([[0, 1, 255], [1, 1, 255]])
    plain = np.array([[0, 1, 0], [0, 1, 0]])
    for odd in (255, -1, 10**6):
        given = np.where(truth == 255, odd, plain)
        assert metrics.scores(given, truth, ignore_label=255) == metrics.scores(plain, truth, ignore_label=255)
        assert len(metrics.scores(given, truth, ignore_label=255).iou) == 2
        expected = metrics.confusion_matrix(plain, truth, 2, ignore_label=255)
        np.testing.assert_array_equal(metrics.confusion_matrix(given, truth, 2, ignore_label=255), expected)
        score = metrics.boundary_f_score(plain, truth, ignore_label=255)
        assert metrics.boundary_f_score(given, truth, ignore_label=255) == score
        band = metrics.trimap_confusion(plain, truth, 2, 1, ignore_label=255)
        np.testing.assert_array_equal(metrics.trimap_confusion(given, truth, 2, 1, ignore_label=255), band)
    with pytest.raises(InputError, match="labels must be 0 to 1"):
        metrics.scores([[0, 7]], [[0, 1]], 2, ignore_label=255)
    with pytest.raises(InputError, match="labels must have shape"):
        metrics.scores([[0, 1]], [0, 1])
    with pytest.raises(InputError, match="labels has masked entries"):
        metrics.scores(np.ma.masked_equal([0, 1], 1), [0, 1])


def test_the_sample_states_its_origin_and_is_imperfect():
    s = data.sample()
    assert "CC0" in s.origin
    accuracy = metrics.scores(s.probabilities.argmax(0), s.truth, 5, ignore_label=s.ignore_label).accuracy
    assert 0.7 < accuracy < 0.95
    assert len(s.label_names) == len(s.probabilities)
    np.testing.assert_allclose(s.probabilities.astype(float).sum(0), 1, atol=0.01)


def test_the_samples_are_whole_and_a_wrong_name_is_refused():
    for name, n_labels in (("coffee", 5), ("nuclei", 2)):
        s = data.sample(name)
        assert s.probabilities.shape == (n_labels, *s.truth.shape) == (n_labels, *s.image.shape[:2])
        assert len(s.label_names) == n_labels
        np.testing.assert_allclose(s.probabilities.astype(float).sum(0), 1, atol=0.01)
        assert "CC0" in s.origin
    with pytest.raises(InputError, match="name must be one of"):
        data.sample("tea")


def test_large_numbers_need_no_palette_of_all_below():
    picture = plot.label_image([[0, 2 * 10**8], [1, 2]])
    np.testing.assert_array_equal(picture[[0, 1, 1], [0, 0, 1]], plot.palette(3))
    assert (picture[0, 1] != picture[0, 0]).any()
    with pytest.raises(BudgetError, match=r"a palette of .* colours"):
        plot.palette(2**50)


def test_frames_of_tall_images_stay_small():
    image = np.arange(1009.0)[:, None] // 100
    frames = plot.split_and_merge_frames(image, cs.record_split_and_merge(image, 0.5).record, merge_frames=2)
    assert frames[0].shape == (1009 + 22, 1, 3)


@pytest.mark.parametrize(
    ("pictures", "columns", "words"),
    [
        ([], 2, "multiple of columns=2"),
        ([np.zeros((2, 2, 3))] * 3, 2, "got 3"),
        ([np.zeros((2, 2))], 1, "\\(H, W, 3\\)"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(pictures, columns, words):
    with pytest.raises(InputError, match=words):
        plot.tile(pictures, columns)


@pytest.mark.parametrize("confusion", [[[1, 2]], [[1, -1], [0, 0]], 3, [[float("nan")]]])
def test_confusions_that_cannot_be_are_refused(confusion):
    with pytest.raises(InputError, match="confusion must"):
        metrics.scores_of(confusion)
