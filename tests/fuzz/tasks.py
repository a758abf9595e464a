"""Cases of unary costs, of whole tasks, of files, and of what is left."""

from __future__ import annotations

import gc
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import classicseg as cs
from classicseg import io
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw

# --- unary costs --------------------------------------------------------------------------------------------------


def check_unary(result: np.ndarray, **_: Any) -> None:
    assert result.dtype == np.float32 and result.flags.c_contiguous and np.isfinite(result).all()


def check_allowed(result: np.ndarray, **_: Any) -> None:
    assert result.dtype == np.float32 and result.flags.c_contiguous and np.isfinite(result.min(axis=0)).all()
    assert result.min() > -np.inf


def unary_from_labels(draw: Draw) -> Call:
    n = draw.integer(2, 5)
    arguments = {"labels": draw.labels(draw.shape((1, 2, 3)), n), "n_labels": n}
    return Call(
        cs.unary_from_labels,
        arguments | draw.some(confidence=lambda: draw.of((0.6, 0.99)), ignore_label=lambda: draw.of((255, 0))),
        check_unary,
    )


def unary_from_scribbles(draw: Draw) -> Call:
    n = draw.integer(2, 5)
    arguments = {"scribbles": draw.labels(draw.shape((1, 2, 3)), n, -1), "n_labels": n}
    return Call(cs.unary_from_scribbles, arguments | draw.some(confidence=lambda: 0.8), check_unary)


def unary_from_logits(draw: Draw) -> Call:
    logits = draw.numbers((draw.integer(2, 5), *draw.shape((1, 2, 3))))
    if draw.chance(0.2):
        logits = logits.astype(np.float64)
        logits[1:][draw.rng.random(logits[1:].shape) < 0.3] = -np.inf
    options = draw.some(label_axis=lambda: 0, temperature=draw.positive)
    return Call(cs.unary_from_logits, {"logits": logits} | options, check_allowed)


def unary_from_probabilities(draw: Draw) -> Call:
    arguments = {"probabilities": draw.probabilities(draw.integer(2, 5), draw.shape((1, 2, 3)))}
    options = draw.some(label_axis=lambda: 0, clip=lambda: draw.of((1e-5, 0.1)), scale=lambda: draw.of((0.5, 1.0)))
    return Call(cs.unary_from_probabilities, arguments | options, check_unary)


def unary_from_sigmoid(draw: Draw) -> Call:
    p = draw.rng.random(draw.shape((1, 2, 3))).astype(draw.of(("f4", "f8")))
    return Call(cs.unary_from_sigmoid, {"p": p} | draw.some(from_logits=lambda: True, clip=lambda: 1e-3), check_unary)


# --- whole tasks --------------------------------------------------------------------------------------------------


def refine_parts(draw: Draw) -> dict[str, Any]:
    shape, channels = draw.shape((2, 2, 3)), draw.of((None, 3))
    parts: dict[str, Any] = {"image": draw.image(shape, channels), "channel_axis": None if channels is None else -1}
    n = draw.of((2, 3, 5))
    grid = draw.smaller(shape) if draw.chance(0.3) else shape
    match draw.integer(0, 3):
        case 0:
            parts["logits"] = draw.numbers((n, *grid))
        case 1:
            parts["unary"] = draw.numbers((n, *grid))
        case _:
            parts["probabilities"] = draw.probabilities(n, grid)
    return parts | draw.some(
        preset=lambda: draw.of(("auto", *cs.PRESETS)), sigma=draw.positive, weight=draw.weight,
        bilateral_sigma=draw.positive, color_sigma=draw.positive, bilateral_weight=draw.weight,
        max_iter=lambda: draw.integer(0, 4), quality=lambda: draw.of(("fast", "high", "exact")), spacing=draw.positive,
        align_corners=lambda: draw.chance(0.5), dilution=lambda: draw.of((0.0, 0.5)),
        mask=lambda: draw.mask(shape), temperature=lambda: draw.of((0.4, 1.0, 30.0)),
    )  # fmt: skip


