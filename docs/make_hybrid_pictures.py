"""The pictures of ``docs/hybrid.md``: what each contender adds to each network, from ``benchmarks/results/hybrid_*``.

``python docs/make_hybrid_pictures.py`` writes one for each file; it needs matplotlib.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
CONTENDERS = {  # name, colour of Okabe and Ito, and marker
    "default": ("dense CRF, default", "#0072b2", "o"),
    "small": ("the same, from small logits", "#56b4e9", "P"),
    "tuned": ("dense CRF, tuned on validation", "#009e73", "s"),
    "grid": ("grid CRF, tuned on validation", "#e69f00", "D"),
    "longer": ("network trained on", "#7f7f7f", "^"),
    "rnn": ("trained on with the CRF", "#d55e00", "v"),
}
PANELS = (("gain", "gain_interval", "mean IoU"), ("boundary_gain", "boundary_gain_interval", "boundary F"))


def main() -> None:
    """Draw all results that are there."""
    for file in sorted((ROOT / "benchmarks" / "results").glob("hybrid_*.json")):
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
        target = ROOT / "docs" / "pictures" / f"{file.stem.replace('_', '-')}-gains.png"
        drawn(rows).savefig(target, dpi=110, metadata={"Software": None})


def drawn(rows: list[dict[str, Any]]) -> Figure:
    """A band for each network, a line in it for each contender, a panel for each score."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        shown = [name for name in CONTENDERS if any(name in row["methods"] for row in rows)]
        band = len(shown) + 1
        figure = Figure(figsize=(7.6, 0.9 + 0.15 * band * len(rows)), layout="constrained")
        axes = figure.subplots(1, len(PANELS), sharey=True)
        for ax, (gain, interval, title) in zip(axes, PANELS, strict=True):
            panel(ax, rows, shown, gain, interval)
            ax.set_xlabel(f"{title}: points more than the network alone")
        middles = [band * i + (len(shown) - 1) / 2 for i in range(len(rows))]
        axes[0].set_yticks(
            middles, [f"{row['network']}\n{100 * row['methods']['network']['miou']:.1f} %" for row in rows]
        )
        axes[0].set_ylim(band * len(rows) - 1, -1)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
        return figure


def panel(ax: Axes, rows: list[dict[str, Any]], shown: list[str], gain: str, interval: str) -> None:
    """Means with intervals, and a small ring for each seed where they are known."""
    ax.axvline(0, color="black", linewidth=0.8)
    ax.tick_params(axis="y", length=0)
    for i, row in enumerate(rows):
        if i % 2:
            ax.axhspan((len(shown) + 1) * i - 1, (len(shown) + 1) * (i + 1) - 1, color="#f2f2f2", linewidth=0)
        for k, name in enumerate(shown):
            if name not in row["methods"]:
                continue
            title, color, marker = CONTENDERS[name]
            scores, y = row["methods"][name], (len(shown) + 1) * i + k
            low, high = (100 * x for x in scores[interval])
            ax.plot([low, high], [y, y], color=color, linewidth=1.6)
            ax.plot(100 * scores[gain], y, marker, color=color, markersize=5, label=title if i == 0 else None)
            if gain == "gain" and len(row["seeds"]) > 1:
                alone = row["methods"]["network"]["miou_by_seed"]
                each = [100 * (own - other) for own, other in zip(scores["miou_by_seed"], alone, strict=True)]
                ax.plot(each, [y] * len(each), "o", color=color, markersize=3.5, markerfacecolor="none", linewidth=0)


if __name__ == "__main__":
    main()
