"""A GPU computes what the CPU computes."""

import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from tests.adapters.torch.inputs import batch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.mark.parametrize("normalization", ["symmetric", "before"])
def test_marginals_and_gradients_are_those_of_the_cpu(normalization):
    logits, image = batch(5, (40, 50), n_images=2)

    def run(device):
        kernels = [ct.GaussianKernel(2, 3), ct.BilateralKernel(8, 20, 5, normalization=normalization)]
        crf = ct.DenseCRF(5, kernels, learn=("weights", "compatibility", "sigma")).to(device)
        z = logits.to(device).requires_grad_()
        out = crf(z, image.to(device))
        out[:, 0].sum().backward()
        return [x.cpu() for x in (out.detach(), z.grad, *(p.grad for p in crf.parameters()))]

    for one, other in zip(run("cuda"), run("cpu"), strict=True):
        assert (one - other).norm() <= 1e-3 * other.norm() + 1e-5


def test_a_gpu_gives_the_same_answer_every_time():
    logits, image = batch(5, (40, 50), n_images=2)
    crf = ct.DenseCRF(5, [ct.GaussianKernel(2, 3), ct.BilateralKernel(8, 20, 5)]).cuda()
    with torch.no_grad():
        first, second = (crf(logits.cuda(), image.cuda()) for _ in range(2))
    assert torch.equal(first, second)
