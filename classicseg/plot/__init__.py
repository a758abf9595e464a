"""Pictures of segmentations, as plain uint8 arrays; charts with matplotlib; and how results show themselves."""

from classicseg.plot.animation import split_and_merge_frames
from classicseg.plot.blocks import quadtree, regions
from classicseg.plot.charts import flow, lattice, trace
from classicseg.plot.pictures import displayable, label_image, overlay, palette, tile, uncertainty
from classicseg.plot.results import BY_CLASS
from classicseg.plot.slider import before_after
from classicseg.types import RENDERERS

RENDERERS.update(BY_CLASS)

__all__ = [
    "before_after",
    "displayable",
    "flow",
    "label_image",
    "lattice",
    "overlay",
    "palette",
    "quadtree",
    "regions",
    "split_and_merge_frames",
    "tile",
    "trace",
    "uncertainty",
]
