"""Lessons made of formulas: their numbers are those of the library's losses and networks, and follow the controls."""

import re

import pytest

from tests.lessons.modules import LESSONS, facts, pages

KEPT = facts.kept()


def _address(state):
    return "#" + "&".join(f"{name}={value}" for name, value in state.items())


def _value(window, name):
    return float(window.run("return document.getElementById(arguments[0]).value", name))


def _known(state):
    return next(known for known in KEPT["losses"] if known["state"] == state)


def _drawn(window):
    """Wait until the last change has been drawn."""
    window.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


@pytest.mark.parametrize("known", KEPT["losses"], ids=lambda known: _address(known["state"]))
def test_losses_and_pulls_of_the_page_are_those_of_the_library(window, folder, known):
    window.open(folder / "losses.html", 1300, _address(known["state"]))
    assert _value(window, "value") == pytest.approx(known["loss"], rel=1e-9)
    for side in ("back", "object"):
        assert _value(window, f"each-{side}") == pytest.approx(known[side], rel=1e-6)


@pytest.mark.parametrize("known", KEPT["descents"], ids=lambda known: _address(known["state"]))
def test_thresholds_of_the_page_go_where_those_of_the_library_go(window, folder, known):
    window.open(folder / "losses.html", 1300, _address(known["state"]))
    assert float(window.text("[data-live=threshold]")) == pytest.approx(known["threshold"], abs=0.051)
    assert _value(window, "descended") == pytest.approx(known["loss"], rel=1e-6)
    assert _value(window, "slope-now") == pytest.approx(known["slope"], rel=1e-6)