def refine(draw: Draw) -> Call:
    def check(result: np.ndarray, image: Any, mask: Any = None, fill: Any = None, **_: Any) -> None:
        assert result.dtype == np.int32 and result.ndim in (1, 2, 3)
        inside = np.ones(result.shape, bool) if mask is None else np.asarray(mask) != 0
        assert result[inside].min() >= 0 and (result[~inside] == (-1 if fill is None else fill)).all()

    return Call(cs.refine, _refine_options(draw), check, words=("sigma", "bilateral_sigma"))


def _refine_options(draw: Draw) -> dict[str, Any]:
    return refine_parts(draw) | draw.some(
        n_threads=lambda: draw.of((1, 2, 7)), fill=lambda: draw.of((-1, 255)), exact=lambda: draw.chance(0.5)
    )


def refinement(draw: Draw) -> Call:
    def found(**given: Any) -> tuple[Any, ...]:
        made = cs.refinement(**given)
        assert made.strength in ("own", *cs.PRESETS)
        return made.labels, made.marginals, made.energy, repr(made.crf), made.may_differ

    return Call(found, _refine_options(draw), words=("preset", "sigma", "bilateral_sigma"))


def refinement_crf(draw: Draw) -> Call:
    def costs(**given: Any) -> tuple[Any, ...]:
        crf = cs.refinement_crf(**given)
        return crf.unary, repr(crf)

    return Call(costs, refine_parts(draw), words=("preset", "sigma", "bilateral_sigma"))


def refine_many(draw: Draw) -> Call:
    def labels(**given: Any) -> list[np.ndarray]:
        items = list(cs.refine_many(**given))
        assert all(item.path is None and not item.skipped for item in items)
        return [item.labels for item in items]  # an error of an item comes here

    parts = {name: value for name, value in refine_parts(draw).items() if name not in ("like", "origin")}
    n, renamed = draw.integer(1, 3), {"image": "images", "mask": "masks"}
    several = {
        renamed.get(name, name): [value] * n if name in ("image", "mask", "logits", "unary", "probabilities") else value
        for name, value in parts.items()
    }
    options = draw.some(n_workers=lambda: draw.of((1, 3)), n_threads=lambda: draw.of((1, 2)))
    return Call(labels, several | options, words=("image", "mask", "sigma", "bilateral_sigma"))


def refine_streamed(draw: Draw) -> Call:
    return Call(cs.refine_streamed, _stream_parts(draw), words=("sigma", "bilateral_sigma"))


def refine_by_workers(draw: Draw) -> Call:
    """Of arrays of Dask, by threads."""
    import dask.array

    from classicseg.dask import refine

    given = _stream_parts(draw)
    if draw.chance(0.5):
        given["image"] = dask.array.from_array(given["image"], chunks=draw.integer(1, 9))
    return Call(refine, given, words=("sigma", "bilateral_sigma"))


def plan_streamed(draw: Draw) -> Call:
    def planned(**given: Any) -> tuple[Any, ...]:
        plan = cs.plan_streamed(**given)
        assert plan.memory > 0 and plan.scratch > 0 and plan.seconds > 0 and str(plan)
        return plan.shape, plan.n_points, plan.n_vertices

    return Call(planned, _stream_parts(draw), words=("sigma", "bilateral_sigma"))


def _stream_parts(draw: Draw) -> dict[str, Any]:
    given = {name: value for name, value in refine_parts(draw).items() if name not in ("like", "origin")}
    if given.get("quality") == "exact":
        del given["quality"]
    preset = draw.of(("auto", *cs.PRESETS))
    options = draw.some(
        window=lambda: draw.integer(1, 9), n_threads=lambda: draw.of((1, 2)), fill=lambda: 255,
        exact=lambda: draw.chance(0.5), nodata=lambda: draw.of((0, 7.0, float("nan"))),
    )  # fmt: skip
    return given | {"preset": preset} | options


def minimum_cut_streamed(draw: Draw) -> Call:
    def found(**given: Any) -> tuple[Any, ...]:
        made = cs.minimum_cut_streamed(**given)
        assert made.flow == made.cut and made.n_open >= 0 and str(made)
        return made.labels, made.energy, made.cut, made.step

    return Call(found, _cut_parts(draw))


