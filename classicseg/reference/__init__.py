"""Slow, obvious twins of the fast paths, in float64 NumPy: the oracle of the tests and a text to learn from."""
