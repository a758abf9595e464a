"""Writes the tables of README.md and of the README.md of the repository from results/*.json.

    python benchmarks/render.py [--check]

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->`` and shows ``results/NAME.json``. To add one, add
such a pair of lines where the text speaks of it; results that have no place in the text are shown at its end. A
function below may say how a file is shown, registered by its name; without one, each row of the file becomes a row of
the table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.shared.folders import RESULTS, ROOT

README = ROOT / "benchmarks" / "README.md"
LESSONS = (ROOT / "README.md",)
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
REST = "\n## Other results\n"

Document = dict[str, Any]
Row = dict[str, Any]
FORMATS: dict[str, Callable[[Document], str]] = {}


def shows(name: str) -> Callable[[Callable[[Document], str]], Callable[[Document], str]]:
    """Register how ``results/NAME.json`` is shown."""

    def register(function: Callable[[Document], str]) -> Callable[[Document], str]:
        FORMATS[name] = function
        return function

    return register


def table(rows: Iterable[Row]) -> str:
    """A Markdown table; columns in the order in which rows name them, numbers to the right."""
    rows = [{key: value for key, value in row.items() if key != "run"} for row in rows]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {c: all(isinstance(row.get(c, 0), int | float) for row in rows) for c in columns}
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join("---:" if numeric[c] else "---" for c in columns) + "|"]
    lines += ["| " + " | ".join(cell(row.get(c, "")) for c in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and {"median", "q1", "q3"} <= set(value):
        return spread(value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {cell(v)}" for k, v in value.items())
    return str(value).replace("|", "\\|").replace("\n", " ")


def spread(ratio: dict[str, float]) -> str:
    return f"**{ratio['median']:g}** ({ratio['q1']:g}–{ratio['q3']:g})"


def gain(points: float) -> str:
    return f"{points:+.2f}"


@shows("dense_speed")
def dense_speed(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        memory = row["peak_bytes_per_pixel"]
        rows.append(
            {
                "case": row["case"],
                "pydensecrf2, ms": row["ms"]["pydensecrf2"],
                **{f"{name}: times faster": spread(r) for name, r in row["times_faster"].items()},
                "peak memory": f"{100 * memory['classicseg'] / memory['pydensecrf2']:.0f} %",
                "largest difference of marginals": f"{row['largest_difference_of_marginals']:.1e}",
            }
        )
    return table(rows)


@shows("graph_speed_flow")
@shows("graph_speed_expansion")
@shows("graph_speed_qpbo")
def graph_speed(document: Document) -> str:
    rows = [row for row in document["rows"] if "problem" in row]
    return table({key: row[key] for key in row if key not in ("part", "rounds")} for row in rows)


@shows("torch_layer")
def torch_layer(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        ms, peers = row["ms"], row["peer_ms"]
        rows.append(
            {
                "backend": row["case"],
                "total, ms": ms["total"],
                "loop, ms": ms["loop"],
                "forward and backward, ms": ms["training"],
                "pydensecrf2, ms": f"{peers['pydensecrf2']:.4g}, loop {peers['pydensecrf2: loop']:.4g}",
                "total / pydensecrf2": spread(row["of_pydensecrf2"]),
                "loop / pydensecrf2": spread(row["loop_of_pydensecrf2"]),
                "total / NumPy API": spread(row["of_numpy"]),
                "forward and backward / forward": spread(row["training_of_total"]),
                "the same without building": spread(row["training_loop_of_loop"]),
                "largest difference of marginals": f"{row['largest_difference_of_marginals']:.1e}",
            }
        )
    return table(rows)


@shows("threads")
def threads(document: Document) -> str:
    rows: dict[str, Row] = {}
    for row in document["rows"]:
        what, shape = row["case"].split(": ")
        two, many = (row[f"{n}_of_1"]["median"] for n in (2, 256))
        rows.setdefault(what, {"time / time with 1 thread": what})[shape] = f"{two:.2f}, {many:.2f}"
    return table(rows.values())


@shows("pipelines_many")
def pipelines_many(document: Document) -> str:
    return table(
        {
            "command": row["case"],
            "images": row["images"],
            "images a second": row["images_a_second"],
            "CPU time of an image, ms": row["cpu_ms_an_image"],
            "share of its processors": f"{100 * row['share_of_processors']:.0f} %",
            "times faster than pydensecrf2": spread(row["times_faster_than_peer"]),
        }
        for row in document["rows"]
    )


@shows("suite_uai")
@shows("suite_mrf")
@shows("suite_cuts")
def suite(document: Document) -> str:
    """The problems of a suite of ``classicseg bench``, then how the solvers rank."""
    problems, ranked = [], []
    for row in document["rows"]:
        if row["part"] == "problem":
            found = {
                key: f"{row[key]:.10g}" if row[key] is not None else "" for key in ("energy", "best", "best_bound")
            }
            problems.append(
                {
                    "problem": row["problem"].split("/")[1],
                    "lowest energy here": found["energy"],
                    "by": row["solver"],
                    "seconds": row["seconds"],
                    "lowest known": f"{found['best']} ({row['who']})",
                    "highest bound": found["best_bound"],
                    "proven": row["proven"],
                }
            )
        else:
            ranked.append(
                {
                    "solver": row["contender"],
                    "score": f"{row['score']:.3f}",
                    "score, accepted": f"{row['accepted_score']:.3f}",
                    "accepts": f"{row['accepted']} of {row['of']}",
                }
                | {f"within {level}": count for level, count in row["arrived"].items()}
            )
    return f"{table(problems)}\n{table(ranked)}"


@shows("torch_losses")
def torch_losses(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        others = {f"{name}, ms": row["ms"].get(name, "") for name in ("PyTorch", "MONAI", "kornia")}
        mine = row["ms"]["classicseg"]
        rows.append(
            {"loss": row["loss"], "classicseg, ms": mine}
            | others
            | {"times faster than the best other": spread(row["times_faster_than_the_best_other"])}
        )
    return table(rows)


@shows("torch_networks")
def torch_networks(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        other = row["other"]
        figures: Row = {"network": row["network"], "images": row["images"], "twin": other}
        figures["parameters, ours and the twin's"] = " / ".join(f"{n:,}" for n in row["parameters"].values())
        for what in ("forward", "forward and backward"):
            ms = row[what]["ms"]
            figures[f"{what}, ms, ours / the twin's"] = f"{ms['classicseg']:g} / {ms[other]:g}"
            figures[f"{what}: times faster"] = spread(row[what]["times_faster"])
        rows.append(figures)
    return table(rows)


@shows("dense_quality")
def dense_quality(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        iou = row["mean_iou"]
        rows.append(
            {"data set": row["dataset"], "labels": row["labels"], "network alone": iou["before"]}
            | {preset: gain(iou[preset] - iou["before"]) for preset in ("default", "conservative")}
            | {
                f"{p}, pydensecrf2 / drop-in": " / ".join(
                    gain(iou[f"{p}: {who}"] - iou["before"]) for who in ("pydensecrf2", "drop-in")
                )
                for p in ("readme", "irnet", "deeplab")
            }
            | {
                "equal labels": f"{100 * row['equal_labels']:.3f} %",
                "drop-in: times faster": spread(row["drop_in_times_faster"]),
            }
        )
    return table(rows)


@shows("dense_accuracy")
def dense_accuracy(document: Document) -> str:
    rows = []
    for group, figures in document["about"]["geometric_means"].items():
        row: Row = {"cases": group}
        for name in ("unary only", "pydensecrf2", "fast", "high"):
            row[f"{name}: wrong labels"] = f"{figures[name]['wrong_percent']:.3g} %"
        for name in ("pydensecrf2", "fast", "high"):
            row[f"{name}: mean difference of Q"] = f"{figures[name]['mean_difference']:.2g}"
        rows.append(row)
    return table(rows)


@shows("pipelines_choose_defaults")
def choose_defaults(document: Document) -> str:
    presets = [row for row in document["rows"] if row["table"] == "presets"]
    seen = [
        {"preset": row["preset"], "chosen on": row["chosen_on"]} | {k: gain(v) for k, v in row["gain"].items()}
        for row in presets
        if row["chosen_on"] != "no volumes"
    ]
    unseen = [
        {"preset": row["preset"]} | {k: gain(v) for k, v in row["gain"].items()}
        for row in presets
        if row["chosen_on"] == "no volumes"
    ]
    sizes = [
        {"size of images": f"x {row['size']:g}", "range": way} | {k: gain(v) for k, v in row[way].items()}
        for row in document["rows"]
        if row["table"] == "sizes"
        for way in ("share of the image", "pixels")
    ]
    return "\n".join(table(rows) for rows in (seen, unseen, sizes) if rows)


@shows("grid_speed_binary4")
@shows("grid_speed_binary8")
@shows("grid_speed_volumes")
def cuts(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        if row["part"] == "summary":
            name = f"{row['connectivity']} neighbours, {row['threads']}: worst {row['worst']:g}"
            rows.append({"problem": f"**{name}, geometric mean {row['geometric_mean']:g}**"})
            continue
        faster = {f"{name}: times faster": spread(ratio) for name, ratio in row["times_faster"].items()}
        rows.append(
            {"problem": row["problem"], "pixels": row["pixels"], "PyMaxflow, ms": row["ms"]["PyMaxflow"], **faster}
        )
    return table(rows)


@shows("grid_speed_expansion")
def expansion(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        if row["part"] == "summary":
            rows.append({"problem": f"**{row['threads']}: worst {row['worst']:g}, mean {row['geometric_mean']:g}**"})
            continue
        rows.append(
            {
                "problem": row["problem"],
                "gco-wrapper, ms": row["ms"]["gco"],
                "times faster": spread(row["times_faster_than_gco"]["1 thread"]),
                "energy above gco's, %": row["above_gco_percent"],
                "times faster than PyMaxflow": spread(row["times_faster_than_pymaxflow"])
                if "times_faster_than_pymaxflow" in row
                else "",
            }
        )
    return table(rows)


@shows("grid_stereo")
def stereo(document: Document) -> str:
    *rows, total = document["rows"]
    lines = [
        {"values": row["values"], "cut at": row["limit"] or "", "weight": row["weight"]}
        | {f"{name}, energy": int(found["energy"]) for name, found in row["solvers"].items()}
        | {f"{name}, % above gco": share for name, share in row["percent_above_gco"].items()}
        for row in rows
    ]
    below = {
        f"{name}, energy": f"**{count} of {total['energies']}**" for name, count in total["at_or_below_gco"].items()
    }
    means = {f"{name}, % above gco": share for name, share in total["mean_percent_above_gco"].items()}
    return table(
        [
            *lines,
            {"values": "**at or below gco; mean**"} | below | means,
            {"values": "s", "weight": ""}
            | {f"{name}, energy": f"{seconds:g} s" for name, seconds in total["seconds"].items()},
        ]
    )


@shows("grid_quality")
def grid_quality(document: Document) -> str:
    """Percent above the best bound, in brackets seconds where it is ours."""
    names = list(dict.fromkeys(name for row in document["rows"] for name in row["solvers"]))
    rows = []
    for row in document["rows"]:
        figures: Row = {"problem": row["problem"], "labels": row["labels"], "bound": f"{row['our_bound']:.10g}"}
        for name in names:
            run = row["solvers"].get(name)
            above = "" if run is None else f"{run['percent_above_bound']:.3g}"
            figures[name] = above and f"{above} ({run['seconds']:.2g} s)"
        rows.append(figures)
    study = [
        {"problem": row["problem"], "bound": f"{row['study_bound']:.10g}"}
        | {name: f"{above:.3g}" for name, above in row["study_percent_above_bound"].items()}
        for row in document["rows"]
        if row["study"]
    ]
    return table(rows) + "\nThe library of the study:\n\n" + table(study)


@shows("pipelines_small_quality")
def small_quality(document: Document) -> str:
    cells = document["rows"]
    plain = [method for method in cells[0]["gain"] if "exponent" not in method]
    rows = [
        {"data, size": row["case"], "alone": f"{row['alone']:.2f}"}
        | {method: gain(row["gain"][method]) for method in plain}
        | {"auto: worst image": gain(row["worst_image"])}
        | {"auto: boundary F": "" if row["boundary_gain"] is None else gain(row["boundary_gain"])}
        for row in cells
    ]
    rows.append({"data, size": "**mean**"} | {m: f"**{gain(mean(row['gain'][m] for row in cells))}**" for m in plain})
    tried = [method.split(", exponent ") for method in cells[0]["gain"] if "exponent" in method]
    presets = {preset: [x for of, x in tried if of == preset] for preset, _ in tried}
    exponents = [
        {"preset": preset}
        | {f"exponent {x}": _mean_and_worst(cells, f"{preset}, exponent {x}") for x in choices}
        | {"left out: exponent of the others, its gain": _left_out(cells, preset, choices)}
        for preset, choices in presets.items()
    ]
    return table(rows) + "\nIn the mean over the cells, and in the worst of them:\n\n" + table(exponents)


def _mean_and_worst(cells: list[Row], method: str) -> str:
    gains = [row["gain"][method] for row in cells]
    return f"{gain(mean(gains))}, {gain(min(gains))}"


def _left_out(cells: list[Row], preset: str, choices: list[str]) -> str:
    """For each data set the exponent that is best in the mean over the others, and its gain on this one."""
    of_set = {
        name: {x: mean(r["gain"][f"{preset}, exponent {x}"] for r in cells if r["data set"] == name) for x in choices}
        for name in dict.fromkeys(row["data set"] for row in cells)
    }
    told = []
    for name, own in of_set.items():
        best = max(choices, key=lambda x, name=name: sum(g[x] for other, g in of_set.items() if other != name))
        told.append(f"{name} {best}, {gain(own[best])}")
    return "; ".join(told)


@shows("pipelines_small_speed")
def small_speed(document: Document) -> str:
    rows = []
    for row in document["rows"]:
        estimate, others = row["may_differ"], row.get("other_labels")
        rows.append(
            {"case": row["case"], "strength": row["strength"]}
            | {f"{way}, s": row["seconds"].get(way) for way in document["rows"][0]["seconds"]}
            | {"may differ": "–" if estimate is None else f"{100 * estimate:.3f} %"}
            | {"differs": f"{100 * row['differs']:.3f} %"}
            | {"peak, MB": ", ".join(f"{way} {peak:.0f}" for way, peak in row["peak_MB"].items())}
            | {"enlarged against everything": "–" if others is None else f"{100 * others:.4f} %"}
        )
    return table(rows)


@shows("grid_strokes")
def strokes(document: Document) -> str:
    shares = [f"within_{ms}_ms" for ms in (10, 30, 50)]
    names = {f"within_{ms}_ms": f"within {ms} ms, %" for ms in (10, 30, 50)} | {
        "median_ms": "median, ms",
        "p95_ms": "95th percentile, ms",
        "all_ms": "all anew, ms",
        "largest_difference_of_energy": "energy off by, at most",
    }
    return table(
        {
            names.get(key, key): round(100 * value, 1) if key in shares else value
            for key, value in row.items()
            if key != "case"
        }
        for row in document["rows"]
    )


@shows("pipelines_cutout")
def cutout(document: Document) -> str:
    return table({key: value for key, value in row.items() if key not in ("case", "iou")} for row in document["rows"])


@shows("pipelines_alpha")
def alpha(document: Document) -> str:
    judged = [row for row in document["rows"] if "error_percent" in row]
    colors = [row for row in document["rows"] if "foreground_error_levels" in row]
    timed = [row for row in document["rows"] if "matte_seconds" in row]
    shown = [{key: value for key, value in row.items() if key != "errors"} for row in judged]
    return "\n".join(table(rows) for rows in (shown, colors, timed) if rows)


@shows("pipelines_film")
def films(document: Document) -> str:
    judged = [row for row in document["rows"] if "mean_iou_percent" in row]
    rows = []
    for film in dict.fromkeys(row["film"] for row in judged):
        of = {row["method"]: row for row in judged if row["film"] == film}
        rows.append(
            {
                "film": film,
                "flicker of the network, %": of["network alone"]["flicker_percent"],
                "of refine": of["refine"]["flicker_percent"],
                "of Refiner": f"**{of['Refiner']['flicker_percent']}**",
                "on the spot, of refine": of["refine"]["flicker_on_the_spot_percent"],
                "of Refiner, on the spot": of["Refiner"]["flicker_on_the_spot_percent"],
                "mean IoU over that of refine": gain(
                    of["Refiner"]["mean_iou_percent"] - of["refine"]["mean_iou_percent"]
                ),
            }
        )
    timed = [row for row in document["rows"] if "frames_per_second" in row]
    return table(rows) + "\n" + table(timed)


@shows("split_quality")
def split_quality(document: Document) -> str:
    left_out = {"parameters_used", "per_image"}
    return table({key: value for key, value in row.items() if key not in left_out} for row in document["rows"])


@shows("hybrid_camvid")
@shows("hybrid_camvid_x3")
@shows("hybrid_camvid_full")
@shows("hybrid_nuclei")
@shows("hybrid_satellite")
def hybrid(document: Document) -> str:
    titles = {
        "network": "network alone",
        "default": "+ dense CRF, default",
        "small": "the same, from its small logits",
        "pydensecrf": "+ dense CRF, pydensecrf's parameters",
        "tuned": "+ dense CRF, tuned on validation",
        "grid": "+ grid CRF, tuned on validation",
        "longer": "network trained on",
        "rnn": "trained on with the CRF (CRF-as-RNN)",
    }
    rows = []
    for about in document["rows"]:
        network = about["network"]
        seeds = f" ({len(about['seeds'])} seeds)" if len(about["seeds"]) > 1 else ""
        for method, title in titles.items():
            if method not in about["methods"]:
                continue
            scores = about["methods"][method]
            low, high = scores["gain_interval"]
            of_seeds = zip(scores["miou_by_seed"], about["methods"]["network"]["miou_by_seed"], strict=True)
            row = {
                "network": f"{network}{seeds}" if method == "network" else "",
                "what": title,
                "mIoU, %": f"{100 * scores['miou']:.1f}",
                "gain (95 %)": f"**{gain(100 * scores['gain'])}** ({gain(100 * low)} to {gain(100 * high)})",
                "gain with each seed": ", ".join(f"{100 * (own - alone):+.1f}" for own, alone in of_seeds),
                "boundary F, %": f"{100 * scores['boundary_f']:.1f}",
                **{f"IoU within {w} px": f"{100 * scores['trimap'][w]:.1f}" for w in ("1", "3", "10")},
                "ms": f"{scores['ms']:.0f}",
            }
            if method == "network":
                of_seeds = ", ".join(f"{100 * alone:.1f}" for alone in scores["miou_by_seed"])
                row.update({"gain (95 %)": "", "gain with each seed": f"from {of_seeds}"})
            rows.append(row)
    return table(rows)


def origin(document: Document) -> str:
    """Where and when the rows were measured; which rows, where there were several runs."""
    runs = document["runs"]
    if len(runs) == 1:
        return f"*{told(runs[0])}*\n"
    lines = []
    for i, run in enumerate(runs):
        names = [str(next(x for key, x in row.items() if key != "run")) for row in document["rows"] if row["run"] == i]
        lines.append(f"*{', '.join(names)}: {told(run)}*\n")
    return "\n".join(lines)


def told(run: dict[str, Any]) -> str:
    """A run in a line."""
    machine, load = run["machine"], run["load"]
    parts = [machine["processor"], f"{machine['processors_used']} processors", run["date"]]
    if not run["commit"].startswith("unknown"):
        parts.append(f"commit {run['commit'][:10]}{' and changes' * bool(run['dirty'])}")
    if (load or 0) > 1:
        parts.append(f"other jobs were running (load {load:.0f}): ratios are worth more than times")
    return ", ".join(parts)


HEADLINES = (  # what, against what, the file, and the column of its ratios
    ("dense CRF of a photo, 240x320 to 1080p, 2 to 21 labels", "pydensecrf2", "dense_speed", "times_faster"),
    ("dense CRF, 4 of 81 labels alive (`refine`)", "pydensecrf2", "dense_pruning_speed", "times_faster"),
    ("minimum cut of an image, 4 neighbours", "PyMaxflow", "grid_speed_binary4", "times_faster"),
    ("minimum cut of an image, 8 neighbours", "PyMaxflow", "grid_speed_binary8", "times_faster"),
    ("minimum cut of a volume", "PyMaxflow", "grid_speed_volumes", "times_faster"),
    ("expansion moves", "gco-wrapper", "grid_speed_expansion", "times_faster_than_gco"),
)
"""Rows of the table in the repository's README."""


