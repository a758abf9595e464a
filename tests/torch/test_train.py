"""The trainer: what it promises of data, of seeds, and of runs that were killed."""

import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg import io
from classicseg.errors import InputError, InputTypeError
from classicseg.torch import train
from classicseg.torch.train.tally import Tally

pytestmark = pytest.mark.slow

CLASSES = ("dark", "bright")


def pictures(n=4, size=(24, 32), seed=0):
    """Bright rectangles on a dark ground, with noise."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for _ in range(n):
        truth = np.zeros(size, np.uint8)
        top, left = rng.integers(2, size[0] // 2), rng.integers(2, size[1] // 2)
        truth[top : top + 10, left : left + 14] = 1
        noise = rng.normal(0, 20, (*size, 3))
        images.append(np.clip(60 + 120 * truth[:, :, None] + noise, 0, 255).astype(np.uint8))
        labels.append(truth)
    return images, labels


def array_data(**options):
    return train.ArrayData(*pictures(**options), CLASSES)


def folder(root, n=3, names="images labels", classes="dark\nbright\nvoid\n"):
    images, labels = pictures(n)
    for name, arrays, write in zip(names.split(), (images, labels), (io.write_image, io.write_labels), strict=True):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i, array in enumerate(arrays):
            write(root / name / f"p{i}.png", array)
    (root / "classes.txt").write_text(classes)
    return root


def settings(**options):
    return train.Settings(**{"n_epochs": 2, "batch_size": 2, "augmentation": train.Augmentation(jitter=0.1), **options})


def weights(model):
    return torch.cat([x.flatten().double() for x in model.state_dict().values()])


# --- folders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "split"),
    [("images labels", None), ("train train_labels", "train"), ("train/images train/labels", "train")],
)
def test_all_layouts_are_read(tmp_path, names, split):
    data = train.FolderData(folder(tmp_path, names=names), split)
    images, labels = pictures(3)
    assert data.classes == CLASSES
    assert len(data) == 3
    for i in range(3):
        np.testing.assert_array_equal(data[i][0], images[i])
        np.testing.assert_array_equal(data[i][1], labels[i])


def test_numbers_before_names_count_and_void_is_255(tmp_path):
    data = train.FolderData(folder(tmp_path, classes="1 bright\n0 void (ignore in every score)\n"))
    assert data.classes == ("bright",)
    np.testing.assert_array_equal(data[0][1], np.where(pictures(3)[1][0] == 1, 0, 255))


def test_pictures_can_be_resized(tmp_path):
    image, labels = train.FolderData(folder(tmp_path), size=(12, 16))[0]
    assert image.shape == (12, 16, 3)
    np.testing.assert_array_equal(labels, pictures(3)[1][0][1::2, 1::2])


def damage_label(root):
    io.write_labels(root / "labels" / "p1.png", np.full((24, 32), 7))


def remove_label(root):
    (root / "labels" / "p1.png").unlink()


def remove_image(root):
    (root / "images" / "p1.png").unlink()


def truncate_image(root):
    whole = (root / "images" / "p1.png").read_bytes()
    (root / "images" / "p1.png").write_bytes(whole[: len(whole) // 2])


def truncate_label(root):
    whole = (root / "labels" / "p1.png").read_bytes()
    (root / "labels" / "p1.png").write_bytes(whole[: len(whole) // 2])


def shrink_label(root):
    io.write_labels(root / "labels" / "p1.png", np.zeros((8, 9), int))


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (damage_label, "has the label 7 at row 0, column 0, which is none of the 2 classes"),
        (remove_label, "has no partner of the same name"),
        (remove_image, "has no partner of the same name"),
        (truncate_image, "cannot be read as an image"),
        (truncate_label, "cannot be read as labels"),
        (shrink_label, "must have the size of its image, (24, 32), got (8, 9)"),
    ],
)
def test_errors_of_files_come_before_the_first_step_and_name_file_and_rule(tmp_path, spoil, rule):
    spoil(folder(tmp_path))
    with pytest.raises(InputError) as caught:
        train.fit(train.Model("unet", CLASSES, width=0.03), train.FolderData(tmp_path), settings=settings())
    assert rule in str(caught.value)
    assert "p1.png" in str(caught.value)


def test_missing_folders_and_lists_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"classes\.txt"):
        train.FolderData(tmp_path)
    (tmp_path / "classes.txt").write_text("dark\nbright\n")
    with pytest.raises(FileNotFoundError, match="labels"):
        train.FolderData(tmp_path)
    with pytest.raises(FileNotFoundError, match="val_labels"):
        train.FolderData(tmp_path, "val")
    (tmp_path / "classes.txt").write_text("0 dark\n0 bright\n")
    with pytest.raises(InputError, match="twice"):
        train.FolderData(tmp_path)


def test_pictures_below_the_minimum_of_the_network_are_named(tmp_path):
    root = folder(tmp_path)
    io.write_image(root / "images" / "p2.png", np.zeros((3, 4, 3), np.uint8))
    io.write_labels(root / "labels" / "p2.png", np.zeros((3, 4), int))
    model = train.Model("unet", CLASSES, width=0.03)
    with pytest.raises(InputError, match=r"p2\.png must be at least 16x16 pixels for this network, got 3x4"):
        train.fit(model, train.FolderData(root, names=["p0"]), train.FolderData(root, names=["p2"]))


def test_a_network_of_other_classes_is_refused():
    with pytest.raises(InputError, match="the network has 3 labels, but the data have 2 classes"):
        train.fit(train.Model("unet", ["a", "b", "c"], width=0.03), array_data())


def test_gray_pictures_are_equal_channels_for_a_network_of_colours():
    images, labels = pictures()
    gray = [image[:, :, 0] for image in images]
    equal = [np.repeat(image[:, :, None], 3, 2) for image in gray]
    models = [train.Model("unet", CLASSES, width=0.03) for _ in range(2)]
    for model, seen in zip(models, ([gray[0], *equal[1:]], equal), strict=True):  # gray and colour can be mixed
        data = train.ArrayData(seen, labels, CLASSES)
        train.fit(model, data, data, settings=settings(n_epochs=1))
    assert torch.equal(*map(weights, models))
    np.testing.assert_array_equal(models[0].predict(gray[1]), models[0].predict(equal[1]))


def test_colours_for_a_network_of_gray_pictures_are_refused():
    model = train.Model("unet", CLASSES, width=0.03, in_channels=1)
    with pytest.raises(InputError, match="image 0 must be gray for this network, got 3 channels"):
        train.fit(model, array_data())
    with pytest.raises(InputError, match="must be gray for this network, got 3 channels"):
        model.predict(pictures()[0][0])


# --- augmentation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(24, 32), (40, 20), (7, 90)])
def test_image_and_labels_are_changed_alike(size):
    truth = np.zeros((24, 32), np.uint8)
    truth[8:16, 10:20] = 1
    image = np.repeat(200 * truth[:, :, None], 3, 2)
    change = train.Augmentation(crop=size, scale=(0.5, 2), jitter=0)
    for seed in range(20):
        seen, labels = change(image, truth, np.random.default_rng(seed))
        assert seen.shape == (*size, 3)
        inside = labels != 255
        agree = (seen[:, :, 0] > 100) == (labels == 1)
        assert agree[inside].mean() > 0.93  # all but borders, which the interpolation of the image smooths
        assert not seen[~inside].any()


def test_the_same_seed_gives_the_same_picture_and_nothing_is_modified():
    image, truth = (x[0] for x in pictures())
    image.setflags(write=False)
    first, second = (train.Augmentation()(image, truth, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(image, pictures()[0][0])


@pytest.mark.parametrize("options", [{"flip": 2}, {"scale": (2, 1)}, {"crop": (0, 3)}, {"jitter": -1}])
def test_augmentations_are_checked(options):
    with pytest.raises(InputError, match=next(iter(options))):
        train.Augmentation(**options)


# --- the loop -----------------------------------------------------------------------------------------------------


def test_it_learns_and_keeps_the_best_epoch():
    model = train.Model("unet", CLASSES, width=0.06)
    data = array_data(n=6)
    report = train.fit(model, data, array_data(seed=1), settings=settings(n_epochs=16, lr=1e-2), loss="dice+ce")
    scores = [epoch.mean_iou for epoch in report.history]
    assert report.best_score == max(scores) > 0.9
    assert scores[report.best_epoch - 1] == report.best_score
    assert train.evaluate(model, array_data(seed=1)).mean_iou == report.best_score
    assert report.history[-1].loss < report.history[0].loss


@pytest.mark.parametrize("name", ["unet", "fcn8s", "pspnet50"])
def test_a_seed_fixes_every_bit(name):
    ends = []
    for noise in (0, 1):
        torch.manual_seed(noise)  # what happened before must not matter
        model = train.Model(name, CLASSES, width=0.03)
        before = torch.get_rng_state()
        train.fit(model, array_data(size=(64, 64)), settings=settings(n_epochs=1))
        assert torch.equal(before, torch.get_rng_state())
        ends.append(weights(model))
    assert torch.equal(*ends)


def test_another_seed_trains_another_way():
    models = [train.Model("unet", CLASSES, width=0.03) for _ in range(2)]
    for seed, model in enumerate(models):
        train.fit(model, array_data(), settings=settings(seed=seed, n_epochs=1))
    assert not torch.equal(*map(weights, models))


def test_a_crf_is_trained_with_its_network():
    crf = ct.DenseCRF(2, [ct.GaussianKernel(2, 1), ct.BilateralKernel(10, 20, 1)])
    both = ct.CRFasRNN(train.Model("unet", CLASSES, width=0.03), crf)
    before = [p.clone() for p in crf.parameters() if p.requires_grad]
    train.fit(both, array_data(), settings=settings())
    assert all(
        not torch.equal(a, b) for a, b in zip(before, (p for p in crf.parameters() if p.requires_grad), strict=True)
    )


def test_it_stops_when_the_score_stays():
    model = train.Model("unet", CLASSES, width=0.03)
    report = train.fit(model, array_data(), array_data(seed=1), settings=settings(n_epochs=50, lr=1e-12, patience=2))
    assert report.stopped_early
    assert len(report.history) < 10


def test_a_callback_ends_it():
    report = train.fit(
        train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(), callback=lambda epoch: True
    )
    assert len(report.history) == 1


def test_a_loss_that_is_not_finite_is_reported():
    with pytest.raises(InputError, match="loss became nan at step 0"):
        train.fit(train.Model("unet", CLASSES, width=0.03), array_data(), loss=lambda x, y: x.sum() * float("nan"))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n_epochs": 0}, "n_epochs"),
        ({"lr": 0.0}, "lr"),
        ({"schedule": "linear"}, "schedule"),
        ({"optimizer": "lbfgs"}, "optimizer"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"patience": 0}, "patience"),
    ],
)
def test_settings_are_checked(options, word):
    with pytest.raises(InputError, match=word):
        train.Settings(**options)
    with pytest.raises(InputTypeError, match="augmentation"):
        train.Settings(augmentation="flip")


@pytest.mark.parametrize("schedule", ["poly", "cosine", "constant"])
def test_the_rate_rises_while_warming_up_and_never_after(schedule):
    from classicseg.torch.train.schedule import factor

    rates = [factor(schedule, step, 100, 10) for step in range(101)]
    assert np.all(np.diff(rates[:11]) > 0)
    assert np.all(np.diff(rates[10:]) <= 0)
    assert max(rates) == 1


# --- checkpoints --------------------------------------------------------------------------------------------------

KILLED = """
import sys
sys.path.insert(0, {root!r})
import torch
from tests.torch.test_train import CLASSES, array_data, settings
from classicseg.torch import train
torch.set_num_threads(1)
train.fit(train.Model("fcn8s", CLASSES, width=0.03), array_data(n=8), array_data(seed=1),
          settings=settings(n_epochs=4), checkpoint={path!r}, save_every=1)
