import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg.errors import InputError, InputTypeError

pytestmark = pytest.mark.slow


def problem(size=(20, 24)):
    generator = torch.Generator().manual_seed(0)
    truth = torch.zeros(size, dtype=torch.long)
    truth[5:15, 8:18] = 1
    logits = 2.0 * torch.nn.functional.one_hot(truth).permute(2, 0, 1) + torch.randn(2, *size, generator=generator)
    image = 60 + 100.0 * truth[None] + 8 * torch.randn(3, *size, generator=generator)
    truth[:2] = 255
    return image, logits, truth


@pytest.mark.parametrize("learn", [("weights",), ("weights", "compatibility"), ("sigma",)])
def test_the_loss_falls_and_the_best_parameters_stay(learn):
    crf = ct.DenseCRF(2, [ct.GaussianKernel(2, 0.3), ct.BilateralKernel(8, 40, 0.3)], learn=learn)
    image, logits, truth = problem()
    other = problem((16, 30))
    losses = ct.tune_by_gradient(crf, [image, other[0]], [logits, other[1]], [truth, other[2]], n_steps=8)
    assert len(losses) == 9
    assert min(losses) < losses[0]
    again = ct.tune_by_gradient(crf, [image, other[0]], [logits, other[1]], [truth, other[2]], n_steps=1, lr=1e-12)
    assert again[0] == pytest.approx(min(losses), rel=1e-5)


def test_wrong_input_is_named():
    image, logits, truth = problem()
    crf = ct.DenseCRF(2, ct.BilateralKernel(8, 40, 1))
    with pytest.raises(InputError, match="equally many"):
        ct.tune_by_gradient(crf, [], [], [])
    with pytest.raises(InputTypeError, match="crf"):
        ct.tune_by_gradient(torch.nn.Identity(), [image], [logits], [truth])
    with pytest.raises(InputError, match="no scored pixel"):
        ct.tune_by_gradient(crf, [image], [logits], [torch.full_like(truth, 255)])
    with pytest.raises(InputError, match="truths hold 0 and 255 only"):
        ct.tune_by_gradient(crf, [image], [logits], [torch.where(truth == 1, 255, truth)])
    with pytest.raises(InputError, match=r"truths\[0\] must be labels below 2, or ignore_index=255, got 7"):
        ct.tune_by_gradient(crf, [image], [logits], [torch.where(truth == 1, 7, truth)])
    fixed = ct.DenseCRF(2, ct.BilateralKernel(8, 40, 1), learn=())
    with pytest.raises(InputError, match="learns nothing"):
        ct.tune_by_gradient(fixed, [image], [logits], [truth])
