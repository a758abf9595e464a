"""Lessons in a browser: they open, ask nobody for anything, and their numbers and pictures follow their controls."""

import ast
import json
import re

import numpy as np
import pytest

import classicseg as cs
from tests.lessons.modules import LESSONS, carried, pages

NAMES = [lesson["name"] for lesson in pages.outline()]
SIDE = 5


def test_pages_ask_nobody_for_anything_and_are_small(folder):
    for name in NAMES:
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert len(text.encode()) <= pages.MOST_BYTES
        assert not re.search(r"""(src|href)=["'](https?:)?//|@import|fetch\(|XMLHttpRequest""", text)


def test_every_lesson_is_listed():
    index = (LESSONS / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"\(pages/(\w+)\.html\)", index) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_lessons_have_what_every_lesson_has(folder, name):
    text = (folder / f"{name}.html").read_text(encoding="utf-8")
    body = text[text.index("<main") : text.index("</main>")]
    assert re.search(r"<main id=\"main\">\s*<h1>[^<]*\?</h1>", body)  # a question comes first
    assert body.count("data-exercise=") == 3
    assert 'class="guess"' in body
    assert 'data-do="undo"' in body
    assert 'data-do="redo"' in body
    assert "<kbd>" in body
    assert re.search(r"<pre><code>import [^<]*classicseg", body)


@pytest.mark.parametrize("name", [lesson["name"] for lesson in pages.outline() if "module" in lesson])
def test_the_line_that_has_just_run_is_marked_beside_the_picture(window, folder, name):
    window.open(folder / f"{name}.html", 1300, "#step=3&iterations=2&iteration=2&term=3")
    window.press({"cut": "step", "messages": "one", "energies": "undo"}.get(name, "forth"))
    _drawn(window)
    lines = window.run("return [...document.querySelectorAll('.steps code')].map(code => code.className)")
    assert len(lines) >= 4
    assert lines.count("now") in (1, 2, 3)


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("name", NAMES)
def test_lessons_open_without_complaints_at_the_width_of(window, folder, pictures, name, width):
    window.open(folder / f"{name}.html", width)
    assert not window.overflows()
    assert window.complaints() == []
    window.picture(pictures / f"{name}-{width}.png")


@pytest.mark.parametrize("name", NAMES)
def test_addresses_that_make_no_sense_are_passed_over(window, folder, name):
    hash_ = "#lambda=x&mode=7&gray=99&labels=&pushes=1.2x9_3&sigma=1e99&n=-5&depth=NaN&x=y"
    hash_ += "&stack=c9.9.9-q&painted=5.99999&window=0&stride=1e3&loss=&weight=-1&pixels=1e9&back=NaN"
    window.open(folder / f"{name}.html", 1300, hash_)
    assert window.complaints() == []


def _minimum_cut(gray, weight):
    wishes = 9 - 2 * np.array(gray)
    crf = cs.GridCRF(np.stack([-wishes, wishes]).clip(0), cs.Potts(weight))
    return cs.minimize(crf, "graph_cut")


FIRST = [[4, 3, 6, 2, 2], [7, 8, 3, 4, 4], [3, 6, 2, 2, 3], [7, 7, 2, 2, 2], [2, 3, 2, 2, 2]]


def test_be_the_cut_shows_the_cut_of_the_library(window, folder, pictures):
    window.open(folder / "cut.html", 1300)
    assert window.text("[data-live=energy]") == "39"
    borders = window.run("return document.querySelectorAll('.border').length")
    assert borders == 13
    for weight in (3, 2, 6):
        window.slide("lambda", weight)
        window.press("solve")
        found = _minimum_cut(FIRST, weight)
        assert int(window.text("[data-live=energy]")) == found.energy
        assert int(window.text("[data-live=flow]")) == found.energy
        changes = sum(int((np.diff(found.labels, axis=axis) != 0).sum()) for axis in (0, 1))
        assert window.run("return document.querySelectorAll('.border').length") == changes
    window.press("undo")
    assert int(window.text("[data-live=energy]")) != found.energy
    window.slide("lambda", 3)
    window.press("solve")
    window.picture(pictures / "cut-solved.png")
    assert window.complaints() == []


