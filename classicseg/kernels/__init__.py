"""Numba loops: exact arrays in, arrays out. Nothing here validates or raises."""
