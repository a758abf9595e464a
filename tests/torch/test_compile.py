"""The rules of operators, and models that torch.compile makes one graph of."""

import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg.torch import ops
from tests.torch.inputs import batch, on_lattices

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(  # of PyTorch's own, where it traces
        "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
    ),
]
NORMS = "symmetric after"


def kernels(scale=1.0):
    return [ct.GaussianKernel(2, scale), ct.BilateralKernel(8, 20 * scale, scale, normalization="after")]


@on_lattices
def test_operators_keep_the_rules_of_pytorch(backend):
    logits, image = batch(3, (9, 11), n_images=2)
    crf = ct.DenseCRF(3, kernels(), backend=backend)
    features = [f.flatten(2).detach() for f in crf.features(image, logits)]
    tensors = list(crf.lattice(image).tensors)
    flat, rewards = logits.flatten(2).clone().requires_grad_(), torch.rand(2, 3, 3).requires_grad_()
    learned = [f.clone().requires_grad_() for f in features]
    torch.library.opcheck(ops.build_lattice, (features, NORMS, backend))
    for marginals, sent in ((False, []), (True, learned)):
        torch.library.opcheck(ops.mean_field, (flat, rewards, sent, tensors, NORMS, 1, marginals, True, True, backend))
    torch.library.opcheck(ops.filter_values, (flat, tensors, 1, True, backend))


class Counter:
    """A compiler that runs the graphs as they are, and counts them."""

    def __init__(self):
        self.n_graphs = 0

    def __call__(self, graph, inputs):
        self.n_graphs += 1
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)


def compiled(function):
    torch._dynamo.reset()
    counter = Counter()
    return torch.compile(function, backend=counter, fullgraph=True), counter


@pytest.mark.parametrize(
    ("backend", "learn"),
    [("numba", ("weights", "compatibility", "sigma")), ("torch", ("weights", "compatibility"))],
)
def test_one_graph_serves_all_images(backend, learn):
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 3, 3, padding=1)
    model = ct.CRFasRNN(network, ct.DenseCRF(3, kernels(1 / 255), learn=learn, n_iter=2, backend=backend))
    fast, counter = compiled(model)
    for seed in range(4):
        image = batch(3, (12 + seed // 3, 14), n_images=2)[1] / 255 + 0.01 * seed
        results = []
        for run in (fast, model):
            model.zero_grad()
            out = run(image)
            out.square().mean().backward()
            results.append([out.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
        assert counter.n_graphs == (1 if seed < 3 else 2)  # the second for images of another size


@on_lattices
def test_one_graph_serves_all_lattices(backend):
    logits, _ = batch(3)
    crf = ct.DenseCRF(3, kernels(), backend=backend)
    fast, counter = compiled(lambda z, lattice: crf(z, lattice=lattice))
    for seed in range(6):
        lattice = crf.lattice(255 * torch.rand(1, 3, 16, 18, generator=torch.Generator().manual_seed(seed)))
        torch.testing.assert_close(fast(logits, lattice), crf(logits, lattice=lattice), rtol=1e-5, atol=1e-5)
    assert counter.n_graphs <= 3  # a size that has changed once is an unknown number from then on
