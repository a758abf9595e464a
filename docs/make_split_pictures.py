"""Make the pictures of docs/split-and-merge.md, from the photo that comes with the package (CC0).

python docs/make_split_pictures.py
"""

from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg import io, plot

FOLDER = Path(__file__).parent / "pictures"


def photo() -> np.ndarray:
    """A gray corner of the sample photo."""
    return cs.sample().image[60:188, 100:292].mean(axis=-1).round().astype(np.uint8)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    image = photo()
    result = cs.record_split_and_merge(image, cs.Range(40))
    depths = [plot.quadtree(image, result.record.blocks_at(depth), zoom=3) for depth in (2, 4, 6, 8)]
    io.write_image(FOLDER / "split-depths.png", plot.tile(depths, columns=2))
    leaves = plot.quadtree(image, cs.quadtree(image, cs.Range(40)), zoom=3)
    merged = plot.regions(image, result.labels, zoom=3, border=(255, 214, 0))
    io.write_image(FOLDER / "split-then-merge.png", plot.tile([leaves, merged], columns=2))
    io.write_animation(FOLDER / "split-and-merge.gif", plot.split_and_merge_frames(image, result.record, zoom=3))
    predicates = [cs.Range(40), cs.StdDev(12), cs.MeanDifference(20) & cs.StdDev(30), cs.HistogramDistance(20)]
    views = [
        plot.regions(image, cs.split_and_merge(image, p, merge="best_first", min_area=20), zoom=3, border=(255, 214, 0))
        for p in predicates
    ]
    io.write_image(FOLDER / "split-predicates.png", plot.tile(views, columns=2))
    regions = cs.describe_regions(result.labels, image)
    classes = cs.paint_regions(result.labels, cs.label_by_rule(regions, cs.MultiOtsu(3)))
    large = [np.asarray(a).repeat(3, axis=0).repeat(3, axis=1) for a in (image, classes)]
    io.write_image(FOLDER / "split-rules.png", plot.tile([plot.displayable(large[0]), plot.overlay(*large)], 2))


if __name__ == "__main__":
    main()
