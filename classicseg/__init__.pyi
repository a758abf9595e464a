# Rooms: by `import`, as lazy_loader reads what `from` imports. For type checkers `__all__` is what is exported.
import classicseg.io as io
import classicseg.metrics as metrics
import classicseg.plot as plot
import classicseg.torch as torch

from .data import Sample, sample
from .energies.compatibility import Diagonal, Matrix, Potts, TruncatedLinear, TruncatedQuadratic
from .energies.contrast import contrast_weights
from .energies.dense_crf import DenseCRF
from .energies.graph_crf import GraphCRF
from .energies.graphs import RegionGraph, point_graph, region_graph
from .energies.grid_crf import GridCRF
from .energies.kernels import BilateralKernel, FeatureKernel, GaussianKernel
from .energies.pixel_graph import PixelGraph, pixel_graph
from .energies.unary import (
    unary_from_labels,
    unary_from_logits,
    unary_from_probabilities,
    unary_from_scribbles,
    unary_from_sigmoid,
)
from .errors import BudgetError, ClassicsegError, InputError, InputTypeError
from .filters.exact import ExactFilter
from .filters.gaussian import GaussianFilter
from .filters.lattice import PermutohedralLattice
from .machine.threads import get_num_threads, set_num_threads
from .metrics import (
    Scores,
    Volumes,
    areas,
    boundary_f_score,
    calibration_error,
    confusion_matrix,
    reliability,
    scores,
    scores_of,
    trimap_confusion,
    volumes,
)
from .pipelines.cutout import Cutout, cutout
from .pipelines.film import Refiner
from .pipelines.matting import Matte
from .pipelines.presets import PRESETS, Preset
from .pipelines.refine import Refinement, refine, refinement, refinement_crf
from .pipelines.refine_many import RefinedItem, refine_many
from .pipelines.segment import segment, segmenters
from .pipelines.tune import Tuned, tune
from .pipelines.warmup import warmup
from .plot import overlay, palette
from .solvers.cut.flow_network import FlowNetwork, MinimumCut
from .solvers.cut.graph_cut import GraphCut
from .solvers.minimize import minimize
from .solvers.registry import methods, register_solver
from .solvers.run import Run
from .splitmerge.growing import seeded_region_growing
from .splitmerge.homogeneity import Custom, Homogeneity, Range
from .splitmerge.predicates import HistogramDistance, MeanDifference, OtsuSeparability, StdDev, VarianceRatio
from .splitmerge.recorder import Record
from .splitmerge.regions import describe_regions, paint_regions
from .splitmerge.rules import MultiOtsu, Rule, label_by_rule
from .splitmerge.split_merge import Segmentation, quadtree, record_split_and_merge, split_and_merge
from .splitmerge.srm import statistical_region_merging
from .splitmerge.statistics import RegionStatistics
from .streaming.cut.plan import CutPlan, plan_minimum_cut
from .streaming.cut.streamed import StreamedCut, minimum_cut_streamed
from .streaming.messages.plan import TrwsPlan, plan_trws
from .streaming.messages.streamed import StreamedTrws, trws_streamed
from .streaming.moves.plan import ExpansionPlan, plan_expansion
from .streaming.moves.streamed import StreamedExpansion, expansion_streamed
from .streaming.refine.plan import StreamPlan, plan_streamed
from .streaming.refine.streamed import refine_streamed
from .streaming.split.plan import SplitPlan, plan_split_and_merge
from .streaming.split.streamed import split_and_merge_streamed
from .types import Result, State, Step

__version__: str

__all__ = [
    "PRESETS",
    "BilateralKernel",
    "BudgetError",
    "ClassicsegError",
    "Custom",
    "CutPlan",
    "Cutout",
    "DenseCRF",
    "Diagonal",
    "ExactFilter",
    "ExpansionPlan",
    "FeatureKernel",
    "FlowNetwork",
    "GaussianFilter",
    "GaussianKernel",
    "GraphCRF",
    "GraphCut",
    "GridCRF",
    "HistogramDistance",
    "Homogeneity",
    "InputError",
    "InputTypeError",
    "Matrix",
    "Matte",
    "MeanDifference",
    "MinimumCut",
    "MultiOtsu",
    "OtsuSeparability",
    "PermutohedralLattice",
    "PixelGraph",
    "Potts",
    "Preset",
    "Range",
    "Record",
    "RefinedItem",
    "Refinement",
    "Refiner",
    "RegionGraph",
    "RegionStatistics",
    "Result",
    "Rule",
    "Run",
    "Sample",
    "Scores",
    "Segmentation",
    "SplitPlan",
    "State",
    "StdDev",
    "Step",
    "StreamPlan",
    "StreamedCut",
    "StreamedExpansion",
    "StreamedTrws",
    "TruncatedLinear",
    "TruncatedQuadratic",
    "TrwsPlan",
    "Tuned",
    "VarianceRatio",
    "Volumes",
    "areas",
    "boundary_f_score",
    "calibration_error",
    "confusion_matrix",
    "contrast_weights",
    "cutout",
    "describe_regions",
    "expansion_streamed",
    "get_num_threads",
    "io",
    "label_by_rule",
    "methods",
    "metrics",
    "minimize",
    "minimum_cut_streamed",
    "overlay",
    "paint_regions",
    "palette",
    "pixel_graph",
    "plan_expansion",
    "plan_minimum_cut",
    "plan_split_and_merge",
    "plan_streamed",
    "plan_trws",
    "plot",
    "point_graph",
    "quadtree",
    "record_split_and_merge",
    "refine",
    "refine_many",
    "refine_streamed",
    "refinement",
    "refinement_crf",
    "region_graph",
    "register_solver",
    "reliability",
    "sample",
    "scores",
    "scores_of",
    "seeded_region_growing",
    "segment",
    "segmenters",
    "set_num_threads",
    "split_and_merge",
    "split_and_merge_streamed",
    "statistical_region_merging",
    "torch",
    "trimap_confusion",
    "trws_streamed",
    "tune",
    "unary_from_labels",
    "unary_from_logits",
    "unary_from_probabilities",
    "unary_from_scribbles",
    "unary_from_sigmoid",
    "volumes",
    "warmup",
]
