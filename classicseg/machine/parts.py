"""Parts of kernels, compiled as far as the kernels that they become a part of need them.

Numba makes machine code of all that it compiles, and loads it. Nobody calls a part: kernels take its optimized code in,
so that the rest would be for nothing, and take a sixth of the time.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """Code that is there for other code to link, and has no machine code of its own."""

    @property
    def codegen(self) -> _Part:
        """Only asked to note an environment, which Python code would need."""
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """There is no machine code that could look for `env` by `env_name`."""

    def get_pointer_to_function(self, name: str) -> int:
        """0, as of functions that are not there, whatever the `name`."""
        self._ensure_finalized()
        return 0

    def _finalize_final_module(self) -> None:
        self._finalized = True


class PartCompiler(Compiler):  # type: ignore[misc]
    """Compiles a function for others to inline it."""

    def define_pipelines(self) -> Any:
        """Numba's own, with another place for the code."""
        state = self.state
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().define_pipelines()
