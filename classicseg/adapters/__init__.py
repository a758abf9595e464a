"""The paths that some doors had first: ``classicseg.adapters.torch`` is :mod:`classicseg.torch`, and so on.

Both paths lead to the same modules, so a class is the same class whichever way it was imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_MOVED = ("pydensecrf", "torch")


class _Alias(MetaPathFinder, Loader):
    """Answers imports of a moved package, or of a module in it, with the module at its new path."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        moved = any(f"{fullname}.".startswith(f"{__name__}.{name}.") for name in _MOVED)
        return ModuleSpec(fullname, self) if moved else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(spec.name.replace(__name__, "classicseg", 1))
        spec.loader_state = module.__spec__  # the import system is about to write the alias over it
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.insert(0, _Alias())
