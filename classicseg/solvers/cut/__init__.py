"""Solvers by minimum cuts: one cut, moves, roof duality."""
