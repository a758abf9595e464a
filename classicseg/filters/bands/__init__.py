"""Lattices whose vertices lie in files: only those near the points that pass by have to be in memory."""
