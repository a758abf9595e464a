"""The public names. To add or remove one, change `__init__.pyi` and this list together."""

import classicseg

NAMES = """
BilateralKernel BudgetError ClassicsegError Custom CutPlan Cutout DenseCRF Diagonal ExactFilter ExpansionPlan
FeatureKernel FlowNetwork GaussianFilter GaussianKernel GraphCRF GraphCut GridCRF HistogramDistance Homogeneity
InputError InputTypeError Matrix Matte MeanDifference MinimumCut MultiOtsu OtsuSeparability PRESETS
PermutohedralLattice PixelGraph Potts Preset Range Record RefinedItem Refinement Refiner RegionGraph
RegionStatistics Result Rule Run Sample Scores Segmentation SplitPlan State StdDev Step StreamPlan StreamedCut
StreamedExpansion StreamedTrws TruncatedLinear TruncatedQuadratic TrwsPlan Tuned VarianceRatio Volumes areas
boundary_f_score calibration_error confusion_matrix contrast_weights cutout describe_regions expansion_streamed
get_num_threads label_by_rule methods minimize minimum_cut_streamed overlay paint_regions palette pixel_graph
plan_expansion plan_minimum_cut plan_split_and_merge plan_streamed plan_trws point_graph quadtree
record_split_and_merge refine refine_many refine_streamed refinement refinement_crf region_graph register_solver
reliability sample scores scores_of seeded_region_growing segment segmenters set_num_threads split_and_merge
split_and_merge_streamed statistical_region_merging trimap_confusion trws_streamed tune unary_from_labels
unary_from_logits unary_from_probabilities unary_from_scribbles unary_from_sigmoid volumes warmup
"""


def test_the_public_names_are_these():
    assert sorted(classicseg.__all__) == sorted(NAMES.split())


def test_all_can_be_imported_and_are_listed():
    for name in NAMES.split():
        assert getattr(classicseg, name) is not None
        assert name in dir(classicseg)
