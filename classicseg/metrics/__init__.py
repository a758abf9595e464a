"""How good a segmentation is."""

from classicseg.metrics.borders import boundary_f_score, trimap_confusion
from classicseg.metrics.calibration import calibration_error, reliability
from classicseg.metrics.labels import Scores, confusion_matrix, scores, scores_of
from classicseg.metrics.sizes import Volumes, areas, volumes

__all__ = [
    "Scores",
    "Volumes",
    "areas",
    "boundary_f_score",
    "calibration_error",
    "confusion_matrix",
    "reliability",
    "scores",
    "scores_of",
    "trimap_confusion",
    "volumes",
]
