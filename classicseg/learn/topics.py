"""What there is to learn, and where its notebooks are."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from classicseg.errors import InputError

TOPICS = {
    "regions": "How can a picture fall into regions when no single gray value tells them apart?",
    "energies": "What does a labelling cost, and which one costs least?",
    "cut": "How do you find the cheapest outline, and how do you know that no other is cheaper?",
    "grid": "One energy, many solvers: who finds the best labelling, and who can say so?",
    "dense": "How can you clean a noisy labelling without rubbing out what is thin?",
    "messages": "What would you have to tell your neighbour, so that the whole row finds its best labels?",
    "lattice": "How can every pixel listen to every other one in the time of a few passes over the image?",
    "losses": "What does a network work on when nearly everything is background?",
    "fields": "Which pixels can change what a network says about one of them, and who draws checkerboards?",
}
"""The question of each notebook, in the order in which one learns."""

_NOTEBOOKS = Path(__file__).parent / "notebooks"
_SETTINGS = "[tool.marimo.runtime]\nauto_instantiate = true  # the notebooks are run as soon as they are opened\n"


def put(topic: str, folder: Path) -> Path:
    """Put a copy of a notebook into a folder, to be read and changed there.

    Parameters
    ----------
    topic : str
        One of `TOPICS`.
    folder : path
        Made if it is not there. A notebook of this name that is there stays as it is: it may have been changed. The
        settings of marimo stay as well.

    Returns
    -------
    Path
        Of the notebook.

    Raises
    ------
    ValueError
        If there is no such topic.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from classicseg.learn.topics import put
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     put("dense", pathlib.Path(folder)).name
    'dense.py'
    """
    if topic not in TOPICS:
        near = difflib.get_close_matches(topic, TOPICS, 1) or [", ".join(TOPICS)]
        raise InputError(f"no topic {topic!r}; did you mean {near[0]}?")
    folder.mkdir(parents=True, exist_ok=True)
    notebook, settings = folder / f"{topic}.py", folder / "pyproject.toml"
    if not notebook.exists():
        shutil.copyfile(_NOTEBOOKS / notebook.name, notebook)  # without permissions: the package may be read-only
    if not settings.exists():
        settings.write_text(_SETTINGS, encoding="utf-8")
    return notebook