def cut_by_workers(draw: Draw) -> Call:
    """Of arrays of Dask, by threads."""
    import dask.array

    from classicseg.dask import minimum_cut

    def found(**given: Any) -> tuple[Any, ...]:
        made = minimum_cut(**given)
        assert made.flow == made.cut
        return made.labels, made.energy

    given = _cut_parts(draw)
    if draw.chance(0.5):
        given["unary"] = dask.array.from_array(given["unary"], chunks=draw.integer(1, 9))
    return Call(found, given)


def plan_minimum_cut(draw: Draw) -> Call:
    def planned(**given: Any) -> tuple[Any, ...]:
        plan = cs.plan_minimum_cut(**given)
        assert plan.seconds > 0 and 0 <= plan.certain <= 1 and str(plan)
        return plan.shape, plan.n_points, plan.step, plan.n_rows, plan.reach

    return Call(planned, _cut_parts(draw))


def expansion_streamed(draw: Draw) -> Call:
    def found(**given: Any) -> tuple[Any, ...]:
        made = cs.expansion_streamed(**given)
        assert made.energies[-1] == made.energy <= made.energies[0] and made.n_open >= 0 and str(made)
        return made.labels, made.energies, made.step, made.converged

    parts = _cut_parts(draw, draw.integer(2, 4))
    shape = parts["unary"].shape
    more = draw.some(max_iter=lambda: draw.integer(0, 3), init=lambda: draw.labels(shape[1:], shape[0]))
    return Call(found, parts | more)


def plan_expansion(draw: Draw) -> Call:
    def planned(**given: Any) -> tuple[Any, ...]:
        plan = cs.plan_expansion(**given)
        assert plan.seconds > 0 and 0 <= plan.certain <= 1 and str(plan)
        return plan.shape, plan.n_points, plan.n_labels, plan.step, plan.n_rows, plan.reach

    return Call(planned, _cut_parts(draw, draw.integer(2, 4)))


def trws_streamed(draw: Draw) -> Call:
    def found(**given: Any) -> tuple[Any, ...]:
        made = cs.trws_streamed(**given)
        assert (made.gap is None) == (not made.energies) and str(made)
        assert made.gap is None or made.lower_bound <= made.energy == made.energies[-1]
        return made.labels, made.energies, made.bounds, made.converged

    return Call(found, _trws_parts(draw))


def plan_trws(draw: Draw) -> Call:
    def planned(**given: Any) -> tuple[Any, ...]:
        plan = cs.plan_trws(**given)
        assert plan.seconds > 0 and plan.moved > 0 and str(plan)
        return plan.shape, plan.n_points, plan.n_labels, plan.n_rows, plan.scratch

    return Call(planned, _trws_parts(draw))


def _trws_parts(draw: Draw) -> dict[str, Any]:
    more = draw.some(
        max_iter=lambda: draw.integer(0, 3),
        compatibility=lambda: draw.of((cs.Potts(2), cs.TruncatedLinear(1, truncation=2))),
    )
    return _cut_parts(draw, draw.integer(2, 4)) | more


def _cut_parts(draw: Draw, n_labels: int = 2) -> dict[str, Any]:
    shape = draw.shape((2, 2, 3))
    parts: dict[str, Any] = {"unary": draw.numbers((n_labels, *shape)), "weights": draw.weight()}
    if draw.chance(0.5):
        channels = draw.of((None, 3))
        parts |= {"image": draw.image(shape, channels), "channel_axis": None if channels is None else -1}
        parts |= draw.some(beta=draw.positive)
    return parts | draw.some(
        mask=lambda: draw.mask(shape), window=lambda: draw.integer(1, 9), n_threads=lambda: draw.of((1, 2)),
        connectivity=lambda: 4 if len(shape) == 2 else 6, fill=lambda: 255,
    )  # fmt: skip


