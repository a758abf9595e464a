"""Kernels of message passing on grids: TRW-S and belief propagation."""
