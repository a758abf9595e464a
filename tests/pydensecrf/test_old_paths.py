"""``classicseg.adapters.pydensecrf`` and ``classicseg.adapters.torch``, as they were called first."""

import importlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

import classicseg.pydensecrf.densecrf as dcrf


@pytest.mark.parametrize("name", ["pydensecrf", "pydensecrf.densecrf", "pydensecrf.utils", "pydensecrf.eigen"])
def test_both_paths_lead_to_the_same_module(name):
    old = importlib.import_module(f"classicseg.adapters.{name}")
    assert old is importlib.import_module(f"classicseg.{name}")
    assert old.__name__ == old.__spec__.name == f"classicseg.{name}"


def test_names_are_imported_from_the_old_path():
    from classicseg.adapters.pydensecrf.densecrf import DenseCRF2D

    assert DenseCRF2D is dcrf.DenseCRF2D


def test_pickles_of_the_old_path_are_read():
    crf = dcrf.DenseCRF2D(3, 2, 2)
    crf.setUnaryEnergy(np.arange(12, dtype=np.float32).reshape(2, 6))
    pickled = pickle.dumps(crf, protocol=0).replace(b"classicseg.pydensecrf", b"classicseg.adapters.pydensecrf")
    again = pickle.loads(pickled)
    assert type(again) is dcrf.DenseCRF2D
    np.testing.assert_array_equal(again.inference(0), crf.inference(0))


def test_modules_that_never_were_are_not_found():
    for name in ("classicseg.adapters.pydensecrf.nothing", "classicseg.adapters.nothing"):
        with pytest.raises(ModuleNotFoundError, match="nothing"):
            importlib.import_module(name)


@pytest.mark.slow
def test_the_layer_is_found_at_both_paths_in_either_order():
    pytest.importorskip("torch")
    code = """
import classicseg.adapters.torch.losses as old_losses
import classicseg.torch.losses
from classicseg.torch import losses, networks, train
from classicseg.adapters.torch import DenseCRF, networks as old_networks
import classicseg.torch as ct
import classicseg.adapters.torch.train.loop
assert old_losses is losses is classicseg.torch.losses
assert old_networks is networks and DenseCRF is ct.DenseCRF
assert classicseg.adapters.torch.train is train
"""
    subprocess.run([sys.executable, "-c", code], check=True)
