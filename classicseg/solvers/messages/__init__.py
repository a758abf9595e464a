"""Solvers by messages along edges: TRW-S and belief propagation."""
