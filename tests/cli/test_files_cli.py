"""Commands keep what files know: where a map lies, what holds no data, the header of a scan, the size of its voxels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.cli import main
from tests.oracles import costs, photo, softmax
from tests.strategies.files import write_map, write_scan, write_zarr

SHAPE = (30, 40)
IMAGE = photo(*SHAPE)
P = softmax(-costs(3, SHAPE)).astype(np.float32)
HELD = np.ones(SHAPE, bool)
HELD[:7], HELD[10:14, 5:9] = False, False
BANDS = np.where(HELD, np.moveaxis(IMAGE, -1, 0), 1).astype(np.uint8)
X, Y, Z = np.mgrid[:12, :10, :8]
SCAN = np.where((X - 6) ** 2 + (Y - 5) ** 2 + 4 * (Z - 4) ** 2 < 25, 900, 300).astype(np.float32)
ORGAN = softmax(np.stack([600 - SCAN, SCAN - 600]) / 300).astype(np.float32)
AFFINE = np.diag([1.0, 1, 4, 1])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def maps(folder):
    pytest.importorskip("rasterio")
    write_map("image.tif", BANDS, nodata=1)
    write_map("p.tif", P)
    write_map("small.tif", np.ascontiguousarray(P[:, ::5, ::5]), size=50)


@pytest.fixture
def scans(folder):
    pytest.importorskip("nibabel")
    write_scan("scan.nii.gz", SCAN, AFFINE)
    write_scan("p.nii.gz", np.moveaxis(ORGAN, 0, -1), AFFINE)


def lies_as(path, image):
    one, other = io.read_image(path).profile, io.read_image(image).profile
    return np.array_equal(one.place.matrix, other.place.matrix) and one.place.system == other.place.system


def test_labels_of_a_map_lie_where_it_does_and_no_data_is_the_mask(maps):
    assert main(["refine", "image.tif", "p.tif", "-o", "labels.tif", "--marginals", "q.tif"]) == 0
    labels = io.read_labels("labels.tif")
    expected = cs.refine(np.moveaxis(BANDS, 0, -1), P, mask=HELD, fill=255)
    np.testing.assert_array_equal(labels, expected)
    assert (labels.nodata, labels.dtype) == (255, np.uint8)
    assert lies_as("labels.tif", "image.tif")
    assert lies_as("q.tif", "image.tif")
    assert main(["refine", "image.tif", "p.tif", "-o", "labels.tif", "--nodata", "-1"]) == 0
    assert (io.read_labels("labels.tif") != 255).all()
    assert main(["refine", "image.tif", "small.tif", "-o", "labels.tif"]) == 0
    np.testing.assert_array_equal(io.read_labels("labels.tif") == 255, ~HELD)


def test_a_map_that_passes_by_gives_the_same_labels(maps):
    expected = cs.refine(np.moveaxis(BANDS, 0, -1), P, mask=HELD, fill=255)
    assert main(["refine", "image.tif", "p.tif", "-o", "labels.tif", "--stream", "--window", "7"]) == 0
    labels = io.read_labels("labels.tif")
    np.testing.assert_array_equal(labels, expected)
    assert labels.nodata == 255
    assert lies_as("labels.tif", "image.tif")
    drawn = np.arange(40) > np.zeros((30, 1)) + 3
    np.save("mask.npy", drawn)
    assert main(["refine", "image.tif", "p.tif", "-o", "labels.tif", "--stream", "--mask", "mask.npy"]) == 0
    np.testing.assert_array_equal(io.read_labels("labels.tif") == 255, ~(HELD & drawn))
    write_zarr("image.zarr", np.moveaxis(BANDS, 0, -1), chunks=(8, 8, 3), shards=(16, 16, 3))
    io.write_labels("held.npy", HELD.astype(int))
    more = ["-o", "labels.zarr", "--stream", "--mask", "held.npy"]
    assert main(["refine", "image.zarr", "p.tif", *more]) == 0
    np.testing.assert_array_equal(io.read_labels("labels.zarr"), expected)
    assert io.read_labels("labels.zarr").profile.shards == (16, 16)


@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_scores_that_lie_elsewhere_are_refused(maps, capsys, more):
    write_map("zone.tif", P, crs="EPSG:32633")
    write_map("coarse.tif", P, size=20)
    for name, words in (("zone", "another system of coordinates"), ("coarse", "lies elsewhere")):
        assert main(["refine", "image.tif", f"{name}.tif", "-o", "labels.tif", *more]) == 2
        assert words in capsys.readouterr().err
    write_map("zone.tif", HELD[np.newaxis].astype(np.uint8), crs="EPSG:32633")
    assert main(["refine", "image.tif", "p.tif", "-o", "labels.tif", "--mask", "zone.tif", *more]) == 2
    assert "another system of coordinates" in capsys.readouterr().err
    assert not Path("labels.tif").exists()


def test_regions_and_objects_lie_where_their_map_does(maps):
    assert main(["split", "image.tif", "-o", "regions.tif", "-t", "40"]) == 0
    regions = io.read_labels("regions.tif")
    np.testing.assert_array_equal(regions == 0, ~HELD)
    assert (regions.nodata, lies_as("regions.tif", "image.tif")) == (0, True)
    assert main(["cutout", "image.tif", "-o", "object.tif", "--box", "8", "12", "30", "28"]) == 0
    assert lies_as("object.tif", "image.tif")


def test_labels_of_a_scan_have_its_header_and_its_spacing(scans, capsys):
    assert main(["refine", "scan.nii.gz", "p.nii.gz", "-o", "labels.nii.gz", "--json"]) == 0
    assert "spacing=(1.0, 1.0, 4.0)" in capsys.readouterr().out
    labels = io.read_labels("labels.nii.gz")
    np.testing.assert_array_equal(labels, cs.refine(SCAN, ORGAN, spacing=(1, 1, 4)))
    np.testing.assert_array_equal(labels.affine, AFFINE)
    assert main(["refine", "scan.nii.gz", "p.nii.gz", "-o", "labels.nii.gz", "--spacing", "2", "--json"]) == 0
    assert "spacing=(2.0, 2.0, 2.0)" in capsys.readouterr().out
    np.save("p.npy", ORGAN.transpose(0, 3, 2, 1))  # as nnU-Net saves them
    assert main(["refine", "scan.nii.gz", "p.npy", "--reverse-axes", "-o", "reversed.nii.gz", "--json"]) == 0
    assert "spacing=(4.0, 1.0, 1.0)" in capsys.readouterr().out
    reversed_labels = io.read_labels("reversed.nii.gz")
    np.testing.assert_array_equal(reversed_labels, cs.refine(SCAN.T, ORGAN.transpose(0, 3, 2, 1), spacing=(4, 1, 1)).T)
    np.testing.assert_array_equal(reversed_labels.affine, AFFINE)
    write_scan("q.nii.gz", np.moveaxis(ORGAN, 0, -1), np.diag([1.0, 1, 2, 1]))
    assert main(["refine", "scan.nii.gz", "q.nii.gz", "-o", "labels.nii.gz"]) == 2
    assert "q.nii.gz lies elsewhere than scan.nii.gz" in capsys.readouterr().err


def scored(capsys, labels, truth):
    assert main(["evaluate", "--labels", labels, "--truth", truth, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "--labels", labels, "--truth", truth]) == 0
    return told, capsys.readouterr().out


def test_scans_are_scored_in_millilitres_and_millimetres(folder, capsys):
    truth = (SCAN > 600).astype(np.uint8)
    for name in ("labels", "truth"):
        (folder / name).mkdir()
    found = np.roll(truth, 1, axis=2)
    for name, labels in (("a", found), ("b", truth)):
        write_scan(f"labels/{name}.nii.gz", labels, AFFINE)
        write_scan(f"truth/{name}.nii.gz", truth, AFFINE)
    told, text = scored(capsys, "labels", "truth")
    organ, one = told["volumes"]["1"], cs.volumes(found, (1, 1, 4), truth)
    assert told["n_images"] == 2
    assert organ["millilitres"] == pytest.approx(truth.sum() * 0.004)
    assert organ["hd95"] == pytest.approx(one.hd95[1] / 2) == 2
    assert organ["mean_surface_distance"] == pytest.approx(one.mean_surface_distance[1] / 2)
    assert re.search(r"HD95, mm of 1 +2\.00\n", text)
    assert told["boundary_f"] is None


def test_maps_are_scored_in_hectares(folder, capsys):
    pytest.importorskip("rasterio")
    for name in ("labels", "truth"):
        (folder / name).mkdir()
    truth = np.zeros((1, 40, 50), np.uint8)
    truth[:, :20], truth[:, :, :5] = 1, 255
    for tile in "ab":
        write_map(f"truth/{tile}.tif", truth)
        write_map(f"labels/{tile}.tif", np.where(truth == 255, 0, truth)[:, ::-1].copy())
    told, text = scored(capsys, "labels", "truth")
    assert told["areas"] == {label: {"hectares": 18, "true_hectares": 18} for label in "01"}
    assert re.search(r"  hectares of 1 +18\.00\n", text)
    write_map("labels/a.tif", truth, size=5)
    assert main(["evaluate", "--labels", "labels", "--truth", "truth"]) == 1  # the other one is scored
    assert "lies elsewhere" in capsys.readouterr().err
