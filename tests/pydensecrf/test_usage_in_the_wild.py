"""Five ways in which published code calls pydensecrf, each also run as an unmodified script."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import classicseg.pydensecrf.densecrf as dcrf
from classicseg.pydensecrf import utils
from tests.oracles import costs, photo, softmax

H, W = 24, 32
IMAGE = photo(H, W)
P = softmax(-costs(4, (H, W)))


def deeplab_wrapper(dcrf, utils):
    c, h, w = P.shape
    unary = np.ascontiguousarray(utils.unary_from_softmax(P))
    d = dcrf.DenseCRF2D(w, h, c)
    d.setUnaryEnergy(unary)
    d.addPairwiseGaussian(sxy=1, compat=3)
    d.addPairwiseBilateral(sxy=67, srgb=3, rgbim=np.ascontiguousarray(IMAGE), compat=4)
    return np.array(d.inference(10)).reshape((c, h, w)).argmax(0)


def confident_seeds(dcrf, utils):
    labels = P.argmax(0)
    keys = np.unique(labels)
    d = dcrf.DenseCRF2D(W, H, keys.shape[0])
    d.setUnaryEnergy(
        utils.unary_from_labels(np.searchsorted(keys, labels), keys.shape[0], gt_prob=0.7, zero_unsure=False)
    )
    d.addPairwiseGaussian(sxy=3, compat=3)
    d.addPairwiseBilateral(sxy=50, srgb=5, rgbim=np.ascontiguousarray(np.copy(IMAGE)), compat=10)
    return keys[np.argmax(d.inference(10), axis=0).reshape(H, W)]


def background_by_power(dcrf, utils):
    scores = np.concatenate([np.power(1 - P[1:].max(0, keepdims=True), 4), P[1:]])  # does not sum to 1
    d = dcrf.DenseCRF2D(W, H, len(scores))
    d.setUnaryEnergy(np.ascontiguousarray(utils.unary_from_softmax(scores)))
    d.addPairwiseGaussian(sxy=3, compat=3)
    d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.copy(IMAGE), compat=10)
    return np.array(d.inference(10)).reshape((len(scores), H, W)).argmax(0)


def doodler(dcrf, utils):
    doodles = P.argmax(0) + 1
    doodles[::2] = 0
    d = dcrf.DenseCRF2D(H, W, 4)  # swapped, as that code has it
    d.setUnaryEnergy(utils.unary_from_labels(doodles.astype("int"), 4, gt_prob=0.51))
    d.addPairwiseGaussian(sxy=(1, 1), compat=3, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)
    features = utils.create_pairwise_bilateral(sdims=(20, 20), schan=(13, 13, 13), img=IMAGE, chdim=2)
    d.addPairwiseEnergy(features, compat=10, kernel=dcrf.DIAG_KERNEL, normalization=dcrf.NORMALIZE_SYMMETRIC)
    return np.argmax(d.inference(10), axis=0).astype(np.uint8).reshape((H, W)) + 1


def manga_mask(dcrf, utils):
    mask = (P[0] > 0.5).astype(np.float32)
    stack = np.stack([1 - mask, mask]).reshape(2, -1)
    d = dcrf.DenseCRF2D(W, H, 2)
    d.setUnaryEnergy(np.ascontiguousarray(utils.unary_from_softmax(stack)))
    none = dcrf.NO_NORMALIZATION
    d.addPairwiseGaussian(sxy=1, compat=3, kernel=dcrf.DIAG_KERNEL, normalization=none)
    d.addPairwiseBilateral(sxy=23, srgb=7, rgbim=IMAGE, compat=20, kernel=dcrf.DIAG_KERNEL, normalization=none)
    return np.argmax(d.inference(5), axis=0).reshape(H, W) * 255


PATTERNS = [deeplab_wrapper, confident_seeds, background_by_power, doodler, manga_mask]


@pytest.mark.peer
@pytest.mark.parametrize("pattern", PATTERNS)
def test_labels_equal_those_of_pydensecrf(pattern):
    their_dcrf = pytest.importorskip("pydensecrf.densecrf")
    their_utils = pytest.importorskip("pydensecrf.utils")
    np.testing.assert_array_equal(pattern(dcrf, utils), pattern(their_dcrf, their_utils))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_labels_are_sensible(pattern):
    labels = pattern(dcrf, utils)
    assert labels.shape == (H, W)
    assert len(np.unique(labels)) > 1


SCRIPT = """
import sys
import numpy as np
import pydensecrf
import pydensecrf.densecrf as dcrf
from pydensecrf.utils import unary_from_labels
import beside

d = dcrf.DenseCRF2D(4, 3, 2)
d.setUnaryEnergy(unary_from_labels(np.ones((3, 4), int), 2, 0.7))
d.addPairwiseGaussian(sxy=3, compat=3)
print(__name__, sys.argv[1:], beside.NAME, dcrf.__name__, int(np.argmax(d.inference(2), axis=0).sum()))
"""


@pytest.mark.slow
def test_an_unmodified_script_runs(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    command = [sys.executable, "-m", "classicseg.pydensecrf", str(tmp_path / "script.py"), "--flag", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("__main__ ['--flag', '1'] beside classicseg.pydensecrf.densecrf 0")


WORKERS = """
import multiprocessing

import pydensecrf.densecrf as dcrf


def made_by(_):
    return dcrf.__name__


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.map(made_by, [0]))
"""


@pytest.mark.slow
def test_worker_processes_of_a_script_are_answered_too(tmp_path):
    (tmp_path / "script.py").write_text(WORKERS)
    command = [sys.executable, "-m", "classicseg.pydensecrf", str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "classicseg.pydensecrf.densecrf"


@pytest.mark.slow
def test_modules_and_any_program_with_the_folder_on_its_path_are_answered(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(VERSION)
    python = [sys.executable, "-m", "classicseg.pydensecrf"]
    root = str(Path(dcrf.__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    settings = {"capture_output": True, "text": True, "check": True, "cwd": tmp_path}
    done = subprocess.run([*python, "-m", "package.module", "1"], env=environment, **settings)
    assert done.stdout.split() == ["classicseg.pydensecrf.densecrf", "1.0", "1"]
    path = subprocess.run([*python, "--path"], env=environment, **settings).stdout.strip()
    environment["PYTHONPATH"] = os.pathsep.join([path, root])
    done = subprocess.run([sys.executable, "package/module.py", "2"], env=environment, **settings)
    assert done.stdout.split() == ["classicseg.pydensecrf.densecrf", "1.0", "2"]


VERSION = """
import importlib.metadata, sys
import pydensecrf.densecrf as dcrf
print(dcrf.__name__, importlib.metadata.version("pydensecrf"), sys.argv[1])
"""
