"""What the layer computes, what it keeps, and what it refuses."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import classicseg as cs
import classicseg.torch as ct
from classicseg.filters.base import NORMALIZATIONS
from classicseg.torch import backends, ops, tensors
from classicseg.torch.backends import pytorch
from tests.oracles import costs, photo
from tests.torch.inputs import ON_CPU, batch, on_all, on_lattices


def layer(n_labels=3, **settings):
    return ct.DenseCRF(n_labels, [ct.GaussianKernel(2, 3), ct.BilateralKernel(8, 20, 5)], **settings)


NEARLY = {"rtol": 1e-5, "atol": 1e-5}
EXACTLY = {"numba": {"rtol": 0, "atol": 0}, "torch": NEARLY, "exact": NEARLY}  # matrix products depend on their size


@pytest.mark.slow
@pytest.mark.parametrize(("size", "n_bytes"), [(40, 2), (300, 4)])
def test_lattices_of_few_and_of_many_vertices_equal_minimize_to_the_bit(size, n_bytes):
    rng = np.random.default_rng(0)
    image, unary = rng.integers(0, 256, (size, size, 3)), rng.standard_normal((3, size, size)).astype(np.float32)
    energy = cs.DenseCRF(unary, [cs.BilateralKernel(image, 20, 13, 4), cs.GaussianKernel(3, 3)])
    kernels = [ct.BilateralKernel(20, 13, 4), ct.GaussianKernel(3, 3)]
    crf = ct.DenseCRF(3, kernels, n_iter=2, output="marginals", backend="numba")
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float()
    index, weight = crf.lattice(tensor).tensors[:2]
    assert index.numel() == n_bytes * weight.numel()
    result = crf(torch.from_numpy(-unary)[None], tensor)[0].detach().numpy()
    np.testing.assert_array_equal(result, cs.minimize(energy, max_iter=2).marginals)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("n_labels", "shape"), [(2, (20, 23)), (3, (16, 18)), (21, (40, 50)), (40, (31, 33))])
def test_equals_minimize(n_labels, shape, full):
    image, unary, matrix = photo(*shape), costs(n_labels, shape), None
    if full:
        half = np.random.default_rng(0).random((n_labels, n_labels))
        matrix = np.float32(half + half.T)
    energy = cs.DenseCRF(unary, [cs.GaussianKernel(2, 3), cs.BilateralKernel(image, 8, 20, 5)], matrix)
    wanted = cs.minimize(energy, "mean_field", max_iter=5).marginals
    crf = layer(n_labels, compatibility=matrix, output="marginals")
    tensors = torch.from_numpy(-unary)[None], torch.from_numpy(np.moveaxis(image, -1, 0).copy())[None]
    recorded = crf(*tensors)
    assert recorded.requires_grad
    with torch.no_grad():
        plain = crf(*tensors)
    for result in (recorded.detach(), plain):
        np.testing.assert_array_equal(result[0].numpy(), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(
    ("shape", "n_channels", "n_labels"),
    [((9, 11), 3, 3), ((9, 11), 3, 21), ((90, 100), 3, 2), ((6, 7, 8), 1, 3)],
)
def test_lattice_backends_agree(shape, n_channels, n_labels, normalization):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((2, n_labels, *shape), np.float32))
    image = torch.from_numpy(255 * rng.random((2, n_channels, *shape), np.float32))
    scale = {"none": 0.05}.get(normalization, 1.0)  # sums over the neighbours, not means
    kernels = [
        ct.GaussianKernel(2, 3 * scale, normalization=normalization),
        ct.BilateralKernel(8, 60, 5 * scale, normalization=normalization),
    ]

    def run(backend):
        crf, z = ct.DenseCRF(n_labels, kernels, output="marginals", backend=backend), logits.clone().requires_grad_()
        marginals = crf(z, image)
        marginals[:, 0].sum().backward()
        lattice = crf.lattice(image)
        filtered = [lattice.filter(logits, k, adjoint=adjoint) for k in range(2) for adjoint in (False, True)]
        return [marginals.detach(), *(x / (1 + x.abs().max()) for x in (z.grad, *filtered))]

    wanted = run("numba")
    for backend in ON_CPU:
        for mine, theirs in zip(run(backend), wanted, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_lattice_backends_agree_where_keys_are_long_and_features_far_away():
    torch.manual_seed(0)
    far = torch.randn(2, 3, 400) + 1e5
    wide = 300 * torch.randn(2, 9, 400)  # neither simplices nor vertices fit into 63 bits
    values = torch.randn(2, 4, 400)
    lattices = [ct.build_lattice([far, wide], ["symmetric"] * 2, backend=backend) for backend in ON_CPU]
    for k in range(2):
        wanted, *others = [lattice.filter(values, k) for lattice in lattices]
        for other in others:
            torch.testing.assert_close(other, wanted, rtol=0, atol=1e-5)


def test_volumes_and_lines_equal_minimize():
    rng = np.random.default_rng(1)
    for shape, n_channels in [((50,), 5), ((6, 7, 8), 1)]:
        unary, image = rng.random((3, *shape), np.float32), rng.random((*shape, n_channels), np.float32)
        energy = cs.DenseCRF(unary, [cs.GaussianKernel(2, 1), cs.BilateralKernel(image, 3, 0.3, 2)])
        crf = ct.DenseCRF(3, [ct.GaussianKernel(2, 1), ct.BilateralKernel(3, 0.3, 2)], output="marginals")
        tensors = torch.from_numpy(-unary)[None], torch.from_numpy(np.moveaxis(image, -1, 0).copy())[None]
        np.testing.assert_array_equal(crf(*tensors)[0].detach().numpy(), cs.minimize(energy, max_iter=5).marginals)


def test_exact_backend_equals_exact_minimize():
    image, unary = photo(12, 13), costs(3, (12, 13))
    kernels = [cs.GaussianKernel(2, 3), cs.BilateralKernel(image, 8, 20, 5)]
    wanted = cs.minimize(cs.DenseCRF(unary, kernels, quality="exact"), max_iter=5).marginals
    tensors = torch.from_numpy(-unary)[None], torch.from_numpy(np.moveaxis(image, -1, 0).copy())[None]
    found = layer(output="marginals", backend="exact")(*tensors)[0].detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@on_all
def test_logits_are_logarithms_of_marginals(backend):
    logits, image = batch(3)
    log_marginals = layer(backend=backend)(logits, image)
    marginals = layer(output="marginals", backend=backend)(logits, image)
    torch.testing.assert_close(log_marginals.exp(), marginals, rtol=1e-4, atol=1e-6)


@on_all
def test_a_batch_equals_its_images_one_by_one(backend):
    crf = layer(backend=backend)
    logits, image = batch(3, (9, 11), n_images=3)
    target = torch.randn(logits.shape)

    def run(which):
        crf.zero_grad()
        z = logits[which].clone().requires_grad_()
        out = crf(z, image[which])
        (out * target[which]).sum().backward()
        return out.detach(), z.grad, crf.compatibility.grad.clone()

    together, alone = run(slice(None)), [run(slice(b, b + 1)) for b in range(3)]
    for i in range(2):
        torch.testing.assert_close(together[i], torch.cat([one[i] for one in alone]), **EXACTLY[backend])
    torch.testing.assert_close(together[2], sum(one[2] for one in alone), rtol=1e-4, atol=1e-3)


@on_all
def test_labels_may_be_permuted(backend):
    logits, image = batch(4)
    order = torch.tensor([2, 0, 3, 1])
    costs_ = torch.rand(4, 4)
    plain = layer(4, compatibility=costs_, backend=backend)(logits, image)
    permuted = layer(4, compatibility=costs_[order][:, order], backend=backend)(logits[:, order], image)
    torch.testing.assert_close(permuted, plain[:, order], rtol=1e-4, atol=1e-4)


@on_lattices
@pytest.mark.parametrize("axis", [2, 3])
def test_images_may_be_flipped(axis, backend):
    logits, image = batch(3)
    flipped = [x.flip(axis) for x in (logits, image)]
    exact = layer(backend="exact", output="marginals")
    torch.testing.assert_close(exact(*flipped).flip(axis), exact(logits, image), rtol=1e-4, atol=1e-5)
    lattice = layer(output="marginals", backend=backend)  # the lattice lies differently over the flipped features
    assert (lattice(*flipped).flip(axis) - lattice(logits, image)).abs().mean() < 0.02


@on_lattices
def test_ignored_pixels_take_no_part(backend):
    logits, image = batch(3, (16, 18), n_images=2)
    ignore = torch.zeros(2, 16, 18, dtype=torch.bool)
    ignore[0, :, 12:] = True  # padding of the first image
    crf, exactly = layer(backend=backend), EXACTLY[backend]
    padded = crf(logits, image, ignore=ignore)
    cropped = crf(logits[:1, ..., :12].contiguous(), image[:1, ..., :12].contiguous())
    torch.testing.assert_close(padded[:1, ..., :12], cropped, **exactly)
    torch.testing.assert_close(padded[:1, ..., 12:], logits[:1, ..., 12:].log_softmax(1))
    torch.testing.assert_close(padded[1:], crf(logits[1:], image[1:]), **exactly)
    swapped = crf(logits.flip(0), image.flip(0), ignore=ignore.flip(0))
    torch.testing.assert_close(swapped.flip(0), padded, **exactly)


@on_lattices
def test_what_is_ignored_may_hold_anything(backend):
    logits, image = batch(2, n_images=2)
    ignore = torch.zeros(2, 16, 18, dtype=torch.bool)
    ignore[0, 3, 4], ignore[1] = True, True
    logits[0, :, 3, 4], image[0, :, 3, 4] = torch.nan, torch.inf
    logits.requires_grad_()
    refined = layer(2, backend=backend)(logits, image, ignore=ignore)
    refined.transpose(0, 1)[:, ~ignore].sum().backward()
    assert logits.grad.transpose(0, 1)[:, ~ignore].isfinite().all()
    only_one = torch.ones(1, 16, 18, dtype=torch.bool)
    only_one[0, 5, 5] = False
    assert layer(2, backend=backend)(logits[1:], image[1:], ignore=only_one).isfinite().all()


@on_lattices
def test_a_lattice_serves_many_calls(backend):
    logits, image = batch(3, n_images=2)
    crf = layer(backend=backend)
    lattice = crf.lattice(image)
    for _ in range(2):
        assert torch.equal(crf(logits, lattice=lattice), crf(logits, image))


@on_lattices
def test_inputs_stay_as_they_are_and_may_have_any_layout(backend):
    logits, image = batch(3, (16, 18), n_images=2)
    crf = layer(backend=backend)
    wanted = crf(logits, image)
    strided = torch.empty(2, 16, 18, 3).copy_(logits.movedim(1, -1)).movedim(-1, 1)
    before = strided.clone(), image.clone()
    assert torch.equal(crf(strided, image), wanted)
    assert torch.equal(crf(logits.contiguous(memory_format=torch.channels_last), image.to(torch.uint8)), wanted)
    assert torch.equal(strided, before[0])
    assert torch.equal(image, before[1])


@on_lattices
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_results_have_the_dtype_of_the_logits(dtype, backend):
    logits, image = batch(3)
    rounded = logits.to(dtype).requires_grad_()
    crf = layer(output="marginals", backend=backend)
    refined = crf(rounded, image)
    assert refined.dtype == dtype
    wide = {"rtol": 1e-5, "atol": 1e-6} if dtype == torch.float64 else {}
    torch.testing.assert_close(refined, crf(rounded.float(), image).to(dtype), **wide)
    refined[:, 0].sum().backward()
    assert rounded.grad.dtype == dtype


@on_lattices
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_inference_mode_and_autocast(dtype, backend):
    logits, image = batch(3)
    crf, towards = layer(backend=backend), torch.randn(logits.shape)

    def run():
        z = logits.clone().requires_grad_()
        out = crf(z, image)
        (out * towards).sum().backward()
        return out.detach(), z.grad

    wanted = run()
    with torch.inference_mode():
        assert torch.equal(crf(logits, image), wanted[0])
    with torch.autocast("cpu", dtype=dtype):  # in float32 all the same
        found = run()
    torch.testing.assert_close(found, wanted, **EXACTLY[backend])


def test_names_of_the_state_stay():
    assert list(layer().state_dict()) == [
        "compatibility",
        "kernels.0.weight",
        "kernels.0.log_sigma",
        "kernels.0.initial_sigma",
        "kernels.1.weight",
        "kernels.1.log_sigma",
        "kernels.1.log_color_sigma",
        "kernels.1.initial_sigma",
        "kernels.1.initial_color_sigma",
    ]


@on_lattices
def test_state_and_copies(backend):
    logits, image = batch(3)
    crf = layer(learn=("weights", "compatibility", "sigma"), backend=backend)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.add_(0.1 * torch.rand(parameter.shape))
        wanted = crf(logits, image)
        other = ct.DenseCRF(3, [ct.GaussianKernel(9, 1), ct.BilateralKernel(50, 5, 1)], backend=backend)
        stream = io.BytesIO()
        torch.save(crf.state_dict(), stream)
        stream.seek(0)
        other.load_state_dict(torch.load(stream, weights_only=True))
        assert torch.equal(other(logits, image), wanted)
        copied = copy.deepcopy(crf)
        copied.compatibility.zero_()
        assert torch.equal(crf(logits, image), wanted)


@pytest.mark.parametrize("learn", [(), "weights", ("compatibility",), ("weights", "sigma")])
def test_only_what_is_asked_for_is_learned(learn):
    crf = layer(learn=learn)
    logits, image = batch(3)
    logits.requires_grad_()
    crf(logits, image)[:, 0].sum().backward()
    words = (learn,) if isinstance(learn, str) else learn
    for name, parameter in crf.named_parameters():
        word = "sigma" if "log_" in name else "weights" if "weight" in name else "compatibility"
        assert (parameter.grad is not None) == (word in words), name


def test_repr_tells_the_settings():
    text = repr(layer())
    assert "n_labels=3" in text
    assert "BilateralKernel(sigma=8, color_sigma=20, weight=5)" in text


# --- what is refused ----------------------------------------------------------------------------------------------

Z, I = torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 4, 5)  # noqa: E741
HOLE = Z.clone()
HOLE[0, 1, 2, 3] = torch.nan


@on_all
def test_each_kernel_may_have_a_compatibility_of_its_own(backend):
    """Weights of CRF-as-RNN are a matrix for each kernel."""
    torch.manual_seed(0)
    logits, image, matrices = torch.randn(2, 3, 6, 7), 255 * torch.rand(2, 3, 6, 7), torch.randn(2, 3, 3)
    kernels = [ct.GaussianKernel(2, 1.5, normalization="after"), ct.BilateralKernel(5, 90, 1, normalization="after")]
    crf = ct.DenseCRF(3, kernels, matrices, n_iter=3, backend=backend)
    refined = crf(logits, image)
    q = logits.softmax(1)
    exact = backend == "exact"
    for _ in range(3):
        message = torch.zeros_like(q)
        for k, kernel in enumerate(kernels):
            features = kernel.features((6, 7), image, 2).detach()
            for b in range(2):
                made = cs.ExactFilter(features[b]) if exact else cs.PermutohedralLattice(features[b])
                filtered = torch.from_numpy(made.filter(q[b].detach().numpy(), "after"))
                message[b] += float(kernel.weight.detach()) * torch.einsum("lm,mhw->lhw", matrices[k], filtered)
        q = (logits - message).softmax(1)
    torch.testing.assert_close(refined.detach().softmax(1), q, atol=2e-4, rtol=1e-3)
    refined.square().sum().backward()
    assert crf.compatibility.grad.shape == (2, 3, 3)
    same = ct.DenseCRF(3, kernels, matrices[:1].expand(2, 3, 3), backend=backend)(logits, image)
    torch.testing.assert_close(same, ct.DenseCRF(3, kernels, matrices[0], backend=backend)(logits, image))


@on_all
@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        ((Z[0, 0], I), ValueError, "batch axis"),
        ((Z[0], I[0]), ValueError, "3 labels along axis 1"),
        ((Z[:, :2], I), ValueError, "3 labels along axis 1"),
        ((Z, I[0]), ValueError, "batch axis: image\\[None\\]"),
        ((Z, I[..., :4]), ValueError, "image must have shape"),
        ((Z, I[:, :0]), ValueError, "image must have shape"),
        ((Z[:0], I[:0]), ValueError, "empty"),
        ((Z, None), ValueError, "image must be given"),
        ((HOLE, I), ValueError, "logits must be finite, got nan"),
        ((Z + 1e38, I), ValueError, r"logits must be at most 1e\+30 in size"),
        ((Z, HOLE), ValueError, "image must be finite, got nan"),
        ((Z, I + torch.inf), ValueError, r"image, or a learned sigma .* must be finite, got inf"),
        ((Z.numpy(), I), TypeError, "torch.Tensor, got ndarray"),
        ((Z, I.numpy()), TypeError, "torch.Tensor, got ndarray"),
        ((Z.long(), I), TypeError, "floating point"),
        ((Z, I.to(torch.complex64)), TypeError, "real"),
        ((Z, I.bool()), TypeError, "real"),
    ],
)
def test_bad_input_is_named(args, kind, message, backend):
    with pytest.raises(kind, match=message):
        layer(backend=backend)(*args)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: layer(1), ValueError, "n_labels must be at least 2"),
        (lambda: layer(2.0), TypeError, "n_labels must be a whole number"),
        (lambda: ct.GaussianKernel(0), ValueError, "sigma must be positive"),
        (lambda: ct.GaussianKernel(float("nan")), ValueError, "sigma must be positive"),
        (lambda: ct.BilateralKernel(3, -1), ValueError, "color_sigma must be positive"),
        (lambda: ct.GaussianKernel("a"), TypeError, "sigma must hold real numbers"),
        (lambda: ct.GaussianKernel(3, float("inf")), ValueError, "weight must be finite"),
        (lambda: ct.GaussianKernel(normalization="l2"), ValueError, "normalization must be one of"),
        (lambda: ct.DenseCRF(3, []), ValueError, "at least one kernel"),
        (lambda: ct.DenseCRF(3, [cs.GaussianKernel(3, 3)]), TypeError, "kernels of classicseg.torch"),
        (lambda: ct.DenseCRF(3, ct.GaussianKernel(3, [1, 2])), ValueError, "weight must be 1 or 3 numbers"),
        (lambda: layer(learn="everything"), ValueError, "learn must be one of"),
        (lambda: layer(n_iter=0), ValueError, "n_iter must be at least 1"),
        (lambda: layer(output="labels"), ValueError, "output must be one of"),
        (lambda: layer(backend="cuda"), ValueError, "backend must be one of 'auto', 'numba', 'torch',"),
        (lambda: layer(compatibility=torch.zeros(2, 2)), ValueError, "compatibility must have shape"),
        (lambda: layer(compatibility=torch.full((3, 3), torch.nan)), ValueError, "compatibility must be finite"),
        (lambda: layer()(Z, I, n_iter=0), ValueError, "n_iter must be at least 1"),
        (lambda: layer()(Z, I, ignore=torch.zeros(1, 4, 5)), TypeError, "ignore must be"),
        (lambda: layer()(Z, I, ignore=torch.zeros(4, 5).bool()), ValueError, "ignore must have shape"),
        (lambda: layer()(Z[..., :4], lattice=layer().lattice(I)), ValueError, "the lattice is for 1 images of shape"),
        (lambda: layer(learn="sigma")(Z, lattice=layer().lattice(I)), ValueError, "sigmas are learned"),
        (lambda: layer(backend="exact").lattice(I), ValueError, "has no lattice"),
        (lambda: layer().lattice(I[0, 0]), ValueError, "image must have shape"),
        (lambda: ct.dense_crf(Z, I, [1.0]), TypeError, "sequence of tensors"),
        (lambda: ct.dense_crf(Z, [], []), ValueError, "at least one kernel"),
        (lambda: ct.dense_crf(Z, [I], [1.0, 2.0]), ValueError, "weights must have shape"),
        (lambda: ct.dense_crf(Z, [I], [float("nan")]), ValueError, "weight and compatibility must be finite"),
        (lambda: ct.dense_crf(Z, [I], [1e38]), ValueError, "weight and compatibility must be at most"),
        (lambda: ct.dense_crf(Z, [I], [1e38], backend="exact"), ValueError, "weight and compatibility must be at most"),
        (lambda: ct.dense_crf(Z, [I], [1.0], normalizations=["none"] * 2), ValueError, "2 normalizations"),
        (lambda: ct.dense_crf(Z, [I], [1.0], normalizations="l2"), ValueError, "normalization must be one of"),
        (lambda: ct.dense_crf(Z, [I], [1.0], torch.zeros(2, 2)), ValueError, "compatibility must have shape"),
        (lambda: ct.build_lattice([I, I[..., :4]], ["none"] * 2), ValueError, "same batch and points"),
        (lambda: ct.build_lattice([I[0, 0]], ["none"]), ValueError, "features must have shape"),
        (lambda: ct.build_lattice([I], ["none"]).filter(Z, 1), ValueError, "kernel must be less than 1"),
        (lambda: ct.build_lattice([I], ["none"]).filter(HOLE), ValueError, "values must be finite"),
        (lambda: ct.build_lattice([I], ["none"], backend="exact"), ValueError, "backend must be one of"),
        (lambda: layer(backend="exact")(*[torch.zeros(1, 3, 101, 100)] * 2), ValueError, "quadratic in the pixels"),
    ],
)  # fmt: skip
def test_bad_settings_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_a_device_without_a_lattice_is_named():
    with pytest.raises(ValueError, match="backend='numba' computes on the CPU, but the logits are on meta"):
        layer(backend="numba").to("meta")(Z.to("meta"), I.to("meta"))
    with pytest.raises(ValueError, match="the layer is on cpu, but the logits are on meta"):
        layer()(Z.to("meta"), I.to("meta"))
    with pytest.raises(ValueError, match="image is on cpu, but the logits are on meta"):
        layer().to("meta")(Z.to("meta"), I)


@pytest.mark.parametrize("backend", ["numba", "torch", "exact"])
def test_a_sigma_that_learning_has_spoilt_is_named(backend):
    crf = layer(backend=backend)
    with torch.no_grad():
        crf.kernels[0].log_sigma.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"learned sigma .* must be finite"):
        crf(Z, I)


@pytest.mark.parametrize(
    ("small", "shape", "mode"), [((3, 5), (9, 11), "bilinear"), ((2, 3, 4), (5, 6, 7), "trilinear")]
)
def test_logits_smaller_than_the_image_are_enlarged(small, shape, mode):
    logits = torch.randn(2, 3, *small, requires_grad=True)
    image = 255 * torch.rand(2, 3, *shape)
    crf, ignore = layer(3), torch.rand(2, *shape) < 0.2
    large = torch.nn.functional.interpolate(logits, size=shape, mode=mode, align_corners=False)
    assert torch.equal(crf(logits, image, ignore=ignore), crf(large, image, ignore=ignore))
    crf(logits, image).sum().backward()
    assert logits.grad.shape == logits.shape
    with pytest.raises(ValueError, match="image must have shape"):
        crf(large, image[..., 1:])


@on_lattices
def test_a_lattice_knows_its_shape_and_can_be_kept(backend):
    logits, image = batch(3, (6, 8))
    crf = ct.DenseCRF(3, [ct.GaussianKernel(2, 3), ct.BilateralKernel(8, 20, 5)], backend=backend)
    with torch.inference_mode():
        lattice = crf.lattice(image)
    z = logits.clone().requires_grad_()
    crf(z, lattice=pickle.loads(pickle.dumps(lattice))).square().sum().backward()
    wanted = logits.clone().requires_grad_()
    crf(wanted, lattice=copy.deepcopy(crf.lattice(image))).square().sum().backward()
    assert torch.equal(z.grad, wanted.grad)
    for call in (lambda: crf(logits.mT, lattice=lattice), lambda: lattice.filter(logits.mT)):
        with pytest.raises(ValueError, match=r"the lattice is for 1 images of shape \(6, 8\), got .* \(1, 3, 8, 6\)"):
            call()


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of PyTorch's own, in forward mode
@on_lattices
def test_forward_mode_is_refused(backend):
    logits, image = batch(3, (6, 8))
    crf = ct.DenseCRF(3, [ct.GaussianKernel(2, 3)], backend=backend)
    lattice = crf.lattice(image)
    for call in (lambda z: crf(z, image), lambda z: lattice.filter(z)):
        with pytest.raises(NotImplementedError, match="no derivatives in forward mode"):
            torch.func.jvp(call, (logits,), (logits,))


@pytest.mark.parametrize(
    "make", [lambda: layer(), lambda: ct.DenseCRFLoss(8, 13), lambda: ct.GatedCRFLoss(8, 13, radius=1)]
)
def test_colours_in_another_unit_are_told_once(make):
    logits, image = batch(3, (6, 8))
    module, p = make(), logits.softmax(1)
    module(p, torch.zeros_like(image))  # of one colour: nobody knows
    with pytest.warns(UserWarning, match=r"the colours of image span 0.\d+, less than half of color_sigma=[12]"):
        module(p, image / 255)
    module(p, image / 255)
    make()(p, image)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_positions_are_exact_in_modules_of_half_precision(dtype):
    generator = torch.Generator().manual_seed(0)
    image = torch.full((1, 3, 2, 600), 100.0)
    image[..., 577:] = 150
    logits = torch.randn(1, 3, 2, 600, generator=generator).to(dtype)
    wanted, found = layer()(logits.float(), image), layer().to(dtype)(logits, image)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), wanted, rtol=0.02, atol=0.02)
    kernel = ct.BilateralKernel(2, 20).to(dtype)
    assert kernel.features((2, 600), image.to(dtype), 1).dtype == torch.float32
    p = logits.float().softmax(1)
    for loss in (ct.DenseCRFLoss(3, 20), ct.GatedCRFLoss(3, 20, radius=1)):
        torch.testing.assert_close(copy.deepcopy(loss).to(dtype)(p, image), loss(p, image))


def test_long_bags_are_summed_by_pieces(monkeypatch):
    logits, image = batch(3, (12, 14), n_images=2)
    image[0] = 200  # of one colour: hundreds of points in a simplex

    def run():
        crf = layer(n_iter=2, learn=("weights", "sigma"), backend="torch")
        z = logits.clone().requires_grad_()
        crf(z, image)[:, 0].sum().backward()
        return [z.grad, *(p.grad for p in crf.parameters() if p.grad is not None)], crf.lattice(image).tensors

    wanted, whole = run()
    monkeypatch.setattr(pytorch, "longest_of", lambda tensor: 3)
    found, cut = run()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert pytorch._layout(whole).bags[1].start.diff().max() > 60
    for own in pytorch._layout(cut).bags:
        assert own.pieces[-1] == own.start[-1]
        for begin in (own.pieces, own.groups):
            assert 0 <= begin.diff().min() <= begin.diff().max() <= 3


def test_whether_costs_are_alike_is_looked_at_once(monkeypatch):
    costs = torch.tensor([[5.0, 1, 2], [3, 5, 2], [3, 1, 5]])
    assert tensors.is_like_potts(costs)
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "__bool__", lambda self: pytest.fail("read again"))
        assert tensors.is_like_potts(costs)
    costs[0, 1] = 4
    assert not tensors.is_like_potts(costs)
    assert not tensors.is_like_potts((1 - torch.eye(3)).requires_grad_())
    assert tensors.is_like_potts(torch.stack([1 - torch.eye(3), 2 - torch.eye(3)]))


@on_lattices
def test_costs_that_are_alike_give_what_products_give(backend):
    logits, image = batch(4, (6, 8))
    alike = torch.rand(4, generator=torch.Generator().manual_seed(0)).expand(4, 4).clone().fill_diagonal_(0)
    found = []
    for learn in ((), ("compatibility",)):
        crf = layer(4, compatibility=alike, learn=learn, n_iter=3, backend=backend)
        z = logits.clone().requires_grad_()
        crf(z, image).square().sum().backward()
        found.append(z.grad)
    torch.testing.assert_close(*found, **NEARLY)


def test_products_are_exact_whatever_a_script_allows():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16), ops.full_precision(torch.device("cpu")):
            seen = [torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision]
            assert not torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["ieee", "ieee"]


def test_apples_gpus_work_or_say_no(monkeypatch):
    mps = torch.device("mps")
    monkeypatch.setattr(backends, "has_bags", lambda device: True)
    assert backends.choose("auto", mps) == "torch"
    monkeypatch.setattr(backends, "has_bags", lambda device: False)
    with pytest.raises(ValueError, match=r"embedding_bag, which this version of PyTorch does not have on mps; move"):
        backends.choose("auto", mps)
    assert backends.choose("exact", mps) == "exact"


def test_small_images_of_a_batch_start_no_threads(monkeypatch):
    logits, image = batch(2, (6, 8), n_images=3)
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread was started"))
    z = logits.clone().requires_grad_()
    layer(2, backend="numba")(z, image).square().sum().backward()
    assert z.grad.isfinite().all()
