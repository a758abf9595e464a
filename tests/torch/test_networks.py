"""The networks: published figures, any size of image, gradients, weights of classifiers."""

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

import classicseg.torch as ct
from classicseg.torch import networks, train

pytestmark = pytest.mark.slow

NARROW = {"width": 1 / 32}


def narrow(name, n_labels=3, in_channels=3, **options):
    torch.manual_seed(0)
    return networks.build(name, n_labels, in_channels, **NARROW, **options)


def out(result):
    return result["out"] if isinstance(result, dict) else result


@functools.cache
def meta(name, n_labels=21, in_channels=3, **options):
    """A network of full width without numbers, which tests share and leave as it is."""
    with torch.device("meta"):
        return networks.build(name, n_labels, in_channels, **options)


def empty(name, n_labels, **options):
    """A network of full width whose numbers are whatever they are: to draw 100 million takes a second."""
    with torch.device("meta"):
        return networks.build(name, n_labels, **options).to_empty(device="cpu")


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "n_labels", "options", "published"),
    [
        ("fcn32s", 21, {}, 136_152_917),
        ("fcn16s", 21, {}, 134_815_994),
        ("fcn8s", 21, {}, 134_489_759),
        ("unet", 2, {"in_channels": 1, "padding": "valid"}, 31_030_658),
        ("fcdensenet56", 11, {}, 1_376_795),
        ("fcdensenet67", 11, {}, 3_463_243),
        ("fcdensenet103", 11, {}, 9_322_091),
        ("pspnet50", 21, {}, 46_592_597),
        ("pspnet50", 21, {"aux": True}, 48_957_802),
        ("pspnet50", 21, {"deep_stem": True}, 46_716_373),
        ("pspnet101", 21, {}, 65_584_725),
        ("pspnet101", 21, {"aux": True}, 67_949_930),
        ("pspnet101", 21, {"deep_stem": True}, 65_708_501),
        ("deeplabv3_50", 21, {"extra_conv": False}, 39_048_533),
        ("deeplabv3_50", 21, {}, 39_638_869),
        ("deeplabv3_50", 21, {"aux": True}, 42_004_074),
        ("deeplabv3_101", 21, {"extra_conv": False}, 58_040_661),
        ("deeplabv3_101", 21, {}, 58_630_997),
        ("deeplabv3_101", 21, {"aux": True}, 60_996_202),
    ],
)
def test_numbers_of_parameters(name, n_labels, options, published):
    assert n_parameters(meta(name, n_labels, **options)) == published


@pytest.mark.parametrize(("depth", "with_statistics"), [(56, 1_397_963), (67, 3_502_923), (103, 9_425_163)])
def test_the_tiramisu_has_as_many_convolutions_as_its_name_says(depth, with_statistics):
    network = meta(f"fcdensenet{depth}", 11)
    assert sum(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in network.modules()) == depth
    statistics = sum(b.numel() for name, b in network.named_buffers() if "running" in name)
    assert n_parameters(network) + statistics == with_statistics


def test_the_stacks_of_the_tiramisu_are_as_large_as_published():
    network = meta("fcdensenet103", 11)
    stacks = [down.n_in for down in network.downs]
    stacks.append(network.ups[0].in_channels + network.downs[-1].n_in)
    for block in network.up_blocks:
        stacks.append(block.layers[-1].n_in + block.layers[-1].n_out)
    assert stacks[:5] == [112, 192, 304, 464, 656]
    assert stacks[5] == 656 + 15 * 16 == 896
    assert stacks[6:] == [1088, 816, 576, 384, 256]


# --- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", networks.NAMES)
@pytest.mark.parametrize(("in_channels", "size"), [(1, (64, 64)), (3, (45, 71)), (4, (67, 50))])
def test_logits_are_as_large_as_the_image(name, in_channels, size):
    network = narrow(name, 5, in_channels)
    image = torch.rand(2, in_channels, *size)
    for mode in (True, False):
        logits = network.train(mode)(image)
        assert logits.shape == (2, 5, *size)
        assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", networks.NAMES)
def test_the_smallest_image_and_one_that_is_smaller(name):
    network = narrow(name).eval()
    size = network.minimum_size
    assert network(torch.rand(1, 3, size, size)).shape == (1, 3, size, size)
    if size > 1:
        with pytest.raises(ValueError, match=f"at least {size}x{size} pixels for .*got {size + 5}x{size - 1}"):
            network(torch.rand(1, 3, size + 5, size - 1))


