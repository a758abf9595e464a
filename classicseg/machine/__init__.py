"""What knows the processor: compiling, memory, threads, short vectors, atomic words. Kernels are built from it."""
