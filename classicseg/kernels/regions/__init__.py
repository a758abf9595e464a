"""Loops over pixels, blocks and regions: quadtrees, region adjacency, merging, growing. Arrays in, arrays out."""
