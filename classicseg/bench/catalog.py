"""All problems and contenders by name, those of plugins among them."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from classicseg.bench import contender, problem
from classicseg.bench.contender import Contender
from classicseg.bench.problem import Problem
from classicseg.errors import InputError


def suites() -> dict[str, tuple[Callable[[Path | None], list[Problem]], str]]:
    """What makes the problems of each suite, and what it is about."""
    from classicseg.bench.suites import cuts, dense, generated, mrf, regions, uai

    return {
        "generated": (generated.problems, "each kind of energy once, small: those of --quick"),
        "mrf": (mrf.problems, "stereo and denoising of Szeliski et al. 2008"),
        "uai": (uai.problems, "pairwise energies of the UAI competitions"),
        "cuts": (cuts.problems, "minimum cuts of photos, volumes and graphs"),
        "dense": (dense.problems, "outputs of real classifiers, refined by dense CRFs"),
        "regions": (regions.problems, "photos divided into regions, next to what people drew"),
    }


def problems(data: Path | None) -> dict[str, Problem]:
    """All by name."""
    made = [one for make, _ in suites().values() for one in make(data)]
    return {one.name: one for one in [*made, *problem.registered()]}


def contenders(peers: str = "all") -> dict[str, Contender]:
    """All by name.

    Parameters
    ----------
    peers : {"auto", "all", "none"}
        Which other libraries: those that are installed, all, or none.
    """
    from classicseg.bench import dividers, ours
    from classicseg.bench.peers import contenders as others

    given = [*ours.contenders(), *dividers.contenders(), *others(), *contender.registered()]
    kept = (one for one in given if not one.is_peer or peers == "all" or (peers == "auto" and one.is_installed))
    return {one.name: one for one in kept}


def load_plugins(files: Iterable[Path]) -> None:
    """Run files that register problems and contenders.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file cannot be run; says why.
    """
    for number, file in enumerate(files):
        if not file.is_file():
            raise FileNotFoundError(f"no such file: {file}")
        name = f"classicseg_bench_plugin_{number}_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise InputError(f"{file} is no file of Python; its name must end with .py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as failure:
            raise InputError(f"{file} cannot be run: {type(failure).__name__}: {failure}") from failure


def chosen_problems(words: Sequence[str], known: dict[str, Problem], *, quick: bool) -> list[Problem]:
    """The problems that are meant by names of suites, of problems, or of problems without their suites.

    Parameters
    ----------
    words : sequence of str
        All problems if empty.
    known : dict of str to Problem
    quick : bool
        Of these, only those that are.

    Raises
    ------
    ValueError
        If a word is no such name, or nothing is left.
    """
    found: dict[str, Problem] = {}
    for word in words or list(dict.fromkeys(one.suite for one in known.values())):
        meant = [one for one in known.values() if word in (one.suite, one.name, one.name.split("/")[1])]
        if not meant:
            options = {part for one in known.values() for part in (one.suite, one.name, one.name.split("/")[1])}
            raise InputError(f"no suite or problem {word!r}; {suggestion(word, options)}")
        found |= {one.name: one for one in meant}
    kept = [one for one in found.values() if one.quick or not quick]
    if not kept:
        raise InputError(f"none of {' '.join(words)} is quick; leave out --quick")
    return kept


def chosen_contenders(words: Sequence[str], known: dict[str, Contender]) -> list[Contender]:
    """The contenders of these names, or all.

    Raises
    ------
    ValueError
        If a word is no name.
    """
    for word in words:
        if word not in known:
            raise InputError(f"no solver {word!r}; {suggestion(word, known)}")
    return [known[word] for word in dict.fromkeys(words)] if words else list(known.values())


def suggestion(word: str, names: Iterable[str]) -> str:
    """What may have been meant."""
    every = sorted(set(names))
    near = difflib.get_close_matches(word, every, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(every)}"
