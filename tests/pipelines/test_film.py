"""Films: motion and averages against their twins, and frames that are steadier and no worse."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.film import BLOCK, accumulate, match_blocks
from classicseg.machine.parallel import new_sync, run
from classicseg.pipelines.film import find_motion
from classicseg.reference.film import averaged, block_motion
from tests.oracles import photo


def film(n_frames=6, size=(96, 112), step=(1, 3), noise=1.5, seed=0):
    """A photo that is panned, with noise of its own in each frame, in the picture and in the logits."""
    s, rng, (dy, dx), (h, w) = cs.sample(), np.random.default_rng(seed), step, size
    logits = np.log(np.maximum(s.probabilities[:, 100:, 150:].astype(np.float32), 1e-3))
    image, truth = s.image[100:, 150:].astype(np.float32), s.truth[100:, 150:]
    for t in range(n_frames):
        window = np.s_[dy * t : dy * t + h, dx * t : dx * t + w]
        seen = np.clip(image[window] + rng.normal(0, 2, (h, w, 3)), 0, 255).astype(np.uint8)
        coarse = rng.normal(0, noise, (len(logits), -(-h // 8), -(-w // 8))).repeat(8, 1).repeat(8, 2)
        yield seen, (logits[:, *window] + coarse[:, :h, :w]).astype(np.float32), truth[window]


def flicker(labels, truths, step):
    """Share of the pixels of the scene whose label changes although their truth does not."""
    dy, dx = step
    h, w = labels[0].shape
    changed = [
        (now[: h - dy, : w - dx] != before[dy:, dx:])[(t[: h - dy, : w - dx] == u[dy:, dx:]) & (u[dy:, dx:] != 255)]
        for now, before, t, u in zip(labels[1:], labels, truths[1:], truths, strict=False)
    ]
    return np.concatenate(changed).mean()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_blocks_are_found_where_the_twin_finds_them(n_threads):
    rng = np.random.default_rng(1)
    before = rng.integers(0, 256, (37, 45)).astype(np.uint8)
    now = np.roll(before, (2, -1), (0, 1))
    now[20:, 20:] = rng.integers(0, 256, (17, 25))
    ring = [(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)]
    for size, n_rows, n_columns in ((8, 5, 6), (16, 3, 3)):
        expected, _ = block_motion(now, before, size, np.array([(0, 0), *ring]), 0.5)
        starts, motion = np.zeros((1, 2, n_rows, n_columns), np.int32), np.empty((2, n_rows, n_columns), np.int32)
        run(match_blocks, n_threads, new_sync(1), now, before, size, 3, starts, np.float32(0.5), motion)
        np.testing.assert_array_equal(motion, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_averages_are_those_of_the_twin(dtype):
    rng = np.random.default_rng(2)
    unary, kept = rng.random((2, 3, 20, 37), dtype=np.float32)
    before = rng.integers(0, 200, (2, 20, 37)).astype(dtype)
    image = (before + rng.integers(0, 30, (2, 20, 37))).astype(dtype)
    count = rng.uniform(1, 6, (20, 37)).astype(np.float32)
    motion = rng.integers(-9, 10, (2, 2, 3)).astype(np.int32)
    expected, counts = averaged(unary, image, before, kept, count, motion, BLOCK, 150.0, 4.0)
    out, new_count = np.empty_like(unary), np.empty_like(count)
    run(
        accumulate, 1, new_sync(1), unary, image, before, kept, count, motion, np.float32(1 / 150**2),
        np.float32(4), out, new_count,
    )  # fmt: skip
    np.testing.assert_allclose(out, expected, atol=1e-5)
    np.testing.assert_allclose(new_count, counts, atol=1e-5)
    assert 1 < counts.mean() < 5


@pytest.mark.parametrize("step", [(0, 0), (5, -3), (-17, 22), (2, 9)])
def test_motion_of_a_photo_is_found_over_long_ways(step):
    dy, dx = step
    picture = photo(200, 220)[..., 0]
    before, now = picture[30:150, 30:170], picture[30 + dy : 150 + dy, 30 + dx : 170 + dx]
    motion = find_motion(np.ascontiguousarray(now), np.ascontiguousarray(before), 1)
    inner = motion[:, 2:-2, 2:-2]
    assert (inner == np.reshape(step, (2, 1, 1))).all(axis=0).mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (8, 9), (17, 33)])
def test_motion_of_small_pictures(shape):
    picture = photo(*shape)[..., 0].copy()
    assert find_motion(picture, picture, 2).shape == (2, -(-shape[0] // 16), -(-shape[1] // 16))
    assert not find_motion(picture, picture, 1).any()


@pytest.mark.parametrize("step", [(0, 0), (1, 3)])
def test_films_are_twice_as_steady_and_no_worse(step):
    frames = list(film(step=step))
    truths = [truth for _, _, truth in frames]
    alone = [cs.refine(image, logits=logits) for image, logits, _ in frames]
    refiner = cs.Refiner()
    steady = [refiner(image, logits=logits) for image, logits, _ in frames]
    assert flicker(steady, truths, step) < 0.5 * flicker(alone, truths, step)
    scores = [
        np.mean([cs.scores(x, t, ignore_label=255).mean_iou for x, t in zip(labels, truths, strict=True)])
        for labels in (steady, alone)
    ]
    assert scores[0] > scores[1] - 0.002


def test_the_first_frame_and_all_without_memory_are_those_of_refine():
    frames = list(film(3))
    alone = cs.Refiner(memory=1, max_iter=10, preset="default")
    for refiner, n, preset in ((cs.Refiner(max_iter=10), 1, "auto"), (alone, 3, "default")):
        for image, logits, _ in frames[:n]:
            changed = refiner(image, logits=logits) != cs.refine(image, logits=logits, preset=preset)
            assert changed.mean() < 1e-3  # later frames have the colour unit of the first
    refiner = cs.Refiner(preset="pydensecrf", sigma=2.0, max_iter=3)
    expected = cs.refine(frames[0][0], logits=frames[0][1], preset="pydensecrf", sigma=2.0, max_iter=3)
    np.testing.assert_array_equal(refiner(frames[0][0], logits=frames[0][1]), expected)


def test_labels_do_not_depend_on_the_number_of_threads():
    one, many = cs.Refiner(n_threads=1), cs.Refiner(n_threads=3)
    for image, logits, _ in film(3):
        np.testing.assert_array_equal(one(image, logits=logits), many(image, logits=logits))


def test_a_frame_that_stays_takes_over_the_lattice():
    image, logits, _ = next(film(1))
    refiner = cs.Refiner()
    first = refiner(image, logits=logits)
    bank = refiner._past.crf.lattice_bank(1)
    np.testing.assert_array_equal(refiner(image, logits=logits), first)  # averages of equal costs are these
    assert refiner._past.crf.lattice_bank(1) is bank
    refiner(np.roll(image, 1, 0), logits=logits)
    assert refiner._past.crf.lattice_bank(1) is not bank


def test_another_scene_owes_nothing_to_the_one_before():
    (a, la, _), (b, lb, _) = next(film(1)), next(film(1, seed=4))
    b = 255 - b
    refiner = cs.Refiner()
    refiner(a, logits=la)
    refiner(b, logits=lb)
    assert (refiner._past.averaged > 1.5).mean() < 0.1
    refiner.reset()
    np.testing.assert_array_equal(refiner(b, logits=lb), cs.Refiner()(b, logits=lb))


def test_gray_frames_of_any_dtype_and_labels_last():
    image, logits, _ = next(film(1))
    deep = image[..., 0].astype(np.uint16) * 100
    refiner, last = cs.Refiner(), cs.Refiner(label_axis=-1)
    for k in range(3):
        moved, scores = np.roll(deep, k, 1), np.roll(logits, k, 2)
        expected = refiner(moved, logits=scores)
        np.testing.assert_array_equal(last(moved, logits=np.moveaxis(scores, 0, -1)), expected)
    assert refiner._past.averaged.mean() > 2.5


def test_scores_may_be_smaller_than_the_frames():
    frames = [(image, logits[:, ::4, ::4]) for image, logits, _ in film(3)]
    refiner = cs.Refiner(max_iter=10)
    labels = [refiner(image, logits=logits) for image, logits in frames]
    np.testing.assert_array_equal(labels[0], cs.refine(frames[0][0], logits=frames[0][1]))
    assert (labels[2] == cs.refine(frames[2][0], logits=frames[2][1])).mean() > 0.8


def test_forbidden_labels_stay_forbidden_in_their_frame_alone():
    refiner = cs.Refiner()
    for k, (image, logits, _) in enumerate(film(3)):
        scores = logits.copy()
        if k < 2:
            scores[0, :, :40] = -np.inf
        labels = refiner(image, logits=scores)
        assert (labels[:, :40] == 0).any() == (k == 2)
        assert np.isfinite(refiner._past.costs).all()


def test_frames_of_another_size_are_refused():
    image, logits, _ = next(film(1))
    refiner = cs.Refiner()
    refiner(image, logits=logits)
    with pytest.raises(InputError, match=r"frame 1 has 95 x 112 pixels, .* those before it 96 x 112.*reset\(\)"):
        refiner(image[1:], logits=logits[:, 1:])
    with pytest.raises(InputError, match="and 4 labels"):
        refiner(image, logits=logits[:4])
    assert refiner(image, logits=logits).shape == (96, 112)
    with pytest.raises(InputError, match="frames must be images"):
        cs.Refiner()(np.zeros((4, 5, 6)), np.full((2, 4, 5, 6), 0.5))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"memory": 0}, InputError),
        ({"preset": "film"}, InputError),
        ({"max_iter": -1}, InputError),
        ({"n_threads": 0}, InputError),
        ({"sigmas": 2.0}, InputTypeError),
        ({"independent": True}, InputTypeError),
    ],
)
def test_parameters_are_checked_before_the_first_frame(given, error):
    with pytest.raises(error, match=next(iter(given))):
        cs.Refiner(**given)