def test_losses_answer_pointer_and_keys_and_check_their_exercises(window, folder, pictures):
    from selenium.webdriver.common.keys import Keys

    window.open(folder / "losses.html", 1300)
    window.click(".guess button[value='14']")
    assert "Yes: 14 %" in window.text(".verdict")
    window.driver.find_element("css selector", "#dots").send_keys("b", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert window.text("[data-live=back]") == "0.82"
    window.click("#dots")  # takes the nearest dot to the middle
    assert window.text("[data-live=object]") != "0.3"
    window.press("reset")
    window.click("#image")
    assert window.text("[data-live=pixels]") == "1"
    window.press("undo")
    assert window.text("[data-live=pixels]") == "300"
    window.slide("weight", 9)
    assert window.text("[data-exercise=balance] .mark") == "✓ Solved"
    window.slide("weight", 1)
    window.click("[data-mode=loss][value=focal]")
    assert window.text("[data-exercise=lead] .mark") == "○ Not yet"  # with 2, but less would do
    window.slide("gamma", 1.5)
    assert window.text("[data-exercise=lead] .mark") == "✓ Solved"
    window.press("plateau")
    assert "Stuck" in window.text("#slope-says")
    assert "nothing has been found" in window.text("#slope-says")
    window.press("heavy")
    assert int(window.text("[data-live=alarms]")) > 2000
    window.slide("weight", 3)
    assert window.text("[data-live=step]") == "0"  # another loss begins at its start
    window.slide("step", 100)
    assert window.text("[data-live=solved]") == "3"
    _drawn(window)
    window.picture(pictures / "losses-descent.png")
    assert window.complaints() == []


@pytest.mark.parametrize("known", KEPT["stacks"], ids=lambda known: known["stack"])
def test_paths_of_the_page_are_those_of_the_library(window, folder, known):
    expected, found = ",".join(map(str, known["counts"])), []
    for column in (14, 15, 16, 16.25, 15.75):  # the outputs of a transposed convolution differ
        window.open(folder / "fields.html", 1300, f"#stack={known['stack']}&column={column}")
        found.append(window.run("return document.getElementById('paths-to').value"))
    assert expected in found
    assert window.run("return document.querySelectorAll('#paths .seen').length") == sum(
        count != "0" for count in found[-1].split(",")
    )


def test_transposed_convolutions_of_the_page_write_as_often_as_those_of_the_library(window, folder):
    for known in KEPT["overlaps"]:
        state = {"window": known["window"], "stride": known["stride"], "times": 1, "weights": "equal"}
        window.open(folder / "fields.html", 1300, _address(state))
        found = window.run("return document.getElementById('writes').value")
        assert found == f"{known['least']},{known['most']}", known
        window.click("[data-mode=by][value=r]")
        window.click("[data-mode=weights][value=random]")
        assert "no pattern" in window.text("[data-live=uneven]")


def test_networks_of_the_page_have_the_numbers_of_the_library(window, folder):
    window.open(folder / "fields.html", 1300)
    seen = set()
    for known in KEPT["networks"]:
        window.click(f"[data-mode=net][value={known['name']}]")
        _drawn(window)
        assert window.text("[data-live=parameters]") == f"{known['parameters']:,}"
        shown = window.text("[data-live=netField]")
        assert shown == (f"{known['field']} pixels" if known["field"] else "the whole image")
        seen.add(window.run("return document.querySelector('#photo').toDataURL()"))
    assert len(seen) == len(KEPT["networks"])
    assert window.complaints() == []


def test_fields_answer_paint_and_keys_and_check_their_exercises(window, folder, pictures):
    from selenium.webdriver.common.keys import Keys

    window.open(folder / "fields.html", 1300)
    assert (window.text("[data-live=field]"), window.text("[data-live=seen]")) == ("7", "49")
    window.press("gridding")
    assert (window.text("[data-live=field]"), window.text("[data-live=seen]")) == ("13", "49")
    window.press("clean")
    canvas = window.driver.find_element("css selector", "#input")
    canvas.send_keys(Keys.ARROW_RIGHT, *(Keys.SPACE, Keys.ARROW_DOWN, Keys.ARROW_DOWN) * 5)
    for _ in range(5):  # back to a column that never sees what was painted
        canvas.send_keys(Keys.ARROW_UP)
    canvas.send_keys(Keys.ARROW_LEFT)
    assert "notices nothing" in window.text("#sees")
    assert window.text("[data-exercise=blind] .mark") == "✓ Solved"
    window.press("rising")
    assert (window.text("[data-live=field]"), window.text("[data-live=seenShare]")) == ("17", "100")
    window.run("document.querySelector('#layers button:nth-child(3)').click()")
    script = "const e = document.querySelector('[data-layer=dilation]'); e.value = 4;"
    window.run(script + "e.dispatchEvent(new Event('input', {bubbles: true}))")
    assert window.text("[data-live=field]") == "15"
    assert window.text("[data-exercise=fifteen] .mark") == "✓ Solved"
    window.press("undo")
    assert window.text("[data-live=field]") == "17"
    window.click("[data-mode=weights][value=equal]")
    window.slide("stride", 3)
    assert window.text("[data-exercise=even] .mark") == "○ Not yet"  # windows do not overlap
    window.slide("window", 6)
    assert window.text("[data-live=solved]") == "3"
    _drawn(window)
    large = window.run("return document.querySelector('#large').toDataURL()")
    window.driver.find_element("css selector", "#scores").send_keys(Keys.ARROW_DOWN, Keys.SPACE)
    _drawn(window)
    assert window.run("return document.querySelector('#large').toDataURL()") != large
    window.picture(pictures / "fields-solved.png")
    assert window.complaints() == []


def test_fields_too_wide_and_outputs_of_nothing_get_a_sentence(window, folder):
    window.open(folder / "fields.html", 1300, "#stack=" + "-".join(["c7.4.8"] * 6))
    assert "65,521" in window.text("#sees")
    window.open(folder / "fields.html", 1300, "#stack=t1.4.1&column=17.25")
    assert "made of nothing" in window.text("#sees")
    assert window.complaints() == []


def test_networks_look_at_an_image_of_ones_own(window, folder, tmp_path):
    import numpy as np
    from PIL import Image

    window.open(folder / "fields.html", 1300)
    pictures = [window.run("return document.querySelector('#photo').toDataURL()")]
    for size in ((40, 90), (300, 30)):
        path = tmp_path / f"{size[0]}.png"
        Image.fromarray(np.full((*size, 3), 200, np.uint8)).save(path)
        window.driver.find_element("css selector", "input[type=file]").send_keys(str(path))
        window.run("return new Promise(done => setTimeout(done, 400))")
        _drawn(window)
        assert "stays on this machine" in window.text(".say")
        pictures.append(window.run("return document.querySelector('#photo').toDataURL()"))
    assert len(set(pictures)) == 3
    assert window.complaints() == []


def _page(name):
    return (LESSONS.parent / f"{name}.md").read_text(encoding="utf-8")


def test_the_page_on_losses_has_the_same_numbers(window, folder):
    text = _page("losses")
    window.open(folder / "losses.html", 1300)
    for name, row in (("ce", "cross-entropy"), ("2", "focal, gamma = 2"), ("5", "focal, gamma = 5")):
        window.click(f"[data-mode=loss][value={'ce' if name == 'ce' else 'focal'}]")
        window.slide("gamma", 0 if name == "ce" else name)
        (background, object_) = re.search(rf"\| {row} \| ([\d,.]+) \| ([\d,.]+) \|", text).groups()
        assert _value(window, "cost-back") == pytest.approx(float(background.replace(",", "")), abs=0.06)
        assert _value(window, "cost-object") == pytest.approx(float(object_), abs=0.06)
    pulls = {name: _known({"loss": name, "back": 990, "object": 1})["object"] for name in ("dice", "ce")}
    assert f"{pulls['dice']:.1e} under Dice and by {pulls['ce']:.1e}".replace("e-0", "e-") in text


def test_the_page_on_networks_has_the_same_numbers():
    text = _page("networks")
    for network in KEPT["networks"]:
        field, half = re.search(rf"\| `{network['name']}` \| ([^|]+) \| (\d+) \|", text).groups()
        assert field.startswith(f"{network['field']:,}" if network["field"] else "the whole image")
        assert int(half) == network["half"]


def test_the_code_that_ran_is_shown(folder):
    for name, functions in (("losses", ("pixelwise", "overlap")), ("fields", ("sources", "pathsTo"))):
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        body = text[text.index("<main") : text.index("</main>")]
        assert [body.count(f"function {function}(") for function in functions] == [1, 1]
    with pytest.raises(ValueError, match="no function nobody"):
        pages._with_code('<pre data-code="formulas.js nobody"></pre>')
