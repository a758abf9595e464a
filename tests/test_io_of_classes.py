"""classes.txt, as people write it."""

import numpy as np
import pytest

from classicseg import io
from classicseg.errors import InputError


def read(tmp_path, content):
    path = tmp_path / "classes.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return io.read_classes(path)


@pytest.mark.parametrize(
    ("content", "classes", "numbers"),
    [
        ("road\nsky\n", ("road", "sky"), {0: 0, 1: 1}),
        ("\ufeffroad\r\nsky\r\n", ("road", "sky"), {0: 0, 1: 1}),
        ("road\nsky\n".encode("utf-16"), ("road", "sky"), {0: 0, 1: 1}),
        ("# my classes\n\nroad  # gray\nsky\n", ("road", "sky"), {0: 0, 1: 1}),
        ("7:road\n9 : sky\n", ("road", "sky"), {7: 0, 9: 1}),
        ("7\troad\n9\tsky\n", ("road", "sky"), {7: 0, 9: 1}),
        ("7,road\n9, sky\n", ("road", "sky"), {7: 0, 9: 1}),
        ("7;road\n9=sky\n", ("road", "sky"), {7: 0, 9: 1}),
        ("1. road\n2) sky\n", ("road", "sky"), {1: 0, 2: 1}),
        ("9 sky\n7 road\n", ("sky", "road"), {9: 0, 7: 1}),
        ("3d print\n4wd car\n", ("3d print", "4wd car"), {0: 0, 1: 1}),
        ("car\n1: 2 wheeler\n", ("car", "2 wheeler"), {0: 0, 1: 1}),
        ("ground\n255 object\n", ("ground", "object"), {0: 0, 255: 1}),
        ("road\nC#\nvoid\n", ("road", "C#"), {0: 0, 1: 1, 2: 255}),
        ("Void (not scored)\nroad\nignored\nUnlabeled\n", ("road",), {0: 255, 1: 0, 2: 255, 3: 255}),
        ("0 void\n1 road\n255 void\n", ("road",), {0: 255, 1: 0, 255: 255}),
        ("road 128 64 128\nvoid 0 0 0\n", ("road",), {0: 0, 1: 255}),
        ("7,road,128,64,128\n9,bus lane,0,0,9\n", ("road", "bus lane"), {7: 0, 9: 1}),
        ("straße\n空\n", ("straße", "空"), {0: 0, 1: 1}),
    ],
)
def test_lists_of_classes_are_read_as_they_are_meant(tmp_path, content, classes, numbers):
    assert read(tmp_path, content) == (classes, numbers)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("road\n2 wheeler\ntruck\n", "'2 wheeler' may be a name or the label 2.*'1: 2 wheeler' or '2: wheeler'"),
        ("road\nsky\nroad\n", "gives the name 'road' twice"),
        ("1 road\n1 sky\n", "gives the label 1 twice"),
        ("300 road\n", "out of 0 to 255"),
        ("128 64 128 road\n0 0 9 sky\n", "must have colours after names"),
        ("road, sky, void\n", "must have one class in a line"),
        ("road,7\nsky,9\n", "must have numbers before names"),
        ("straße\nsky\n".encode("latin-1"), "as text in UTF-8; save it so"),
        ("road\nsky\n".encode("utf-16-le"), "it holds bytes of 0"),
        ("void\n255 ignore\n", "names no class"),
        ("# nothing\n", "names no class"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, content)


@pytest.mark.parametrize("name", ["void deck", "ignore region", "unlabelled ground"])
def test_a_name_that_begins_like_void_is_a_class_with_a_word_about_it(tmp_path, name):
    with pytest.warns(UserWarning, match=f"'{name}' is a class like any other"):
        assert read(tmp_path, f"road\n{name}\n")[0] == ("road", name)


def test_pictures_with_colours_are_labels_where_the_list_has_them(tmp_path):
    from classicseg.io.classes import read_colors

    path = tmp_path / "classes.txt"
    path.write_text("7 road 128 64 128\n9 sky 0 0 9\n255 void 0 0 0\n")
    colors = read_colors(path)
    assert colors == {(128, 64, 128): 7, (0, 0, 9): 9, (0, 0, 0): 255}
    labels = np.array([[7, 9, 255], [9, 9, 7]])
    by_label = {label: color for color, label in colors.items()}
    picture = np.array([[by_label[label] for label in row] for row in labels], np.uint8)
    io.write_image(tmp_path / "l.png", picture)
    np.testing.assert_array_equal(io.read_labels(tmp_path / "l.png", colors=colors), labels)
    picture[1, 2] = 1, 2, 3
    io.write_image(tmp_path / "l.png", picture)
    with pytest.raises(InputError, match=r"the colour \(1, 2, 3\) at row 1, column 2, which is that of no class"):
        io.read_labels(tmp_path / "l.png", colors=colors)
    io.write_image(tmp_path / "l.jpg", picture)
    with pytest.raises(InputError, match="compressed with loss"):
        io.read_labels(tmp_path / "l.jpg", colors=colors)
    path.write_text("road 1 2 3\nsky 1 2 3\n")
    with pytest.raises(InputError, match=r"the colour \(1, 2, 3\) twice"):
        read_colors(path)
