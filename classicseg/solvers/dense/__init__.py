"""Solvers of dense CRFs."""
