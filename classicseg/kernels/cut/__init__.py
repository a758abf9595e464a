"""Kernels of minimum cuts: records of the flow network, waves on images, augmenting paths elsewhere."""
