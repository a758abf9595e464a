"""Many images by one command: pairs by name, errors for each, what was there before, interrupts."""

import io as streams
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs
from classicseg import io
from classicseg.cli import main, refine
from classicseg.cli.progress import Progress, clock
from tests.oracles import costs, photo

NAMES = ("a", "b.1", "sub/c")
SHAPE = (24, 32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three images, one of them in a folder within, with logits and strokes of the same names."""
    monkeypatch.chdir(tmp_path)
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[3:6, 3:6], strokes[-4:, -9:] = 1, 2
    for k, name in enumerate(NAMES):
        for place in ("images", "scores", "strokes"):
            Path(place, name).parent.mkdir(parents=True, exist_ok=True)
        io.write_image(f"images/{name}.png", np.roll(photo(*SHAPE), 3 * k, axis=1))
        np.save(f"scores/{name}.npy", -costs(3, SHAPE, seed=k))
        io.write_labels(f"strokes/{name}.png", strokes)
    return tmp_path


def call(*words):
    return main([str(word) for word in words])


def refine_all(*more, out="out"):
    return call("refine", "images", "--probabilities", "scores", "--logits", "-o", out, *more)


def files(place="out"):
    return sorted(path.relative_to(place).as_posix() for path in Path(place).rglob("*") if path.is_file())


def wanted(name):
    return cs.refine(io.read_image(f"images/{name}.png"), logits=np.load(f"scores/{name}.npy"))


def test_a_folder_is_refined_and_its_inner_folders_are_kept(folder, capsys):
    assert refine_all("--workers", 2, "--overlay", "shown", "--marginals", "q") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("out: 3 of 3 done; ")
    assert captured.err == ""  # no terminal, no progress
    assert files() == files("shown") == [f"{name}.png" for name in NAMES]
    assert files("q") == [f"{name}.npy" for name in NAMES]
    for name in NAMES:
        np.testing.assert_array_equal(io.read_labels(f"out/{name}.png"), wanted(name))


@pytest.mark.parametrize(
    "words", [("images/a.png", "images/b.1.png"), ("images/*.png",), ("images/a.png", "images/b*")]
)
def test_files_and_patterns_that_no_shell_has_expanded(folder, words):
    assert call("refine", *words, "--probabilities", "scores", "--logits", "-o", "out") == 0
    assert files() == ["a.png", "b.1.png"]


def test_two_folders_stand_for_images_and_probabilities(folder):
    for name in NAMES:
        Path(f"scores/{name}.npy").rename(f"scores/{name}_logits.npy")
    assert call("refine", "images", "scores", "--partner-suffix", "_logits", "--logits", "-o", "out") == 0
    assert len(files()) == 3


def test_one_line_of_json_for_each_as_it_is_finished(folder, capsys):
    Path("images/d.png").write_bytes(b"no picture")
    np.save("scores/d.npy", np.zeros((3, *SHAPE)))
    np.save("scores/b.1.npy", np.zeros((3, 5, 99)))
    assert refine_all("--json", "--max-iter", 2) == 1
    captured = capsys.readouterr()
    lines = {Path(line["image"]).as_posix(): line for line in map(json.loads, captured.out.splitlines())}
    assert {name: line["status"] for name, line in lines.items()} == {
        "images/a.png": "done", "images/b.1.png": "failed", "images/d.png": "failed", "images/sub/c.png": "done",
    }  # fmt: skip
    assert lines["images/a.png"]["n_iter"] == 2
    assert "energy" in lines["images/a.png"]
    assert "fit" in lines["images/b.1.png"]["error"]
    assert "classicseg refine: images/d.png cannot be read as an image" in captured.err
    assert "out: 2 of 4 done, 2 failed: " in captured.err
    assert files() == ["a.png", "sub/c.png"]


def test_what_has_no_partner_is_named_and_the_rest_is_done(folder, capsys):
    Path("scores/a.npy").rename("scores/x.npy")
    np.savez("scores/b.1.npz", np.zeros(3))
    assert refine_all() == 1
    captured = capsys.readouterr()
    assert "classicseg refine: scores has no a (.npy, " in captured.err
    assert "scores must have one file b.1 for images/b.1.png, got b.1.npy and b.1.npz" in captured.err
    assert "1 of 3 done, 2 failed: a.png, b.1.png" in captured.out
    Path("scores/sub/c.npy").unlink()
    assert refine_all(out="none") == 2
    assert "no image has all that belongs to it" in capsys.readouterr().err
    assert not Path("none").exists()


def test_what_was_there_before_is_left_out(folder, capsys):
    assert refine_all() == 0
    Path("out/a.png").unlink()
    before = Path("out/sub/c.png").stat().st_mtime_ns
    capsys.readouterr()
    assert refine_all("--skip-existing", "--json") == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["status"] for line in captured.out.splitlines()] == ["skipped", "skipped", "done"]
    assert "3 of 3 done (2 were there before)" in captured.err
    assert Path("out/sub/c.png").stat().st_mtime_ns == before
    assert refine_all("--skip-existing", "--overlay", "shown") == 0  # half of what is wanted is not enough
    assert len(files("shown")) == 3


def test_a_plan_is_told_and_nothing_done(folder, capsys):
    np.save("scores/y.npy", np.zeros(3))
    Path("scores/sub/c.npy").unlink()
    assert refine_all("--plan") == 0
    told = capsys.readouterr().out
    for words in (
        "3 images: 2 to do, 0 there before, 1 without all that belongs to them",
        "scores has no sub/c (.npy, ",
        "1 files belong to no image: y.npy",
        "MiB of memory",
        "preset auto is chosen for each image",
        "images/a.png: 24 x 32 pixels, 3 labels, ",
        "BilateralKernel(",
    ):
        assert words in told
    assert refine_all("--plan", "--json", "--workers", 7) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["images"], plan["to_do"], plan["workers"]) == (3, 2, 2)
    assert plan["memory"] > 0 < plan["seconds"]
    assert {done["image"] for done in plan["tried"]} == {"images/a.png", "images/b.1.png"}
    assert not Path("out").exists()


def test_regions_and_objects_of_many(folder, capsys):
    assert call("split", "images", "-o", "regions", "--table", "tables", "--threshold", 30) == 0
    assert files("regions") == [f"{name}.png" for name in NAMES]
    assert files("tables") == [f"{name}.csv" for name in NAMES]
    image = io.read_image("images/a.png")
    np.testing.assert_array_equal(io.read_labels("regions/a.png"), cs.split_and_merge(image, cs.Range(30)))
    assert call("cutout", "images", "--scribbles", "strokes", "-o", "objects", "--max-iter", 1) == 0
    assert call("cutout", "images/a.png", "--scribbles", "strokes/a.png", "--max-iter", 1, "-o", "a.png") == 0
    np.testing.assert_array_equal(io.read_labels("objects/a.png"), io.read_labels("a.png"))
    assert call("cutout", "images", "--box", 2, 2, 20, 20, "--max-iter", 1, "-o", "boxed") == 0
    assert len(files("objects")) == len(files("boxed")) == 3
    drawn = np.arange(SHAPE[1]) > np.zeros(SHAPE) + 8
    for name in NAMES:
        Path("masks", name).parent.mkdir(parents=True, exist_ok=True)
        io.write_labels(f"masks/{name}.png", drawn.astype(int))
    assert call("split", "images", "-o", "inside", "--mask", "masks") == 0
    np.testing.assert_array_equal(io.read_labels("inside/sub/c.png") == 0, ~drawn)
    capsys.readouterr()


def test_results_take_no_place_of_anything(folder, capsys):
    def says(word, *words):
        before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
        assert call(*words) == 2
        assert word in capsys.readouterr().err
        assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before

    scored = ("--probabilities", "scores", "--logits")
    says(
        "images is where files are read from; -o must name a folder of its own",
        "refine",
        "images",
        *scored,
        "-o",
        "images",
    )
    says("is where files are read from", "refine", "images", *scored, "-o", "images/out")
    says("is where files are read from", "refine", "images", *scored, "-o", "scores")
    says("is where files are read from", "refine", "images/a.png", *scored, "-o", "images")
    says("--overlay must name a folder", "refine", "images", *scored, "-o", "out", "--overlay", "images")
    says("give each output a folder of its own", "refine", "images", *scored, "-o", "out", "--overlay", "out")
    says("images/a.png is no folder; for many images -o names one", "refine", "images", *scored, "-o", "images/a.png")
    io.write_image("images/sub/a.png", photo(*SHAPE))
    says(
        "would have the same name, a: give the folder",
        "refine",
        "images/a.png",
        "images/sub/a.png",
        *scored,
        "-o",
        "out",
    )
    io.write_image("images/a.bmp", photo(*SHAPE))
    says("names must differ in more than their suffixes", "split", "images", "-o", "out")
    says("no file matches images/*.gif", "split", "images/*.gif", "-o", "out")
    says("no such file: none.png", "split", "images/b.1.png", "none.png", "-o", "out")
    says("--probabilities must be the folder", "refine", "images", "--probabilities", "scores/a.npy", "-o", "out")
    says(
        "give an image and the file of its probabilities", "refine", "images/a.png", "images/b.1.png", "x", "-o", "out"
    )
    says("no such file or folder: none", "cutout", "images/b.1.png", "--scribbles", "none", "-o", "out")
    says("--plan goes with many images", "split", "images/a.png", "-o", "a.png", "--plan")
    says("--workers must be", "split", "images/sub", "-o", "out", "--workers", "0")
    says("--stream, which takes one image", "refine", "images", *scored, "-o", "out", "--stream")


def test_pictures_that_cannot_be_compared_leave_the_scores_of_the_others(folder, capsys):
    words = ("evaluate", "--labels", "strokes", "--truth", "truth", "--json")
    shutil.copytree("strokes", "truth")
    assert call(*words, "--workers", 2) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["n_images"], report["n_failed"], report["mean_iou"]) == (3, 0, 1)
    io.write_labels("truth/a.png", np.zeros((5, 5), int))
    Path("truth/b.1.png").write_bytes(b"no picture")
    assert call(*words) == 1
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["n_images"], report["n_failed"], report["mean_iou"]) == (1, 2, 1)
    assert "strokes/a.png: " in captured.err
    assert "b.1.png cannot be read as labels" in captured.err
    assert "2 failed: a.png, b.1.png; scores are those of the others" in captured.err
    Path("truth/sub/c.png").write_bytes(b"no picture")
    assert call(*words) == 2
    assert "nothing could be compared: " in capsys.readouterr().err


def test_volumes_have_another_suffix(folder):
    for k in range(2):
        volume = np.random.default_rng(k).integers(0, 255, (3, 8, 9), np.uint8)
        Path("volumes").mkdir(exist_ok=True)
        np.save(f"volumes/{k}.npy", volume)
    assert call("split", "volumes", "-o", "png") == 1
    assert call("split", "volumes", "-o", "out", "--suffix", ".npy") == 0
    assert files() == ["0.npy", "1.npy"]


def test_a_full_disk_ends_it(folder, capsys, monkeypatch):
    def one(options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(refine, "one", one)
    assert refine_all("--workers", 1) == 2
    captured = capsys.readouterr()
    assert "No space left on device" in captured.err
    assert "0 of 3 done; --skip-existing goes on from here" in captured.out


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_ends_it_at_once_and_what_is_finished_is_kept(folder, capsys, monkeypatch):
    begun, real = threading.Event(), refine.one

    def one(options):
        if options.image.name == "a.png":
            return real(options)
        while not Path("out/a.png").exists():
            time.sleep(0.01)
        begun.set()
        while True:
            time.sleep(0.001)

    def interrupt():
        begun.wait(60)
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(refine, "one", one)
    threading.Thread(target=interrupt).start()
    assert refine_all("--workers", 2) == 130
    captured = capsys.readouterr()
    assert captured.err.endswith("stopped\n")
    assert "1 of 3 done; --skip-existing goes on from here" in captured.out
    assert files() == ["a.png"]


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_a_kernel_does_not_hold_ctrl_c_up(folder, monkeypatch):
    woken, codes = threading.Event(), []

    def leave(code):
        codes.append(code)
        raise SystemExit(code)

    def interrupt():
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(refine, "one", lambda options: woken.wait(20))
    threading.Thread(target=interrupt).start()
    with pytest.raises(SystemExit):
        refine_all("--workers", 2)
    woken.set()
    assert codes == [130]


class Terminal(streams.StringIO):
    def isatty(self):
        return True


def test_progress_is_one_line_of_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(2)
    progress.step()
    time.sleep(0.11)
    progress.step()
    progress.clear()
    last = terminal.getvalue().split("\r")
    assert "\n" not in terminal.getvalue()
    assert last[-3].startswith("2 of 2, ")
    assert last[-3].rstrip().endswith(" a second, 0:00 left")
    assert last[-2].strip() == ""
    monkeypatch.setattr(sys, "stderr", streams.StringIO())
    progress = Progress(1)
    progress.step()
    progress.clear()
    assert sys.stderr.getvalue() == ""
    assert [clock(seconds) for seconds in (9.6, 71, 3661)] == ["0:10", "1:11", "1:01:01"]


@pytest.mark.slow
def test_after_kill_9_it_goes_on_and_every_file_is_whole(folder):
    for k in range(40):
        io.write_image(f"images/m{k:02}.png", photo(60, 80, seed=k))
    words = [sys.executable, "-m", "classicseg", "split", "images", "-o", "out", "--workers", "2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and len(files() if Path("out").exists() else []) < 5:
            time.sleep(0.01)
        process.kill()
    for path in Path("out").rglob("*.png"):
        io.read_labels(path)
    assert main([*words[3:], "--skip-existing"]) == 0
    assert len([name for name in files() if name.endswith(".png")]) == 43
