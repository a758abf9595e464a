"""What pytest leaves out where an optional package is missing."""

import importlib.util

collect_ignore_glob: list[str] = []
if importlib.util.find_spec("torch") is None:  # its modules cannot be imported, so their examples cannot be run
    collect_ignore_glob += ["classicseg/torch/*"]
if importlib.util.find_spec("triton") is None:
    collect_ignore_glob += ["classicseg/torch/backends/triton/*"]
