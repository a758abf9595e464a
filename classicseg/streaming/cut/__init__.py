"""Minimum cuts, streamed."""
