"""Solvers: how labellings of low energy are found. :mod:`classicseg.solvers.registry` knows them all."""