def test_be_the_cut_can_be_done_by_keyboard_and_explains_wrong_steps(window, folder):
    from selenium.webdriver.common.keys import Keys

    window.open(folder / "cut.html", 1300, "#mode=push")
    network = window.driver.find_element("css selector", "#net")
    network.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.SPACE)  # from the middle to the brightest pixel
    assert "drain" in window.text(".say")
    network.send_keys(Keys.ARROW_RIGHT, Keys.SPACE, Keys.ARROW_LEFT, Keys.ENTER)  # from the spring beside it
    assert window.text("[data-live=flow]") == "3"
    network.send_keys(Keys.ARROW_RIGHT, Keys.SPACE)
    assert "empty" in window.text(".say")
    window.press("undo")
    assert window.text("[data-live=flow]") == "0"
    window.press("redo")
    assert window.text("[data-live=flow]") == "3"


def test_be_the_cut_checks_its_exercises(window, folder):
    window.open(folder / "cut.html", 1300)
    for _ in range(14):
        window.press("step")
    window.click("[data-mode=mode][value=paint]")
    for pixel in (2, 10):  # drop the speck, fill the hole
        window.click(f"[data-pixel='{pixel}'] rect")
    assert window.text("[data-live=gap]") == "0"
    assert window.text("[data-exercise=close] .mark") == "✓ Solved"
    window.press("reset")
    least = next(w for w in range(1, 9) if len(np.unique(_minimum_cut(FIRST, w).labels)) == 1)
    window.slide("lambda", least)
    window.press("solve")
    assert window.text("[data-exercise=flat] .mark") == "✓ Solved"
    assert window.text("[data-live=solved]") == "2"


def _drawn(window):
    """Wait until the last change has been drawn."""
    window.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


def _random(seed: int, n: int) -> np.ndarray:
    """The random numbers of the page: mulberry32."""
    numbers, a, whole = [], seed, 2**32 - 1
    for _ in range(n):
        a = (a + 0x6D2B79F5) & whole
        t = (a ^ (a >> 15)) * (1 | a) & whole
        t ^= (t + ((t ^ (t >> 7)) * (61 | t) & whole)) & whole
        numbers.append(((t ^ (t >> 14)) & whole) / 2**32)
    return np.array(numbers)


def _cup():
    """The image, the costs of noisy labels and of the classifier, and the truth, as the page has them."""
    content, (height, width) = np.frombuffer(carried.cup(), np.uint8), carried.CUP
    n = height * width
    image, truth = content[: 3 * n].reshape(height, width, 3), content[8 * n :].reshape(height, width)
    probabilities = content[3 * n : 8 * n].reshape(5, height, width) / 255
    replace, other = _random(7, 2 * n).reshape(n, 2).T
    seen = np.where((replace < 0.4) | (truth.reshape(-1) == 255), np.floor(other * 5), truth.reshape(-1))
    noisy = np.where(np.arange(5)[:, None] == seen, -np.log(0.5), -np.log(0.125)).reshape(5, height, width)
    classifier = -np.log(np.maximum(probabilities, 1e-3))
    return image, noisy.astype(np.float32), classifier.astype(np.float32), truth


