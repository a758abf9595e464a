"""The Triton backend on the CPU: Triton interprets its programs there, slowly.

Not collected by itself: ``test_triton.py`` runs it with ``TRITON_INTERPRET=1``, which Triton reads when it is imported.
"""

import numpy as np
import pytest
import torch

import classicseg.torch as ct
from classicseg.filters.base import NORMALIZATIONS
from classicseg.torch import backends, ops
from classicseg.torch.backends import _sorting, get, pytorch
from classicseg.torch.backends.triton import _launch
from classicseg.torch.backends.triton._layout import layout_of
from tests.torch.inputs import batch

pytestmark = pytest.mark.filterwarnings("ignore:the colours of image span")  # images of few pixels have few colours
SHAPE = (3, 5)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def kernels(first="symmetric", second="symmetric"):
    return [ct.GaussianKernel(2, 3, normalization=first), ct.BilateralKernel(6, 25, 0.5, normalization=second)]


@pytest.mark.parametrize(
    ("shape", "step"), [((2, 5, 150), 0.25), ((1, 1, 50), 1.0), ((2, 2, 200), 2.0), ((1, 9, 99), 0)]
)
def test_points_are_embedded_to_the_bit(shape, step):
    features = 5 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if step:
        features = (features / step).round() * step  # on the borders of simplices
    rng = np.random.default_rng(0)
    for scale in (np.ones(shape[1], np.float32), 3 * rng.random(shape[1], np.float32)):
        for mine, theirs in zip(_launch.embed(features, scale), _sorting.embed(features, scale), strict=True):
            assert torch.equal(mine, theirs)


def test_runs_hold_every_pair_once_and_are_short():
    features = [torch.cat([torch.zeros(1, 2, 1500), torch.rand(1, 2, 300)], 2)]  # many points in one place
    features.append(torch.rand(1, 3, 1800))
    layout = layout_of(get("triton").build(features, ["after", "none"]))
    n_points = torch.bincount(layout.point[: 3 * 1800])
    assert torch.equal(n_points, torch.full((1800,), 3))
    length = layout.end - layout.begin
    assert 0 <= length.min() <= length.max() == 32
    covered = torch.zeros(7 * 1800 + 1, dtype=torch.int64)
    covered.index_add_(0, layout.begin.long(), torch.ones_like(layout.begin, dtype=torch.int64))
    covered.index_add_(0, layout.end.long(), -torch.ones_like(layout.end, dtype=torch.int64))
    assert (covered.cumsum(0)[:-1] == 1).all()  # every pair in one run
    assert torch.equal(layout.run.sort().values, torch.nonzero(length)[:, 0].to(layout.run.dtype))
    for starts, n in ((layout.begin_run, layout.run.numel()), (layout.begin_group, layout.begin_run.numel() - 1)):
        assert (starts[0], starts[-1]) == (0, n)
        assert 0 <= starts.diff().min() <= starts.diff().max()
    assert layout.begin_run.diff().max() <= 32
    for part in layout.rows:
        assert all(side.start % 64 == side.stop % 64 == 0 for side in part)
    n_vertices = sum(blur.shape[1] for blur in pytorch._layout(get("torch").build(features, ["after", "none"])).blurs)
    assert len((layout.begin_group.diff() > 0).nonzero()) >= n_vertices
    assert layout.neighbours.shape == (4, layout.n_rows, 2)


@pytest.fixture
def launched(monkeypatch):
    """Names of the programs that are launched."""
    names, launch = [], _launch._launch

    def counted(kernel, *args, **constants):
        names.append(kernel.fn.__name__)
        launch(kernel, *args, **constants)

    monkeypatch.setattr(_launch, "_launch", counted)
    return names


@pytest.mark.parametrize(("full", "most"), [(False, 7), (True, 8)])
def test_an_update_is_a_few_launches(full, most, launched):
    logits, image = batch(3, (4, 6))
    costs = torch.rand(3, 3, generator=torch.Generator().manual_seed(0)) if full else None
    image[..., :3] = 200
    crf = ct.DenseCRF(3, kernels(), costs, learn=("weights",), backend="triton")
    lattice = crf.lattice(image)
    z = logits.clone().requires_grad_()
    forth, back = [], []
    for n_iter in (2, 3):
        out = crf(z, lattice=lattice, n_iter=n_iter)
        forth.append(launched[:])
        launched.clear()
        out.square().sum().backward()
        back.append(launched[:])
        launched.clear()
    assert len(forth[1]) - len(forth[0]) <= most
    assert len(back[1]) - len(back[0]) <= most + 1 + full  # the messages of the update before are computed again
    assert ("mix_labels" in forth[0]) == full


def test_a_lattice_whose_vertices_have_few_runs_needs_no_third_step(launched):
    image = batch(3, (4, 6))[1]
    crf = ct.DenseCRF(3, kernels(), backend="triton")
    assert not layout_of(crf.lattice(image).tensors).begin_group.numel()
    assert launched.count("sum_runs") == 2


