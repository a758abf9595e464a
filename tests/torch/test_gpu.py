"""A GPU computes what the CPU computes."""

import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg.torch import backends, losses
from classicseg.torch.train import Settings
from classicseg.torch.train.gradients import Batch, Learner
from tests.torch.inputs import batch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
on_gpu_backends = pytest.mark.parametrize(
    "backend",
    ["torch", pytest.param("triton", marks=pytest.mark.skipif(not backends.HAS_TRITON, reason="Triton is missing"))],
)


def layer(backend, n_labels=5, normalization="symmetric", costs=None):
    kernels = [ct.GaussianKernel(2, 3), ct.BilateralKernel(8, 20, 5, normalization=normalization)]
    return ct.DenseCRF(n_labels, kernels, costs, learn=("weights", "compatibility", "sigma"), backend=backend)


@on_gpu_backends
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("n_labels", "normalization"), [(2, "before"), (5, "symmetric"), (21, "after"), (40, "symmetric")]
)
def test_marginals_and_gradients_are_those_of_the_cpu(n_labels, normalization, full, backend):
    logits, image = batch(n_labels, (40, 50), n_images=2)
    costs = torch.rand(n_labels, n_labels, generator=torch.Generator().manual_seed(0)) if full else None

    def run(device, name):
        crf = layer(name, n_labels, normalization, costs).to(device)
        z = logits.to(device).requires_grad_()
        out = crf(z, image.to(device))
        out[:, 0].sum().backward()
        return [x.cpu() for x in (out.detach(), z.grad, *(p.grad for p in crf.parameters()))]

    for one, other in zip(run("cuda", backend), run("cpu", "numba"), strict=True):
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-5


@pytest.mark.parametrize("normalization", ["none", "before"])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 21, 150])
@on_gpu_backends
def test_filters_are_those_of_the_cpu(n_channels, normalization, backend):
    image = batch(2, (60, 70), n_images=2)[1]
    features = [f.detach() for f in layer("torch").features(image, image)]
    values = torch.randn(2, n_channels, 60, 70, generator=torch.Generator().manual_seed(0))
    wanted = ct.build_lattice(features, [normalization] * 2, backend="numba")
    found = ct.build_lattice([f.cuda() for f in features], [normalization] * 2, backend=backend)
    for k in range(2):
        for adjoint in (False, True):
            truth = wanted.filter(values, k, adjoint=adjoint)
            mine = found.filter(values.cuda(), k, adjoint=adjoint).cpu()
            torch.testing.assert_close(mine, truth, rtol=1e-4, atol=1e-5 * float(truth.abs().max()))


@on_gpu_backends
def test_a_gpu_gives_the_same_answer_every_time(backend):
    logits, image = batch(5, (40, 50), n_images=2)
    crf = layer(backend).cuda()
    with torch.no_grad():
        first, second = (crf(logits.cuda(), image.cuda()) for _ in range(2))
    assert torch.equal(first, second)


@on_gpu_backends
def test_training_with_graphs_of_updates_is_training_without(backend):
    logits, image = batch(5, (40, 50), n_images=2)

    def train(name):
        crf, found = layer(name).cuda(), []
        optimizer = torch.optim.SGD(crf.parameters(), 0.01)
        for step in range(5):
            z = logits.roll(step, 2).cuda().requires_grad_()
            optimizer.zero_grad()
            loss = crf(z, image.roll(step, 3).cuda()).square().mean()
            loss.backward()
            found += [loss.detach(), z.grad, *(p.grad.clone() for p in crf.parameters())]
            optimizer.step()
        return found

    for one, other in zip(train(f"{backend}+graphs"), train(backend), strict=True):
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-5


@on_gpu_backends
def test_updates_can_be_captured_into_a_graph(backend):
    logits, image = (x.cuda() for x in batch(5, (40, 50), n_images=2))
    crf = layer(backend).cuda()
    with torch.no_grad():
        lattice = crf.lattice(image)
        wanted = crf(logits, lattice=lattice)
        graph, z = torch.cuda.CUDAGraph(), torch.zeros_like(logits)
        with torch.cuda.graph(graph):
            found = crf(z, lattice=lattice)
        z.copy_(logits)
        graph.replay()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*losses.NAMES, "soft ce", "soft focal", "soft dice", "soft squared_dice"])
def test_losses_are_those_of_the_cpu(name):
    generator = torch.Generator().manual_seed(0)
    z = 2 * torch.randn(2, 4, 30, 40, generator=generator)
    labels = torch.randint(4, (2, 30, 40), generator=generator)
    labels[0, :9] = 255
    target = z.roll(1, 1).softmax(1) * (labels != 255)[:, None] if name.startswith("soft ") else labels
    loss, found = losses.build(name.removeprefix("soft ")), []
    for device in ("cpu", "cuda"):
        x = z.to(device).requires_grad_()
        value = loss(x, target.to(device))
        value.backward()
        found.append([value.detach().cpu(), x.grad.cpu()])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_what_is_no_label_or_probability_poisons_the_loss():
    z = torch.zeros(1, 2, 4, device="cuda")
    for target in (torch.tensor([[0, 2, 1, 255]]), torch.full((1, 2, 4), 0.9)):
        assert losses.CrossEntropy()(z, target.cuda()).isnan()


def test_parts_of_a_batch_learn_what_the_whole_does():
    found = []
    for seeds in ([0], [0, 1, 2]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1)).cuda()
        labels = torch.randint(2, (5, 12, 14))
        labels[0, 1:] = 255
        batch = Batch(torch.rand(5, 3, 12, 14), labels, None).pinned().to(torch.device("cuda"))
        Learner(model, losses.build("dice+ce"), Settings()).learn(batch, seeds, torch.enable_grad, lambda x: x)
        found.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
