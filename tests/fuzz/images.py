"""Cases of everything that takes an image, and of pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg import plot
from classicseg.splitmerge.statistics import histogram_edges
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw

# --- split and merge ----------------------------------------------------------------------------------------------


def small_range(region: Any) -> bool:
    return region.max[0] - region.min[0] <= 20


def predicate_parts(cls: Any, draw: Draw) -> dict[str, Any]:
    threshold = draw.of((0.0, 0.5, 3.0, 24.0, 100.0) if cls is cs.Range else (0.5, 3.0, 24.0, 100.0))
    if cls is cs.Custom:
        return {"function": small_range} | draw.some(bins=lambda: draw.of((0, 4)), monotone=lambda: True)
    extra = {"HistogramDistance": {"bins": 8}, "OtsuSeparability": {"bins": 16, "contrast": 8.0}}
    extra["VarianceRatio"] = {"noise": draw.positive()}
    if cls is cs.OtsuSeparability:
        threshold = min(threshold, 0.8)
    return {"threshold": threshold} | extra.get(cls.__name__, {})


PREDICATES = (
    cs.Range, cs.StdDev, cs.MeanDifference, cs.VarianceRatio, cs.HistogramDistance, cs.OtsuSeparability, cs.Custom
)  # fmt: skip


def predicate(draw: Draw) -> Any:
    cls = draw.of((*PREDICATES[:-1], cs.Range, cs.Range))
    made = cls(**predicate_parts(cls, draw))
    if draw.chance(0.2):
        return made & cs.StdDev(5.0) if draw.chance(0.5) else made | cs.Range(3.0)
    return made


def a_predicate(cls: Any, method: str) -> Callable[[Draw], Call]:
    """Cases of one method of one predicate."""

    def case(draw: Draw) -> Call:
        own = predicate_parts(cls, draw)
        channels = draw.integer(1, 3)
        arguments: dict[str, Any] = {
            "holds": lambda: {
                "parts": [draw.image((draw.integer(1, 9),), channels) for _ in range(draw.integer(2, 4))]
            },
            "with_bins": lambda: {"count": draw.integer(1, 20)},
            "reach": lambda: {"spread": draw.positive()},
            "always_holds": lambda: {"spread": draw.positive()},
        }.get(method, dict)()

        def use(**given: Any) -> Any:
            made = cls(**{name: given.pop(name) for name in own})
            assert repr(made)
            if not method:
                return made.bins, made.monotone
            result = getattr(made, method)(*given.values())
            return repr(result) if method in ("program", "with_bins") else result

        return Call(use, own | arguments, fixed=tuple(arguments))

    return case


def homogeneity(draw: Draw) -> Call:
    def refuse() -> list[Any]:
        base, answers = cs.Homogeneity(), []
        for call in (base.program, lambda: base.holds([np.ones((2, 1))])):
            try:
                call()
            except NotImplementedError:
                answers.append("for subclasses")
        return [*answers, base.reach(4.0), base.always_holds(1.0), base.with_bins(3) is base, base.bins, base.monotone]

    return Call(refuse, {})


def picture(draw: Draw, axes: tuple[int, ...] = (2, 2, 3)) -> dict[str, Any]:
    shape, channels = draw.shape(axes, 14), draw.of((None, None, 1, 3))
    return {"image": draw.image(shape, channels), "channel_axis": None if channels is None else -1}


def shape_of(parts: dict[str, Any]) -> tuple[int, ...]:
    return parts["image"].shape if parts["channel_axis"] is None else parts["image"].shape[:-1]


def split_options(draw: Draw, shape: tuple[int, ...]) -> dict[str, Any]:
    return draw.some(
        homogeneity=lambda: draw.of((predicate(draw), predicate(draw), 10.0)),
        min_size=lambda: draw.integer(1, 4),
        max_depth=lambda: draw.integer(0, 4),
        mask=lambda: draw.mask(shape),
    )


def merge_options(draw: Draw, shape: tuple[int, ...]) -> dict[str, Any]:
    return split_options(draw, shape) | draw.some(
        connectivity=lambda: draw.integer(1, len(shape)),
        merge=lambda: draw.of(("fast", "best_first", None)),
        merge_homogeneity=lambda: predicate(draw),
        min_area=lambda: draw.integer(1, 6),
    )


def check_regions(result: np.ndarray, image: Any, channel_axis: Any = "auto", **_: Any) -> None:
    assert result.dtype == np.int32 and result.flags.c_contiguous and result.min() >= 0
    assert result.size and result.ndim in (2, 3)


def check_numbered(result: np.ndarray, **given: Any) -> None:
    check_regions(result, **given)
    assert np.array_equal(np.unique(result[result > 0]), np.arange(1, result.max() + 1)), "gaps between numbers"


SPLIT_WORDS = ("threshold", "homogeneity", "mask")


def split_and_merge(draw: Draw) -> Call:
    parts = picture(draw)
    options = merge_options(draw, shape_of(parts)) | draw.some(n_threads=lambda: draw.of((1, 2, 7)))
    return Call(cs.split_and_merge, parts | options, check_numbered, words=SPLIT_WORDS)


def split_streamed(draw: Draw) -> Call:
    given = _split_stream_parts(draw)

    def check(result: np.ndarray, **given: Any) -> None:
        check_numbered(result, **given)
        given.pop("window", None)
        options = {
            name: value for name, value in given.items() if value is not None or name in ("merge", "channel_axis")
        }
        assert np.array_equal(result, cs.split_and_merge(**options)), "not the labels of the run in memory"

    return Call(cs.split_and_merge_streamed, given, check, words=SPLIT_WORDS)


def split_by_workers(draw: Draw) -> Call:
    """Of arrays of Dask, by threads."""
    import dask.array

    from classicseg.dask import split_and_merge

    given = _split_stream_parts(draw)
    if draw.chance(0.5):
        given["image"] = dask.array.from_array(given["image"], chunks=draw.integer(1, 9))
    return Call(split_and_merge, given, words=SPLIT_WORDS)


def split_plan(draw: Draw) -> Call:
    def planned(**given: Any) -> tuple[Any, ...]:
        plan = cs.plan_split_and_merge(**given)
        assert plan.memory > 0 and plan.scratch > 0 and plan.seconds > 0 and str(plan)
        return plan.shape, plan.n_points, plan.n_regions, plan.labels, plan.table

    return Call(planned, _split_stream_parts(draw), words=SPLIT_WORDS)


def _split_stream_parts(draw: Draw) -> dict[str, Any]:
    parts = picture(draw)
    options = merge_options(draw, shape_of(parts))
    options.pop("min_area", None)
    if options.get("merge") == "best_first":
        options["merge"] = "fast"
    for name in options.keys() & {"homogeneity", "merge_homogeneity"}:
        options[name] = draw.of((cs.Range(3), cs.Range(9) & cs.Range(5), 10.0))
    return parts | options | draw.some(n_threads=lambda: draw.of((1, 2)), window=lambda: draw.integer(1, 600))


def quadtree(draw: Draw) -> Call:
    parts = picture(draw)
    return Call(cs.quadtree, parts | split_options(draw, shape_of(parts)), words=SPLIT_WORDS)


def recorded(draw: Draw) -> Call:
    parts = picture(draw)

    def record(**given: Any) -> tuple[Any, ...]:
        made = cs.record_split_and_merge(**given)
        r = made.record
        last = r.labels_after(len(r.merges))
        assert last.shape == made.labels.shape == r.shape
        assert made.n_regions == made.labels.max(), "number of regions"
        if given.get("min_area", 1) == 1:
            pairs = np.unique(np.stack([last.ravel(), made.labels.ravel()]), axis=1)
            assert pairs.shape[1] == len(np.unique(last)), "the record leads to other regions"
        return made, r.depth, [r.blocks_at(depth) for depth in range(r.depth + 2)], list(r.steps())

    return Call(record, parts | merge_options(draw, shape_of(parts)), words=SPLIT_WORDS)


def record_part(draw: Draw) -> Call:
    parts = picture(draw)
    record = cs.record_split_and_merge(**parts).record

    def look(depth: Any, n_merges: Any) -> tuple[Any, ...]:
        return record.blocks_at(depth), record.labels_after(n_merges)

    return Call(look, {"depth": draw.integer(0, 5), "n_merges": draw.integer(0, len(record.merges))})


def srm(draw: Draw) -> Call:
    parts = picture(draw)
    parts |= draw.some(
        complexity=draw.positive, value_range=draw.positive, min_area=lambda: draw.integer(1, 6),
        mask=lambda: draw.mask(shape_of(parts)),
    )  # fmt: skip
    return Call(cs.statistical_region_merging, parts, check_numbered)


def growing(draw: Draw) -> Call:
    parts = picture(draw)
    shape = shape_of(parts)
    seeds = np.where(draw.rng.random(shape) < 0.2, draw.rng.integers(1, 4, shape), 0)
    seeds.flat[0] = 1
    parts |= {"seeds": seeds} | draw.some(
        tolerance=draw.positive, connectivity=lambda: draw.integer(1, len(shape)), mask=lambda: draw.mask(shape)
    )
    return Call(cs.seeded_region_growing, parts, check_regions)


def segment(method: str) -> Callable[[Draw], Call]:
    """Cases of one segmenter."""

    def case(draw: Draw) -> Call:
        parts = picture(draw, (2,))
        shape = shape_of(parts)
        options: dict[str, dict[str, Callable[[], Any]]] = {
            "split_and_merge": {"homogeneity": lambda: 10.0, "min_area": lambda: 3},
            "statistical_region_merging": {"complexity": draw.positive},
            "multi_otsu": {"classes": lambda: draw.integer(2, 5)},
            "local_threshold": {"block_size": lambda: draw.of((1, 3, 35)), "offset": draw.weight},
            "watershed": {
                "markers": lambda: draw.integer(1, 20),
                "sigma": draw.positive,
            },
            "slic": {"n_segments": lambda: draw.integer(1, 20), "compactness": draw.positive, "sigma": lambda: 1.0},
            "slic_merge": {"threshold": draw.positive, "n_segments": lambda: draw.integer(1, 20)},
            "felzenszwalb": {"scale": draw.positive, "sigma": lambda: 0.5, "min_size": lambda: draw.integer(1, 9)},
            "quickshift": {"kernel_size": lambda: draw.of((1, 3)), "max_dist": lambda: 6.0, "ratio": lambda: 0.5},
            "random_walker": {"beta": draw.positive},
        }
        parts |= {"method": method} | draw.some(mask=lambda: draw.mask(shape), **options.get(method, {}))
        if method in ("random_walker", "seeded_region_growing"):
            parts["seeds"] = draw.rng.integers(0, 3, shape) * (draw.rng.random(shape) < 0.5)
            parts["seeds"].flat[0] = 1
        fixed = ("method",) if draw.chance(0.9) else ()
        return Call(cs.segment, parts, check_regions, fixed, (*options.get(method, {}), *SPLIT_WORDS))

    return case


# --- tables of regions --------------------------------------------------------------------------------------------


def describe(draw: Draw) -> Call:
    parts = picture(draw)
    labels = draw.labels(shape_of(parts), 5)
    return Call(
        cs.describe_regions,
        {"labels": labels, **parts} | draw.some(connectivity=lambda: draw.integer(1, labels.ndim)),
    )


def table(draw: Draw) -> dict[str, np.ndarray]:
    return cs.describe_regions(draw.labels((6, 7), 5), draw.image((6, 7)).astype(np.float64))


def a_rule(draw: Draw) -> cs.Rule:
    low = draw.weight()
    return cs.Rule(draw.integer(0, 9), **{draw.of(("mean", "area", "std")): draw.of(((low, None), (None, low)))})


def rules(draw: Draw) -> Call:
    options = draw.some(default=lambda: draw.integer(0, 9))
    chosen = draw.of((cs.MultiOtsu(draw.integer(2, 3)), a_rule(draw), [a_rule(draw), a_rule(draw)]))
    return Call(cs.label_by_rule, {"regions": table(draw), "rules": chosen} | options, words=("column", "classes"))


def one_rule(draw: Draw) -> Call:
    def fits(label: Any, mean: Any) -> tuple[Any, ...]:
        rule = cs.Rule(label, mean=mean)
        return repr(rule), rule.fits(regions)

    regions = table(draw)
    return Call(fits, {"label": draw.integer(0, 9), "mean": (draw.weight(), None)})


def otsu(draw: Draw) -> Call:
    def labels(classes: Any, column: Any) -> np.ndarray:
        return cs.MultiOtsu(classes, column).labels(regions)

    regions = table(draw)
    return Call(labels, {"classes": draw.integer(2, 5), "column": draw.of(("mean", "area"))}, words=("regions",))


def paint(draw: Draw) -> Call:
    labels = draw.labels(draw.shape(), 5)
    n = int(labels.max()) + 1
    values = draw.of((draw.numbers((n,)), draw.numbers((max(1, len(np.unique(labels[labels > 0]))),))))
    return Call(cs.paint_regions, {"labels": labels, "values": values} | draw.some(background=draw.weight))


def statistics(draw: Draw) -> Call:
    def of(values: np.ndarray, bins: int) -> cs.RegionStatistics:
        pixels = np.asarray(values, np.float64)
        return cs.RegionStatistics.of(pixels, histogram_edges(pixels, bins))

    return Call(of, {"values": draw.image((draw.integer(1, 9),), 2), "bins": draw.of((0, 4))}, fixed=("values", "bins"))


# --- pictures -----------------------------------------------------------------------------------------------------


def flat_picture(draw: Draw) -> np.ndarray:
    return draw.image(draw.shape((2,)), draw.of((None, 3)))


def check_picture(result: np.ndarray, **_: Any) -> None:
    assert result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3


def check_colors(result: np.ndarray, labels: Any, **_: Any) -> None:
    assert result.dtype == np.uint8 and result.shape == (*np.shape(labels), 3)


def overlay(draw: Draw) -> Call:
    image = flat_picture(draw)
    arguments = {"image": image, "labels": draw.labels(image.shape[:2], 4)}
    arguments |= draw.some(alpha=lambda: 0.3, colors=lambda: draw.rng.integers(0, 256, (4, 3)).astype(np.uint8))
    return Call(plot.overlay, arguments, check_picture)


def label_image(draw: Draw) -> Call:
    arguments = {"labels": draw.labels(draw.shape((2,)), 4)}
    arguments |= draw.some(
        colors=lambda: draw.rng.integers(0, 256, (4, 3)).astype(np.uint8), ignore_label=lambda: draw.of((0, 255))
    )
    return Call(plot.label_image, arguments, check_colors)


def blocks(draw: Draw) -> Call:
    image = draw.image(draw.shape((2,)))
    arguments = {"image": image, "blocks": cs.quadtree(image, 10.0)}
    options = draw.some(zoom=lambda: draw.integer(1, 3), color=lambda: (9, 9, 9), alpha=lambda: 0.5)
    return Call(plot.quadtree, arguments | options, check_picture)


def region_picture(draw: Draw) -> Call:
    image = flat_picture(draw)
    options = draw.some(zoom=lambda: draw.integer(1, 3), border=lambda: (1, 2, 3), background=lambda: (0, 9, 0))
    return Call(plot.regions, {"image": image, "labels": draw.labels(image.shape[:2], 4)} | options, check_picture)


def frames(draw: Draw) -> Call:
    image = draw.image(draw.shape((2,)))
    record = cs.record_split_and_merge(image, 10.0).record
    options = draw.some(merge_frames=lambda: draw.integer(1, 4), zoom=lambda: draw.integer(1, 3))
    return Call(plot.split_and_merge_frames, {"image": image, "record": record} | options)


def tiles(draw: Draw) -> Call:
    pictures = [draw.rng.integers(0, 256, (4, 5, 3)).astype(np.uint8) for _ in range(draw.integer(1, 4))]
    return Call(plot.tile, {"pictures": pictures, "columns": draw.integer(1, 3)} | draw.some(gap=lambda: 2))


IMAGE_CASES = {
    "split_and_merge": split_and_merge,
    "split_and_merge_streamed": split_streamed,
    **({"dask.split_and_merge": split_by_workers} if importlib.util.find_spec("distributed") else {}),
    **dict.fromkeys(("plan_split_and_merge", "SplitPlan"), split_plan),
    "quadtree": quadtree,
    "record_split_and_merge": recorded,
    "statistical_region_merging": srm,
    "seeded_region_growing": growing,
    **{f"segment[{name}]": segment(name) for name in cs.segmenters()},
    "segmenters": lambda draw: Call(cs.segmenters, {}),
    **dict.fromkeys(("Record", "Record.from_leaves", "Record.steps", "Record.depth", "Segmentation"), recorded),
    **dict.fromkeys(("Record.blocks_at", "Record.labels_after"), record_part),
    "describe_regions": describe,
    "label_by_rule": rules,
    "Rule": one_rule,
    "Rule.fits": one_rule,
    "MultiOtsu": otsu,
    "MultiOtsu.labels": otsu,
    "paint_regions": paint,
    "RegionStatistics": statistics,
    "RegionStatistics.of": statistics,
    "overlay": overlay,
    "palette": lambda draw: Call(plot.palette, {"n_labels": draw.of((1, 2, 21, 300))}),
    "plot.displayable": lambda draw: Call(plot.displayable, {"image": flat_picture(draw)}, check_picture),
    "plot.label_image": label_image,
    "plot.quadtree": blocks,
    "plot.regions": region_picture,
    "plot.split_and_merge_frames": frames,
    "plot.tile": tiles,
}
for _method in ("", ".holds", ".program", ".reach", ".always_holds", ".with_bins"):
    IMAGE_CASES[f"Homogeneity{_method}"] = homogeneity
    for _cls in PREDICATES:
        IMAGE_CASES[f"{_cls.__name__}{_method}"] = a_predicate(_cls, _method[1:])
