"""The gate: turns what users pass into the exact arrays and numbers of the library, or raises an error that helps.

Every function takes the name of the argument, so that messages speak the caller's language. None changes its input;
arrays that are already right are passed on without a copy.
"""

from classicseg.inputs.arrays import (
    DEAREST,
    as_costs,
    as_edge_weights,
    as_features,
    as_image,
    as_labels,
    as_logits,
    as_numbers,
    as_unary,
    as_unary_and_forbidden,
    as_values,
)
from classicseg.inputs.axes import as_axis, as_region, channel_axis_of
from classicseg.inputs.graphs import as_edges, as_node_rows, as_signed, as_tables
from classicseg.inputs.marks import as_guess, as_strokes
from classicseg.inputs.masks import (
    OUTSIDE,
    as_mask,
    image_inside,
    probabilities_inside,
    values_inside,
    without_outside,
)
from classicseg.inputs.networks import scores_of
from classicseg.inputs.numbers import (
    as_color,
    as_count,
    as_flag,
    as_generator,
    as_int32,
    as_integer,
    as_origin,
    as_positive,
    as_positive_number,
    as_probability,
    as_scale,
    as_shape,
    as_value,
    as_weight,
    choice,
)
from classicseg.inputs.probabilities import as_fractions, as_marginals, as_probabilities
from classicseg.inputs.reading import LARGEST, as_array, as_sequence, read
from classicseg.inputs.units import warn_of_color_unit
from classicseg.inputs.value_range import (
    as_bytes,
    drawn_in,
    is_near,
    range_of_sample,
    sample_step,
    value_range,
    without_far_values,
)

__all__ = [
    "DEAREST",
    "LARGEST",
    "OUTSIDE",
    "as_array",
    "as_axis",
    "as_bytes",
    "as_color",
    "as_costs",
    "as_count",
    "as_edge_weights",
    "as_edges",
    "as_features",
    "as_flag",
    "as_fractions",
    "as_generator",
    "as_guess",
    "as_image",
    "as_int32",
    "as_integer",
    "as_labels",
    "as_logits",
    "as_marginals",
    "as_mask",
    "as_node_rows",
    "as_numbers",
    "as_origin",
    "as_positive",
    "as_positive_number",
    "as_probabilities",
    "as_probability",
    "as_region",
    "as_scale",
    "as_sequence",
    "as_shape",
    "as_signed",
    "as_strokes",
    "as_tables",
    "as_unary",
    "as_unary_and_forbidden",
    "as_value",
    "as_values",
    "as_weight",
    "channel_axis_of",
    "choice",
    "drawn_in",
    "image_inside",
    "is_near",
    "probabilities_inside",
    "range_of_sample",
    "read",
    "sample_step",
    "scores_of",
    "value_range",
    "values_inside",
    "warn_of_color_unit",
    "without_far_values",
    "without_outside",
]
