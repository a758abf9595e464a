"""Lattices of a short range whose vertices lie in files: only those near the points that pass by are in memory."""