def cutout(draw: Draw) -> Call:
    shape = tuple(2 + n for n in draw.shape((2, 2, 3), 8))
    channels = draw.of((None, 3))
    parts: dict[str, Any] = {"image": draw.image(shape, channels), "channel_axis": None if channels is None else -1}
    if draw.chance(0.5):
        scribbles = np.where(draw.rng.random(shape) < 0.2, draw.rng.integers(0, 2, shape), -1)
        scribbles.flat[0], scribbles.flat[-1] = 0, 1
        parts["scribbles"] = scribbles
    else:
        parts["box"] = (0,) * len(shape) + tuple(n - 1 for n in shape)
    parts |= draw.some(
        colors=lambda: draw.of(("mixture", "histogram")), n_components=lambda: draw.integer(1, 5), weight=draw.weight,
        beta=draw.positive, max_iter=lambda: draw.integer(1, 3), n_threads=lambda: draw.of((1, 2, 7)),
        mask=lambda: np.maximum(draw.mask(shape), parts.get("scribbles", np.eye(1) - 1) >= 0),
        fill=lambda: draw.of((-1, 255)),
    )  # fmt: skip

    def cut(**given: Any) -> tuple[Any, ...]:
        made = cs.cutout(**given)
        assert made.mask.shape == made.labels.shape and made.mask.dtype == bool
        return made.labels, made.probabilities, made.energy, made.n_iter, made.converged, made.message, made.scribbles

    return Call(cut, parts)


def matte(draw: Draw) -> Call:
    shape, channels = tuple(2 + n for n in draw.shape((2,), 8)), draw.of((None, 3))
    parts: dict[str, Any] = {"image": draw.image(shape, channels), "channel_axis": None if channels is None else -1}
    parts |= {"box": (0, 0, *(n - 1 for n in shape)), "alpha": True, "max_iter": 1}

    def soft(background: Any, **given: Any) -> tuple[Any, ...]:
        made = cs.cutout(**given).matte
        assert made.rgba.shape == (*shape, 4)
        assert made.alpha.min() >= 0 and made.alpha.max() <= 1
        return made.alpha, made.foreground, made.rgba, made.over(background)

    color = draw.rng.integers(0, 256, (*shape, 3) if draw.chance(0.3) else 3)
    return Call(soft, parts | {"background": color} | draw.some(mask=lambda: draw.mask(shape)))


def drawing(draw: Draw) -> Call:
    shape = (6, 7)
    scribbles = np.full(shape, -1)
    scribbles[0, 0], scribbles[-1, -1] = 0, 1
    image, box = draw.image(shape, None), (slice(1, 4), slice(2, 5))

    def draw_on(strokes: Any, region: Any, **more: Any) -> tuple[Any, ...]:
        cut = cs.cutout(image, scribbles, channel_axis=None, max_iter=1)
        assert len(cut.models) == 2
        changed = cut.update(strokes, region, **more)
        least = cs.minimize(cut.crf, "graph_cut").energy
        assert abs(cut.energy - least) <= 1e-9 * max(1.0, abs(least)), "drawn on, cut anew"
        again = cut.refit(max_iter=1)
        return changed, cut.labels, cut.probabilities, cut.scribbles, cut.energy, again.labels

    whole = draw.chance(0.3)
    size = shape if whole else (3, 3)
    arguments = {"strokes": draw.rng.integers(-1, 2, size), "region": None if whole else box}
    return Call(draw_on, arguments | draw.some(erase=lambda: draw.rng.random(size) < 0.5), fixed=("region",))


def tune(draw: Draw) -> Call:
    shape = (5, 6)
    images = [draw.image(shape, 3) for _ in range(2)]
    probabilities = [draw.probabilities(2, shape) for _ in images]
    truths = [draw.labels(shape, 2) for _ in images]
    arguments = {"images": images, "probabilities": probabilities, "truths": truths, "budget": draw.integer(1, 6)}
    options = draw.some(
        metric=lambda: draw.of(("miou", "boundary")), rng=lambda: 3, folds=lambda: 2, calibrate=lambda: draw.chance(0.5)
    )
    return Call(cs.tune, arguments | options, words=("sigma", "color_sigma"))


def preset(draw: Draw) -> Call:
    def change(name: Any, mean_side: Any, **changes: Any) -> Any:
        return repr(cs.PRESETS[name].replace(**changes).in_pixels(mean_side))

    arguments = {"name": draw.of(tuple(cs.PRESETS)), "mean_side": draw.positive()}
    changes = draw.some(sigma=draw.positive, max_iter=lambda: 3)  # what is wrong with them, refine says
    return Call(change, arguments | changes, fixed=("name", "mean_side", *changes))


