"""CUDA graphs of updates: when they are recorded, what they copy, and what happens where they cannot be made.

There is no GPU here. A recorder that is none does the work again in the memory of the first time, as a graph would.
"""

import contextlib
import inspect
import logging

import pytest

torch = pytest.importorskip("torch")

import classicseg.torch as ct
from classicseg.torch import backends
from classicseg.torch.backends import _sorting, graphs, pytorch
from tests.torch.inputs import batch

pytestmark = pytest.mark.filterwarnings("ignore:the colours of image span")  # images of few pixels have few colours
NORMS = ["symmetric", "after"]


class Recorder:
    """Counts what is recorded and replayed."""

    def __init__(self, computes=True):
        self.recorded, self.replayed, self.computes = 0, 0, computes

    def __call__(self, place, work):
        self.recorded += 1
        results = work()

        def replay():
            self.replayed += 1
            for kept, new in zip(results, work() if self.computes else results, strict=True):
                kept.copy_(new)

        return replay, results


@pytest.fixture
def record(monkeypatch):
    """The backend "torch+graphs" on the CPU."""
    recorder = Recorder()
    backend = graphs.WithGraphs(backends.get("torch"), recorder)
    monkeypatch.setitem(backends._MODULES, "torch+graphs", lambda: backend)
    monkeypatch.setattr(backends, "choose", lambda name, device: name)
    return recorder


def layer(backend, **options):
    kernels = [ct.GaussianKernel(2, 3), ct.BilateralKernel(6, 25, 2, normalization="after")]
    return ct.DenseCRF(3, kernels, n_iter=2, backend=backend, **options)


def features(seed=0):
    image = 255 * torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(seed))
    return [f.detach().flatten(2) for f in layer("torch").features(image, image)]


def test_room_is_for_half_as_much_again_at_the_most():
    rooms = [_sorting.room(n) for n in range(1, 3000)]
    assert all(n <= m <= 1.5 * n for n, m in enumerate(rooms, 1))
    assert len(set(rooms[1000:])) == 4  # 1024, 1536, 2048, 3072


def test_lattices_with_room_are_of_equal_sizes_and_filter_alike():
    shapes = set()
    for seed in range(4):
        plain, roomy = (pytorch.build(features(seed), NORMS, roomy=roomy) for roomy in (False, True))
        shapes.add(tuple(x.shape for x in roomy))
        values = torch.randn(2, 2, 99, generator=torch.Generator().manual_seed(seed))
        for k in range(2):
            for adjoint in (False, True):
                filtered = (pytorch.filter(values, lattice, k, adjoint) for lattice in (plain, roomy))
                torch.testing.assert_close(*filtered, rtol=0, atol=0)
    assert len(shapes) == 1


def training(backend, n_steps=4):
    """Losses and gradients of steps with an image each."""
    crf = layer(backend, learn=("weights", "compatibility", "sigma"))
    optimizer, found = torch.optim.SGD(crf.parameters(), 0.01), []
    for step in range(n_steps):
        z, image = batch(3, (9, 11), n_images=2)
        z = (z + step).roll(step, 2).requires_grad_()
        optimizer.zero_grad()
        loss = crf(z, image.roll(step, 3)).square().mean()
        loss.backward()
        found += [loss.detach(), z.grad, *(p.grad.clone() for p in crf.parameters())]
        optimizer.step()
        with torch.no_grad():
            for parameter in crf.parameters():
                parameter.data = parameter.data.clone()  # elsewhere in memory
    return found


def test_training_with_graphs_is_training_without(record):
    for mine, truth in zip(training("torch+graphs"), training("torch"), strict=True):
        torch.testing.assert_close(mine, truth, rtol=1e-5, atol=1e-6)
    assert record.recorded == 2  # forward and backward
    assert record.replayed == 2 * 3  # the first step is made without graphs


def test_sizes_dtypes_and_numbers_of_updates_have_graphs_of_their_own(record):
    crf, plain = layer("torch+graphs", output="marginals"), layer("torch", output="marginals")
    for n_times in range(1, 3):
        for n_images, dtype, n_iter in [(1, torch.float32, 2), (2, torch.float32, 2), (1, torch.float64, 2)]:
            z, image = batch(3, (9, 11), n_images)
            with torch.no_grad():
                found, wanted = (each(z.to(dtype), image, n_iter=n_iter) for each in (crf, plain))
            assert torch.equal(found, wanted)
        assert record.recorded == 3 * (n_times - 1)
    with torch.no_grad():
        crf(z, image, n_iter=1)
    assert record.recorded == 3


