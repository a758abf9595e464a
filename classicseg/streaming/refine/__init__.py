"""The dense CRF, streamed."""
