"""Many images from Python: arrays, names of files, folders."""

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from tests.oracles import costs, photo

SHAPES = ((24, 32), (32, 24), (28, 28))


@pytest.fixture(scope="module")
def images():
    return [photo(*shape) for shape in SHAPES]


@pytest.fixture(scope="module")
def logits():
    return [-costs(3, shape, seed=k) for k, shape in enumerate(SHAPES)]


@pytest.fixture(scope="module")
def wanted(images, logits):
    return [cs.refine(image, logits=scores) for image, scores in zip(images, logits, strict=True)]


@pytest.fixture
def folders(tmp_path, images, logits):
    for k, name in enumerate(("a", "b.c", "sub/d")):
        for folder, suffix, write, what in (
            ("images", ".png", io.write_image, images[k]),
            ("scores", "_logits.npy", np.save, logits[k]),
        ):
            path = tmp_path / folder / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, what)
    return tmp_path


def same(found, wanted):
    for labels, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(labels, other)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_labels_are_those_of_each_image_in_order(images, logits, wanted, n_workers):
    items = cs.refine_many(images, logits=iter(logits), n_workers=n_workers)
    assert iter(items) is items
    found = list(items)
    same([item.labels for item in found], wanted)
    assert [item.name for item in found] == ["000000", "000001", "000002"]
    assert all(item.strength in cs.PRESETS and item.seconds > 0 and item.error is None for item in found)


def test_generators_are_asked_when_it_is_needed(images, logits):
    def endless():
        while True:
            yield images[0]

    items = cs.refine_many(endless(), logits=(logits[0] for _ in range(10**9)), n_workers=2, max_iter=1)
    assert next(iter(items)).labels.shape == SHAPES[0]
    items.close()


def test_folders_are_paired_by_name_and_written(folders, wanted):
    for path in folders.glob("scores/**/*.npy"):
        path.rename(path.with_name(path.name.replace("_logits", "")))
    found = cs.refine_many(folders / "images", logits=folders / "scores", out=folders / "out")
    assert isinstance(found, list)
    assert [item.path.relative_to(folders).as_posix() for item in found] == [
        "out/a.png",
        "out/b.c.png",
        "out/sub/d.png",
    ]
    same([io.read_labels(item.path) for item in found], wanted)
    same([item.labels for item in found], wanted)
    (folders / "out" / "a.png").unlink()
    again = cs.refine_many(folders / "images", logits=folders / "scores", out=folders / "out", skip_existing=True)
    assert [item.skipped for item in again] == [False, True, True]
    same([item.labels for item in again], wanted)


def test_an_error_is_that_of_its_image(images, logits, wanted):
    wrong = [images[0], np.full_like(images[1], np.nan, np.float64), images[2][:, :9]]
    found = list(cs.refine_many(wrong, logits=logits))
    same([found[0].labels], wanted[:1])
    for item, word in ((found[1], "NaN|finite"), (found[2], "fit")):
        assert isinstance(item.error, ValueError)
        with pytest.raises(ValueError, match=word):
            _ = item.labels


def test_masks_leave_pixels_out(images, logits, tmp_path):
    masks = [np.arange(image.shape[1]) > 9 for image in images]
    masks = [np.broadcast_to(mask, image.shape[:2]) for mask, image in zip(masks, images, strict=True)]
    wanted = [cs.refine(*some[:1], logits=some[1], mask=some[2]) for some in zip(images, logits, masks, strict=True)]
    same([item.labels for item in cs.refine_many(images, logits=logits, masks=masks)], wanted)
    written = cs.refine_many(images, logits=logits, masks=masks, out=tmp_path / "out")
    same([item.labels for item in written], [np.where(labels < 0, 255, labels) for labels in wanted])


def test_what_cannot_work_is_named_before_it_begins(folders, images, logits):
    scores, out = folders / "scores", folders / "out"

    def refused(match, *given, error=ValueError, **more):
        with pytest.raises(error, match=match):
            list(cs.refine_many(*given, **more))
        assert not list(out.glob("*"))

    refused("exactly one of probabilities, logits and unary must be given, got none", images, error=TypeError)
    refused("as many of one as of the other, got 3 of image, 2 of logits", images, logits=logits[:2])
    refused("as many logits as of the others, got 2", images, logits=iter(logits[:2]))
    refused("refine has no parameter 'sigme'", images, logits=logits, sigme=3, error=TypeError)
    refused("no parameter 'independent'", images, logits=logits, independent=True, error=TypeError)
    refused("sigma must be", images, logits=logits, sigma=-3)
    refused("skip_existing looks at the files in out", images, logits=logits, skip_existing=True)
    refused("must be names of files", images, logits=scores, error=TypeError)
    refused("must be a folder, a pattern", folders / "images" / "a.png", logits=scores)
    refused("no image has all that belongs to it", folders / "images", logits=scores, out=out)
    refused("no such folder", folders / "images", logits=folders / "none", error=FileNotFoundError)
    refused("where files are read from", folders / "images", logits=scores, out=folders / "images")
    refused("where files are read from", folders / "images", logits=scores, out=scores / "within")
    refused("labels can be written as", images, logits=logits, out=out, suffix=".jpg")
    refused("must be a folder or a sequence, one for each image", images, logits=3, error=TypeError)
    refused("must be the name of a folder", images, logits=logits, out=folders / "images" / "a.png")
