"""Tiny folders of images and labels: one that is right, and others that are each wrong in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from classicseg import io

SIZE = (24, 32)
ON_ITS_SIDE = 6  # the orientation that phones write for portraits: a quarter to the right makes them upright


def truths(n: int = 4) -> list[np.ndarray]:
    """Blocks of label 1 on ground of label 0."""
    found = []
    for i in range(n):
        truth = np.zeros(SIZE, np.uint8)
        truth[4 + i : 14 + i, 6:20] = 1
        found.append(truth)
    return found


def images(n: int = 4) -> list[np.ndarray]:
    """What a camera sees of them, (H, W, 3)."""
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 10, (*SIZE, 3)) for _ in range(n)]
    return [
        np.clip(60 + 120 * truth[:, :, None] + n, 0, 255).astype(np.uint8)
        for truth, n in zip(truths(n), noise, strict=True)
    ]


def folder(root: Path, n: int = 4, classes: str = "ground\nblock\n") -> Path:
    """p0 to p3, right in every way."""
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    (root / "classes.txt").write_text(classes)
    for i, (image, truth) in enumerate(zip(images(n), truths(n), strict=True)):
        io.write_image(root / "images" / f"p{i}.png", image)
        io.write_labels(root / "labels" / f"p{i}.png", truth)
    return root


def turn(root: Path, name: str, orientation: int = ON_ITS_SIDE) -> None:
    """A picture of the folder says that the camera was held otherwise; its pixels stay."""
    path = root / "images" / f"{name}.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.load()
    picture.save(path, exif=exif)


def _masks_of_a_paint_program(root: Path) -> None:
    for i, truth in enumerate(truths()):
        Image.fromarray(255 * truth).save(root / "labels" / f"p{i}.png")


def _only_void(root: Path) -> None:
    for i in range(4):
        Image.fromarray(np.full(SIZE, 255, np.uint8)).save(root / "labels" / f"p{i}.png")


def _no_partner(root: Path) -> None:
    (root / "labels" / "p1.png").unlink()


def _no_image(root: Path) -> None:
    (root / "images" / "p1.png").unlink()


def _two_of_one_name(root: Path) -> None:
    Image.fromarray(images()[0]).save(root / "images" / "p1.bmp")


def _of_another_format(root: Path) -> None:
    (root / "images" / "p1.png").unlink()
    Image.fromarray(images()[1]).save(root / "images" / "p1.webp")


def _one_class(root: Path) -> None:
    (root / "classes.txt").write_text("ground\nvoid\n")


def _jpeg_labels(root: Path) -> None:
    Image.fromarray(truths()[1] * 200).save(root / "labels" / "p1.jpg")
    (root / "labels" / "p1.png").unlink()


def _jpeg_by_another_name(root: Path) -> None:
    Image.fromarray(truths()[1] * 200).save(root / "labels" / "p1.png", format="JPEG")


def _jpeg_in_tiff(root: Path) -> None:
    (root / "labels" / "p1.png").unlink()
    Image.fromarray(truths()[1]).save(root / "labels" / "p1.tif", compression="jpeg")


def _colours(root: Path) -> None:
    Image.fromarray(images()[1]).save(root / "labels" / "p1.png")


def _fractions(root: Path) -> None:
    (root / "labels" / "p1.png").unlink()
    np.save(root / "labels" / "p1.npy", truths()[1] / 2)


def _unknown_label(root: Path) -> None:
    io.write_labels(root / "labels" / "p1.png", np.full(SIZE, 7))


def _other_size(root: Path) -> None:
    io.write_labels(root / "labels" / "p1.png", np.zeros((8, 9), int))


def _half_an_image(root: Path) -> None:
    whole = (root / "images" / "p1.png").read_bytes()
    (root / "images" / "p1.png").write_bytes(whole[: len(whole) // 2])


def _half_of_labels(root: Path) -> None:
    whole = (root / "labels" / "p1.png").read_bytes()
    (root / "labels" / "p1.png").write_bytes(whole[: len(whole) // 2])


def _nan(root: Path) -> None:
    (root / "images" / "p1.png").unlink()
    np.save(root / "images" / "p1.npy", np.full((*SIZE, 3), np.nan, np.float32))


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "masks of 0 and 255": (_masks_of_a_paint_program, "are 0 and 255 only, and 255 is void.*write '255 block'"),
    "nothing but void": (_only_void, "no pixel of any class"),
    "no labels": (_no_partner, r"p1\.png has no partner of the same name"),
    "no image": (_no_image, r"p1\.png has no partner of the same name"),
    "an image of another format": (_of_another_format, r"p1\.webp is none of \.png, \.jpg"),
    "one class": (_one_class, "must have 2 classes at least, got 'ground' only; the background is one as well"),
    "two of one name": (_two_of_one_name, r"p1\.bmp and p1\.png: names must differ in more than their suffixes"),
    "JPEG labels": (_jpeg_labels, r"p1\.jpg cannot be labels"),
    "JPEG labels called PNG": (_jpeg_by_another_name, r"p1\.png is compressed with loss"),
    "JPEG labels in a TIFF": (_jpeg_in_tiff, r"p1\.tif is compressed with loss"),
    "colours for labels": (_colours, r"p1\.png holds colours"),
    "fractions for labels": (_fractions, r"p1\.npy holds fractions"),
    "a label of no class": (_unknown_label, r"p1\.png has the label 7 at row 0, column 0, which is none of the 2"),
    "labels of another size": (_other_size, r"p1\.png must have the size of its image, \(24, 32\), got \(8, 9\)"),
    "half an image": (_half_an_image, r"p1\.png cannot be read as an image"),
    "half of labels": (_half_of_labels, r"p1\.png cannot be read as labels"),
    "no number": (_nan, r"p1\.npy must be finite, got nan at index \(0, 0, 0\)"),
}
"""What is wrong: how to make it so in a :func:`folder`, and what is to be said."""


def _within_folders(root: Path) -> None:
    for name in ("images", "labels"):
        (root / name / "later").mkdir()
        (root / name / "p0.png").rename(root / name / "later" / "p1.png")


def _with_alpha(root: Path) -> None:
    for i, image in enumerate(images()):
        Image.fromarray(np.dstack([image, np.full(SIZE, 128, np.uint8)])).save(root / "images" / f"p{i}.png")


def _gray_with_alpha(root: Path) -> None:
    Image.fromarray(images()[0]).convert("LA").save(root / "images" / "p0.png")


def _sixteen_bits(root: Path) -> None:
    for i, image in enumerate(images()):
        Image.fromarray(200 * image[..., 0].astype(np.uint16)).save(root / "images" / f"p{i}.png")


def _of_a_palette(root: Path) -> None:
    Image.fromarray(images()[0]).quantize(64).save(root / "images" / "p0.png")
    labels = Image.fromarray(truths()[0])
    labels.putpalette([0, 0, 0, 200, 0, 0])
    labels.save(root / "labels" / "p0.png")


def _two_tones(root: Path) -> None:
    for i, truth in enumerate(truths()):
        Image.fromarray(truth == 1).save(root / "labels" / f"p{i}.png")


def _for_print(root: Path) -> None:
    (root / "images" / "p0.png").unlink()
    Image.fromarray(images()[0]).convert("CMYK").save(root / "images" / "p0.JPG")


def _odd_names(root: Path) -> None:
    for name in ("images", "labels"):
        (root / name / "p0.png").rename(root / name / "Stra\u00dfe 1.v2.PNG")


def _what_systems_leave(root: Path) -> None:
    for path in ("images/Thumbs.db", "images/._p0.png", "labels/.DS_Store", "labels/readme.txt"):
        (root / path).write_bytes(b"x")
    (root / "images" / "p9.png").mkdir()


ODD: dict[str, Callable[[Path], None]] = {
    "folders within folders": _within_folders,
    "an alpha channel": _with_alpha,
    "gray with an alpha channel": _gray_with_alpha,
    "16 bits": _sixteen_bits,
    "palettes": _of_a_palette,
    "labels of one bit": _two_tones,
    "CMYK": _for_print,
    "odd names": _odd_names,
    "files that systems leave": _what_systems_leave,
}
"""What is odd, but right: how to make a :func:`folder` so. Its labels stay what they are."""
