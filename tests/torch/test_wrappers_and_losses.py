"""Networks with a CRF behind them, and losses."""

import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from tests.torch.inputs import batch

pytestmark = pytest.mark.filterwarnings("ignore:the colours of image span")  # images of few pixels have few colours


class Network(torch.nn.Module):
    """Logits at half the size, handed over as `wrap` says."""

    def __init__(self, wrap=lambda z: z, n_labels=3):
        super().__init__()
        self.conv, self.wrap = torch.nn.Conv2d(3, n_labels, 3, stride=2, padding=1), wrap

    def forward(self, image):
        return self.wrap(self.conv(image))


def crf(**settings):
    return ct.DenseCRF(3, [ct.GaussianKernel(2, 1), ct.BilateralKernel(8, 0.1, 1)], **settings)


IMAGE = batch(3, (12, 14), n_images=2)[1] / 255


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda z: z, None),
        (lambda z: {"out": z, "other": 0 * z}, None),
        (lambda z: {"logits": z}, None),
        (lambda z: {"seg": z, "out": 0 * z}, "seg"),
        (lambda z: types.SimpleNamespace(logits=z), None),
        (lambda z: types.SimpleNamespace(masks=z), "masks"),
        (lambda z: (z, 0 * z), None),
        (lambda z: (0 * z, z), 1),
        (lambda z: [z], None),
        (lambda z: [[z]], lambda out: out[0][0]),
    ],
)
@pytest.mark.parametrize("wrapper", [ct.HybridCRF, ct.CRFasRNN])
def test_logits_are_found_in_what_a_network_returns(wrapper, wrap, output):
    torch.manual_seed(0)
    network = Network(wrap)
    hybrid = wrapper(network, crf(), output)
    refined = hybrid(IMAGE)
    coarse = network.conv(IMAGE)
    large = torch.nn.functional.interpolate(coarse, size=(12, 14), mode="bilinear", align_corners=False)
    torch.testing.assert_close(refined, crf()(large, IMAGE))
    refined.square().mean().backward()
    assert network.conv.weight.grad.abs().sum() > 0
    assert hybrid.crf.compatibility.grad.abs().sum() > 0


def test_what_is_no_network_output_is_named():
    for wrap in (lambda z: None, lambda z: {"mask": z}, lambda z: (), lambda z: [1]):
        with pytest.raises(TypeError, match="no logits found"):
            ct.HybridCRF(Network(wrap), crf())(IMAGE)
    with pytest.raises(TypeError, match="model must be"):
        ct.HybridCRF(lambda x: x, crf())
    with pytest.raises(TypeError, match="crf must be"):
        ct.HybridCRF(Network(), Network())
    with pytest.raises(ValueError, match="do not fit an image"):
        ct.HybridCRF(Network(lambda z: z[..., 0]), crf())(IMAGE)
    with pytest.raises(ValueError, match="n_iter_eval must be at least 1"):
        ct.CRFasRNN(Network(), crf(), n_iter_eval=0)


def test_one_channel_of_a_network_is_two_labels_for_the_crf():
    torch.manual_seed(0)
    network, image = torch.nn.Conv2d(3, 1, 1), 255 * torch.rand(1, 3, 6, 7)
    crf = ct.DenseCRF(2, [ct.GaussianKernel(2, 3)])
    z = network(image)
    expected = crf(torch.cat([torch.zeros_like(z), z], 1), image).softmax(1)
    torch.testing.assert_close(ct.HybridCRF(network, crf)(image).softmax(1), expected)


def test_the_crf_may_see_another_image():
    network = Network()
    hybrid = ct.HybridCRF(network, crf(), to_crf_image=lambda x: x * 0.5)
    torch.testing.assert_close(hybrid(IMAGE), ct.HybridCRF(network, crf())(IMAGE, crf_image=IMAGE * 0.5))
    assert not torch.allclose(hybrid(IMAGE), ct.HybridCRF(network, crf())(IMAGE))


