"""Tree-reweighted message passing, streamed."""
