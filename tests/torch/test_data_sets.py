"""Folders that are wrong in the ways of ordinary data: said before the first step, or put right with a word."""

import warnings

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from classicseg import io
from classicseg.errors import InputError, InputTypeError
from classicseg.torch import losses, train
from tests.strategies.folders import ODD, SIZE, WRONG, folder, images, truths, turn

CLASSES = ("ground", "block")


def model(**options):
    return train.Model("unet", CLASSES, width=0.03, **options)


def settings(**options):
    return train.Settings(**{"n_epochs": 1, "batch_size": 2, **options})


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_before_the_first_step(tmp_path, wrong):
    spoil, said = WRONG[wrong]
    root = folder(tmp_path / "data")
    spoil(root)
    learner = train.Model("unet", train.FolderData(root).classes, width=0.03) if wrong == "one class" else model()
    before = [x.clone() for x in learner.parameters()]
    with pytest.raises(InputError, match=said):
        train.fit(learner, train.FolderData(root), settings=settings())
    assert all(torch.equal(a, b) for a, b in zip(before, learner.parameters(), strict=True))
    with pytest.raises(InputError, match=said):
        train.evaluate(learner, train.FolderData(root))


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_but_right_is_learned_as_it_is(tmp_path, odd):
    root = folder(tmp_path / "data")
    ODD[odd](root)
    data = train.FolderData(root)
    assert len(data) == 4
    assert data.survey.counts.tolist() == [2512, 560]
    assert data.survey.n_void == 0
    if odd != "16 bits":  # whose range is stretched
        assert all(abs(data[i][0].mean() - np.mean(images())) < 30 for i in range(4))
    learner = model(in_channels=max(data.survey.channels))
    train.fit(learner, data, settings=settings())
    assert 0 <= train.evaluate(learner, data).mean_iou <= 1


def test_masks_of_0_and_255_can_be_meant(tmp_path):
    root = folder(tmp_path / "data", classes="ground\n255 block\n")
    WRONG["masks of 0 and 255"][0](root)
    for i, truth in enumerate(truths()):
        np.testing.assert_array_equal(train.FolderData(root)[i][1], truth)
    data = train.ArrayData(images(), truths(), CLASSES)
    assert data.survey.counts.tolist() == train.FolderData(root).survey.counts.tolist() == [2512, 560]
    with pytest.raises(InputError, match="0 and 255 only"):
        train.fit(model(), train.ArrayData(images(), [255 * t for t in truths()], CLASSES), settings=settings())


def test_labels_may_be_coloured(tmp_path):
    root = folder(tmp_path / "data", classes="void 0 0 0\nblock 200 10 10\n")
    for i, truth in enumerate(truths()):
        io.write_image(root / "labels" / f"p{i}.png", np.array([[0, 0, 0], [200, 10, 10]], np.uint8)[truth])
    data = train.FolderData(root)
    assert data.classes == ("block",)
    np.testing.assert_array_equal(data[2][1], np.where(truths()[2] == 1, 0, 255))


def test_classes_without_a_pixel_are_named(tmp_path):
    data = train.ArrayData(images(), truths(), (*CLASSES, "roof", "door"))
    learner = train.Model("unet", data.classes, width=0.03)
    with pytest.warns(UserWarning, match="no pixel of roof, door in the data"):
        train.evaluate(learner, data)


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        (
            lambda image, labels: (image.astype(np.float32), labels),
            InputTypeError,
            "image of it must be an array of uint8",
        ),
        (lambda image, labels: (image[..., 0], labels), InputError, r"got \(24, 32\) and \(24, 32\)"),
        (lambda image, labels: (image, labels + 2), InputError, "must be below 2"),
    ],
)
def test_data_of_ones_own_are_looked_at(wrong, kind, said):
    class Own:
        classes = CLASSES

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return wrong(images()[0], truths()[0])

        def name(self, index):
            return "it"

    with pytest.raises(kind, match=said):
        train.fit(model(), Own(), settings=settings(batch_size=1))


# --- pictures on their side ---------------------------------------------------------------------------------------


