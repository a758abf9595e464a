"""Soft masks: against the slow twin, and what they promise."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines import matting
from classicseg.pipelines.matting import Matte, matte_of
from classicseg.pipelines.prepared_image import prepare
from classicseg.reference import matting as reference

SHAPE = (24, 31)


def scene(channels=3, seed=1, shape=SHAPE):
    """A disk whose border is out of focus over a striped ground: image, true alpha, strokes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(y - shape[0] / 2, x - shape[1] / 2) - shape[0] / 4
    alpha = (0.5 - away / (shape[0] / 15)).clip(0, 1)
    ground = 60 + 20 * np.sin(x / 3)[..., None] * np.ones(channels) + rng.normal(0, 2, (*shape, channels))
    image = alpha[..., None] * np.array([200, 120, 90, 10][:channels]) + (1 - alpha[..., None]) * ground
    strokes = np.full(shape, -1)
    strokes[alpha == 1], strokes[:2] = 1, 0
    return (image[..., 0] if channels == 1 else image).round().clip(0, 255).astype(np.uint8), alpha, strokes


def slow(prepared, objects):
    """As `matte_of` makes it at full size, by the twin."""
    side = objects.size**0.5
    colors = prepared.colors.reshape(-1, *objects.shape).astype(np.float64)
    colors = colors if len(colors) == 3 else np.repeat(colors, 3, axis=0)
    radii = [max(1, round(x * side)) for x in matting._WINDOWS]
    final, alpha = matting._finality(objects.astype(np.float32), side), objects.astype(float)
    for _ in range(matting._ROUNDS):
        models = reference.linear_models(colors, alpha, radii, matting._NOISE, matting._TOLERATED)
        models *= 1 - final
        models[3] += final * objects
        alpha = (models[:3] * colors).sum(axis=0) + models[3]
        alpha = ((alpha - matting._STRETCH) / (1 - 2 * matting._STRETCH)).clip(0, 1)
    radii = [max(1, round(x * side)) for x, _ in matting._BLENDS]
    weights = [count / (2 * r + 1) ** 2 for r, (_, count) in zip(radii, matting._BLENDS, strict=True)]
    both = reference.blended_colors(colors, alpha, radii, weights)
    return alpha, reference.foreground(colors, alpha, *both)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_that_of_the_slow_twin(channels):
    image, true, strokes = scene(channels)
    axis = None if channels == 1 else -1
    prepared = prepare(image, None, strokes, None, axis)
    objects = true > 0.5
    alpha, colors = slow(prepared, objects)
    matte = matte_of(prepared, objects, np.full(SHAPE, -1, np.int32), 1)
    np.testing.assert_allclose(matte.alpha, alpha, atol=0.02)
    assert np.abs(matte.alpha - alpha).mean() < 1e-3
    wanted = colors[:channels] * prepared.units[0] + prepared.units[1 : 1 + channels, None, None]
    seen = matte.alpha > 0.3
    found = matte.foreground.reshape(*SHAPE, channels).transpose(2, 0, 1)
    np.testing.assert_allclose(found[:, seen], wanted[:, seen], atol=1.5)


def test_borders_out_of_focus_are_found_and_colours_are_those_of_the_object():
    image, true, strokes = scene(shape=(90, 100))
    half, band = true > 0.5, (true > 0) & (true < 1)
    matte = matte_of(prepare(image, None, strokes, None, -1), half, strokes, 1)
    assert np.abs(matte.alpha - true)[band].mean() < 0.6 * np.abs(half - true)[band].mean()
    cut = cs.cutout(image, strokes)  # the cut may lie on either side of the blur
    assert np.abs(cut.matte.alpha - true)[band].mean() < np.abs(cut.mask - true)[band].mean()
    before = np.abs(image[half] - np.array([200, 120, 90.0])).mean()
    assert np.abs(matte.foreground[half] - np.array([200, 120, 90])).mean() < 0.85 * before
    assert matte.alpha.dtype == matte.foreground.dtype == np.float32
    assert matte.alpha.min() >= 0
    assert matte.alpha.max() <= 1


def test_strokes_stay_what_they_are_and_far_from_the_border_the_mask_does():
    image, _, strokes = scene(shape=(60, 70))
    strokes[28:32, 50:53] = 0  # in the soft border
    cut = cs.cutout(image, strokes, alpha=True)
    alpha = cut.matte.alpha
    assert (alpha[strokes == 1] == 1).all()
    assert (alpha[strokes == 0] == 0).all()
    assert (alpha[:, :8] == 0).all()
    assert (cut.matte.foreground[alpha == 0] == 0).all()


def test_sharp_borders_stay_sharp():
    image = np.full((40, 50, 3), (40, 90, 60), np.uint8)
    image[12:30, 14:37] = (210, 60, 30)
    cut = cs.cutout(image, box=(4, 4, 38, 46), alpha=True)
    np.testing.assert_allclose(cut.matte.alpha, cut.mask, atol=0.02)
    np.testing.assert_array_equal(cut.matte.rgba[cut.mask][:, :3], image[cut.mask])


