"""Slow, obvious twins of the fast paths, in float64 NumPy: the oracle of the tests and a text to learn from.

One convention holds for all that minimise an energy: ``unary`` are costs (L, n) of L labels at n pixels; lower is
better. Edges of grids are triples (i, j, weight) of flat pixel indices, i before j, and a pair of labels costs
``weight * cost[label of i, label of j]``. Only losses take logits, as networks give them.
"""