def test_pictures_are_turned_upright_and_labels_that_fit_only_so_with_them(tmp_path):
    root = folder(tmp_path / "data")
    stored, right = truths()[1], np.rot90(truths()[1], -1)
    turn(root, "p1")
    data = train.FolderData(root)
    with pytest.warns(UserWarning, match=r"p1\.png fits .*p1\.png as it is stored.* it was turned along"):
        image, labels = data[1]
    np.testing.assert_array_equal(image, np.rot90(images()[1], -1))
    np.testing.assert_array_equal(labels, right)
    io.write_labels(root / "labels" / "p1.png", right)  # upright already
    np.testing.assert_array_equal(train.FolderData(root)[1][1], right)
    io.write_labels(root / "labels" / "p1.png", stored)
    for found, expected in zip(train.FolderData(root, exif=False)[1], (images()[1], stored), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_one_warning_will_do_where_nobody_can_know(tmp_path):
    root = folder(tmp_path / "data")
    for name in ("p0", "p1", "p2"):
        turn(root, name, orientation=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(train.FolderData(root).survey.sizes) == 4
    assert [str(warning.message).count("taken to be upright") for warning in caught] == [1]


# --- numbers ------------------------------------------------------------------------------------------------------


def test_images_of_other_dtypes_are_seen_alike_in_training_and_after(tmp_path):
    """16 bits and fractions of 1 become 8 bits by their range; what is 8 bits in another dtype stays."""
    root = folder(tmp_path / "data")
    image = images()[1]
    image[0, 0], image[0, 1] = 0, 255
    learner = model()
    expected = learner.predict(image)
    for array in (image.astype(np.float32), image.astype(np.int64), image.astype(">u2")):
        np.testing.assert_array_equal(learner.predict(array), expected)
    (root / "images" / "p1.png").unlink()
    for array in (image.astype(np.uint16) * 200 + 1000, image.astype(np.float32) / 255, image / 1e4 - 7):
        np.save(root / "images" / "p1.npy", array)
        seen = train.FolderData(root)[1][0]
        assert seen.dtype == np.uint8
        assert seen.min() == 0
        assert seen.max() == 255
        np.testing.assert_array_equal(learner.predict(array), learner.predict(seen))


def test_numbers_that_are_none_end_a_prediction():
    learner = model()
    image = images()[0].astype(np.float32)
    image[3, 4, 1] = np.nan
    with pytest.raises(InputError, match=r"image must be finite, got nan at index \(3, 4, 1\)"):
        learner.predict(image)
    with torch.no_grad():
        next(learner.parameters())[0] = np.nan
    with pytest.raises(InputError, match="the network returned NaN"):
        learner.predict(images()[0])


# --- memory -------------------------------------------------------------------------------------------------------


def test_only_so_much_stays_in_memory(tmp_path, monkeypatch):
    root = folder(tmp_path / "data")
    bytes_of_one = 4 * SIZE[0] * SIZE[1]
    read = []
    whole = io.read_labels

    def counted(path, **more):
        read.append(path.stem)
        return whole(path, **more)

    monkeypatch.setattr("classicseg.io.pairs.read_labels", counted)
    data = train.FolderData(root, keep=2 * bytes_of_one)
    first, second = ([data[i] for i in range(4)] for _ in range(2))
    assert read == ["p0", "p1", "p2", "p3", "p2", "p3"]
    for (image, labels), (image_again, labels_again), expected in zip(first, second, images(), strict=True):
        np.testing.assert_array_equal(image, expected)
        np.testing.assert_array_equal(image, image_again)
        np.testing.assert_array_equal(labels, labels_again)


# --- checkpoints --------------------------------------------------------------------------------------------------


def other_labels(data):
    changed = truths()
    changed[0][0, 0] = 1
    return train.ArrayData(images(), changed, CLASSES)


def other_images(data):
    changed = images()
    changed[0][0, 0, 0] ^= 1
    return train.ArrayData(changed, truths(), CLASSES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a | {"data": other_labels(a["data"])}, "the labels of the data are others"),
        (lambda a: a | {"data": other_images(a["data"])}, "the images of the data are others"),
        (lambda a: a | {"validation": other_labels(a["data"])}, "the labels of the validation set are others"),
        (lambda a: a | {"validation": None}, "the names of the validation set are others"),
        (lambda a: a | {"loss": "dice"}, "loss is 'ce' there and 'dice' here"),
        (lambda a: a | {"loss": torch.nn.CrossEntropyLoss(ignore_index=255)}, "the loss is another"),
        (lambda a: a | {"settings": settings(lr=2e-3)}, "lr is 0.001 there and 0.002 here"),
        (lambda a: a | {"model": model(mean=[1, 2, 3])}, "the network is built in another way"),
    ],
)
def test_a_checkpoint_goes_on_only_where_it_came_from(tmp_path, change, said):
    data = train.ArrayData(images(), truths(), CLASSES)
    given = {"model": model(), "data": data, "validation": data, "loss": "ce", "settings": settings()}
    given |= {"checkpoint": tmp_path / "c"}
    train.fit(**given)
    with pytest.raises(InputError, match=said):
        train.fit(**change(given))


