"""Pipelines: whole jobs in one call."""
