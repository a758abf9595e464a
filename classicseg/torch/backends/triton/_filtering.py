"""Splatting and blurring: rows of vertices from rows of points, a launch for each step of all kernels."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from classicseg.torch.backends.triton._launch import blur_axes, sum_runs
from classicseg.torch.backends.triton._layout import Layout, Rows


class Room(NamedTuple):
    """Arrays of rows for the steps of a filter."""

    runs: Tensor
    groups: Tensor
    rows: Tensor
    other: Tensor

    @classmethod
    def of(cls, layout: Layout, stride: int) -> Room:
        """For rows of so many numbers."""
        runs, groups, rows = (part.stop for part in layout.all_rows)
        new = layout.weight_in.new_empty
        return cls(new(runs, stride), new(groups, stride), new(rows, stride), new(rows, stride))


def splat(layout: Layout, points: Tensor, weight: Tensor, part: Rows, room: Room) -> Tensor:
    """Rows of a part of the vertices from rows of points, by the weights of pairs."""
    runs = sum_runs(points, layout.point, weight, layout.begin, layout.end, room.runs, part.runs)
    is_last = not layout.begin_group.numel()
    begin, out = layout.begin_run, room.rows if is_last else room.groups
    groups = sum_runs(runs, layout.run, None, begin, begin[1:], out, part.groups)
    if is_last:
        return groups
    begin = layout.begin_group
    return sum_runs(groups, None, None, begin, begin[1:], room.rows, part.rows)


def blur(layout: Layout, room: Room, adjoint: bool, part: Rows, out: Tensor) -> Tensor:
    """Blur `room.rows` along all axes, two in a launch; they are lost."""
    axes = layout.neighbours.unbind()
    axes = axes[::-1] if adjoint else axes
    steps = [axes[first : first + 2] for first in range(0, len(axes), 2)]
    source, target = room.rows, room.other
    for step in steps[:-1]:
        blur_axes(source, step, target, part.rows)
        source, target = target, source
    return blur_axes(source, steps[-1], out, part.rows)