def test_losses_that_differ_in_their_numbers_are_different(tmp_path):
    data = train.ArrayData(images(), truths(), CLASSES)
    own = [losses.build("dice+focal", ignore_index=255, gamma=gamma) for gamma in (2.0, 3.0)]
    weighted = [torch.nn.CrossEntropyLoss(torch.tensor([1.0, w]), ignore_index=255) for w in (2.0, 3.0)]
    for i, (first, second) in enumerate((own, weighted)):
        train.fit(model(), data, loss=first, settings=settings(), checkpoint=tmp_path / f"c{i}")
        with pytest.raises(InputError, match="the loss is another, or has other numbers"):
            train.fit(model(), data, loss=second, settings=settings(), checkpoint=tmp_path / f"c{i}")


def test_what_is_fixed_must_be_the_same(tmp_path):
    import classicseg.torch as ct

    data = train.ArrayData(images(), truths(), CLASSES)

    def with_crf(sigma):
        return ct.CRFasRNN(model(), ct.DenseCRF(2, [ct.GaussianKernel(sigma, 1)]))

    train.fit(with_crf(2.0), data, settings=settings(), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="sigma, which is fixed, is another there"):
        train.fit(with_crf(3.0), data, settings=settings(), checkpoint=tmp_path / "c")


def test_a_folder_may_move_and_a_training_become_longer(tmp_path):
    root = folder(tmp_path / "data")
    train.fit(model(), train.FolderData(root), settings=settings(), checkpoint=tmp_path / "c")
    moved = root.rename(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match="has ended, after 1 epochs.*n_epochs above 1"):
        train.fit(model(), train.FolderData(moved), settings=settings(), checkpoint=tmp_path / "c")
    longer = train.fit(model(), train.FolderData(moved), settings=settings(n_epochs=3), checkpoint=tmp_path / "c")
    assert [epoch.number for epoch in longer.history] == [1, 2, 3]
    shorter = settings(n_epochs=2)
    with pytest.warns(UserWarning, match="has ended, after 3 epochs"):
        assert train.fit(model(), train.FolderData(moved), settings=shorter, checkpoint=tmp_path / "c") == longer


def test_weights_of_another_model_are_a_start_where_they_fit(tmp_path):
    data = train.ArrayData(images(), truths(), CLASSES)
    other = train.Model("unet", ["a", "b", "c"], width=0.03, seed=5)
    other.save(tmp_path / "other.pt")
    learner = model()
    n = len(learner.network.state_dict())
    assert learner.start_from(tmp_path / "other.pt") == (n - 2, 2)  # all but the scores of the classes
    same = [torch.equal(x, y) for x, y in zip(learner.parameters(), other.parameters(), strict=True)]
    assert sum(not s for s in same) == 2
    train.fit(learner, data, settings=settings(), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="the initial weights are others"):
        train.fit(model(), data, settings=settings(), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="holds the model of another network or width"):
        train.Model("unet", CLASSES, width=0.1).start_from(tmp_path / "other.pt")


def test_workers_change_nothing():
    data = train.ArrayData(images(), truths(), CLASSES)
    learners = [model() for _ in range(2)]
    for learner, n in zip(learners, (1, 3), strict=True):
        train.fit(learner, data, settings=settings(n_workers=n, n_epochs=2))
    assert all(torch.equal(x, y) for x, y in zip(*(m.parameters() for m in learners), strict=True))


def test_weights_of_classes_balance_their_pixels():
    data = train.ArrayData(images(), truths(), (*CLASSES, "roof"))
    counts = data.survey.counts[:2]
    weights = data.survey.balanced_weights()
    assert weights[2] == 1
    np.testing.assert_allclose(weights[:2] * counts, counts.mean())


# --- models and devices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"w": torch.zeros(2)}},
        {"format": 1},
        {"format": 1, "classes": ["a"], "recipe": {"name": "nonsense"}},
        {"format": 1, "classes": ["a", "b"], "recipe": {"name": "unet", "width": 0.03, "in_channels": 3, "x": 1}},
        {"format": 1, "classes": ["a", "b"], "recipe": {"name": "unet", "width": 0.03, "in_channels": 3}, "state": {}},
        {"format": 1, "classes": 5, "recipe": {"name": "unet", "width": 0.03, "in_channels": 3}, "state": {}},
    ],
)
def test_foreign_files_are_no_models(tmp_path, content):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(InputError, match=r"m\.pt holds no model"):
        train.Model.load(tmp_path / "m.pt")


@pytest.mark.parametrize("device", ["cuda:7", "nonsense", "meta", "cpu:-3", ""])
def test_devices_that_cannot_be_used_are_named(device):
    with pytest.raises(InputError, match=f"device must be one that PyTorch can use, such as 'cpu', got '{device}'"):
        train.fit(model(), train.ArrayData(images(), truths(), CLASSES), device=device)


def test_sixteen_bit_pictures_are_read_by_their_range(tmp_path):
    root = folder(tmp_path / "data")
    Image.fromarray(images()[1][..., 0].astype(np.uint16) * 100).save(root / "images" / "p1.png")
    assert train.FolderData(root)[1][0].max() == 255
