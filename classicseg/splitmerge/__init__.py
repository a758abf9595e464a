"""Segmentation by rules on regions: homogeneity predicates, split and merge, merging and growing of regions."""
