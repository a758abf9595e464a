"""Split-and-merge, streamed."""
