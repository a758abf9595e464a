"""Expansion moves, streamed."""
