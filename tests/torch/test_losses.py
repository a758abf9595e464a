"""Losses: the laws that they must keep, and their twins in NumPy."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from classicseg.reference import losses as twin
from classicseg.torch import losses
from classicseg.torch.losses import _softmax, lovasz

EVERY = [*losses.NAMES, "dice+ce", "0.5*lovasz+2*focal"]
OVERLAPS = ["dice", "squared_dice", "generalized_dice", "tversky", "lovasz"]


def problem(n_images=2, n_labels=4, shape=(7, 9), dtype=torch.float64):
    generator = torch.Generator().manual_seed(23)
    logits = 2 * torch.randn(n_images, n_labels, *shape, generator=generator, dtype=dtype)
    return logits, torch.randint(n_labels, (n_images, *shape), generator=generator)


def flat(logits, labels):
    """Of the whole batch: logits (L, n), probabilities (L, n), labels (n,), one-hot (L, n)."""
    z = logits.movedim(1, 0).flatten(1).numpy()
    y = labels.flatten().numpy()
    return z, twin.softmax(z), y, twin.one_hot(y, z.shape[0])


def test_losses_equal_their_twins():
    logits, labels = problem()
    z, p, y, g = flat(logits, labels)
    for name, options, expected in [
        ("ce", {}, twin.cross_entropy(z, y).mean()),
        ("focal", {"gamma": 2}, twin.focal(z, y, 2).mean()),
        ("dice", {"smooth": 0}, twin.dice(p, g).mean()),
        ("squared_dice", {"smooth": 0}, twin.dice(p, g, 2).mean()),
        ("generalized_dice", {"smooth": 0}, twin.generalized_dice(p, g)),
        ("tversky", {"alpha": 0.3, "beta": 0.7, "smooth": 0}, twin.tversky(p, g, 0.3, 0.7).mean()),
        ("lovasz", {}, twin.lovasz(p, g).mean()),
    ]:
        np.testing.assert_allclose(losses.build(name, **options)(logits, labels).item(), expected, rtol=1e-10)


def test_sigmoid_focal_equals_its_formula():
    logits, labels = problem()
    hot = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1)
    p = torch.where(hot == 1, logits.sigmoid(), 1 - logits.sigmoid())
    expected = (-(p.log()) * (1 - p) ** 2).sum(1).mean()
    torch.testing.assert_close(losses.build("sigmoid_focal")(logits, labels), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weights", [None, [1.0, 2, 0, 5]])
def test_focal_without_gamma_is_cross_entropy(reduction, weights):
    logits, labels = problem()
    labels[0, :3] = 255
    options = {"class_weights": weights, "reduction": reduction}
    given = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    truth = torch.nn.functional.cross_entropy(logits, labels, given, ignore_index=255, reduction=reduction)
    torch.testing.assert_close(losses.FocalLoss(0, **options)(logits, labels), truth)
    torch.testing.assert_close(losses.CrossEntropy(**options)(logits, labels), truth)


def test_tversky_with_halves_is_dice():
    for over, absent in itertools.product(("batch", "image"), ("skip", "count")):
        options = {"over": over, "absent": absent}
        one, other = losses.TverskyLoss(0.5, 0.5, **options), losses.DiceLoss(**options)
        torch.testing.assert_close(one(*problem()), other(*problem()))


def test_lovasz_of_hard_predictions_is_one_minus_jaccard():
    logits, labels = problem()
    found = logits.argmax(1)
    hard = 1000.0 * torch.nn.functional.one_hot(found, 4).movedim(-1, 1)
    jaccard = [
        1 - ((found == k) & (labels == k)).sum() / ((found == k) | (labels == k)).sum().double() for k in range(4)
    ]
    torch.testing.assert_close(losses.LovaszSoftmax()(hard, labels), torch.stack(jaccard).mean(), check_dtype=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_gradients(name):
    logits, labels = problem(2, 3, (3, 4))
    labels[0, 0, :2] = 255
    loss = losses.build(name)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())


@pytest.mark.parametrize("name", [name for name in EVERY if name != "boundary"])
def test_ignoring_is_cropping(name):
    logits, labels = problem()
    ignored = labels.clone()
    ignored[..., 5:] = -1
    loss = losses.build(name, ignore_index=-1)
    torch.testing.assert_close(loss(logits, ignored), loss(logits[..., :5], labels[..., :5]))
    assert loss(logits, torch.full_like(labels, -1)) == 0


@pytest.mark.parametrize("name", EVERY)
def test_ignored_logits_have_no_influence(name):
    logits, labels = problem()
    labels[:, 2:4] = 255
    other = logits.clone()
    other[:, :, 2:4] = 7 * torch.randn(2, 4, 2, 9, dtype=torch.float64)
    torch.testing.assert_close(losses.build(name)(logits, labels), losses.build(name)(other, labels))


@pytest.mark.parametrize("bad", ["forbidden", "nan"])
@pytest.mark.parametrize("name", EVERY)
def test_ignored_logits_may_be_infinite_or_none(name, bad):
    logits, labels = problem(2, 3, (3, 4))
    labels[0, 0] = 255
    labels[0, 1:].clamp_min_(1)
    other = logits.clone()
    if bad == "nan":
        other[0, :, 0] = torch.nan
    else:
        other[0, 0] = -torch.inf  # the label that is 0 where ignored
        logits[0, 0] = other[0, 0].masked_fill(labels[0] == 255, 0)
    found, wanted = (x.clone().requires_grad_() for x in (other, logits))
    loss = losses.build(name)
    loss(found, labels).backward()
    loss(wanted, labels).backward()
    torch.testing.assert_close(loss(found, labels), loss(wanted, labels))
    torch.testing.assert_close(found.grad, wanted.grad)


@pytest.mark.parametrize("name", EVERY)
def test_ignored_logits_of_one_block_have_no_influence_on_others(name, monkeypatch):
    monkeypatch.setattr(_softmax, "_BLOCK", 8)  # 2 pixels
    logits, labels = problem(2, 4, (3, 4))
    labels[1, 1] = 255
    other = logits.clone()
    other[1, :, 1, 2] = torch.nan
    other[1, 3, 1, 0] = torch.inf
    found, wanted = (x.clone().requires_grad_() for x in (other, logits))
    values = [losses.build(name)(x, labels) for x in (found, wanted)]
    torch.testing.assert_close(*values)
    for value in values:
        value.backward()
    torch.testing.assert_close(found.grad, wanted.grad)


@pytest.mark.parametrize("name", ["ce", "focal", "sigmoid_focal"])
def test_a_class_without_weight_may_be_forbidden(name):
    logits, labels = problem()
    logits[:, 2] = -torch.inf
    logits.requires_grad_()
    value = losses.build(name, class_weights=[1, 1, 0, 1])(logits, labels)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


def test_void_that_is_a_label_is_refused():
    logits, labels = torch.zeros(1, 256, 2), torch.full((1, 2), 255)
    with pytest.raises(ValueError, match="ignore_index=255 is one of the 256 labels; pass another one, such as -1"):
        losses.CrossEntropy()(logits, labels)
    assert losses.CrossEntropy(ignore_index=-1)(logits, labels) > 5


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_labels_and_images_does_not_matter(name):
    logits, labels = problem()
    order = torch.tensor([2, 0, 3, 1])
    loss = losses.build(name)
    torch.testing.assert_close(loss(logits[:, order], order.argsort()[labels]), loss(logits, labels))
    torch.testing.assert_close(loss(logits.flip(0), labels.flip(0)), loss(logits, labels))
    if name != "boundary":
        pixels = torch.randperm(63)
        torch.testing.assert_close(
            loss(logits.flatten(2)[..., pixels], labels.flatten(1)[:, pixels]), loss(logits, labels)
        )


@pytest.mark.parametrize("name", ["ce", "focal", "sigmoid_focal", "boundary", *OVERLAPS])
def test_a_batch_is_the_mean_of_its_images(name):
    logits, labels = problem()
    loss = losses.build(name, **({"over": "image"} if name in OVERLAPS else {}))
    apart = torch.stack([loss(logits[i : i + 1], labels[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(loss(logits, labels), apart.mean())


def test_absent_classes():
    logits, labels = problem()
    labels = labels.clamp_max(2)  # nothing is of class 3
    _, p, _, g = flat(logits, labels)
    each = twin.dice(p, g)
    for absent, expected in (("skip", each[:3].mean()), ("count", each.mean())):
        found = losses.DiceLoss(absent=absent, smooth=0)(logits, labels)
        np.testing.assert_allclose(found.item(), expected)


def test_class_weights_of_regions():
    logits, labels = problem()
    _, p, _, g = flat(logits, labels)
    found = losses.DiceLoss(class_weights=[0, 1, 3, 0], smooth=0)(logits, labels)
    np.testing.assert_allclose(found.item(), twin.dice(p, g)[1:3] @ [0.25, 0.75])


def test_boundary_loss_prefers_what_is_near():
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[:, 4:9, 4:9] = 1

    def at(row):
        found = torch.zeros(1, 2, 16, 16)
        found[:, 1, row, 4:9] = 10
        return losses.BoundaryLoss(class_weights=[0, 1])(found, labels)

    assert at(6) < at(9) < at(11) < at(14)
    assert losses.BoundaryLoss()(torch.zeros(1, 2, 16, 16), torch.zeros_like(labels)) == 0


@pytest.mark.parametrize("name", EVERY)
def test_extreme_logits_and_half_precision(name):
    logits, labels = problem(dtype=torch.float32)
    loss = losses.build(name)
    extreme = (200 * logits.sign()).requires_grad_()
    value = loss(extreme, labels)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(extreme.grad).all()
    for dtype in (torch.float16, torch.bfloat16):
        half = logits.to(dtype).requires_grad_()
        result = loss(half, labels.to(torch.uint8))
        result.backward()
        torch.testing.assert_close(result, loss(half.detach().float(), labels))
        assert half.grad.dtype == dtype


def test_sums_add_up():
    logits, labels = problem()
    parts = [losses.build(name)(logits, labels) for name in ("dice", "focal")]
    torch.testing.assert_close(losses.build("0.5*dice + 2*focal")(logits, labels), 0.5 * parts[0] + 2 * parts[1])


@pytest.mark.parametrize("name", EVERY)
def test_bad_tensors_are_named(name):
    logits, labels = problem()
    loss = losses.build(name)
    for z, y, kind, message in [
        (logits, labels + 2, ValueError, r"labels must be 0 to 3 or ignore_index=255, got [45]"),
        (logits, labels - 9, ValueError, "labels must be 0 to 3"),
        (logits, labels[:1], ValueError, r"labels must have shape \(2, 7, 9\), got \(1, 7, 9\)"),
        (logits, labels.float(), TypeError, "labels must hold whole numbers, got dtype torch.float32"),
        (logits, labels.numpy(), TypeError, "labels must be a torch.Tensor, got ndarray"),
        (logits.long(), labels, TypeError, "logits must hold floating point"),
        (logits[:, :1], labels + 1, ValueError, "labels must be 0 to 1 or ignore_index=255, got [234]"),
        (logits[:, :0], labels, ValueError, "at least 1 labels"),
    ]:
        with pytest.raises(kind, match=message):
            loss(z, y)
    with pytest.raises(ValueError, match="class_weights must be 4 numbers, one for each label, got 3"):
        losses.build(name, class_weights=[1, 2, 3])(logits, labels)


@pytest.mark.parametrize(
    ("spec", "options", "kind", "message"),
    [
        ("dise", {}, ValueError, "spec must be names of ce, focal"),
        ("dice+", {}, ValueError, "spec must be names"),
        ("a*dice", {}, ValueError, "numbers before"),
        ("dice+-1*ce", {}, ValueError, "factors must be at least 0, got -1"),
        (3, {}, TypeError, "spec must be a string"),
        ("dice+ce", {"gamma": 2}, TypeError, "gamma: no loss of 'dice"),
        ("focal", {"gamma": -1}, ValueError, "gamma must be at least 0, got -1"),
        ("focal", {"gamma": "2"}, TypeError, "gamma must hold real numbers"),
        ("ce", {"reduction": "avg"}, ValueError, "reduction must be one of"),
        ("ce", {"class_weights": [-1, 1]}, ValueError, "class_weights must be at least 0"),
        ("ce", {"ignore_index": None}, TypeError, "ignore_index must be a whole number"),
        ("dice", {"over": "pixels"}, ValueError, "over must be one of"),
        ("dice", {"absent": "maybe"}, ValueError, "absent must be one of"),
        ("tversky", {"alpha": 0, "beta": 0}, ValueError, "must not both be 0"),
    ],
)
def test_bad_settings_are_named(spec, options, kind, message):
    with pytest.raises(kind, match=message):
        losses.build(spec, **options)


SOFTMAX = ["ce", "focal", *OVERLAPS]


def plain(name, logits, labels, over):
    """The formulas, one operation of PyTorch after another; 255 is ignored."""
    n_labels = logits.shape[1]
    valid = labels != 255
    y = labels * valid
    p = logits.softmax(1) * valid[:, None]
    if name in ("ce", "focal"):
        of_true = logits.log_softmax(1).gather(1, y[:, None])[:, 0]
        each = -of_true * (1 - of_true.exp()) ** (2 if name == "focal" else 0)
        return (each * valid).sum() / valid.sum()
    hot = torch.nn.functional.one_hot(y, n_labels).movedim(-1, 1) * valid[:, None]
    groups = [(p.movedim(1, 0).flatten(1), hot.movedim(1, 0).flatten(1))]
    if over == "image":
        groups = [(a.flatten(1), b.flatten(1)) for a, b in zip(p, hot, strict=True)]
    means = []
    for a, b in groups:
        there = b.sum(1) > 0
        a, b = a[there], b[there]
        both, size = (a * b).sum(1), b.sum(1)
        found = (a.square() if name == "squared_dice" else a).sum(1)
        if name == "generalized_dice":
            means.append(1 - 2 * (both / size**2).sum() / ((found + size) / size**2).sum())
        elif name == "lovasz":
            errors, order = (b - a).abs().sort(dim=1, descending=True, stable=True)
            true = b.gather(1, order)
            jaccard = 1 - (size[:, None] - true.cumsum(1)) / (size[:, None] + (1 - true).cumsum(1))
            means.append((errors * torch.diff(jaccard, dim=1, prepend=torch.zeros_like(jaccard[:, :1]))).sum(1).mean())
        else:
            means.append((1 - 2 * both / (found + size)).mean())
    return torch.stack(means).mean()


@pytest.mark.parametrize("over", ["batch", "image"])
@pytest.mark.parametrize("name", SOFTMAX)
def test_blocks_give_values_and_gradients_of_the_plain_formulas(name, over, monkeypatch):
    monkeypatch.setattr(_softmax, "_BLOCK", 40)  # blocks of 10 pixels, the last one shorter
    logits, labels = problem()
    labels[0, 2:4] = 255
    labels[1] = labels[1].clamp_max(2)
    options = {"over": over} if name in OVERLAPS else {}
    options |= {"smooth": 0} if name in OVERLAPS and name != "lovasz" else {}
    found, expected = (logits.clone().requires_grad_() for _ in range(2))
    value, truth = losses.build(name, **options)(found, labels), plain(name, expected, labels, over)
    (3 * value).backward()
    (3 * truth).backward()
    torch.testing.assert_close(value, truth)
    torch.testing.assert_close(found.grad, expected.grad)


@pytest.mark.parametrize("name", SOFTMAX)
def test_layout_and_precision_of_logits_do_not_matter(name):
    logits, labels = problem(shape=(33, 65), n_labels=5)
    exact = logits.requires_grad_()
    losses.build(name)(exact, labels).backward()
    single = logits.detach().float().contiguous(memory_format=torch.channels_last).requires_grad_()
    value = losses.build(name)(single, labels)
    value.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(single.grad.double(), exact.grad, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", SOFTMAX)
def test_nothing_is_kept_without_gradients_and_a_graph_can_be_used_twice(name):
    logits, labels = problem()
    loss = losses.build(name)
    with torch.no_grad():
        assert not loss(logits, labels).requires_grad
    logits.requires_grad_()
    value = loss(logits, labels)
    value.backward(retain_graph=True)
    once = logits.grad.clone()
    value.backward()
    torch.testing.assert_close(logits.grad, 2 * once)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # read by the compiler itself where graphs break
@pytest.mark.parametrize("name", ["ce", "dice", "lovasz"])
def test_losses_can_be_compiled(name):
    logits, labels = problem(dtype=torch.float32)
    eager, compiled = (logits.clone().requires_grad_() for _ in range(2))
    losses.build(name)(eager, labels).backward()
    torch.compile(losses.build(name), backend="aot_eager")(compiled, labels).backward()
    torch.testing.assert_close(compiled.grad, eager.grad)


def test_equal_errors_keep_their_order():
    errors = torch.tensor([0.25, 0.5, 0.0, 0.5, 1.0, 0.25])
    for dtype in (torch.float32, torch.float64):
        assert lovasz.descending(errors.to(dtype)).tolist() == [4, 1, 3, 0, 5, 2]
