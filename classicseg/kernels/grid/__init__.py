"""Loops over the pixels and edges of grids: energies, max-flow, messages."""
