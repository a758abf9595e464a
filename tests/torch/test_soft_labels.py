"""Losses of one channel, of probabilities in place of labels, of the hardest pixels, and of known distances."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F

import classicseg.torch as ct
from classicseg.reference import losses as twin
from classicseg.torch import losses
from tests.torch.test_losses import EVERY, flat, problem

SOFT = ["ce", "focal", "sigmoid_focal", "dice", "squared_dice", "generalized_dice", "tversky", "dice+ce"]


def soft_problem(**options):
    logits, labels = problem(**options)
    q = torch.rand(logits.shape, generator=torch.Generator().manual_seed(5), dtype=logits.dtype) ** 3
    return logits, q / q.sum(1, keepdim=True), labels


def hot(labels, n_labels=4):
    """One-hot probabilities, all 0 where labels are 255."""
    valid = labels != 255
    return (F.one_hot(labels * valid, n_labels) * valid[..., None]).movedim(-1, 1).double()


# --- one channel --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in EVERY if name != "sigmoid_focal"])
def test_one_channel_is_two_labels(name):
    z, labels = problem(n_labels=1)
    labels = torch.where(torch.rand(labels.shape) < 0.4, 1, labels)
    labels[:, :2] = 255
    loss = losses.build(name)
    one = z.clone().requires_grad_()
    two = z.clone().requires_grad_()
    value, truth = loss(one, labels), loss(torch.cat([torch.zeros_like(two), two], 1), labels)
    value.backward()
    truth.backward()
    torch.testing.assert_close(value, truth)
    torch.testing.assert_close(one.grad, two.grad)
    with pytest.raises(ValueError, match="class_weights must be 2 numbers, one for each label, got 1"):
        losses.build(name, class_weights=[1])(z, labels)


@pytest.mark.parametrize("name", ["ce", "focal", "sigmoid_focal"])
def test_one_channel_has_a_sigmoid(name):
    z, labels = problem(n_labels=1)
    labels = torch.where(z[:, 0] > 0.5, 1, labels)
    truth = F.binary_cross_entropy_with_logits(z[:, 0], labels.double(), reduction="none")
    if name != "ce":
        truth = truth * (1 - torch.exp(-truth)) ** 2
    torch.testing.assert_close(losses.build(name)(z, labels), truth.mean())


@pytest.mark.parametrize("loss", [ct.DenseCRFLoss(5, 20), ct.GatedCRFLoss()])
def test_one_channel_of_probabilities_is_two_labels(loss):
    image = 255 * torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    p = image[:, :1] / 255
    torch.testing.assert_close(loss(p, image), loss(torch.cat([1 - p, p], 1), image))
    with pytest.raises(ValueError, match="probabilities must be from 0 to 1"):
        loss(p + 3, image)


# --- probabilities ------------------------------------------------------------------------------------------------


def test_soft_losses_equal_their_twins():
    logits, q, labels = soft_problem()
    z, p, _, g = flat(logits, labels)
    q_flat = q.movedim(1, 0).flatten(1).numpy()
    for name, options, target, expected in [
        ("ce", {}, q, twin.soft_focal(z, q_flat, 0).mean()),
        ("focal", {"gamma": 2}, q, twin.soft_focal(z, q_flat, 2).mean()),
        ("ce", {"label_smoothing": 0.2}, labels, twin.soft_focal(z, twin.smoothed(g, 0.2), 0).mean()),
        ("focal", {"label_smoothing": 0.2}, labels, twin.soft_focal(z, twin.smoothed(g, 0.2), 2).mean()),
        ("dice", {"smooth": 0}, q, twin.soft_dice(p, q_flat).mean()),
        ("squared_dice", {"smooth": 0}, q, (1 - 2 * (p * q_flat).sum(1) / (p**2 + q_flat**2).sum(1)).mean()),
    ]:
        np.testing.assert_allclose(losses.build(name, **options)(logits, target).item(), expected, rtol=1e-10)


def test_soft_labels_of_a_sigmoid_equal_binary_cross_entropy():
    logits, q, _ = soft_problem()
    truth = F.binary_cross_entropy_with_logits(logits, q, reduction="none").sum(1).mean()
    torch.testing.assert_close(losses.build("sigmoid_focal", gamma=0)(logits, q), truth)


@pytest.mark.parametrize("weights", [None, [1.0, 2, 0, 5]])
@pytest.mark.parametrize("name", SOFT)
def test_probabilities_of_0_and_1_are_labels(name, weights):
    logits, labels = problem()
    labels[0, 2:4] = 255
    loss = losses.build(name, class_weights=weights)
    found, expected = (logits.clone().requires_grad_() for _ in range(2))
    loss(found, hot(labels)).backward()
    loss(expected, labels).backward()
    torch.testing.assert_close(loss(found, hot(labels)), loss(expected, labels))
    torch.testing.assert_close(found.grad, expected.grad)
    assert loss(logits, torch.zeros_like(logits)) == 0


@pytest.mark.parametrize("name", ["dice", "squared_dice", "generalized_dice", "tversky"])
def test_to_say_what_is_true_costs_nothing(name):
    _, q, _ = soft_problem()
    assert abs(losses.build(name)(q.log(), q)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", SOFT)
def test_gradients_for_probabilities(name):
    logits, q, _ = soft_problem(n_labels=3, shape=(3, 4))
    q[0, :, 0] = 0
    loss = losses.build(name)
    assert torch.autograd.gradcheck(lambda z: loss(z, q), logits.requires_grad_())


@pytest.mark.parametrize("name", SOFT)
def test_pixels_without_probabilities_do_not_count(name):
    logits, q, _ = soft_problem()
    q[:, :, 2:4] = 0
    other = logits.clone()
    other[:, :, 2] = torch.nan
    other[:, :, 3] = torch.inf
    loss = losses.build(name)
    found = other.clone().requires_grad_()
    value = loss(found, q)
    value.backward()
    torch.testing.assert_close(value, loss(logits, q))
    assert found.grad.isfinite().all()
    kept = [0, 1, 4, 5, 6]
    torch.testing.assert_close(value, loss(logits[:, :, kept], q[:, :, kept]))


@pytest.mark.parametrize("name", ["ce", "focal"])
def test_what_nobody_asks_for_may_be_forbidden(name):
    logits, labels = problem()
    logits[:, 2] = -torch.inf
    q = hot(labels.clamp_max(1))
    found = logits.clone().requires_grad_()
    value = losses.build(name)(found, q)
    value.backward()
    assert value.isfinite()
    assert found.grad.isfinite().all()
    assert losses.build(name, label_smoothing=0.1)(logits, labels.clamp_max(1)) == torch.inf
    assert losses.build(name, label_smoothing=0.1, class_weights=[1, 1, 0, 1])(logits, labels.clamp_max(1)).isfinite()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weights", [None, [1.0, 2, 0.5, 5]])
def test_smoothing_is_that_of_pytorch(reduction, weights):
    logits, labels = problem()
    labels[0, :3] = 255
    given = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    options = {"label_smoothing": 0.15, "reduction": reduction}
    truth = F.cross_entropy(logits, labels, given, ignore_index=255, **options)
    torch.testing.assert_close(losses.CrossEntropy(class_weights=weights, **options)(logits, labels), truth)


def test_one_channel_of_soft_labels():
    z, _ = problem(n_labels=1)
    q = z.sigmoid().flip(-1)
    truth = F.binary_cross_entropy_with_logits(z, q)
    torch.testing.assert_close(losses.build("ce")(z, q), truth)
    torch.testing.assert_close(losses.build("ce")(z, torch.cat([1 - q, q], 1)), truth)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda q: q - 0.3, "labels must be probabilities, at least 0 and with the sum 1"),
        (lambda q: 2 * q, "with sums up to 2"),
        (lambda q: q * torch.nan, "labels must be probabilities"),
        (lambda q: q[:, :2], r"labels must be probabilities of shape \(2, 4, 7, 9\), got \(2, 2, 7, 9\)"),
    ],
)
def test_probabilities_that_are_none_are_refused(spoil, message):
    logits, q, _ = soft_problem()
    for name in SOFT:
        with pytest.raises(ValueError, match=message):
            losses.build(name)(logits, spoil(q))
    for name in ("lovasz", "boundary", "ohem"):
        with pytest.raises(TypeError, match="labels must hold whole numbers"):
            losses.build(name)(logits, q)


# --- the hardest pixels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "min_share"), [(0.7, 1 / 16), (0.05, 0.25), (0, 0), (1, 0), (0, 1)])
def test_the_hardest_pixels_are_those_of_the_twin(threshold, min_share):
    logits, labels = problem()
    z, _, y, _ = flat(logits, labels)
    expected = twin.hardest(z, y, max(threshold, 1e-300), min_share)
    found = losses.OHEMCrossEntropy(threshold, min_share)(logits, labels)
    np.testing.assert_allclose(found.item(), expected)


def test_hard_pixels_are_weighed_but_not_chosen_by_weight():
    logits = torch.log(torch.tensor([[[0.9, 0.3, 0.2, 0.6], [0.1, 0.7, 0.8, 0.4]]], dtype=torch.float64))
    labels = torch.tensor([[0, 0, 1, 1]])  # right with p = 0.9, 0.3, 0.8, 0.4
    loss = losses.OHEMCrossEntropy(0.5, class_weights=[1, 3])
    np.testing.assert_allclose(loss(logits, labels).item(), -(np.log(0.3) + 3 * np.log(0.4)) / 4)
    loss = losses.OHEMCrossEntropy(0.1, min_share=0.5, class_weights=[0, 1])  # one of the two that could
    np.testing.assert_allclose(loss(logits, labels).item(), -np.log(0.4))


def test_weights_by_effective_numbers_are_those_of_the_sum():
    counts, beta = np.array([3, 40, 0, 7]), 0.9
    plain = np.array([1 / sum(beta**i for i in range(n)) for n in counts if n])  # 1 + beta + beta^2 + …
    found = np.array(losses.class_balanced_weights(counts, beta))
    np.testing.assert_allclose(found[[0, 1, 3]], plain / plain.mean())
    assert found[2] == 1
    assert losses.class_balanced_weights([5, 10**9], 0) == [1, 1]
    large = np.array(losses.class_balanced_weights([10**9, 10**6, 10**4]))  # as 1 / n above the median
    np.testing.assert_allclose(large[2] / large[1], 63.5, rtol=1e-3)  # (1 - 1/e) 10^6 / 10^4
    for bad, message in [(([0, 0],), "not all 0"), (([1, 2], 1.0), "below 1"), (([1, 2], -1), "at least 0")]:
        with pytest.raises(ValueError, match=message):
            losses.class_balanced_weights(*bad)


# --- distances ----------------------------------------------------------------------------------------------------


def test_maps_are_distances_between_pixels():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, (5, 6))
    labels[0, :2] = 255
    at = np.argwhere(np.ones_like(labels))
    apart = np.sqrt(((at[:, None] - at) ** 2).sum(-1))
    maps = losses.BoundaryLoss().maps(labels, 4)
    assert maps.dtype == torch.float32
    for label in range(3):
        inside = (labels == label).ravel()
        outside_in = apart[:, inside].min(1)
        inside_out = 1 - apart[:, ~inside].min(1)
        np.testing.assert_allclose(maps[label].flatten().numpy(), np.where(inside, inside_out, outside_in), rtol=1e-6)
    assert not maps[3].any()


@pytest.mark.parametrize("name", ["boundary", "dice+0.5*boundary"])
def test_known_distances_change_nothing(name):
    logits, labels = problem(n_labels=3)
    labels[0, :2] = 255
    loss = losses.build(name)
    maps = torch.stack([losses.BoundaryLoss().maps(image, 3) for image in labels])
    torch.testing.assert_close(loss(logits, labels, maps), loss(logits, labels), rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match=r"distances must have shape \(2, 3, 7, 9\), got \(2, 2, 7, 9\)"):
        loss(logits, labels, maps[:, :2])
    with pytest.raises(ValueError, match="labels must be 0 to 1 or ignore_index=255, got 2"):
        losses.BoundaryLoss().maps(np.array([0, 1, 2]), 2)
    with pytest.raises(TypeError, match="labels must hold integers, got dtype float64"):
        losses.BoundaryLoss().maps(np.zeros(3), 2)