def test_it_is_there_when_asked_for_and_follows_what_is_drawn():
    image, _, strokes = scene(shape=(60, 70))
    ready, later = cs.cutout(image, strokes, alpha=True), cs.cutout(image, strokes)
    assert ready.matte is ready.matte
    np.testing.assert_array_equal(ready.matte.alpha, later.matte.alpha)
    before = ready.matte
    ready.update(np.zeros((20, 20), int), np.s_[40:60, 20:40])
    assert ready.matte is not before
    assert (ready.matte.alpha[40:60, 20:40] == 0).all()
    assert (ready.refit().matte.alpha[40:60, 20:40] == 0).all()
    assert cs.cutout(image, previous=later, alpha=True, max_iter=1).matte.alpha.shape == (60, 70)


def test_large_images_are_fitted_smaller_and_evaluated_in_their_size(monkeypatch):
    image, true, strokes = scene(shape=(61, 73))
    whole = cs.cutout(image, strokes, alpha=True).matte
    monkeypatch.setattr(matting, "_FITTED_ON", 61 * 73 // 4)
    half = cs.cutout(image, strokes, alpha=True).matte
    assert 0 < np.abs(half.alpha - whole.alpha).mean() < 0.02
    band = (true > 0) & (true < 1)
    assert np.abs(half.alpha - true)[band].mean() < 1.5 * np.abs(whole.alpha - true)[band].mean() + 0.02


def test_the_result_does_not_depend_on_threads():
    image, true, strokes = scene(shape=(150, 90))
    prepared = prepare(image, None, strokes, None, -1)
    one, three = (matte_of(prepared, true > 0.5, strokes, n) for n in (1, 3))
    np.testing.assert_array_equal(one.alpha, three.alpha)
    np.testing.assert_array_equal(one.foreground, three.foreground)


def test_what_is_outside_of_a_mask_is_transparent_and_does_not_matter():
    image, _, strokes = scene(shape=(60, 70))
    inside = np.ones((60, 70), bool)
    inside[:, 40:] = False
    other = np.where(inside[..., None], image, 255 - image)
    first, second = (cs.cutout(x, strokes, mask=inside, alpha=True).matte for x in (image, other))
    np.testing.assert_array_equal(first.rgba, second.rgba)
    assert (first.alpha[~inside] == 0).all()


@pytest.mark.parametrize("scale", [1 / 255, 200.0])
def test_any_dtype_and_range_has_the_same_matte(scale):
    image, _, strokes = scene(shape=(40, 50))
    wanted = cs.cutout(image, strokes, alpha=True).matte
    found = cs.cutout(image * scale, strokes, alpha=True).matte
    np.testing.assert_allclose(found.alpha, wanted.alpha, atol=0.02)
    np.testing.assert_allclose(found.foreground / scale, wanted.foreground, atol=2)
    assert found.rgba.dtype == np.uint8


def test_pictures_of_it():
    alpha = np.array([[0.0, 0.5, 1.0]], np.float32)
    matte = Matte(alpha, np.array([[[0, 0, 0], [200, 100, 0], [10, 20, 30]]], np.float32))
    assert matte.rgba.tolist() == [[[0, 0, 0, 0], [200, 100, 0, 128], [10, 20, 30, 255]]]
    assert matte.over((0, 0, 255)).tolist() == [[[0, 0, 255], [100, 50, 128], [10, 20, 30]]]
    behind = np.full((1, 3, 3), 40)
    assert matte.over(behind)[0, 0].tolist() == [40, 40, 40]
    gray = Matte(alpha, np.array([[0, 2, 4]], np.float32), 0, 4)
    assert gray.rgba[0, 1].tolist() == [128, 128, 128, 128]
    for wrong in ((0, 0), np.zeros((2, 2, 3)), (0, 0, 300), (np.nan, 0, 0)):
        with pytest.raises(InputError, match="background"):
            matte.over(wrong)


def test_what_has_no_matte_is_refused():
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[1:3, 1:4, 2:4] = 200
    strokes = np.full(volume.shape, -1)
    strokes[0], strokes[2, 2, 3] = 0, 1
    with pytest.raises(InputError, match=r"alpha is for images.*4 x 5 x 6 pixels"):
        cs.cutout(volume, strokes, alpha=True)
    with pytest.raises(InputError, match="alpha is for images"):
        _ = cs.cutout(volume, strokes).matte
    image, _, strokes = scene(4)
    with pytest.raises(InputError, match="4 channels"):
        cs.cutout(image, strokes, alpha=True)
    with pytest.raises(InputTypeError, match="alpha must be True or False"):
        cs.cutout(image, strokes, alpha=0.5)


@pytest.mark.parametrize("shape", [(1, 9), (2, 2), (9, 1)])
def test_tiny_images(shape):
    image = np.zeros((*shape, 3), np.uint8)
    strokes = np.full(shape, -1)
    strokes.flat[0], strokes.flat[-1] = 0, 1
    image.reshape(-1, 3)[-1] = 250
    matte = cs.cutout(image, strokes, alpha=True).matte
    assert np.isfinite(matte.alpha).all()
    assert matte.alpha.flat[0] == 0
    assert matte.alpha.flat[-1] == 1
