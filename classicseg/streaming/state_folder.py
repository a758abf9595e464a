"""What a streamed run keeps on the disk, so that it goes on where it was ended."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.files import replacing
from classicseg.io.lock import Lock

_PLAN, _LOCK = "plan.json", "lock"


def has_size(path: Path, size: int) -> bool:
    """Whether a file is there, with so many bytes."""
    return path.exists() and path.stat().st_size == size


def lost(path: Path, folder: Path) -> InputError:
    """The error of a file that is not as a run left it in its folder."""
    return InputError(f"{path} is missing, or of another size than it was; delete {folder} to begin anew")


class StateFolder:
    """A folder with arrays that a run may need again, and a plan that says what they are of.

    A file is there as a whole or not at all. One run has the folder at a time, until it is closed.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    plan : dict
        ``"inputs"``, a digest of all that was read, and ``"parameters"``, whatever else the result depends on.

    Raises
    ------
    ValueError
        If the folder is of another plan, or another run has it.
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any]) -> None:
        self.folder = folder
        self._lock: Lock | None = None
        if folder is None:
            return
        if folder.exists() and not folder.is_dir():
            raise InputError(f"state must be a folder, got {folder}")
        self._is_begun(plan)  # before anything is changed in a folder that is of something else
        folder.mkdir(exist_ok=True)
        self._lock = Lock(folder / _LOCK, f"{folder} is the state of a run that is still going on; wait for its end")
        try:
            if not self._is_begun(plan):
                with replacing(folder / _PLAN) as path:
                    path.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The folder is left as it is, for another run."""
        if self._lock is not None:
            self._lock.close()

    def remove(self) -> None:
        """All is done."""
        if self.folder is not None:
            if os.name == "nt":  # where nothing that is open can be removed
                self.close()
            shutil.rmtree(self.folder)

    def _is_begun(self, plan: dict[str, Any]) -> bool:
        """Whether the folder has a plan; raises if that is another one."""
        known = self._read_plan()
        for part, what in (("inputs", "image, scores or mask"), ("parameters", "parameters")):
            if known is not None and known.get(part) != plan[part]:
                raise InputError(
                    f"{self.folder} is the state of a run with another {what}; give what it began with, or delete the "
                    "folder to begin anew"
                )
        return known is not None

    def _read_plan(self) -> dict[str, Any] | None:
        assert self.folder is not None
        plan = self.saved(_PLAN)
        if plan is None and self.folder.exists() and any(path.name != _LOCK for path in self.folder.iterdir()):
            raise InputError(f"{self.folder} is no state of a run, and not empty; give another folder")
        return plan

    def arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """Those that were saved by this name, if they were."""
        if self.folder is None or not (self.folder / name).exists():
            return None
        try:
            with (self.folder / name).open("rb") as file, np.load(file) as arrays:
                return dict(arrays)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as failure:
            raise InputError(f"{self.folder / name} cannot be read: {failure}; delete it to begin anew") from failure

    def save(self, name: str, arrays: dict[str, Any]) -> None:
        """Save arrays by a name."""
        if self.folder is not None:
            with replacing(self.folder / name) as path, path.open("wb") as file:
                np.savez(file, **arrays)

    def saved(self, name: str) -> dict[str, Any] | None:
        """What was saved as text by this name, if it was."""
        if self.folder is None or not (self.folder / name).exists():
            return None
        try:
            known: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except ValueError as failure:
            path = self.folder / name
            raise InputError(f"{path} cannot be read: {failure}; delete {self.folder} to begin anew") from failure
        return known

    def save_as_text(self, name: str, known: Any) -> None:
        """Save what a dataclass holds by a name."""
        if self.folder is not None:
            with replacing(self.folder / name) as path:
                path.write_text(json.dumps(dataclasses.asdict(known)) + "\n", encoding="utf-8")
