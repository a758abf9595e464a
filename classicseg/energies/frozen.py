"""Objects that never change once they are made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any


class Frozen:
    """Base of classes whose ``__init__`` converts what it is given, which a frozen dataclass makes awkward.

    Public attributes are set once, by :meth:`_set`. Attributes that begin with an underscore are caches of what follows
    from the others: they are filled when needed, and left out of copies and pickles.
    """

    def _set(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"a {type(self).__name__} never changes: make a new one to have another {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"a {type(self).__name__} never changes: {name!r} cannot be deleted")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}
