"""Files: images, probabilities and energies in, label maps and pictures out.

Everything is written to a temporary file beside its target, which is then renamed: a target is whole or not touched.
"""

from classicseg.io.classes import VOID, read_classes
from classicseg.io.energy_files import read_energy, write_energy
from classicseg.io.files import replacing
from classicseg.io.flow_files import FlowProblem, read_flow, write_flow
from classicseg.io.raster import Raster
from classicseg.io.reading import read_image, read_labels, read_masked_image, read_probabilities
from classicseg.io.uai import read_uai, read_uai_evidence, read_uai_labels, write_uai, write_uai_labels
from classicseg.io.writing import check_output, write_animation, write_image, write_labels, write_marginals, write_matte

__all__ = [
    "VOID",
    "FlowProblem",
    "Raster",
    "check_output",
    "read_classes",
    "read_energy",
    "read_flow",
    "read_image",
    "read_labels",
    "read_masked_image",
    "read_probabilities",
    "read_uai",
    "read_uai_evidence",
    "read_uai_labels",
    "replacing",
    "write_animation",
    "write_energy",
    "write_flow",
    "write_image",
    "write_labels",
    "write_marginals",
    "write_matte",
    "write_uai",
    "write_uai_labels",
]
