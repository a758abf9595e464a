"""What knows the processor: compiling, memory, threads, short vectors, atomics. Kernels are built from it."""
