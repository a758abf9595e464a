"""Energies: what is wanted of a labelling. Their parts are unaries, pairwise kernels and label compatibilities."""
