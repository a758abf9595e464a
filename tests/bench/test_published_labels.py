"""Published labellings of the UAI files, where the files are: what they are worth, and why it is not the minimum."""

import os
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg import io

FOLDER = Path(os.environ.get("CLASSICSEG_DATA", Path(__file__).parents[3] / "shared" / "data")) / "uai"
FOUND = sorted(FOLDER.glob("Segmentation_*.uai.MAP"))


@pytest.mark.skipif(not FOUND, reason="the files of the UAI competition are not here")
@pytest.mark.parametrize("path", FOUND[-3:], ids=lambda path: path.name)
def test_with_the_lone_variable_held_the_minimum_is_what_was_published(path, tmp_path):
    file, published = path.with_suffix(".xz"), io.read_uai_labels(path)
    crf = io.read_uai(file)
    alone = np.setdiff1d(np.arange(crf.shape[0]), crf.edges)
    assert alone.tolist() == [0]
    evidence = tmp_path / "held.evid"
    evidence.write_text(f"1 0 {published[0]}\n")
    held = cs.minimize(io.read_uai(file, evidence=evidence), "branch_and_cut")
    assert held.converged
    assert held.energy == pytest.approx(crf.energy(published), rel=1e-12)
    assert (held.labels == published).all()
    free = cs.minimize(crf, "branch_and_cut")
    assert crf.energy(published) - free.energy == pytest.approx(np.ptp(crf.unary[:, 0]))
