"""Pictures of segmentations, as plain uint8 arrays."""

from classicseg.plot.animation import split_and_merge_frames
from classicseg.plot.blocks import quadtree, regions
from classicseg.plot.pictures import displayable, label_image, overlay, palette, tile

__all__ = [
    "displayable",
    "label_image",
    "overlay",
    "palette",
    "quadtree",
    "regions",
    "split_and_merge_frames",
    "tile",
]
