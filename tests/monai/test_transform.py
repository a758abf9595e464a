"""The dictionary transform: refine behind the calling convention of MONAI, with arrays and with tensors."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.monai import CRFd
from tests.oracles import costs, photo


def item(n_labels=3):
    image = np.moveaxis(photo(16, 18), -1, 0).astype(np.float32)
    return {"image": image, "pred": -costs(n_labels, (16, 18))}


def test_labels_are_those_of_refine_with_a_channel_in_front():
    data = item()
    refined = CRFd("pred")(data)["pred"]
    expected = cs.refine(data["image"], logits=data["pred"], channel_axis=0)
    np.testing.assert_array_equal(refined, expected[None])
    assert refined.dtype == data["pred"].dtype


def test_marginals_keep_the_shape_and_several_keys_are_refined():
    data = item() | {"aux": -costs(3, (16, 18), seed=1)}
    refined = CRFd(["pred", "aux"], output="marginals", preset="pydensecrf", max_iter=3)(data)
    alone = cs.refinement(data["image"], logits=data["aux"], preset="pydensecrf", channel_axis=0, max_iter=3)
    np.testing.assert_array_equal(refined["aux"], alone.marginals)
    assert refined["pred"].shape == (3, 16, 18)


def test_what_is_given_stays_as_it_is():
    data = item()
    before = {key: value.copy() for key, value in data.items()}
    assert CRFd("pred")(data)["image"] is data["image"]
    for key, value in before.items():
        np.testing.assert_array_equal(data[key], value)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_one_foreground_channel_is_that_of_a_sigmoid(kind):
    data = item(2)
    z = data["pred"][1:] - data["pred"][:1]
    data["pred"] = z if kind == "logits" else 1 / (1 + np.exp(-z))
    unary = cs.unary_from_sigmoid(data["pred"][0], from_logits=kind == "logits")
    result = cs.refinement(data["image"], unary=unary, channel_axis=0)
    np.testing.assert_array_equal(CRFd("pred", kind=kind)(data)["pred"][0], result.labels)
    marginals = CRFd("pred", kind=kind, output="marginals")(data)["pred"]
    np.testing.assert_array_equal(marginals, result.marginals[1:].astype(marginals.dtype))


def test_tensors_stay_tensors():
    torch = pytest.importorskip("torch")
    data = item()
    tensors = {key: torch.from_numpy(value) for key, value in data.items()}
    tensors["pred"] = tensors["pred"].double().requires_grad_()
    refined = CRFd("pred")(tensors)["pred"]
    assert refined.dtype == torch.float64
    assert not refined.requires_grad
    np.testing.assert_array_equal(refined.numpy(), CRFd("pred")(data)["pred"])
    assert CRFd("pred", output="marginals")(tensors)["pred"].shape == (3, 16, 18)


def test_whole_numbers_become_floats():
    data = item()
    data["pred"] = (10 * data["pred"]).astype(int)
    assert CRFd("pred", output="marginals")(data)["pred"].dtype == np.float32
    torch = pytest.importorskip("torch")
    data["pred"] = torch.from_numpy(data["pred"])
    assert CRFd("pred", output="marginals")(data)["pred"].dtype == torch.float32


def test_it_stands_in_a_compose_and_keeps_metadata():
    monai_data = pytest.importorskip("monai.data")
    transforms = pytest.importorskip("monai.transforms")
    data = item()
    tensors = {key: monai_data.MetaTensor(value, affine=np.diag([2.0, 2, 2, 1])) for key, value in data.items()}
    chain = transforms.Compose([CRFd("pred"), transforms.AsDiscreted("pred", to_onehot=3)])
    refined = chain(tensors)["pred"]
    assert refined.shape == (3, 16, 18)
    np.testing.assert_array_equal(refined.affine, tensors["pred"].affine)
    np.testing.assert_array_equal(refined.numpy().argmax(0), CRFd("pred")(data)["pred"][0])


def test_it_can_be_sent_to_workers():
    data = item()
    transform = CRFd(("pred",), sigma=2.0, weight=1.0)
    again = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(again(data)["pred"], transform(data)["pred"])


def test_missing_entries():
    data = item()
    with pytest.raises(InputError, match="no entry 'label'; it has 'image', 'pred'"):
        CRFd("label")(data)
    assert CRFd("label", allow_missing_keys=True)(data).keys() == data.keys()
    with pytest.raises(InputError, match="no entry 'photo'"):
        CRFd("pred", "photo")(data)
    with pytest.raises(InputTypeError, match="dictionary"):
        CRFd("pred")(data["pred"])


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"kind": "scores"}, InputError),
        ({"output": "mask"}, InputError),
        ({"preset": "none"}, InputError),
        ({"sigmas": 3}, InputTypeError),
        ({"label_axis": 0}, InputTypeError),
    ],
)
def test_arguments_are_checked_before_any_data_comes(wrong, kind):
    with pytest.raises(kind, match=next(iter(wrong))):
        CRFd("pred", **wrong)


def test_it_needs_neither_pytorch_nor_monai():
    code = "import sys; sys.modules['torch'] = sys.modules['monai'] = None\n"
    code += "import classicseg.monai as m; m.CRFd('pred')"
    subprocess.run([sys.executable, "-c", code], check=True)
    code += "\ntry:\n    m.CRF\nexcept ImportError as failure:\n    print(failure)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "classicseg.torch needs PyTorch: pip install torch"