def test_crf_as_rnn_takes_more_updates_when_it_is_not_trained():
    network = ct.CRFasRNN(Network(), crf(n_iter=2), n_iter_eval=7)
    logits = torch.nn.functional.interpolate(network.model(IMAGE), size=(12, 14), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(IMAGE), network.crf(logits, IMAGE, n_iter=2))
    torch.testing.assert_close(network.eval()(IMAGE), network.crf(logits, IMAGE, n_iter=7))


def test_ignored_pixels_pass_through_the_wrapper():
    ignore = torch.zeros(2, 12, 14, dtype=torch.bool)
    ignore[:, 6:] = True
    hybrid = ct.HybridCRF(Network(), crf())
    logits = torch.nn.functional.interpolate(hybrid.model(IMAGE), size=(12, 14), mode="bilinear", align_corners=False)
    torch.testing.assert_close(hybrid(IMAGE, ignore=ignore), hybrid.crf(logits, IMAGE, ignore=ignore))


# --- losses -------------------------------------------------------------------------------------------------------


def probabilities(n_labels=3, shape=(9, 11), dtype=torch.float32, n_images=2):
    logits, image = batch(n_labels, shape, n_images, dtype)
    return logits.softmax(1), image


def test_dense_crf_loss_is_the_energy_of_the_filter_that_it_uses():
    s, image = probabilities()
    loss = ct.DenseCRFLoss(4, 25, weight=1.7)
    lattice = loss.lattice(image)
    alike = (s * lattice.filter(s)).sum() / (2 * 99)
    torch.testing.assert_close(loss(s, image), 1.7 * (1 - alike), rtol=1e-4, atol=1e-5)
    assert torch.equal(loss(s, lattice=lattice), loss(s, image))


def test_gradient_of_dense_crf_loss():
    s, image = probabilities(shape=(5, 7), n_images=1)
    loss = ct.DenseCRFLoss(4, 25)
    lattice = loss.lattice(image)
    matrix = lattice.filter(torch.eye(35)[None])[0].T.double()
    mask = torch.rand(1, 5, 7)
    x = s.clone().requires_grad_()
    loss(x, lattice=lattice, mask=mask).backward()
    y = s.double().requires_grad_()
    gated = (y * mask[:, None]).flatten(2)[0]
    total, weights = gated.sum(0), mask.flatten().double()
    energy = total * (matrix @ total) - (gated * (gated @ matrix.T)).sum(0)
    truth = (energy / (matrix @ weights)).sum() / weights.sum()
    truth.backward()
    torch.testing.assert_close(x.grad.double(), y.grad, rtol=1e-3, atol=1e-5)


def test_dense_crf_loss_is_low_where_borders_follow_the_image():
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8:] = 200
    loss = ct.DenseCRFLoss(6, 20)

    def of(border):
        s = torch.zeros(1, 2, 16, 16)
        s[:, 0, :, :border], s[:, 1, :, border:] = 1, 1
        return loss(s, image).item()

    assert of(8) < 0.2 * of(5)
    assert of(8) < 0.2 * of(11)


def test_masked_pixels_do_not_count():
    s, image = probabilities()
    mask = torch.ones(2, 9, 11)
    mask[..., 7:] = 0
    cut = s[..., :7].contiguous(), image[..., :7].contiguous()
    other = s.clone()
    other[..., 7:] = 1 / 3
    other[..., 8:] = torch.nan
    elsewhere = image.clone()
    elsewhere[..., 7:] = torch.nan
    for loss in (ct.GatedCRFLoss(3, 25, radius=3), ct.DenseCRFLoss(3, 25)):
        gradients = []
        for p, colors, given in [(*cut, None), (s, image, mask), (other, image, mask), (s, elsewhere, mask)]:
            x = p.clone().requires_grad_()
            value = loss(x, colors, mask=given)
            value.backward()
            torch.testing.assert_close(value.detach(), loss(*cut))
            gradients.append(x.grad[..., :7] - x.grad[..., :7].mean(1, keepdim=True))  # as through a softmax
            torch.testing.assert_close(gradients[-1], gradients[0], rtol=1e-4, atol=1e-6)
            assert not x.grad[..., 7:].any()
        assert loss(s, image, mask=0 * mask) == 0
    lattice = loss.lattice(elsewhere, mask=mask)
    torch.testing.assert_close(loss(s, lattice=lattice, mask=mask), loss(*cut))


