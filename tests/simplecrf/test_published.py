"""The minimum cuts that SimpleCRF publishes beside its demo: data/seg_auto.nii.gz and data/seg_interact.nii.gz.

They are research data that the package may not ship, see benchmarks/shared/folders.py.
"""

import numpy as np
import pytest

from benchmarks.shared.folders import DATA
from classicseg import io, numpymaxflow
from classicseg.simplecrf import maxflow

FOLDER = DATA / "simplecrf_examples"
PARAM = (10.0, 15.0)  # lambda and sigma, as examples/demo_maxflow.py has them

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FOLDER.is_dir(), reason="the volumes are not there")]


@pytest.fixture(scope="module")
def demo():
    """The volume, its probabilities and the marks of a user, made as in the demo."""
    pytest.importorskip("nibabel")
    image, initial, marks = (io.read_image(FOLDER / f"2013_12_1_{kind}.nii.gz") for kind in ("img", "init", "scrb"))
    foreground = 0.5 + (initial.astype(np.float32) - 0.5) * 0.8
    p = np.stack([1 - foreground, foreground], axis=-1)
    return image.astype(np.float32), p, np.stack([marks == 2, marks == 3], axis=-1)


def test_every_voxel_is_the_published_one(demo):
    image, p, seeds = demo
    published = {name: io.read_image(FOLDER / f"{name}.nii.gz") for name in ("seg_auto", "seg_interact")}
    labels = maxflow.maxflow3d(image, p, PARAM)
    np.testing.assert_array_equal(labels, published["seg_auto"])
    np.testing.assert_array_equal(maxflow.interactive_maxflow3d(image, p, seeds, PARAM), published["seg_interact"])
    np.testing.assert_array_equal(numpymaxflow.maxflow(image[None], np.moveaxis(p, -1, 0), *PARAM)[0], labels)