def threads(draw: Draw) -> Call:
    def set_and_get(n: Any) -> int:
        cs.set_num_threads(n)
        got = cs.get_num_threads()
        cs.set_num_threads(1)
        return got

    return Call(set_and_get, {"n": draw.of((1, 2, 7, 1024, None))})


def an_error(cls: Any) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        def make(text: str) -> str:
            error = cls(text)
            assert isinstance(error, cs.ClassicsegError)
            return str(error)

        return Call(make, {"text": "a message"}, fixed=("text",))

    return case


def plain(draw: Draw) -> Call:
    """Records without behaviour."""

    def make(energy: float, bound: float) -> tuple[Any, ...]:
        result = cs.Result(np.zeros((2, 3), np.int32), energy=energy, lower_bound=bound, method="example")
        return result, repr(result), result.gap, cs.Step(1, 0.5, energy), repr(cs.State(1, energy=energy))

    bound = draw.weight()
    return Call(make, {"energy": bound + draw.weight(), "bound": bound}, fixed=("energy", "bound"))


def warmup(draw: Draw) -> Call:
    return Call(cs.warmup, {})


def sample(draw: Draw) -> Call:
    return Call(cs.sample, {"name": draw.of(("coffee", "nuclei"))})


# --- files --------------------------------------------------------------------------------------------------------

PLACE = Path(tempfile.gettempdir()) / f"classicseg-fuzz-{os.getpid()}"


def _file(draw: Draw, suffixes: tuple[str, ...], write: Callable[[Path], Any]) -> Path:
    """A file of one of the formats, often with a fault."""
    PLACE.mkdir(exist_ok=True)
    path = PLACE / f"in{draw.of(suffixes)}"
    write(path)
    if draw.chance(0.6):
        held = bytearray(path.read_bytes())
        match draw.integer(0, 2):
            case 0:
                held = held[: draw.integer(0, len(held))]
            case 1:
                for _ in range(draw.integer(1, 8)):
                    held[draw.integer(0, len(held) - 1)] = draw.integer(0, 255)
            case 2:
                at = draw.integer(0, len(held))
                held[at:at] = draw.rng.bytes(draw.integer(1, 30))
        path.write_bytes(held)
    return path