def test_auxiliary_logits_come_through_in_training():
    network = Network(lambda z: {"out": z, "aux": 2 * z})
    hybrid = ct.HybridCRF(network, crf())
    found = hybrid(IMAGE)
    assert set(found) == {"out", "aux"}
    torch.testing.assert_close(found["aux"], 2 * network.conv(IMAGE))
    torch.testing.assert_close(hybrid.eval()(IMAGE), found["out"])


def test_gated_loss_equals_all_pairs():
    s, image = probabilities(2, (4, 5), torch.float64, n_images=1)
    mask = torch.rand(1, 4, 5, dtype=torch.float64)
    points = np.indices((4, 5)).reshape(2, -1)
    flat, colors, gate = s[0].reshape(2, -1).numpy(), image[0].reshape(3, -1).numpy(), mask.numpy().ravel()
    total = 0.0
    for i in range(20):
        for j in range(20):
            step = points[:, i] - points[:, j]
            if i != j and abs(step).max() <= 2:
                distance = (step**2).sum() / 9 + ((colors[:, i] - colors[:, j]) ** 2).sum() / 900
                total += gate[i] * gate[j] * np.exp(-distance / 2) * (1 - flat[:, i] @ flat[:, j])
    found = ct.GatedCRFLoss(3, 30, radius=2).double()(s, image, mask=mask)
    np.testing.assert_allclose(found.item(), total / gate.sum(), rtol=1e-6)


def test_gated_loss_passes_gradcheck():
    s, image = probabilities(2, (4, 5), torch.float64, n_images=1)
    loss = ct.GatedCRFLoss(3, 30, radius=2).double()
    assert torch.autograd.gradcheck(lambda p: loss(p, image), s.requires_grad_())


@pytest.mark.parametrize("loss", [ct.DenseCRFLoss(3, 25), ct.GatedCRFLoss(3, 25)])
def test_bad_input_of_losses_is_named(loss):
    s, image = probabilities()
    hole = s.clone()
    hole[0, 0, 0, 0] = torch.nan
    for args, kwargs, kind, message in [
        ((hole, image), {}, ValueError, "probabilities must be finite"),
        ((s, image + torch.nan), {}, ValueError, "image.* must be finite"),
        ((10 * s - 5, image), {}, ValueError, "probabilities must be from 0 to 1 .* of logits, pass logits.softmax"),
        ((s / 2, image), {}, ValueError, "sums that miss 1 by up to 0.5"),
        ((s, image), {"mask": torch.full((2, 9, 11), -1.0)}, ValueError, "mask must be weights from 0 to 1, got -1"),
        ((s[0, 0], image), {}, ValueError, "batch axis"),
        ((s, image[0]), {}, ValueError, "image must have shape"),
        ((s, image), {"mask": torch.ones(9, 11)}, ValueError, "mask must have shape"),
        ((s, image), {"mask": np.ones((2, 9, 11))}, TypeError, "mask must be a torch.Tensor"),
        ((s.numpy(), image), {}, TypeError, "torch.Tensor"),
    ]:
        with pytest.raises(kind, match=message):
            loss(*args, **kwargs)


def test_bad_settings_of_losses_are_named():
    for make in (lambda: ct.DenseCRFLoss(0), lambda: ct.GatedCRFLoss(color_sigma=-1)):
        with pytest.raises(ValueError, match="sigma must be positive"):
            make()
    with pytest.raises(ValueError, match="radius must be at least 1"):
        ct.GatedCRFLoss(radius=0)
    with pytest.raises(ValueError, match="weight must be finite"):
        ct.DenseCRFLoss(weight=float("nan"))
    with pytest.raises(ValueError, match="image or lattice must be given"):
        ct.DenseCRFLoss()(probabilities()[0])


@pytest.mark.parametrize("loss", [ct.DenseCRFLoss, ct.GatedCRFLoss])
def test_weights_of_losses_that_could_make_them_infinite_are_refused(loss):
    with pytest.raises(ValueError, match=r"weight must be at least -1e\+30 and below 1e\+30, got 1e\+38"):
        loss(weight=1e38)
