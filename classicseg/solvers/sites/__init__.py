"""Solvers that change one pixel after the other: ICM, annealing, mean field on grids."""