def test_what_was_recorded_in_inference_mode_serves_training(record):
    z, image = batch(3, (9, 11))
    crf = layer("torch+graphs")
    for _ in range(3):
        with torch.inference_mode():
            crf(z, image)
    assert record.recorded == 1
    for _ in range(3):
        own = z.clone().requires_grad_()
        crf(own, image).sum().backward()
        assert own.grad.isfinite().all()
    assert record.recorded == 3
    with torch.no_grad():
        first = crf(z, image)
        crf(z + 1, image.flip(3))
    torch.testing.assert_close(first, layer("torch")(z, image))  # results are not overwritten


def test_where_nothing_can_be_recorded_updates_go_on(record, monkeypatch, caplog):
    def fail(place, work):
        record.recorded += 1
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(backends.get("torch+graphs")._graphs, "_record", fail)
    z, image = batch(3, (9, 11))
    crf = layer("torch+graphs")
    with caplog.at_level(logging.WARNING, "classicseg"), torch.no_grad():
        results = [crf(z, image) for _ in range(4)]
    assert all(torch.equal(result, layer("torch")(z, image)) for result in results)
    assert record.recorded == 1
    (message,) = caplog.messages
    assert message.endswith("no CUDA graph could be made: operation not permitted when stream is capturing")


def test_no_more_graphs_are_kept_than_memory_may_hold(record, monkeypatch, caplog):
    monkeypatch.setattr(graphs, "MOST", 1)
    crf = layer("torch+graphs")
    with caplog.at_level(logging.WARNING, "classicseg"), torch.no_grad():
        for n_images in (1, 2, 1, 2, 2, 1):
            crf(*batch(3, (9, 11), n_images))
    assert (record.recorded, record.replayed) == (1, 2)
    assert caplog.messages == ["1 CUDA graphs are kept already; updates of further sizes are launched one by one"]


@pytest.mark.skipif(not backends.HAS_TRITON, reason="Triton is missing")
def test_a_replayed_step_of_training_launches_no_program_and_copies_each_type_once(monkeypatch):
    from classicseg.torch.backends.triton import _lattice, _launch

    launched, copies, copy = [], [], torch._foreach_copy_
    monkeypatch.setattr(_launch, "_launch", lambda kernel, *args, **constants: launched.append(kernel))
    monkeypatch.setattr(_lattice, "embed", _sorting.embed)
    monkeypatch.setattr(torch, "_foreach_copy_", lambda *args: copies.append(args) or copy(*args))
    recorder = Recorder(computes=False)
    backend = graphs.WithGraphs(backends.get("triton"), recorder)
    z, rewards, updates = torch.zeros(2, 3, 99), torch.zeros(2, 3, 3), backends.Updates(5, False, False)
    counts = []
    for seed in (0, 1, 2):
        lattice = backend.build(features(seed), NORMS)
        launched.clear()
        copies.clear()
        out, tape = backend.mean_field(z, rewards, lattice, updates, True)
        backend.mean_field_backward(z, out, z, rewards, [], lattice, NORMS, tape, updates)
        counts.append((len(launched), len(copies)))
    assert counts[0][0] == counts[1][0] > 60
    assert counts[0][1] == 0  # computed as without graphs
    assert counts[2][0] == 0
    assert counts[2][1] <= 2 * 3  # forward and backward: float32, int32 and int64
    assert (recorder.recorded, recorder.replayed) == (2, 4)


def test_the_recorder_warms_up_on_a_stream_of_its_own_and_lets_other_threads_be(monkeypatch):
    """The calls of CUDA's functions, of which none is there."""
    calls, signature = [], inspect.signature(torch.cuda.graph.__init__)

    class Stream:
        def __init__(self, device=None):
            self.waits = calls.append

        def wait_stream(self, other):
            self.waits("wait")

    class Capture(contextlib.nullcontext):
        def __init__(self, *args, **options):
            super().__init__()
            signature.bind(self, *args, **options)
            calls.append(("capture", options["pool"], options["capture_error_mode"]))

    class Graph:
        def replay(self):
            calls.append("replay")

    pools = iter("ab")
    for name, fake in {
        "Stream": Stream,
        "current_stream": Stream,
        "stream": contextlib.nullcontext,
        "graph": Capture,
        "CUDAGraph": Graph,
        "graph_pool_handle": lambda: next(pools),
    }.items():
        assert hasattr(torch.cuda, name)
        monkeypatch.setattr(torch.cuda, name, fake)
    record, place = graphs.OnCuda(), (torch.device("cuda", 0), 7)
    for _ in range(2):
        calls.clear()
        replay, results = record(place, lambda: calls.append("work") or ["result"])
        replay()
        assert calls == ["wait", "work", "wait", ("capture", "a", "thread_local"), "work", "replay"]
        assert results == ["result"]


def test_graphs_need_a_gpu():
    z, image = batch(3, (9, 11))
    with pytest.raises(ValueError, match=r"backend='torch\+graphs' records CUDA graphs, but the logits are on cpu"):
        layer("torch+graphs")(z, image)