def test_the_unpadded_unet_gives_the_smaller_map_of_the_paper():
    network = narrow("unet", 2, 1, padding="valid")
    for size in (188, 572):
        assert network(torch.rand(1, 1, size, size)).shape == (1, 2, size - 184, size - 184)
    assert network.margin == 92
    with pytest.raises(ValueError, match="at least 188x188"):
        network(torch.rand(1, 1, 172, 188))
    with pytest.raises(ValueError, match=r"188 \+ 16 k .* got 200; 188 and 204 are"):
        network(torch.rand(1, 1, 204, 200))


def test_an_unpadded_unet_sees_a_window_of_its_own():
    network = narrow("unet", 2, 1, padding="valid").double().eval()
    image = torch.rand(1, 1, 236, 236, dtype=torch.float64)
    whole = network(image)
    torch.testing.assert_close(network(image[..., 16:-16, 32:-16]), whole[..., 16:-16, 32:-16])


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (20, 37), (100, 130)])
def test_the_unet_that_mirrors_is_the_unpadded_one_on_a_continued_image(size):
    network, plain = narrow("unet", 2, 1, padding="mirror"), narrow("unet", 2, 1, padding="valid")
    plain.load_state_dict(network.state_dict())
    image = torch.rand(1, 1, *size)
    sides = [188 + 16 * max(0, -(-(n - 4) // 16)) for n in size]
    pads = [(0, 0), (0, 0), *((92, m - n - 92) for n, m in zip(size, sides, strict=True))]
    continued = torch.from_numpy(np.pad(image.numpy(), pads, mode="reflect"))
    with torch.no_grad():
        torch.testing.assert_close(network(image), plain(continued)[..., : size[0], : size[1]])
    assert (network.margin, network.minimum_size) == (0, 1)


def test_logits_of_a_part_of_the_image_are_never_stretched():
    network = networks.UNet(2, width=0.02, padding="valid")
    data = train.ArrayData([np.zeros((188, 188, 3), np.uint8)], [np.zeros((188, 188), np.uint8)], ["a", "b"])
    for call in (
        lambda: train.Model("unet", ["a", "b"], padding="valid"),
        lambda: train.predict(network, data[0][0]),
        lambda: train.fit(network, data),
        lambda: ct.HybridCRF(network, ct.DenseCRF(2, ct.GaussianKernel())),
    ):
        with pytest.raises(ValueError, match="none for a margin of 92 pixels; padding='mirror' is the same network"):
            call()


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_published_padding_of_fcn(name, upsampling):
    network = narrow(name, padding="published", upsampling=upsampling).eval()
    for size in ((1, 1), (33, 64), (51, 47)):
        assert network(torch.rand(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("padding", ["same", "published"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_scores_of_fcn_lie_where_their_pixels_are(padding, upsampling, stride):
    """Scores that are the place of their pixels come out as the place of all pixels: nothing is shifted."""
    network = networks.FCN(2, width=1 / 64, stride=stride, padding=padding, upsampling=upsampling).double().eval()
    image = torch.zeros(1, 3, 256, 320, dtype=torch.float64)
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in image.shape[2:]), indexing="ij")
    places = torch.stack([rows, columns])[None]
    border = 100 if padding == "published" else 1  # of the first convolution; one is what it takes away

    def place(step, begin, like):
        axes = [begin + step * torch.arange(n, dtype=torch.float64) for n in like.shape[2:]]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]

    def of(step, convolutions):
        return lambda module, given, result: place(step, (step - 1) / 2 - (border - 1) + convolutions * step, result)

    network.score.register_forward_hook(of(32, 3 if padding == "published" else 0))
    for skip in network.skip_scores.values():
        skip.register_forward_hook(lambda module, given, result: torch.zeros_like(result))
    found = network(image)
    inside = (..., slice(64, -64), slice(64, -64))
    torch.testing.assert_close(found[inside], places[inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("stride", "name"), [(8, "pspnet50"), (16, "deeplabv3_50"), (8, "deeplabv3_50")])
def test_output_strides(stride, name):
    network = narrow(name, output_stride=stride).eval()
    middle, last = network.trunk(torch.rand(1, 3, 128, 192))
    assert last.shape[2:] == (128 // stride, 192 // stride)
    assert middle.shape[2:] == (128 // stride, 192 // stride)


def dilations(module):
    return [m.dilation[0] for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]


def test_dilations_are_those_of_the_papers():
    paper = {"uniform_dilation": True}
    psp = narrow("pspnet50", **paper).trunk
    train, test = (narrow("deeplabv3_50", output_stride=s, multi_grid=(1, 2, 4), **paper) for s in (16, 8))
    cascade = narrow("deeplabv3_cascade_101", output_stride=16, **paper)
    assert (dilations(psp.layer3), dilations(psp.layer4)) == ([2] * 6, [4] * 3)
    assert (dilations(train.trunk.layer3), dilations(train.trunk.layer4)) == ([1] * 6, [2, 4, 8])
    assert (dilations(test.trunk.layer3), dilations(test.trunk.layer4)) == ([2] * 6, [4, 8, 16])
    assert dilations(train.context) == [6, 12, 18]
    assert dilations(test.context) == [12, 24, 36]
    assert dilations(cascade.trunk.layer4) + dilations(cascade.context) == [2, 4, 2, 4, 8, 4, 8, 16, 8, 16, 32, 16]


def test_dilations_are_those_of_torchvision_where_nobody_says_otherwise():
    """Its first block of a dilated stage has the dilation of the stage before."""
    trunks = [meta(name).trunk for name in ("pspnet50", "deeplabv3_50")]
    cascade = meta("deeplabv3_cascade_50", output_stride=16)
    for trunk in trunks:
        assert (dilations(trunk.layer3), dilations(trunk.layer4)) == ([1] + [2] * 5, [2, 4, 4])
    assert dilations(cascade.trunk.layer4) + dilations(cascade.context) == [1, 4, 2, 2, 8, 4, 4, 16, 8, 8, 32, 16]


@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_dilated_trunk_is_the_classifier_at_a_finer_grid(output_stride):
    """The identity of the algorithme à trous: weights of classifiers mean the same."""
    from classicseg.torch.networks._resnet import ResNet

    def trunk(stride, **options):
        torch.manual_seed(0)
        made = ResNet(50, 3, lambda n: max(1, n // 16), stride, **options).double().eval()
        for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm2d)):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.running_mean)
        return made

    image, step = torch.rand(1, 3, 96, 128, dtype=torch.float64), 32 // output_stride
    coarse = trunk(32)(image)[1]
    fine = trunk(output_stride)(image)[1][..., ::step, ::step]
    torch.testing.assert_close(fine, coarse, rtol=1e-9, atol=1e-9)
    other = trunk(output_stride, uniform_dilation=True)(image)[1][..., ::step, ::step]
    assert (other - coarse).norm() > 0.05 * coarse.norm()


def test_the_classifier_of_fcn_sees_404_pixels():
    network = narrow("fcn32s").double().eval()
    for index, layer in enumerate(network.trunk.features):
        if isinstance(layer, nn.MaxPool2d):
            network.trunk.features[index] = nn.AvgPool2d(2)  # the window of a maximum, seen by its gradient
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_().add_(1e-3)
    image = torch.rand(1, 3, 640, 640, dtype=torch.float64, requires_grad=True)
    features = network.fc7(network.fc6(network.trunk.features(image)))
    features[0, :, 10, 10].sum().backward()
    seen = image.grad[0].abs().sum(0) > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 404


def test_the_first_pooled_cell_is_the_whole_image():
    network = narrow("pspnet50").eval()
    image = torch.rand(1, 3, 400, 400, requires_grad=True)
    network(image)[0, :, 0, 0].sum().backward()
    assert (image.grad[..., -8:, -8:].abs().sum() > 0).item()


# --- training -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", networks.NAMES)
def test_gradient_reaches_every_parameter(name):
    options = {"aux": True} if name.startswith(("psp", "deeplab")) else {}
    network = narrow(name, **options)
    result = network(torch.rand(2, 3, 64, 64))
    (sum(z.square().mean() for z in result.values()) if options else result.square().mean()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    reached = [p.grad.abs().sum() > 0 for p in network.parameters()]
    assert sum(reached) > 0.9 * len(reached)  # a narrow layer may be dead by chance


@pytest.mark.parametrize("name", ["pspnet50", "deeplabv3_50", "deeplabv3_cascade_50"])
def test_auxiliary_logits_come_in_training_only(name):
    network = narrow(name, aux=True)
    result = network(torch.rand(2, 3, 40, 50))
    assert set(result) == {"out", "aux"}
    assert result["aux"].shape == result["out"].shape == (2, 3, 40, 50)
    assert isinstance(network.eval()(torch.rand(2, 3, 40, 50)), torch.Tensor)


@pytest.mark.parametrize("name", networks.NAMES)
def test_evaluation_is_deterministic_and_each_image_for_itself(name):
    network = narrow(name).double().eval()
    images = torch.rand(2, 3, 48, 64, dtype=torch.float64)
    with torch.no_grad():
        both = network(images)
        assert torch.equal(both, network(images))
        torch.testing.assert_close(network(images[1:]), both[1:])


def test_the_same_seed_gives_the_same_network():
    one, other = narrow("unet"), narrow("unet")
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_checkpointing_changes_neither_gradients_nor_statistics():
    image = torch.rand(2, 3, 40, 50)
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = networks.build("fcdensenet56", 3, width=1 / 4, checkpointing=checkpointing).train()
        torch.manual_seed(1)
        network(image).square().mean().backward()
        results.append(([p.grad for p in network.parameters()], network.state_dict()))
    (gradients, state), (other_gradients, other_state) = results
    for one, other in zip(gradients, other_gradients, strict=True):
        assert torch.equal(one, other)
    for key in state:
        assert torch.equal(state[key], other_state[key]), key


@pytest.mark.parametrize("name", ["unet", "fcn8s", "fcdensenet56", "pspnet50", "deeplabv3_50", "deeplabv3_cascade_50"])
def test_narrow_networks_learn(name):
    """Two halves of one image: a few steps are enough."""
    options = {"batch_norm": True} if name == "fcn8s" else {}
    torch.manual_seed(0)
    network = networks.build(name, 2, width=1 / 16, **options)
    image = torch.rand(2, 3, 64, 64) * 0.2
    image[..., 32:] += 0.7
    truth = torch.zeros(2, 64, 64, dtype=torch.long)
    truth[..., 32:] = 1
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(10):
        loss = nn.functional.cross_entropy(network(image), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.3


def test_batch_normalisation_of_a_single_value_is_refused():
    for name in ("pspnet50", "deeplabv3_50"):
        with pytest.raises(ValueError, match="batches of at least 2 to train"):
            narrow(name)(torch.rand(1, 3, 64, 64))
        narrow(name).eval()(torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="batches of at least 2 to train UNet at 16x16"):
        narrow("unet")(torch.rand(1, 3, 16, 16))
    narrow("unet")(torch.rand(1, 3, 16, 17))
    narrow("fcdensenet56")(torch.rand(2, 3, 32, 32))


# --- bilinear beginnings, checkerboards ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
def test_fcn_begins_as_bilinear_interpolation(name):
    network = narrow(name)
    scores = torch.rand(1, 3, 6, 7)
    larger = network.enlarge(scores)
    factor, border = network.stride, network.enlarge.border
    exact = nn.functional.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = slice(factor, -factor)
    found = larger[..., border : border + 6 * factor, border : border + 7 * factor]
    torch.testing.assert_close(found[..., inner, inner], exact[..., inner, inner])


def test_only_transposed_convolutions_make_checkerboards():
    """A flat map under random weights: a 3x3 kernel with stride 2 overlaps unevenly, a resize does not."""
    from classicseg.torch.networks.fcn import ResizeConvolution

    torch.manual_seed(0)
    transposed, resize = nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False), ResizeConvolution(1, 2)
    for conv in (transposed, resize.conv):
        nn.init.uniform_(conv.weight, 0.5, 1.5)
    flat = torch.ones(1, 1, 8, 8)
    inner = (..., slice(4, -4), slice(4, -4))
    assert transposed(flat)[inner].std() > 0.3
    assert resize(flat)[inner].std() < 1e-5


# --- weights of classifiers ---------------------------------------------------------------------------------------


def resnet_shapes(blocks):
    """Names and shapes of the weights of torchvision's ResNet-50 and -101."""

    def norm(name, n):
        for key in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{key}", (n,)
        yield f"{name}.num_batches_tracked", ()

    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm("bn1", 64)
    n_in = 64
    for stage, (planes, n_blocks) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
        for block in range(n_blocks):
            name = f"layer{stage}.{block}"
            for i, shape in enumerate([(planes, n_in, 1, 1), (planes, planes, 3, 3), (4 * planes, planes, 1, 1)], 1):
                yield f"{name}.conv{i}.weight", shape
                yield from norm(f"{name}.bn{i}", shape[0])
            if block == 0:
                yield f"{name}.downsample.0.weight", (4 * planes, n_in, 1, 1)
                yield from norm(f"{name}.downsample.1", 4 * planes)
            n_in = 4 * planes
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def vgg16_shapes():
    """Names and shapes of the weights of torchvision's VGG16."""
    n_in = 3
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    for place, n in zip(places, [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6, strict=True):
        yield f"features.{place}.weight", (n, n_in, 3, 3)
        yield f"features.{place}.bias", (n,)
        n_in = n
    for place, (n, m) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        yield f"classifier.{place}.weight", (n, m)
        yield f"classifier.{place}.bias", (n,)


def zeros(shapes):
    """Weights that take no memory."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes}


@pytest.mark.parametrize(("name", "blocks"), [("pspnet50", (3, 4, 6, 3)), ("deeplabv3_101", (3, 4, 23, 3))])
def test_weights_of_a_resnet_load(name, blocks):
    network = empty(name, 21)
    nn.init.ones_(network.trunk.layer4[2].conv3.weight)
    weights = zeros(resnet_shapes(blocks))
    report = networks.load_backbone(network, {f"module.{key}": value for key, value in weights.items()})
    assert report.unexpected == ["module.fc.weight", "module.fc.bias"]
    assert not report.missing
    assert not report.mismatched
    assert len(report.loaded) == len(weights) - 2
    assert not network.trunk.layer4[2].conv3.weight.any()


def deeplabv3_shapes(n_labels=21):
    """Names and shapes of the weights of torchvision's DeepLabv3-50, trained on COCO."""

    def conv_norm(conv, norm, n_in, n_out, size):
        yield f"{conv}.weight", (n_out, n_in, size, size)
        for key in ("weight", "bias", "running_mean", "running_var"):
            yield f"{norm}.{key}", (n_out,)
        yield f"{norm}.num_batches_tracked", ()

    yield from ((f"backbone.{key}", shape) for key, shape in resnet_shapes((3, 4, 6, 3)) if not key.startswith("fc"))
    for i, size in enumerate((1, 3, 3, 3)):
        yield from conv_norm(f"classifier.0.convs.{i}.0", f"classifier.0.convs.{i}.1", 2048, 256, size)
    yield from conv_norm("classifier.0.convs.4.1", "classifier.0.convs.4.2", 2048, 256, 1)
    yield from conv_norm("classifier.0.project.0", "classifier.0.project.1", 1280, 256, 1)
    yield from conv_norm("classifier.1", "classifier.2", 256, 256, 3)
    yield from conv_norm("aux_classifier.0", "aux_classifier.1", 1024, 256, 3)
    for name in ("classifier.4", "aux_classifier.4"):
        yield f"{name}.weight", (n_labels, 256, 1, 1)
        yield f"{name}.bias", (n_labels,)


def test_weights_of_torchvisions_deeplabv3_load_whole():
    weights = zeros(deeplabv3_shapes())
    network = empty("deeplabv3_50", 21, aux=True)
    for value in network.state_dict().values():
        value[...] = 1
    report = networks.load_backbone(network, weights)
    assert (report.missing, report.unexpected, report.mismatched) == ([], [], {})
    assert len(report.loaded) == len(weights) == len(network.state_dict())
    assert not any(value.any() for value in network.state_dict().values())
    other = empty("deeplabv3_50", 3)
    report = networks.load_backbone(other, weights)
    assert report.mismatched.keys() == {"head.1.weight", "head.1.bias"}
    assert all(key.startswith("aux_classifier.") for key in report.unexpected)
    assert report.missing == []


def test_weights_of_vgg16_load_and_its_classifier_becomes_convolutions():
    network = empty("fcn8s", 2)
    nn.init.ones_(network.trunk.features[28].weight)
    weights = zeros(vgg16_shapes())
    weights["classifier.0.weight"] = torch.zeros(4096, 25088)
    weights["classifier.0.weight"][5, 49 * 3 + 7 * 2 + 4] = 1  # of channel 3, row 2, column 4
    report = networks.load_backbone(network, weights)
    assert report.unexpected == ["classifier.6.weight", "classifier.6.bias"]
    assert not report.missing
    assert not report.mismatched
    assert network.fc6.weight[5, 3, 2, 4] == 1
    assert network.fc6.weight.sum() == 1
    assert not network.trunk.features[28].weight.any()


def test_what_does_not_fit_is_reported():
    donor = narrow("deeplabv3_50").trunk.state_dict()
    network = narrow("deeplabv3_50", in_channels=4)
    gone = donor.pop("layer1.0.bn1.weight")
    before = network.trunk.layer1[0].bn1.weight.clone()
    report = networks.load_backbone(network, {**donor, "head.weight": gone})
    assert report.mismatched == {"conv1.weight": ((2, 3, 7, 7), (2, 4, 7, 7))}
    assert report.missing == ["layer1.0.bn1.weight"]
    assert report.unexpected == ["head.weight"]
    assert torch.equal(network.trunk.layer1[0].bn1.weight, before)
    assert "conv1.weight: shape (2, 3, 7, 7), (2, 4, 7, 7) needed" in str(report)
    for key, value in donor.items():
        if key != "conv1.weight":
            assert torch.equal(network.trunk.state_dict()[key], value)


def test_weights_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match=r"must hold weights of the trunk, such as 'conv1\.weight'"):
        networks.load_backbone(narrow("pspnet50"), {"a": torch.zeros(2)})
    with pytest.raises(ValueError, match="must have a trunk of ResNet or VGG16, got UNet"):
        networks.load_backbone(narrow("unet"), {"a": torch.zeros(2)})
    for bad in ([1], {"a": 1}):
        with pytest.raises(TypeError, match="state_dict must be a mapping"):
            networks.load_backbone(narrow("pspnet50"), bad)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["unet", "fcn16s", "fcdensenet56", "pspnet50", "deeplabv3_50"])
def test_bad_images_are_named(name):
    network = narrow(name)
    for image, kind, message in [
        (torch.rand(3, 64, 64), ValueError, r"shape \(B, 3, H, W\), got \(3, 64, 64\); it has no batch axis"),
        (torch.rand(2, 1, 64, 64), ValueError, r"shape \(B, 3, H, W\), got \(2, 1, 64, 64\)"),
        (torch.rand(0, 3, 64, 64), ValueError, "image must have shape"),
        (torch.zeros(2, 3, 64, 64, dtype=torch.uint8), TypeError, "floating point numbers, got dtype torch.uint8"),
        (torch.rand(2, 3, 64, 64).numpy(), TypeError, "image must be a torch.Tensor, got ndarray"),
    ]:
        with pytest.raises(kind, match=message):
            network(image)


@pytest.mark.parametrize(
    ("name", "options", "kind", "message"),
    [
        ("resnet", {}, ValueError, "name must be one of 'fcn32s', .*got 'resnet'"),
        ("unet", {"n_labels": 0}, ValueError, "n_labels must be at least 1, got 0"),
        ("unet", {"n_labels": 2.5}, TypeError, "n_labels must be a whole number"),
        ("unet", {"in_channels": 0}, ValueError, "in_channels must be at least 1"),
        ("unet", {"width": 0}, ValueError, "width must be positive and finite, got 0"),
        ("unet", {"width": float("nan")}, ValueError, "width must be finite"),
        ("unet", {"width": "thin"}, TypeError, "width must hold real numbers"),
        ("unet", {"padding": "reflect"}, ValueError, "padding must be one of 'same', 'valid'"),
        ("unet", {"dropout": 2}, ValueError, "dropout must be between 0 and 1, got 2"),
        ("fcdensenet56", {"dropout": -1}, ValueError, "dropout must be between 0 and 1, got -1"),
        ("fcn8s", {"upsampling": "nearest"}, ValueError, "upsampling must be one of"),
        ("fcn8s", {"stride": 4}, ValueError, "stride must be 8, 16 or 32, got 4"),
        ("fcdensenet56", {"n_layers": 57}, ValueError, "n_layers must be 56, 67 or 103, got 57"),
        ("pspnet50", {"output_stride": 4}, ValueError, "output_stride must be 8, 16 or 32, got 4"),
        ("pspnet50", {"depth": 34}, ValueError, "depth must be 50 or 101, got 34"),
        ("deeplabv3_50", {"output_stride": 32}, ValueError, "output_stride must be 8 or 16, got 32"),
        ("deeplabv3_50", {"multi_grid": (1, 2)}, ValueError, "multi_grid must be 3 whole numbers"),
        ("deeplabv3_50", {"multi_grid": (1, 0, 2)}, ValueError, "multi_grid must be at least 1, got 0"),
        ("unet", {"aux": True}, TypeError, "aux"),
    ],
)
def test_bad_settings_are_named(name, options, kind, message):
    with pytest.raises(kind, match=message):
        networks.build(name, **{"n_labels": 2, "width": 1 / 32, **options})
