"""The public names. To add or remove one, change `__init__.pyi` and this list together."""

import classicseg

NAMES = """
BilateralKernel BudgetError ClassicsegError Cutout DenseCRF Diagonal ExactFilter FeatureKernel GaussianFilter
GaussianKernel GraphCut GridCRF InputError InputTypeError Matrix PRESETS PermutohedralLattice Potts Preset Result
Sample Scores State Step TruncatedLinear TruncatedQuadratic confusion_matrix contrast_weights cutout get_num_threads
methods minimize overlay palette refine refinement_crf sample scores scores_of set_num_threads unary_from_labels
unary_from_logits unary_from_probabilities unary_from_scribbles unary_from_sigmoid warmup
"""


def test_the_public_names_are_these():
    assert sorted(classicseg.__all__) == sorted(NAMES.split())


def test_all_can_be_imported_and_are_listed():
    for name in NAMES.split():
        assert getattr(classicseg, name) is not None
        assert name in dir(classicseg)