@pytest.mark.parametrize(("norms", "widths"), [(NORMALIZATIONS[:2], (1, 21)), (NORMALIZATIONS[2:], (5, 2))])
def test_filters_are_those_of_pytorch(norms, widths):
    _, image = batch(2, SHAPE, n_images=2)
    features = [f.detach() for f in ct.DenseCRF(2, kernels()).features(image, image)]
    mine, theirs = (ct.build_lattice(features, list(norms), backend=b) for b in ("triton", "torch"))
    for k, n_channels in enumerate(widths):
        x, y = torch.randn(2, 2, n_channels, *SHAPE, generator=torch.Generator().manual_seed(k))
        forth, back = mine.filter(x, k), mine.filter(y, k, adjoint=True)
        torch.testing.assert_close(forth, theirs.filter(x, k), rtol=1e-5, atol=1e-5 * float(forth.abs().max()))
        torch.testing.assert_close(
            back, theirs.filter(y, k, adjoint=True), rtol=1e-5, atol=1e-5 * float(back.abs().max())
        )
        inner = (forth.double() * y).sum(), (x.double() * back).sum()
        torch.testing.assert_close(*inner, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n_together", [0, 1100])
def test_room_to_spare_changes_nothing(n_together):
    """As CUDA graphs want it."""
    seed = torch.Generator().manual_seed(0)
    features = [torch.rand(1, d, 40, generator=seed) for d in (1, 3)]
    features = [torch.cat([torch.zeros(1, f.shape[1], n_together), 9 * f], 2) for f in features]
    z, rewards = torch.randn(1, 3, n_together + 40, generator=seed), -torch.rand(2, 3, 3, generator=seed)
    norms, updates, found, module = ["symmetric", "after"], backends.Updates(1, False, True), [], get("triton")
    for roomy in (False, True):
        lattice = module.build(features, norms, roomy=roomy)
        out, tape = module.mean_field(z, rewards, lattice, updates, True)
        found.append([out, *module.mean_field_backward(z, out, z, rewards, [], lattice, norms, tape, updates)])
    layout = layout_of(lattice)
    assert layout.begin_group.numel() == (layout.n_rows + 1) * (n_together > 0)  # more than one group of a vertex
    assert layout.run.numel() == _sorting.room(layout.run.numel())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6 * float(one.abs().max()))


@pytest.mark.parametrize(
    ("n_labels", "full", "output", "n_images"), [(5, False, "logits", 2), (21, True, "marginals", 1)]
)
def test_mean_field_and_gradients_are_those_of_pytorch(n_labels, full, output, n_images):
    logits, image = batch(n_labels, SHAPE, n_images=n_images)
    costs = torch.rand(n_labels, n_labels, generator=torch.Generator().manual_seed(0)) if full else None
    towards = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))

    def run(backend):
        crf = ct.DenseCRF(n_labels, kernels(second="after"), costs, n_iter=2, output=output, backend=backend)
        z = logits.clone().requires_grad_()
        out = crf(z, image)
        if full:
            with torch.no_grad():
                assert torch.equal(crf(z, image), out)
        (out * towards).sum().backward()
        return [
            out.detach(),
            *(x / x.abs().max() for x in (z.grad, *(p.grad for p in crf.parameters() if p.requires_grad))),
        ]

    for mine, theirs in zip(run("triton"), run("torch"), strict=True):
        torch.testing.assert_close(mine, theirs, **CLOSE)


def test_gradients_of_sigmas_are_those_of_pytorch():
    logits, image = batch(3, (1, 12))
    logits, image = logits[:, :, 0], image[:, :, 0]  # a line, which has fewer axes to blur along

    def run(backend):
        crf = ct.DenseCRF(3, kernels("before"), learn="sigma", n_iter=1, backend=backend)
        crf(logits, image[:, :1])[:, 0].sum().backward()
        return [p.grad for kernel in crf.kernels for p in kernel.scale_parameters()]

    for mine, theirs in zip(run("triton"), run("torch"), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_dtypes():
    logits, image = batch(3, SHAPE)
    crf = ct.DenseCRF(3, ct.GaussianKernel(2, 3), n_iter=1, output="marginals", backend="triton")
    lattice = crf.lattice(image)
    with torch.no_grad():
        first = crf(logits, lattice=lattice)
        for dtype in (torch.float16, torch.float64):
            other = crf(logits.to(dtype), lattice=lattice)
            assert other.dtype == dtype
            torch.testing.assert_close(other.float(), first, rtol=0, atol=5e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")
def test_operators_keep_the_rules_of_pytorch():
    features, norms = [torch.rand(1, 1, 12), torch.rand(1, 2, 12)], "symmetric after"
    tensors = get("triton").build(features, norms.split())
    flat, rewards = torch.rand(1, 3, 12).requires_grad_(), torch.rand(2, 3, 3).requires_grad_()
    rules = ("test_schema", "test_faketensor")  # the others do not depend on the backend
    torch.library.opcheck(ops.build_lattice, (features, norms, "triton"), test_utils=rules)
    torch.library.opcheck(
        ops.mean_field, (flat, rewards, [], tensors, norms, 1, False, True, True, "triton"), test_utils=rules
    )
    torch.library.opcheck(ops.filter_values, (flat, tensors, 1, True, "triton"), test_utils=rules)