def test_the_dense_crf_of_the_page_is_that_of_the_library(window, folder, pictures):
    image, noisy, classifier, truth = _cup()
    window.open(folder / "dense.html", 1300)
    first = window.run("return document.querySelector('#labels').toDataURL()")
    for source, unary, sigma, color, iterations in [("noise", noisy, 10, 12, 5), ("classifier", classifier, 20, 10, 7)]:
        window.click(f"[data-mode=source][value={source}]")
        for name, value in [("sigma", sigma), ("color", color), ("iterations", iterations), ("smooth", 3)]:
            window.slide(name, value)
        _drawn(window)
        kernels = [cs.GaussianKernel(3, 3), cs.BilateralKernel(image, sigma, color, 5)]
        crf = cs.DenseCRF(unary, kernels, quality="fast")
        labels = cs.minimize(crf, "mean_field", max_iter=iterations).labels
        counts = np.bincount(labels.reshape(-1), minlength=5)
        shown = window.run("return [...document.querySelectorAll('#legend b')].map(e => Number(e.textContent))")
        assert np.abs(counts - shown).sum() <= 2  # at ties the last bit decides
        right = 100 * (labels == truth)[truth < 255].mean()
        assert abs(float(window.text("[data-live=after]")) - right) < 0.11
        window.picture(pictures / f"dense-{source}.png")
    assert window.run("return document.querySelector('#labels').toDataURL()") != first
    assert window.text("[data-live=solved]") == "2"  # clean, and classifier
    window.click("[data-do=undo]")
    _drawn(window)
    assert window.text("[data-live=smooth]") != "3" or window.text("[data-live=iterations]") != "7"
    assert window.complaints() == []


