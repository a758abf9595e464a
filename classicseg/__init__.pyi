from ._jit import get_num_threads, set_num_threads
from .data import Sample, sample
from .energies.compatibility import Diagonal, Matrix, Potts, TruncatedLinear, TruncatedQuadratic
from .energies.contrast import contrast_weights
from .energies.dense_crf import DenseCRF
from .energies.grid_crf import GridCRF
from .energies.kernels import BilateralKernel, FeatureKernel, GaussianKernel
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
from .metrics import Scores, confusion_matrix, scores, scores_of
from .pipelines.cutout import Cutout, cutout
from .pipelines.presets import PRESETS, Preset
from .pipelines.refine import refine, refinement_crf
from .pipelines.warmup import warmup
from .plot import overlay, palette
from .solvers.graph_cut import GraphCut
from .solvers.registry import methods, minimize
from .types import Result, State, Step

__version__: str

__all__ = [
    "PRESETS",
    "BilateralKernel",
    "BudgetError",
    "ClassicsegError",
    "Cutout",
    "DenseCRF",
    "Diagonal",
    "ExactFilter",
    "FeatureKernel",
    "GaussianFilter",
    "GaussianKernel",
    "GraphCut",
    "GridCRF",
    "InputError",
    "InputTypeError",
    "Matrix",
    "PermutohedralLattice",
    "Potts",
    "Preset",
    "Result",
    "Sample",
    "Scores",
    "State",
    "Step",
    "TruncatedLinear",
    "TruncatedQuadratic",
    "confusion_matrix",
    "contrast_weights",
    "cutout",
    "get_num_threads",
    "methods",
    "minimize",
    "overlay",
    "palette",
    "refine",
    "refinement_crf",
    "sample",
    "scores",
    "scores_of",
    "set_num_threads",
    "unary_from_labels",
    "unary_from_logits",
    "unary_from_probabilities",
    "unary_from_scribbles",
    "unary_from_sigmoid",
    "warmup",
]