def _saved(array: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        match path.suffix:
            case ".npy":
                np.save(path, array)
            case ".npz":
                np.savez_compressed(path, probabilities=array)
            case ".tif":
                import tifffile

                tifffile.imwrite(path, array)
            case ".nii":
                import nibabel

                nibabel.save(nibabel.Nifti1Image(array.astype(np.float32), np.eye(4)), path)
            case _:
                from PIL import Image

                Image.fromarray(array.astype(np.uint8)).save(path)

    return write


def _reading(function: Callable[..., Any], suffixes: tuple[str, ...], axes: tuple[int, ...]) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        array = draw.image(draw.shape(axes)).astype(np.float32 if axes == (3,) else np.uint8)
        path = _file(draw, suffixes, _saved(array))
        options = draw.some(key=lambda: "probabilities") if function is io.read_probabilities else {}

        def read(path: Any, **options: Any) -> Any:
            try:
                return function(path, **options)
            finally:
                gc.collect(0)  # a file that was left open is noticed here

        return Call(read, {"path": path} | options, words=(str(path), "probabilities", "file", "suffix"))

    return case


def _classes(draw: Draw) -> Call:
    path = _file(draw, (".txt",), lambda path: path.write_text("0 road\n1 sky\n255 void\n"))
    return Call(io.read_classes, {"path": path}, words=(str(path),))


def _writing(function: Callable[..., Any], suffixes: tuple[str, ...], make: Any, name: str) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        PLACE.mkdir(exist_ok=True)
        path = PLACE / f"out{draw.of(suffixes)}"
        return Call(function, {"path": path, name: make(draw)}, fixed=("path",), words=(str(path), "path"))

    return case


UAI = "MARKOV\n3\n2 3 2\n3\n1 0\n2 0 1\n2 2 1\n2\n 0.5 0.25\n6\n 1 2 4 0 1 1\n6\n 1 1 1 1 0.5 1\n"


DIMACS = "p max 4 4\nn 1 s\nn 4 t\na 1 2 5\na 2 3 4\na 3 2 1\na 3 4 9\n"


def _uai(function: Callable[..., Any], text: str, suffixes: tuple[str, ...] = (".uai",)) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        path = _file(draw, suffixes, lambda path: path.write_text(text))
        return Call(function, {"path": path}, words=(str(path), "tables", "evidence"))

    return case


def _write_uai(draw: Draw) -> Call:
    def write(crf: Any) -> Any:
        PLACE.mkdir(exist_ok=True)
        io.write_uai(PLACE / "out.uai", crf)
        return io.read_uai(PLACE / "out.uai").edges

    n = draw.integer(2, 6)
    tables = draw.rng.normal(size=(n - 1, 3, 3)) * draw.of((1, 1, 1000))
    return Call(write, {"crf": cs.GraphCRF(np.zeros((3, n)), [[i, i + 1] for i in range(n - 1)], tables=tables)})


def _write_energy(draw: Draw) -> Call:
    def write(crf: Any) -> Any:
        PLACE.mkdir(exist_ok=True)
        io.write_energy(PLACE / "out.npz", crf)
        return io.read_energy(PLACE / "out.npz").unary

    return Call(write, {"crf": cs.GridCRF(draw.numbers((3, 2, 4)), cs.Potts(draw.positive()))})


def _write_flow(draw: Draw) -> Call:
    suffix = draw.of((".max", ".bbk", ".npz"))

    def write(edges: Any, capacity: Any, reverse_capacity: Any, source: Any, sink: Any) -> Any:
        PLACE.mkdir(exist_ok=True)
        io.write_flow(PLACE / f"out{suffix}", io.FlowProblem(edges, capacity, reverse_capacity, source, sink))
        return cs.FlowNetwork(**io.read_flow(PLACE / f"out{suffix}")._asdict()).solve().flow

    n = draw.integer(2, 6)
    numbers = draw.rng.integers(0, 9, (2, n - 1)), draw.rng.integers(0, 9, (2, n))
    edges = np.array([[i, i + 1] for i in range(n - 1)])
    arguments = zip(io.FlowProblem._fields, (edges, *numbers[0], *numbers[1]), strict=True)
    return Call(write, dict(arguments), words=("edges",))


def _check_output(draw: Draw) -> Call:
    paths = (PLACE / "fine.png", PLACE / "nowhere" / "x.png", PLACE, Path("/proc/x.png"))
    return Call(
        io.check_output, {"path": draw.of(paths), "what": "labels"}, fixed=("what",), words=("labels", "folder")
    )


def _raster(draw: Draw) -> Call:
    def known(pixels: Any) -> Any:
        raster = io.Raster(pixels)
        assert raster.band_names == () and type(raster[:1]) is type(raster + 0) is np.ndarray
        return raster.spacing, raster.pixel_size, raster.nodata, raster.crs, raster.transform, raster.affine

    return Call(known, {"pixels": draw.image(draw.shape((2,)))}, lambda result, **_: None, fixed=("pixels",))


def _replacing(draw: Draw) -> Call:
    def replace(text: str) -> str:
        PLACE.mkdir(exist_ok=True)
        with io.replacing(PLACE / "replaced.txt") as temporary:
            temporary.write_text(text)
        return (PLACE / "replaced.txt").read_text()

    return Call(replace, {"text": "some text"}, fixed=("text",))


FILES = (".png", ".npy", ".tif", ".nii")
TASK_CASES: dict[str, Callable[[Draw], Call]] = {
    "unary_from_labels": unary_from_labels,
    "unary_from_logits": unary_from_logits,
    "unary_from_probabilities": unary_from_probabilities,
    "unary_from_scribbles": unary_from_scribbles,
    "unary_from_sigmoid": unary_from_sigmoid,
    "refine": refine,
    **dict.fromkeys(("refine_many", "RefinedItem", "RefinedItem.labels"), refine_many),
    "refinement_crf": refinement_crf,
    "plan_streamed": plan_streamed,
    "StreamPlan": plan_streamed,
    "refine_streamed": refine_streamed,
    **(
        {"dask.refine": refine_by_workers, "dask.minimum_cut": cut_by_workers}
        if importlib.util.find_spec("distributed")
        else {}
    ),
    **dict.fromkeys(("minimum_cut_streamed", "StreamedCut"), minimum_cut_streamed),
    **dict.fromkeys(("plan_minimum_cut", "CutPlan"), plan_minimum_cut),
    **dict.fromkeys(("expansion_streamed", "StreamedExpansion"), expansion_streamed),
    **dict.fromkeys(("plan_expansion", "ExpansionPlan"), plan_expansion),
    **dict.fromkeys(("trws_streamed", "StreamedTrws", "StreamedTrws.gap"), trws_streamed),
    **dict.fromkeys(("plan_trws", "TrwsPlan"), plan_trws),
    **dict.fromkeys(("refinement", "Refinement", "Refinement.extended", "Refinement.gap"), refinement),
    "Result.extended": refinement,
    **dict.fromkeys(("PRESETS", "Preset", "Preset.replace", "Preset.in_pixels"), preset),
    **dict.fromkeys(("cutout", "Cutout", "Cutout.mask"), cutout),
    **dict.fromkeys(("Cutout.update", "Cutout.refit", "Cutout.crf", "Cutout.models"), drawing),
    **dict.fromkeys(("Cutout.matte", "Matte", "Matte.rgba", "Matte.over"), matte),
    **dict.fromkeys(("tune", "Tuned"), tune),
    **dict.fromkeys(("get_num_threads", "set_num_threads"), threads),
    **dict.fromkeys(("Result", "Result.gap", "State", "Step"), plain),
    **dict.fromkeys(("sample", "Sample"), sample),
    "warmup": warmup,
    **{cls.__name__: an_error(cls) for cls in (cs.ClassicsegError, cs.InputError, cs.InputTypeError, cs.BudgetError)},
    "io.VOID": lambda draw: Call(lambda: io.VOID, {}),
    **dict.fromkeys(
        (
            "io.Raster", "io.Raster.spacing", "io.Raster.pixel_size", "io.Raster.nodata", "io.Raster.band_names",
            "io.Raster.crs", "io.Raster.transform", "io.Raster.affine",
        ),
        _raster,
    ),
    "io.check_output": _check_output,
    "io.read_classes": _classes,
    "io.read_image": _reading(io.read_image, FILES, (2,)),
    "io.read_labels": _reading(io.read_labels, FILES, (2,)),
    "io.read_masked_image": _reading(io.read_masked_image, FILES, (2,)),
    "io.read_probabilities": _reading(io.read_probabilities, (".npy", ".npz", ".tif"), (3,)),
    "io.read_energy": _uai(io.read_energy, "no energy", (".npz", ".bq")),
    "io.read_flow": _uai(io.read_flow, DIMACS, (".max",)),
    **dict.fromkeys(("io.FlowProblem", "io.write_flow"), _write_flow),
    "io.write_energy": _write_energy,
    "io.read_uai": _uai(io.read_uai, UAI),
    "io.read_uai_evidence": _uai(io.read_uai_evidence, "2 0 1 5 0"),
    "io.read_uai_labels": _uai(io.read_uai_labels, "MAP\n3 0 2 1"),
    "io.replacing": _replacing,
    "io.write_uai": _write_uai,
    "io.write_uai_labels": _writing(
        io.write_uai_labels, (".MAP",), lambda draw: draw.labels((draw.integer(1, 5),), 9), "labels"
    ),
    "io.write_animation": _writing(
        io.write_animation, (".gif",), lambda draw: [np.zeros((3, 4, 3), np.uint8)] * draw.integer(1, 3), "frames"
    ),
    "io.write_image": _writing(
        io.write_image, (".png", ".tif", ".npy"), lambda draw: draw.image(draw.shape((2,)), 3).astype("u1"), "image"
    ),
    "io.write_labels": _writing(
        io.write_labels, (".png", ".tif", ".npy", ".nii"), lambda draw: draw.labels(draw.shape((2,)), 9), "labels"
    ),
    "io.write_marginals": _writing(
        io.write_marginals, (".npy", ".npz"), lambda draw: draw.probabilities(3, (3, 4)), "marginals"
    ),
    "io.write_matte": _writing(
        io.write_matte, (".png", ".jpg"), lambda draw: draw.rng.integers(0, 256, (3, 4, 4)).astype("u1"), "rgba"
    ),
}  # fmt: skip
