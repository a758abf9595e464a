"""What reads numbers back from a device, which waits for all the work that it was given before.

There is no GPU here. On the device "meta", tensors have shapes and no numbers, so that reading any raises.
"""

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode

import classicseg.torch as ct
from classicseg.torch import backends, losses
from classicseg.torch.backends import _sorting
from classicseg.torch.train import Settings
from classicseg.torch.train.gradients import Batch, Learner
from tests.torch.inputs import batch

if backends.HAS_TRITON:
    from classicseg.torch.backends.triton import _lattice, _launch

BACKENDS = [
    "torch",
    "torch+graphs",
    pytest.param("triton", marks=pytest.mark.skipif(not backends.HAS_TRITON, reason="Triton is missing")),
]
NORMS = ["symmetric", "after"]
WAITING = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "bincount", "repeat_interleave.Tensor")


@pytest.fixture
def no_programs(monkeypatch):
    """Nothing is launched; points are embedded by PyTorch."""
    if backends.HAS_TRITON:
        monkeypatch.setattr(_launch, "_launch", lambda *args, **constants: None)
        monkeypatch.setattr(_lattice, "embed", _sorting.embed)


def features():
    image = batch(2, (6, 7), n_images=2)[1]
    crf = ct.DenseCRF(2, [ct.GaussianKernel(2, 3), ct.BilateralKernel(6, 25, 0.5)])
    return [f.detach().flatten(2) for f in crf.features(image, image)]


class Watch(TorchDispatchMode):
    """Operations whose results have shapes that depend on numbers."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        by_mask = name.startswith("aten.index.") and any(i is not None and i.dtype == torch.bool for i in args[1])
        sized = (kwargs or {}).get("output_size") is not None
        if by_mask or (any(word in name for word in WAITING) and not sized):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("backend", BACKENDS)
def test_building_a_lattice_waits_three_times(backend, no_programs, monkeypatch):
    given = features()
    copies, copy = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: copies.append(x) or copy(x))
    lists, as_list = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda x: lists.append(x) or as_list(x))
    with Watch() as watch:
        backends.get(backend).build(given, NORMS)
    assert not watch.seen
    assert len(copies) <= 3
    assert len(lists) == 2  # of what was copied


@pytest.mark.parametrize("mixes", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_filters_and_updates_never_wait(backend, mixes, no_programs, monkeypatch):
    module, given = backends.get(backend), features()
    monkeypatch.setattr(backends.get("torch"), "longest_of", lambda tensor: 4)  # as on a GPU
    lattice = [x.to("meta") for x in module.build(given, NORMS)]
    z, rewards = torch.empty(2, 3, 42, device="meta"), torch.empty(2, 3, 3, device="meta")
    for k in range(2):
        assert module.filter(z, lattice, k, True).shape == z.shape
    updates = backends.Updates(2, False, mixes)
    out, tape = module.mean_field(z, rewards, lattice, updates, True)
    found = module.mean_field_backward(z, out, z, rewards, [f.to("meta") for f in given], lattice, NORMS, tape, updates)
    assert [x.shape for x in found] == [z.shape, rewards.shape, *(f.shape for f in given)]


@pytest.mark.parametrize("name", [name for name in losses.NAMES if name != "boundary"])
def test_losses_never_wait(name):
    loss = losses.build(name, class_weights=[1.0, 2, 3]).to("meta")
    z = torch.empty(2, 3, 5, 6, device="meta", requires_grad=True)
    value = loss(z, torch.empty(2, 5, 6, dtype=torch.long, device="meta"))
    value.backward()
    assert z.grad.shape == z.shape


def test_probabilities_distances_and_one_channel_never_wait():
    z, one = (torch.empty(2, n, 5, 6, device="meta", requires_grad=True) for n in (3, 1))
    labels = torch.empty(2, 5, 6, dtype=torch.long, device="meta")
    for name in ("ce", "focal", "sigmoid_focal", "dice", "squared_dice", "generalized_dice", "tversky"):
        losses.build(name)(z, z.detach()).backward()
        losses.build(name)(one, one.detach()).backward()
        losses.build(name)(one, labels).backward()
    losses.build("dice+boundary")(z, labels, z.detach()).backward()
    losses.build("ohem+lovasz")(one, labels).backward()


def test_parts_of_a_batch_never_wait():
    layers = [torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1)]
    model = torch.nn.Sequential(*layers).to("meta")
    batch = Batch(torch.empty(4, 3, 5, 6, device="meta"), torch.empty(4, 5, 6, dtype=torch.long, device="meta"), None)
    Learner(model, losses.build("dice+ce"), Settings()).learn(batch, [0, 1], torch.enable_grad, lambda x: x)
    assert all(p.grad.shape == p.shape for p in model.parameters())


@pytest.mark.parametrize("over", ["batch", "image"])
def test_labels_that_are_sorted_together_give_what_single_ones_give(over, monkeypatch):
    """As on a GPU: all labels in few sorts, also those that are not wanted."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 5, 6, 7, generator=generator)
    labels = torch.randint(4, (2, 6, 7), generator=generator)
    labels[0, :2] = 255
    loss = losses.LovaszSoftmax(over=over)

    def run():
        x = z.clone().requires_grad_()
        value = loss(x, labels)
        value.backward()
        return value.detach(), x.grad

    wanted = run()
    monkeypatch.setattr(losses.lovasz, "_together", lambda p, wanted: iter([slice(0, 2), slice(2, 5)]))
    torch.testing.assert_close(run(), wanted)


def test_a_label_outside_poisons_the_loss_where_nobody_looks(monkeypatch):
    """The second half of the check, which the CPU never reaches: it raises before."""
    z = torch.zeros(1, 2, 4, requires_grad=True)
    loss = losses.CrossEntropy()
    for labels, is_right in ((torch.tensor([[0, 1, 1, 255]]), True), (torch.tensor([[0, 2, 1, 255]]), False)):
        factor = losses._inputs.one_or_nan(~((labels >= 2) & (labels != 255)).any())
        value = loss(z, labels.clamp_max(1).where(labels != 255, 255)) * factor
        (gradient,) = torch.autograd.grad(value, z)
        assert bool(value.isfinite()) == bool(gradient.isfinite().all()) == is_right


@pytest.mark.parametrize("loss", [ct.DenseCRFLoss(3, 25), ct.GatedCRFLoss(3, 25, radius=1)])
def test_losses_of_a_crf_never_wait(loss):
    s = torch.empty(1, 2, 4, 5, device="meta", requires_grad=True)
    given = {"mask": torch.empty(1, 4, 5, device="meta")}
    if isinstance(loss, ct.DenseCRFLoss):
        given["lattice"] = ct.Lattice((torch.empty(1, device="meta"),), "torch", ("after",), 1, (4, 5))
        loss.to("meta")(s, **given)
    else:
        loss.to("meta")(s, torch.empty(1, 3, 4, 5, device="meta"), **given).backward()