def headline() -> str:
    """How many times faster, in the median over the problems of a benchmark, and from the worst to the best of them."""
    rows, seen = [], []
    for what, peer, name, column in HEADLINES:
        document = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        problems = [row for row in document["rows"] if column in row]
        if "alive" in what:
            problems = [row for row in problems if "81 labels" in row["case"]]
        cells = {}
        for threads in ("1 thread", "2 threads"):
            key = f"pruned, {threads}" if "alive" in what else threads
            ratios = sorted(row[column][key]["median"] for row in problems if key in row[column])
            ends = f" ({ratios[0]:.2g} to {ratios[-1]:.2g})" if len(ratios) > 1 else ""
            cells[f"{threads}: times faster"] = f"**{median(ratios):.2g}**{ends}"
        rows.append({"task": what, "against": peer, **cells, "problems": len(problems)})
        for run in document["runs"]:
            seen.append(f"{run['machine']['processor']}, {run['machine']['processors_used']} processors, {run['date']}")
    return f"{table(rows)}\n*{'; '.join(dict.fromkeys(seen))}. All of them with what we lose: benchmarks/README.md.*\n"


def rendered(name: str) -> str:
    if name == "headline":
        return headline()
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return "*not measured yet*\n"
    document = json.loads(file.read_text(encoding="utf-8"))
    show = FORMATS.get(name, lambda d: table(d["rows"]))
    return f"{show(document)}\n{origin(document)}"


def with_tables(text: str) -> str:
    """The text with all its tables up to date."""
    return PLACE.sub(lambda found: f"{found[1]}\n{rendered(found[2])}\n{found[3]}", text)


def filled(text: str) -> str:
    """The text with all its tables up to date, and results without a place at its end."""
    text = text.split(REST)[0].rstrip("\n") + "\n"
    text = with_tables(text)
    placed = {found[2] for found in PLACE.finditer(text)}
    rest = sorted(file.stem for file in RESULTS.glob("*.json") if file.stem not in placed)
    if rest:
        text += REST + "".join(f"\n### {name}\n\n{rendered(name)}" for name in rest)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    options = parser.parse_args()
    for page in (README, *LESSONS):
        before = page.read_text(encoding="utf-8")
        after = filled(before) if page not in LESSONS else with_tables(before)
        if not options.check:
            page.write_text(after, encoding="utf-8")
        elif after != before:
            sys.exit(f"{page.name} is out of date: python benchmarks/render.py")


if __name__ == "__main__":
    main()