"""


def test_a_killed_process_loses_nothing(tmp_path):
    """A real process is killed in the middle; going on ends with the weights of a run that was left alone."""
    path = tmp_path / "run.ckpt"
    code = KILLED.format(root=str(Path(__file__).parents[2]), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code])
    seen, deadline = set(), time.monotonic() + 50
    while len(seen) < 4 and process.poll() is None and time.monotonic() < deadline:
        if path.exists():
            seen.add(path.stat().st_mtime_ns)  # each checkpoint is a new file
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model, alone = (train.Model("fcn8s", CLASSES, width=0.03) for _ in range(2))
        there = train.fit(model, array_data(n=8), array_data(seed=1), settings=settings(n_epochs=4), checkpoint=path)
        left = train.fit(alone, array_data(n=8), array_data(seed=1), settings=settings(n_epochs=4))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(weights(model), weights(alone))
    assert [(e.loss, e.mean_iou, e.lr) for e in there.history] == [(e.loss, e.mean_iou, e.lr) for e in left.history]
    assert there.best_epoch == left.best_epoch


def test_an_ended_training_is_not_repeated(tmp_path):
    model = train.Model("unet", CLASSES, width=0.03)
    first = train.fit(model, array_data(), settings=settings(), checkpoint=tmp_path / "c")
    again = train.Model("unet", CLASSES, width=0.03, seed=9)
    with pytest.warns(UserWarning, match="has ended, after 2 epochs, and nothing was done"):
        assert train.fit(again, array_data(), settings=settings(), checkpoint=tmp_path / "c") == first
    assert torch.equal(weights(model), weights(again))


def test_the_checkpoint_of_another_training_is_refused(tmp_path):
    train.fit(train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="seed is 0 there and 1 here"):
        train.fit(
            train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(seed=1), checkpoint=tmp_path / "c"
        )
    with pytest.raises(InputError, match="the network is built in another way"):
        train.fit(
            train.Model("unet", CLASSES, width=0.05), array_data(), settings=settings(), checkpoint=tmp_path / "c"
        )
    (tmp_path / "c").write_bytes(b"half a file")
    with pytest.raises(InputError, match="cannot be read"):
        train.fit(
            train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(), checkpoint=tmp_path / "c"
        )


# --- models -------------------------------------------------------------------------------------------------------


def test_a_model_comes_back_from_its_file(tmp_path):
    model = train.Model("unet", CLASSES, width=0.03, mean=[1, 2, 3], std=[4, 5, 6])
    model.save(tmp_path / "m.pt")
    again = train.Model.load(tmp_path / "m.pt")
    image = pictures()[0][0]
    np.testing.assert_array_equal(again.predict(image), model.predict(image))
    assert again.classes == CLASSES
    assert model.training
    torch.save({"a": 1}, tmp_path / "n.pt")
    with pytest.raises(InputError, match="no model"):
        train.Model.load(tmp_path / "n.pt")
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        train.Model.load(tmp_path / "none.pt")


def test_a_model_remembers_the_size_of_its_images(tmp_path):
    model = train.Model("unet", CLASSES, width=0.03, size=(16, 24))
    model.save(tmp_path / "m.pt")
    again = train.Model.load(tmp_path / "m.pt")
    assert again.size == (16, 24)
    image = pictures(size=(48, 64))[0][0]
    logits = again.predict(image)
    assert logits.shape == (2, 48, 64)
    small = torch.from_numpy(again.predict(train.resize_image(image, (16, 24))))
    large = torch.nn.functional.interpolate(small[None], size=(48, 64), mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(logits, large, atol=1e-6)
    data = train.FolderData(folder(tmp_path))
    assert train.evaluate(again, data).mean_iou >= 0  # in the size of the pictures
    with pytest.raises(InputError, match="size"):
        train.Model("unet", CLASSES, width=0.03, size=(0, 4))
    with pytest.raises(InputError, match="size must be a height and a width"):
        train.Model("unet", CLASSES, width=0.03, size=(4,))


def test_the_checkpoint_of_another_size_is_refused(tmp_path):
    for size, refused in (((24, 32), False), ((12, 16), True)):
        model = train.Model("unet", CLASSES, width=0.03, size=size)
        if refused:
            with pytest.raises(InputError, match=r"size is \[24, 32\] there and \[12, 16\] here"):
                train.fit(model, array_data(), settings=settings(n_epochs=1), checkpoint=tmp_path / "c")
        else:
            train.fit(model, array_data(), settings=settings(n_epochs=1), checkpoint=tmp_path / "c")


# --- TensorBoard, half precision ----------------------------------------------------------------------------------


def test_tensorboard_gets_what_each_epoch_reports(tmp_path, monkeypatch):
    class Writer:
        def __init__(self, folder):
            self.folder, self.scalars, self.closed = folder, [], False
            writers.append(self)

        def add_scalar(self, name, value, step):
            self.scalars.append((name, value, step))

        def close(self):
            self.closed = True

    writers = []
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    model = train.Model("unet", CLASSES, width=0.03)
    report = train.fit(model, array_data(), array_data(seed=1), settings=settings(), log_dir=tmp_path)
    (writer,) = writers
    assert writer.closed
    assert writer.folder == str(tmp_path)
    for name in ("loss", "lr", "mean_iou"):
        seen = [(value, step) for key, value, step in writer.scalars if key == name]
        assert seen == [(getattr(epoch, name), epoch.number) for epoch in report.history]


def test_tensorboard_writes_a_file(tmp_path):
    pytest.importorskip("tensorboard")
    train.fit(train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(), log_dir=tmp_path)
    assert any(tmp_path.iterdir())


def test_half_precision_on_a_cpu():
    seen = []

    class Watching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = train.Model("unet", CLASSES, width=0.03)

        def forward(self, image):
            logits = self.model(image)
            seen.append((self.training, logits.dtype))
            return logits

    data = array_data(n=6)
    for amp, dtype in ((True, torch.bfloat16), (False, torch.float32), (None, torch.float32)):
        seen.clear()
        model = Watching()
        report = train.fit(model, data, data, settings=settings(n_epochs=3, lr=1e-2, amp=amp), device="cpu")
        assert {kind for training, kind in seen if training} == {dtype}
        assert all(kind == torch.float32 for training, kind in seen if not training)
        assert all(p.dtype == torch.float32 for p in model.parameters())
        assert report.history[-1].loss < report.history[0].loss
    with pytest.raises(InputTypeError, match="amp must be True, False or None"):
        settings(amp="yes")


def test_tensorboard_is_optional(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        train.fit(train.Model("unet", CLASSES, width=0.03), array_data(), settings=settings(), log_dir=tmp_path)


def test_parts_that_are_frozen_stay_frozen():
    data = array_data()
    model = train.Model("unet", CLASSES, width=0.05)
    frozen = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for module in frozen:
        module.eval()
    before = [m.running_mean.clone() for m in frozen]
    train.fit(model, data, data, settings=settings(n_epochs=2))
    for module, mean in zip(frozen, before, strict=True):
        assert torch.equal(module.running_mean, mean)
    learned = train.Model("unet", CLASSES, width=0.05).eval()  # as it comes from a file: nothing is frozen
    train.fit(learned, data, settings=settings(n_epochs=1))
    assert any((m.running_mean != 0).any() for m in learned.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_the_loss_of_an_auxiliary_head_counts_behind_a_crf():
    network = train.Model("pspnet50", CLASSES, width=1 / 16, aux=True)
    crf = ct.DenseCRF(2, [ct.GaussianKernel(1, 0.5)], n_iter=1)
    head = network.network.aux_head[0][0].weight
    before = head.detach().clone()
    train.fit(ct.CRFasRNN(network, crf), array_data(), settings=settings(n_epochs=1, weight_decay=0.0))
    assert not torch.equal(head, before)


@pytest.mark.parametrize("delay", [0, 1])
def test_losses_are_read_when_nobody_has_to_wait(delay):
    read = []

    class Loss:
        is_cuda = False

        def __init__(self, number):
            self.number = number

        def detach(self):
            return self

        def __float__(self):
            read.append(self.number)
            return self.number

    tally = Tally(delay, total=1.0)
    for step in range(3):
        tally.add(Loss(float(step)), step)
        assert len(read) == step + 1 - delay
    assert tally.total == 4.0
    if delay:
        tally.add(Loss(float("nan")), 3)
    with pytest.raises(ValueError, match="the loss became nan at step 3"):
        tally.add(Loss(float("nan")), 4 if delay else 3)


def test_layout_and_compiler_change_nothing_but_the_speed(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: torch.nn.Sequential(model))
    reports, models = [], []
    for options in ({}, {"channels_last": True, "compile": True}):
        torch.manual_seed(0)
        model = train.Model("unet", CLASSES, width=0.05)
        reports.append(train.fit(model, array_data(), settings=settings(n_epochs=2, **options)))
        models.append(model)
    torch.testing.assert_close(weights(models[0]), weights(models[1]), rtol=1e-3, atol=1e-3)
    assert list(models[0].state_dict()) == list(models[1].state_dict())
    kernel = next(p for p in models[1].parameters() if p.dim() == 4 and p.shape[1] > 1)
    assert kernel.is_contiguous(memory_format=torch.channels_last)
