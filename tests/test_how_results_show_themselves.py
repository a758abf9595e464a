"""Texts of one line, pictures in notebooks, charts; and colours that all eyes tell apart."""

import base64
import re
import subprocess
import sys

import numpy as np
import pytest

import classicseg as cs
from classicseg import plot
from classicseg.errors import InputError, InputTypeError
from classicseg.plot.network import Network
from classicseg.plot.triangles import Triangles
from classicseg.reference.lattice import Lattice

UNARY = np.random.default_rng(3).random((2, 6, 8))


@pytest.fixture
def plt():
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def a_cutout():
    image = np.full((16, 16), 20)
    image[5:9, 6:11] = 250
    return cs.cutout(image, box=(2, 2, 14, 14)), image


def a_segmentation():
    image = np.tile(np.arange(12) // 4 * 60, (8, 1))
    return cs.record_split_and_merge(image, 24.0), image


def a_search():
    return cs.Tuned({"preset": "auto", "sigma": 3.0}, 0.75, 0.7, 0.5, ())


def test_texts_are_short_and_plain():
    crf = cs.GridCRF(UNARY, cs.Potts(0.3))
    things = [
        cs.sample("nuclei"),
        cs.State(1, marginals=np.zeros((2, 40, 60))),
        a_segmentation()[0],
        a_segmentation()[0].record,
        a_cutout()[0],
        a_search(),
        cs.minimize(crf, "icm"),
        cs.Matrix(np.eye(30)),
        cs.Diagonal(np.ones(40)),
        cs.RegionStatistics.of(np.ones((5, 1)), np.arange(257.0)),
        cs.PermutohedralLattice(np.zeros((2, 900))),
        cs.GaussianFilter((40, 60)),
        cs.ExactFilter(np.zeros((2, 900))),
        cs.GraphCut(crf),
        cs.Refiner(memory=3),
    ]
    for thing in things:
        text = repr(thing)
        assert text.startswith(type(thing).__name__ + "("), text
        assert "\n" not in text
        assert "array" not in text
        assert len(text) < 260, text
    assert repr(cs.Potts(1)) == "Potts(weight=1.0)"
    assert repr(cs.Matrix([[0, 1], [1, 0]])) == "Matrix(values=[[0.0, 1.0], [1.0, 0.0]])"
    assert "truth=<256x256" in repr(things[0])


def pixels_of(html):
    from io import BytesIO

    from PIL import Image

    return [
        np.asarray(Image.open(BytesIO(base64.b64decode(found))).convert("RGB"))
        for found in re.findall(r"base64,([^'\"]+)['\"]", html)
    ]


def test_results_are_pictures_with_their_figures_in_notebooks(plt):
    result = cs.minimize(cs.GridCRF(UNARY, cs.Potts(0.3)), "trws")
    for thing, words in (
        (result, ("trws", "lower bound", f"{result.energy:.6g}", "gap", "seconds")),
        (a_segmentation()[0], ("3", "regions", "merges")),
        (a_cutout()[0], ("object", "7.8% of the pixels", "energy")),
        (a_search(), ("preset=auto, sigma=3", "0.75", "unrefined")),
    ):
        html = thing._repr_html_()
        assert all(word in html for word in words), html[-900:]
        (picture,) = pixels_of(html)
        assert picture.std() > 5
        assert not plt.get_fignums()  # nothing is left open, or notebooks would show it twice


def test_results_draw_themselves_over_their_images(plt):
    result = cs.minimize(cs.GridCRF(UNARY, cs.Potts(0.3)), "trws")
    assert len(result.plot().axes) == 2
    volume = cs.minimize(cs.GridCRF(np.random.default_rng(0).random((2, 3, 4, 5)), cs.Potts(0.3)), "icm")
    assert volume.plot().axes
    for thing, image in (a_cutout(), a_segmentation(), (result, UNARY[0])):
        assert thing.plot(image).axes[0].images[0].get_array().shape == (*image.shape, 3)
        with pytest.raises(InputError, match="image must"):
            thing.plot(np.zeros((3, 3)))
    with pytest.raises(InputTypeError, match="no image"):
        a_search().plot(UNARY[0])


def test_pixels_outside_of_a_mask_stay_as_they_are(plt):
    mask = np.ones((6, 8), bool)
    mask[:, 5:] = False
    result = cs.minimize(cs.GridCRF(UNARY, cs.Potts(0.3), mask=mask), "icm")
    image = np.full((6, 8, 3), 90, np.uint8)
    shown = result.plot(image).axes[0].images[0].get_array()
    assert (shown[:, 5:] == 90).all()
    assert result._repr_html_()


def test_without_matplotlib_there_is_text_and_the_error_names_the_extra():
    code = """
import sys
sys.modules["matplotlib"] = None
import classicseg as cs
result = cs.Result([[0]], method="none")
print(result._repr_html_())
try:
    result.plot()
except ImportError as failure:
    print(failure)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["None", "plot() needs matplotlib, the extra `plot`: pip install matplotlib"]


def test_types_import_no_room_until_something_is_drawn():
    code = "import sys, classicseg.types; print([m for m in sys.modules if m.startswith('classicseg.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['classicseg.types']"


def test_a_slider_holds_both_pictures():
    before, after = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 200, np.uint8)
    html = plot.before_after(before, after, names=("<old>", "new"), start=0.25)
    assert html._repr_html_() == html
    assert repr(html).startswith("Html(")
    assert [picture.mean() for picture in pixels_of(html)] == [200, 0]
    assert "&lt;old&gt;" in html
    assert 'value="25"' in html
    for wrong in (
        lambda: plot.before_after(before, after[:3]),
        lambda: plot.before_after(before, after, names=("one",)),
        lambda: plot.before_after(before, after, start=2),
    ):
        with pytest.raises(InputError):
            wrong()


def test_the_drawn_lattice_is_that_of_the_reference():
    rng = np.random.default_rng(0)
    points, values = rng.normal(0, 1.5, (2, 40)), rng.random(40)
    drawn, twin = Triangles.of(points), Lattice(points)
    assert len(drawn.vertices) == len(twin.vertices)
    ours = drawn.slice(drawn.blur(drawn.splat(values)))
    np.testing.assert_allclose(twin.gain * ours, twin.filter(values[None])[0], rtol=1e-12)
    corners = (drawn.vertices[drawn.corners] * drawn.weights[..., None]).sum(1)
    np.testing.assert_allclose(corners.T, points, atol=1e-12)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_the_drawn_cut_is_the_minimum(connectivity):
    crf = cs.GridCRF(UNARY, cs.Potts(0.3), connectivity=connectivity)
    network, best = Network.of(crf), cs.minimize(crf, "graph_cut")
    assert crf.energy(network.labels.reshape(crf.shape)) == pytest.approx(best.energy, abs=1e-3)
    assert network.value == pytest.approx(network.cut(), rel=1e-3)
    assert (network.flow <= network.capacity + 1e-3).all()
    np.testing.assert_allclose(network.flow[network.in_cut()], network.capacity[network.in_cut()], atol=1e-3)


def test_whole_numbers_flow_exactly():
    crf = cs.GridCRF(np.array([[[0, 3, 4], [0, 1, 5]], [[4, 2, 0], [5, 2, 0]]]), cs.Potts(2))
    network = Network.of(crf)
    assert network.value == network.cut() == cs.minimize(crf, "graph_cut").energy - crf.unary.min(0).sum()


def test_charts(plt):
    crf = cs.GridCRF(UNARY, cs.Potts(0.3))
    results = {name: cs.minimize(crf, name) for name in ("icm", "trws", "graph_cut")}
    (axes,) = plot.trace(results, logarithmic=True).axes
    assert {"icm", "trws", "trws, bound"} <= {text.get_text() for text in axes.get_legend().get_texts()}
    assert len(plot.trace(results["trws"]).axes) == 1
    assert "cut" in plot.flow(crf).axes[0].get_title()
    assert len(plot.lattice(np.random.default_rng(0).normal(0, 1, (2, 9))).axes) == 4
    for wrong, error in (
        (lambda: plot.trace({}), InputError),
        (lambda: plot.trace({"a": 3}), InputTypeError),
        (lambda: plot.flow(UNARY), InputTypeError),
        (lambda: plot.flow(cs.GridCRF(np.zeros((3, 4, 4)), cs.Potts())), InputError),
        (lambda: plot.flow(cs.GridCRF(np.zeros((2, 4, 4)), cs.Potts(-1))), InputError),
        (lambda: plot.lattice(np.zeros((3, 4))), InputError),
        (lambda: plot.lattice(np.zeros((2, 4)), np.zeros(3)), InputError),
        (lambda: plot.lattice(np.random.default_rng(0).normal(0, 900, (2, 9000)), np.zeros(9000)), InputError),
    ):
        with pytest.raises(error):
            wrong()


def test_doubt_is_yellow_and_certainty_blue():
    picture = plot.uncertainty([[[1.0, 0.5]], [[0.0, 0.5]]])
    assert picture.tolist() == [[[0, 32, 77], [255, 234, 70]]]
    for wrong in ([[2.0], [0.0]], [0.5, 0.5], [[1.0]]):
        with pytest.raises(InputError, match="marginals"):
            plot.uncertainty(wrong)


DICHROMATS = {  # Machado, Oliveira and Fernandes 2009, severity 1, of linear RGB
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    "all cones": np.eye(3),
}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
]


def least_distance(colors, eyes):
    shares = colors / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(DICHROMATS[eyes]), 0, 1)
    lab = np.cbrt(seen @ np.transpose(TO_LMS)) @ np.transpose(TO_OKLAB)
    return np.linalg.norm(lab[:, None] - lab, axis=-1)[np.triu_indices(len(colors), 1)].min()


@pytest.mark.parametrize("eyes", DICHROMATS)
@pytest.mark.parametrize(("n_labels", "least"), [(5, 0.11), (8, 0.07), (21, 0.07)])
def test_eyes_that_lack_a_cone_tell_labels_apart(eyes, n_labels, least):
    """Distances in Oklab; 0.02 is about what can just be noticed."""
    assert least_distance(plot.palette(n_labels), eyes) > least
