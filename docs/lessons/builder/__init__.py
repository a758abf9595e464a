"""From kernels to WebAssembly, and from sources to pages that open from a file."""