def test_a_file_that_is_no_image_gets_a_sentence(window, folder, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    window.open(folder / "dense.html", 1300)
    window.driver.find_element("css selector", "input[type=file]").send_keys(str(broken))
    _drawn(window)
    window.run("return new Promise(done => setTimeout(done, 200))")
    assert "broken.png" in window.text(".say")
    assert window.complaints() == []


def _grid(weight: int, contrast: bool, eight: bool):
    """The energy of the page: the cup at half its size, whole costs."""
    image, _, _, truth = _cup()
    image, truth = image[::2, ::2].astype(float), truth[::2, ::2]
    n = truth.size
    replace, other = _random(7, 2 * n).reshape(n, 2).T
    flat = truth.reshape(-1)
    seen = np.where((replace < 0.4) | (flat == 255), np.floor(other * 5), flat).reshape(truth.shape)
    unary = np.where(np.arange(5)[:, None, None] == seen, 0, 10)
    weights = cs.contrast_weights(image, connectivity=8 if eight else 4, beta=None if contrast else 0)
    whole = {name: np.rint(weight * w.astype(float)) for name, w in weights.items()}
    return cs.GridCRF(unary, cs.Potts(1.0), whole, connectivity=8 if eight else 4), truth


def test_the_grid_crf_of_the_page_is_that_of_the_library(window, folder, pictures):
    window.open(folder / "grid.html", 1300)
    first = window.run("return document.querySelector('#labels').toDataURL()")
    for weight, contrast, eight in [(8, True, False), (5, False, True)]:
        window.slide("lambda", weight)
        for name, wanted in [("contrast", contrast), ("eight", eight)]:
            script = "const e = document.querySelector(`input[data-state=${arguments[0]}]`);"
            window.run(f"{script} if (e.checked !== arguments[1]) e.click()", name, wanted)
        crf, truth = _grid(weight, contrast, eight)
        for method in ("icm", "expansion"):
            window.click(f"[data-mode=solver][value={method}]")
            _drawn(window)
            result = cs.minimize(crf, method)
            shown = int(window.text("[data-live=energy]"))
            assert abs(shown - result.energy) <= 0.002 * result.energy  # a weight on the half may be rounded otherwise
            right = 100 * (result.labels == truth)[truth < 255].mean()
            assert abs(float(window.text("[data-live=right]")) - right) < 0.5
        bound = int(window.text("[data-live=bound]"))
        assert bound <= int(window.text("[data-live=expansion]"))
        assert abs(bound - cs.minimize(crf, "trws", max_iter=30, tol=0).lower_bound) <= 0.005 * bound
    assert window.run("return document.querySelector('#labels').toDataURL()") != first
    window.picture(pictures / "grid-expansion.png")
    window.press("reset")
    _drawn(window)
    energy = int(window.text("[data-live=energy]"))
    window.click("#labels")  # paints in the middle
    _drawn(window)
    assert int(window.text("[data-live=energy]")) != energy
    window.press("undo")
    _drawn(window)
    assert int(window.text("[data-live=energy]")) == energy
    assert window.complaints() == []


def test_the_bill_adds_up_and_its_minimum_is_that_of_the_library(window, folder, pictures):
    gray = np.array([int(digit) for digit in "323323277332333278232787328748237878"]).reshape(6, 6)
    window.open(folder / "energies.html", 1300)
    for weight in (2, 3, 1):
        window.press("reset")
        window.slide("lambda", weight)
        crf = cs.GridCRF(np.stack([2 * gray - 9, 9 - 2 * gray]).clip(0), cs.Potts(weight))
        wishes = (gray > 4).astype(np.int32)
        assert int(window.text("[data-live=energy]")) == sum(crf.terms(wishes).values())
        assert int(window.text("[data-live=icm]")) == cs.minimize(crf, "icm").energy
        window.slide("term", 40)
        right = wishes[:, :-1] != wishes[:, 1:]
        down = np.pad(wishes[:-1] != wishes[1:], ((0, 1), (0, 0)))
        first_row = [pair for x in range(5) for pair in (right[0, x], down[0, x])]
        assert int(window.text("[data-live=sum]")) == weight * sum(map(int, first_row[:4]))
        assert window.run("return document.querySelectorAll('.item').length") == 1
        window.press("minimise")
        assert int(window.text("[data-live=energy]")) == cs.minimize(crf, "graph_cut").energy
    window.open(folder / "energies.html", 1300)
    window.press("flip")
    window.press("flip")
    assert "local minimum" in window.text(".say")
    assert window.text("[data-exercise=local] .mark") == "✓ Solved"
    for pixel in (7, 8):
        window.click(f"[data-pixel='{pixel}'] rect")
    assert window.text("[data-exercise=hand] .mark") == "✓ Solved"
    window.picture(pictures / "energies-by-hand.png")
    assert window.complaints() == []


def test_split_and_merge_of_the_page_is_that_of_the_library(window, folder, pictures):
    gray = np.frombuffer(carried.gray_cup(), np.uint8).reshape(64, 64)
    window.open(folder / "regions.html", 1300)
    first = window.run("return document.querySelector('#regions').toDataURL()")
    for name, predicate, limit, stop in [("std", cs.StdDev, 24, 0), ("mean", cs.MeanDifference, 30, 3)]:
        window.click(f"[data-mode=predicate][value={name}]")
        window.slide("limit", limit)
        window.slide("stop", stop)
        _drawn(window)
        options = {"min_size": 2**stop}
        assert int(window.text("[data-live=blocks]")) == len(cs.quadtree(gray, predicate(limit), **options))
        labels = cs.split_and_merge(gray, predicate(limit), merge="best_first", **options)
        assert int(window.text("[data-live=regions]")) == labels.max()
        assert int(window.text("[data-live=now]")) == labels.max()
        own = labels == labels[20, 29]
        assert f"{own.sum()} pixels" in window.text("#asked").replace("has ", "")
    assert window.run("return document.querySelector('#regions').toDataURL()") != first
    window.slide("step", 2)
    _drawn(window)
    assert int(window.text("[data-live=now]")) == len(cs.quadtree(gray, cs.MeanDifference(30), min_size=16))
    window.press("forth")
    _drawn(window)
    assert int(window.text("[data-live=now]")) == len(cs.quadtree(gray, cs.MeanDifference(30), min_size=8))
    window.press("undo")
    _drawn(window)
    assert window.text("[data-live=step]") == "2"
    window.slide("level", 212)
    _drawn(window)
    assert window.text("[data-live=solved]") == "3"
    window.click("[data-mode=view][value=colours]")
    _drawn(window)
    window.picture(pictures / "regions-steps.png")
    window.open(folder / "regions.html", 1300, "#source=small&limit=30")
    text = (LESSONS / "pages" / "regions.js").read_text(encoding="utf-8")
    digits = re.search(r'SMALL = "(\d{64})"', text)[1]
    small = 28 * np.array([int(digit) for digit in digits], np.uint8).reshape(8, 8)
    assert int(window.text("[data-live=blocks]")) == len(cs.quadtree(small, cs.StdDev(30), min_size=1))
    labels = cs.split_and_merge(small, cs.StdDev(30), merge="best_first", min_size=1)
    assert int(window.text("[data-live=regions]")) == labels.max()
    window.picture(pictures / "regions-small.png")
    assert window.complaints() == []


def test_be_the_message_finds_the_best_row(window, folder, pictures):
    digits = "052" + "407" + "630" + "145" + "804" + "260" + "371"
    unary = np.array([int(digit) for digit in digits]).reshape(7, 3).T[:, None, :]
    window.open(folder / "messages.html", 1300)
    chain = window.driver.find_element("css selector", "#chain")
    chain.send_keys("b")
    assert "cheaper way" in window.text(".say")
    assert window.text("[data-live=done]") == "0"
    chain.send_keys("a")
    assert window.text("[data-live=done]") == "1"
    window.press("undo")
    assert window.text("[data-live=done]") == "0"
    for _ in range(18):
        window.press("one")
    assert window.text("[data-exercise=viterbi] .mark") == "✓ Solved"
    assert window.run("return document.querySelectorAll('#chain .best').length") == 6
    for weight in (4, 1, 7):
        window.slide("lambda", weight)
        crf = cs.GridCRF(unary, cs.Potts(weight))
        best = cs.minimize(crf, "belief_propagation")
        assert int(window.text("[data-live=best]")) == best.energy == cs.minimize(crf, "trws").lower_bound
        assert int(window.text("[data-live=greedy]")) == crf.energy(unary.argmin(0))
        window.press("rest")
        assert f"costs {best.energy:.0f}" in window.text(".say")
    window.slide("glue", 3)
    assert (window.text("[data-live=lead]"), window.text("[data-live=truelead]")) == ("8", "2")
    for _ in range(20):
        if "not the best" not in window.text(".say"):
            window.press("wrong")
    assert int(window.text("[data-live=loopy]")) > int(window.text("[data-live=exact]"))
    assert window.text("[data-exercise=loops] .mark") == "✓ Solved"
    window.picture(pictures / "messages-solved.png")
    assert window.complaints() == []


@pytest.mark.parametrize("name", ["regions", "energies", "cut", "grid", "dense", "lattice"])
def test_images_of_ones_own_can_be_tried(window, folder, tmp_path, pictures, name):
    from PIL import Image

    numbers = {"regions": "regions", "grid": "energy", "dense": "vertices", "lattice": "corners"}
    numbers |= {"energies": "python", "cut": "python"}
    says = "#photos .say" if name == "lattice" else ".say"
    window.open(folder / f"{name}.html", 1300)
    seen = [window.text(f"[data-live={numbers[name]}]")]
    for k in (3, 11):  # two images of one size
        image = (np.add.outer(np.arange(40), np.arange(60))[..., None] // k % 2 * [200, 120, 90]).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"{k}.png")
        window.driver.find_element("css selector", "input[type=file]").send_keys(str(tmp_path / f"{k}.png"))
        window.run("return new Promise(done => setTimeout(done, 400))")
        _drawn(window)
        assert "stays on this machine" in window.text(says)
        seen.append(window.text(f"[data-live={numbers[name]}]"))
    assert len(set(seen)) == 3
    window.picture(pictures / f"{name}-own.png")
    assert window.complaints() == []


def test_ways_that_an_address_invents_are_not_believed(window, folder):
    window.open(folder / "messages.html", 1300, "#ways=" + "0" * 18)
    assert int(window.text("[data-live=done]")) < 3
    assert window.text("[data-exercise=viterbi] .mark") == "○ Not yet"


def _answers(window, change=str, **known):
    """What the lines of Python at the end of a page give: the value of the last expression, and all names."""
    lines = ast.parse(change(window.text("main > pre code").strip())).body
    names: dict = dict(known)
    value = lines.pop().value
    exec(compile(ast.Module(lines, []), "the page", "exec"), names)
    return eval(compile(ast.Expression(value), "the page", "eval"), names), names


def test_the_python_of_lessons_gives_what_they_say(window, folder):
    window.open(folder / "energies.html", 1300, "#lambda=3")
    window.click("[data-pixel='7'] rect")
    names = {"gray": "python", "labels": "given"}
    known = {name: np.array(json.loads(window.text(f"[data-live={shown}]"))) for name, shown in names.items()}
    (terms, icm, least), _ = _answers(window, **known)
    for name, value in {**terms, "icm": icm, "least": least}.items():
        assert int(window.text(f"b[data-live={name}]")) == value
    window.open(folder / "messages.html", 1300, "#lambda=5")
    assert _answers(window)[0] == int(window.text("[data-live=best]"))
    window.open(folder / "regions.html", 1300, "#limit=30&stop=1")
    gray = np.frombuffer(carried.gray_cup(), np.uint8).reshape(64, 64)
    record, names = _answers(window, gray=gray)
    assert names["labels"].max() == int(window.text("[data-live=regions]"))
    assert len(record.merges) > 0
    window.open(folder / "lattice.html", 1300, "#near=6&alike=9")
    smooth, names = _answers(window, values=_values_of_lattice("STEP"))
    assert names["lattice"].n_vertices == int(window.text("[data-live=vertices]"))
    shown = np.array(window.run("return document.querySelector('#plane').dataset.smooth").split(), float)
    assert np.abs(shown - smooth).max() <= 1e-3


def test_the_torch_of_lessons_gives_what_they_say(window, folder):
    torch = pytest.importorskip("torch")
    for state in ("loss=focal&gamma=3&weight=4", "loss=tversky&pixels=40", "loss=dice&back=990"):
        window.open(folder / "losses.html", 1300, f"#{state}")
        shown = float(window.run("return document.getElementById('value').value"))
        assert _answers(window)[0].item() == pytest.approx(shown, rel=1e-4)  # the loss in float32
    window.open(folder / "fields.html", 1300, "#net=unet&y=3&x=2")
    torch.manual_seed(0)  # a narrow network with random weights may not see a pixel of its field
    seen, _ = _answers(window, lambda text: text.replace("512, 768", "32, 320").replace("=2)", "=2, width=0.1)"))
    assert seen[3, 2]
    assert seen.any(0).sum() <= 204  # the field


def test_the_lattice_of_the_page_is_that_of_the_library(window, folder, pictures):
    window.open(folder / "lattice.html", 1300)
    first = window.run("return document.querySelector('#plane').innerHTML")
    for button, near, alike in [("step", 4, 12), ("step", 12, 12), ("sparse", 3, 8)]:
        window.press(button)
        window.slide("near", near)
        window.slide("alike", alike)
        _drawn(window)
        values = _values_of_lattice("STEP" if button == "step" else "SPARSE")
        features = np.stack([np.arange(len(values)), values]) / np.array([[near], [alike]])
        lattice = cs.PermutohedralLattice(features.astype(np.float32))
        assert int(window.text("[data-live=vertices]")) == lattice.n_vertices
        smooth = np.array(window.run("return document.querySelector('#plane').dataset.smooth").split(), float)
        assert np.abs(smooth - 100 * lattice.filter(values[None] / 100, "after")[0]).max() <= 2e-4  # of 100, in float32
        exact = np.exp(-((features[:, :, None] - features[:, None]) ** 2).sum(axis=0) / 2)
        error = np.abs(smooth - exact @ values / exact.sum(axis=1)).mean()
        assert abs(float(window.text("[data-live=error]")) - error) < 0.006
        arrives = 100 * (lattice.row_sums() / exact.sum(axis=1)).mean()
        assert abs(float(window.text("[data-live=through]")) - arrives) < 0.51
    assert window.text("[data-exercise=edge] .mark") == "✓ Solved"
    window.slide("near", 20)
    window.slide("alike", 60)
    _drawn(window)
    assert window.text("[data-exercise=lost] .mark") == "✓ Solved"
    assert window.run("return document.querySelector('#plane').innerHTML") != first
    window.press("undo")
    _drawn(window)
    assert window.text("[data-live=alike]") == "8"
    window.picture(pictures / "lattice-steps.png")
    assert window.complaints() == []


def test_the_lattice_goes_step_by_step_and_takes_the_keyboard(window, folder):
    from selenium.webdriver.common.keys import Keys

    window.open(folder / "lattice.html", 1300)
    assert window.run("return document.querySelectorAll('.vertex').length") == 0
    plane = window.driver.find_element("css selector", "#plane")
    plane.send_keys("+")
    _drawn(window)
    n_vertices = int(window.text("[data-live=vertices]"))
    assert window.run("return document.querySelectorAll('.vertex').length") > n_vertices // 2
    plane.send_keys("+")
    _drawn(window)
    assert window.run("return document.querySelectorAll('.gap').length") > 0
    assert "up0" in window.text(".now")
    plane.send_keys("-", Keys.ARROW_RIGHT, Keys.ARROW_UP)
    _drawn(window)
    assert window.text("[data-live=asked]") == "15"
    assert "splat" in window.text(".now")
    window.click("[data-mode=who][value=one]")
    _drawn(window)
    assert window.run("return document.querySelectorAll('.vertex').length") <= 3
    assert window.complaints() == []


def test_points_of_the_lattice_can_be_dragged(window, folder):
    window.open(folder / "lattice.html", 1300)
    window.drag("#plane", (0.3, 0.7), (0.3, 0.5))
    _drawn(window)
    values = _values_of_lattice("STEP")
    values[11] += 22
    lattice = cs.PermutohedralLattice([np.arange(40) / 4, values / 12])
    assert window.text("[data-live=asked]") == "12"
    assert int(window.text("[data-live=vertices]")) == lattice.n_vertices
    window.press("undo")
    _drawn(window)
    assert window.text("[data-live=vertices]") == "34"
    assert window.complaints() == []


def test_the_photo_of_the_lattice_is_filtered_as_by_the_library(window, folder, pictures):
    image = np.frombuffer(carried.photo(), np.uint8).reshape(*carried.CUP, 3)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    window.open(folder / "lattice.html", 1300)
    for sigma, color in [(12, 20), (40, 40)]:
        window.slide("sigma", sigma)
        window.slide("color", color)
        script = "const wanted = JSON.stringify(arguments[0]); return new Promise(done => { const look = () => "
        script += "document.documentElement.dataset.compared === wanted ? done() : setTimeout(look, 30); look(); })"
        window.run(script, [sigma, color])
        lattice = cs.PermutohedralLattice(np.stack([x / sigma, y / sigma, *(image.transpose(2, 0, 1) / color)]))
        assert window.text("[data-live=corners]") == f"{lattice.n_vertices:,}"
        smooth = 255 * lattice.filter(image.transpose(2, 0, 1) / 255, "after").transpose(1, 2, 0)
        script = "const c = document.querySelector('#photo'); "
        script += "const o = new OffscreenCanvas(c.width, 30).getContext('2d', {willReadFrequently: true}); "
        script += "o.drawImage(c, 0, 0); return [...o.getImageData(0, 0, c.width, 30).data].filter((_, i) => i % 4 < 3)"
        shown = np.array(window.run(script)).reshape(30, -1, 3)
        assert np.abs(shown - smooth[:30]).max() < 0.51
        assert 0 < float(window.text("[data-live=wrong]")) < 1.2
    assert window.text("[data-exercise=few] .mark") == "✓ Solved"
    window.picture(pictures / "lattice-photo.png")
    assert window.complaints() == []


def _values_of_lattice(name: str) -> np.ndarray:
    """The values that the page of the lattice calls STEP or SPARSE."""
    text = (LESSONS / "pages" / "lattice.js").read_text(encoding="utf-8")
    return np.array([int(value) for value in re.search(rf"const {name} = \[([\d, ]+)\]", text)[1].split(",")], float)
