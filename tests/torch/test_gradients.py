"""Gradients: against finite differences, against the matrix of the lattice, and against all pairs."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg import set_num_threads
from classicseg.torch.backends import exact
from tests.oracles import photo
from tests.torch.inputs import batch, on_lattices

SHAPE = (9, 11)  # 99 pixels: the last block of 16 is not full
NORMALIZATIONS = ["symmetric", "none", "before", "after"]

pytestmark = pytest.mark.filterwarnings("ignore:the colours of image span")  # images of few pixels have few colours


def features_of(image):
    sigma = torch.tensor([2.0], dtype=image.dtype)
    colors = torch.tensor([30.0], dtype=image.dtype)
    return [
        ct.position_features(image.shape[2:], sigma, n_images=len(image)),
        ct.bilateral_features(image, 4 * sigma, colors),
    ]


def costs_of(n_labels, kind):
    rng = np.random.default_rng(3)
    if kind == "potts":
        return 1 - torch.eye(n_labels, dtype=torch.float64)
    return torch.from_numpy(rng.random((n_labels, n_labels)))  # not symmetric


def matrix_of(lattice, kernel, n):
    """The filter of the lattice as a matrix, column by column, (n, n) float64."""
    columns = lattice.filter(torch.eye(n)[None], kernel)
    return columns[0].T.double()


@pytest.mark.slow
@pytest.mark.parametrize("output", ["logits", "marginals"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_exact_backend_passes_gradcheck(normalization, output):
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    image = (40 * torch.randn(2, 2, 2, 3, dtype=torch.float64)).requires_grad_()
    weights = torch.tensor([0.7, 1.2], dtype=torch.float64, requires_grad=True)
    costs = costs_of(3, "full").requires_grad_()

    def run(z, picture, w, mu):
        return ct.dense_crf(
            z, features_of(picture), w, mu, normalizations=normalization, n_iter=3, output=output, backend="exact"
        )

    assert torch.autograd.gradcheck(run, (logits, image, weights, costs))


def test_exact_layer_in_float64_passes_gradcheck_in_its_sigmas():
    logits, image = batch(3, (4, 5), dtype=torch.float64)
    kernels = [ct.GaussianKernel((1.5, 2.0), [1.0, 0.5, 2.0]), ct.BilateralKernel(3, 25, 2)]
    crf = ct.DenseCRF(3, kernels, learn=("weights", "compatibility", "sigma"), n_iter=2, backend="exact").double()
    names = [name for name, parameter in crf.named_parameters() if parameter.requires_grad]
    assert len(names) == 6

    def run(*values):
        return torch.func.functional_call(crf, dict(zip(names, values, strict=True)), (logits, image))

    start = [dict(crf.named_parameters())[name].detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(run, start)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("kernel", [0, 1])
@pytest.mark.parametrize(
    ("backend", "dtype"), [("numba", torch.float32), ("torch", torch.float32), ("torch", torch.float64)]
)
def test_adjoint_of_the_filter(normalization, kernel, backend, dtype):
    _, image = batch(3, SHAPE, n_images=2)
    lattice = ct.build_lattice(features_of(image), [normalization] * 2, backend=backend)
    torch.manual_seed(1)
    x, y = torch.randn(2, 3, *SHAPE, dtype=dtype), torch.randn(2, 3, *SHAPE, dtype=dtype)
    forth = (lattice.filter(x, kernel).double() * y).sum()
    back = (x.double() * lattice.filter(y, kernel, adjoint=True)).sum()
    error = {"rtol": 1e-5, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-13, "atol": 1e-12}
    torch.testing.assert_close(forth, back, **error)
    x.requires_grad_()
    (lattice.filter(x, kernel) * y).sum().backward()
    torch.testing.assert_close(x.grad, lattice.filter(y, kernel, adjoint=True), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["logits", "marginals"])
@pytest.mark.parametrize("kind", ["potts", "full"])
@pytest.mark.parametrize("n_labels", [2, 3, 21])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@on_lattices
def test_gradients_of_a_lattice_are_those_of_its_matrix(normalization, n_labels, kind, output, backend):
    logits, image = batch(n_labels, SHAPE)
    lattice = ct.build_lattice(features_of(image), [normalization] * 2, backend=backend)
    matrices = [matrix_of(lattice, k, 99)[None] for k in range(2)]
    scale = {"none": 0.05}.get(normalization, 1.0)  # sums over the neighbours, not means
    torch.manual_seed(2)
    towards = torch.randn(logits.shape)

    def gradients(dtype, run):
        z, w = logits.clone().to(dtype).requires_grad_(), torch.tensor([2.0, 3.0], dtype=dtype) * scale
        mu = costs_of(n_labels, kind).to(dtype).requires_grad_()
        out = run(z, w.requires_grad_(), mu)
        (out.reshape(towards.shape) * towards).sum().backward()
        return [out.detach(), z.grad, w.grad, mu.grad]

    found = gradients(
        torch.float32, lambda z, w, mu: ct.dense_crf(z, [], w, mu, n_iter=3, output=output, lattice=lattice)
    )
    wanted = gradients(
        torch.float64,
        lambda z, w, mu: exact.mean_field(z.flatten(2), -(w[:, None, None] * mu.T), matrices, 3, output == "marginals"),
    )
    for mine, truth in zip(found, wanted, strict=True):
        truth = truth.reshape(mine.shape)
        error = (mine.double() - truth).norm() / truth.norm()
        assert error < 2e-4, error


@pytest.mark.slow
@pytest.mark.parametrize(("n_labels", "kind"), [(2, "potts"), (3, "potts"), (3, "full")])
@on_lattices
def test_gradients_of_many_stripes_are_those_of_single_filters(n_labels, kind, backend):
    logits, image = batch(n_labels, (150, 170), n_images=2)  # more points than a stripe has: vertices have several rows
    lattice = ct.build_lattice(features_of(image), ["symmetric"] * 2, backend=backend)
    towards = torch.randn(logits.shape)

    def by_filters(z, w, mu):
        a = z
        for _ in range(2):
            q = a.softmax(1)
            messages = [torch.einsum("ij,bjhw->bihw", mu, lattice.filter(q, k)) * w[k] for k in range(2)]
            a = z - sum(messages)
        return a.log_softmax(1)

    def gradients(run):
        z, w = logits.clone().requires_grad_(), torch.tensor([2.0, 3.0], requires_grad=True)
        mu = costs_of(n_labels, kind).float().requires_grad_()
        (run(z, w, mu) * towards).sum().backward()
        return z.grad, w.grad, mu.grad

    found = gradients(lambda z, w, mu: ct.dense_crf(z, [], w, mu, n_iter=2, lattice=lattice))
    for mine, truth in zip(found, gradients(by_filters), strict=True):
        assert (mine - truth).norm() < 1e-3 * truth.norm()


@on_lattices
def test_gradients_of_weights_and_costs_are_finite_differences(backend):
    logits, image = batch(4, SHAPE, n_images=2)
    dtype = torch.float64 if backend == "torch" else torch.float32
    lattice = ct.build_lattice(features_of(image), ["symmetric"] * 2, backend=backend)
    towards = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0)).double()
    start = [torch.tensor([[2.0], [3.0]]).expand(2, 4), costs_of(4, "full")]
    w, mu = (x.clone().to(dtype).requires_grad_() for x in start)

    def loss(w, mu):
        return (ct.dense_crf(logits.to(dtype), [], w, mu, n_iter=3, lattice=lattice).double() * towards).mean()

    loss(w, mu).backward()
    h, error = (1e-4, 1e-6) if backend == "torch" else (1e-2, 5e-3)
    for x in (w, mu):
        slopes = torch.empty_like(x)
        for at in range(x.numel()):
            values = []
            for sign in (h, -h):
                moved = x.detach().clone()
                moved.view(-1)[at] += sign
                values.append(loss(*((moved, mu) if x is w else (w, moved))).item())
            slopes.view(-1)[at] = (values[0] - values[1]) / (2 * h)
        assert (slopes - x.grad).norm() < error * x.grad.norm()


@pytest.mark.slow
@on_lattices
@pytest.mark.parametrize(("n_labels", "normalization"), [*((3, each) for each in NORMALIZATIONS), (2, "symmetric")])
def test_gradients_of_a_lattice_point_where_those_of_all_pairs_do(n_labels, normalization, backend):
    logits, image = batch(n_labels, (20, 23))
    scale = {"none": 0.05}.get(normalization, 1.0)  # sums over the neighbours, not means

    def gradients(kind):
        kernels = [
            ct.GaussianKernel(2, 2 * scale, normalization=normalization),
            ct.BilateralKernel(10, 25, 3 * scale, normalization=normalization),
        ]
        crf = ct.DenseCRF(n_labels, kernels, learn=("weights", "compatibility", "sigma"), n_iter=3, backend=kind)
        z = logits.clone().requires_grad_()
        target = torch.arange(20 * 23).reshape(1, 20, 23) * n_labels // (20 * 23)
        torch.nn.functional.cross_entropy(crf(z, image), target).backward()
        weights = torch.stack([kernel.weight.grad for kernel in crf.kernels])
        sigmas = torch.cat([p.grad for kernel in crf.kernels for p in kernel.scale_parameters()])
        return z.grad, weights, crf.compatibility.grad, sigmas

    for name, mine, truth in zip("zwms", gradients(backend), gradients("exact"), strict=True):
        cosine = torch.nn.functional.cosine_similarity(mine.flatten(), truth.flatten(), dim=0)
        assert cosine > (0.9 if name == "s" else 0.98), (name, cosine)


@on_lattices
def test_gradient_of_the_image_points_where_that_of_all_pairs_does(backend):
    logits, image = batch(3, (14, 15))

    def gradient(kind):
        picture = image.clone().requires_grad_()
        crf = ct.DenseCRF(3, [ct.GaussianKernel(2, 1), ct.BilateralKernel(6, 40, 3)], n_iter=2, backend=kind)
        crf(logits, picture)[:, 0].sum().backward()
        return picture.grad.flatten()

    mine, truth = gradient(backend), gradient("exact")
    assert torch.nn.functional.cosine_similarity(mine, truth, dim=0) > 0.9
    assert 2 / 3 < mine.norm() / truth.norm() < 1.5


def test_gradients_do_not_depend_on_the_number_of_threads():
    logits, image = batch(3, (110, 130))

    def gradients():
        crf = ct.DenseCRF(3, [ct.GaussianKernel(), ct.BilateralKernel(30, 13, 5)], n_iter=2)
        z = logits.clone().requires_grad_()
        crf(z, image)[:, 1].sum().backward()
        return [z.grad, crf.compatibility.grad, crf.kernels[0].weight.grad]

    results = []
    for n in (1, 3):
        set_num_threads(n)
        results.append(gradients())
    set_num_threads(None)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_an_optimiser_learns_weights_that_lower_the_loss():
    torch.manual_seed(0)
    truth = torch.from_numpy((photo(24, 28)[..., 0] > 128).astype(np.int64))[None]
    image = torch.from_numpy(np.moveaxis(photo(24, 28), -1, 0).copy())[None]
    logits = torch.nn.functional.one_hot(truth, 2).movedim(-1, 1) + 1.5 * torch.randn(1, 2, 24, 28)
    crf = ct.DenseCRF(2, [ct.GaussianKernel(1, 0.1), ct.BilateralKernel(10, 20, 0.1)], n_iter=3)
    optimiser = torch.optim.Adam(crf.parameters(), 0.1)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(crf(logits, image), truth)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
