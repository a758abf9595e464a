"""Boxes, whose rounds begin at a thinned image, from two starts: here small images are large enough for that."""

import numpy as np
import pytest

import classicseg as cs
from classicseg.pipelines import rounds
from tests.pipelines.test_cutout import scene

IMAGE, DISK, SCRIBBLES = scene(101, 83)
BOX = (18, 8, 84, 76)


@pytest.fixture(autouse=True)
def from_few_pixels(monkeypatch):
    monkeypatch.setattr(rounds, "_COMPARED", 2**11)
    monkeypatch.setattr(rounds, "_FEWEST", 2**9)


def ends(monkeypatch):
    """All rounds that are made, by their number of pixels, and how they end."""
    made = []
    whole = rounds._rounds

    def watched(run, prepared, how, *args, **kwargs):
        evidence, crf, found = whole(run, prepared, how, *args, **kwargs)
        made.append((found.size, how.weight, np.unique(found).size, crf.energy(found)))
        return evidence, crf, found

    monkeypatch.setattr(rounds, "_rounds", watched)
    return made


def test_what_ends_lower_goes_on(monkeypatch):
    made = ends(monkeypatch)
    cut = cs.cutout(IMAGE, box=BOX, max_iter=4)
    assert (cut.mask == DISK).mean() > 0.995
    assert [size < 600 for size, *_ in made] == [True, False, False, False]  # the thinnest first
    assert [round(50 / weight, 1) for _, weight, *_ in made] == [1.0, 2.0, 2.0, 1.0]
    energies = [step.energy for step in cut.history]
    assert energies == sorted(energies, reverse=True)
    assert cut.energy == cut.crf.energy(cut.labels)


def test_an_object_that_vanishes_is_no_better(monkeypatch):
    """Little is there, so that no object at all costs least."""
    image = np.random.default_rng(3).normal(0, 14, (72, 96, 3)) + 90
    image[20:52, 20:76] += (5, -25, 35)
    made = ends(monkeypatch)
    cut = cs.cutout(image, box=(8, 10, 66, 88), max_iter=6)
    (_, _, labels, energy), (_, _, fewer, lower) = made[1:3]
    assert (labels, fewer) == (2, 1)
    assert lower < energy
    assert cut.mask.any()


def test_strokes_and_a_single_round_are_made_with_all_pixels(monkeypatch):
    made = ends(monkeypatch)
    cs.cutout(IMAGE, SCRIBBLES)
    cs.cutout(IMAGE, box=BOX, max_iter=1)
    assert [size for size, *_ in made] == [DISK.size, DISK.size]
