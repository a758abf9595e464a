"""Notebooks to learn from, and what they share. ``classicseg learn`` opens them; they need the extra ``learn``."""
