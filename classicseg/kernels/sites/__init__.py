"""Kernels that go pixel by pixel over a grid: energies, descent, sampling, mean field."""
