"""Kernels of dense CRFs: the permutohedral lattice, and mean field on it."""
