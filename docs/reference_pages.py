"""The pages of the reference, by topic, from the public names, and that of the command line from its parsers."""

import argparse
import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import classicseg
from classicseg.cli import _COMMANDS
from classicseg.cli.options import Command


class Topic(NamedTuple):
    """One page."""

    title: str
    sentence: str
    rooms: tuple[str, ...] = ()
    """Whose names of ``classicseg`` it has: the beginnings of their modules."""
    first: str = ""
    """Names that come before the others."""
    modules: tuple[str, ...] = ()
    """Modules that users import themselves."""


TOPICS = {
    "tasks": Topic(
        "Whole tasks",
        "From an image, and what a network made of it, to labels in one call.",
        ("pipelines", "streaming"),
        "refine refinement refinement_crf refine_many RefinedItem refine_streamed plan_streamed StreamPlan "
        "minimum_cut_streamed plan_minimum_cut StreamedCut CutPlan expansion_streamed plan_expansion StreamedExpansion "
        "ExpansionPlan trws_streamed plan_trws StreamedTrws TrwsPlan Refinement Refiner "
        "PRESETS Preset cutout Cutout Matte segment segmenters tune "
        "split_and_merge_streamed plan_split_and_merge SplitPlan",
    ),
    "energies": Topic(
        "Energies: what is wanted",
        "Unary costs, kernels and compatibilities, and the conditional random fields made of them.",
        ("energies",),
        "DenseCRF GridCRF GraphCRF unary_from_probabilities unary_from_logits unary_from_sigmoid "
        "unary_from_labels unary_from_scribbles GaussianKernel BilateralKernel FeatureKernel contrast_weights Potts",
    ),
    "solvers": Topic(
        "Solvers: how it is found",
        "All methods behind one call, what they return, and how to add one.",
        ("solvers", "types"),
        "minimize methods Result Step State GraphCut",
    ),
    "filters": Topic("Filters", "Gaussian filters of values at points of any features.", ("filters",)),
    "regions": Topic(
        "Split, merge, grow",
        "Regions by a rule, their tables, and labels for them.",
        ("splitmerge",),
        "split_and_merge record_split_and_merge quadtree Segmentation Record Range StdDev MeanDifference",
    ),
    "pictures": Topic(
        "Pictures, scores, files, samples",
        "What is drawn, measured, read and written.",
        ("plot", "metrics", "data"),
        "overlay palette scores scores_of Scores reliability calibration_error volumes Volumes areas",
        ("classicseg.plot", "classicseg.io"),
    ),
    "torch-layer": Topic(
        "The CRF in PyTorch",
        "The layer, its kernels, and losses for few annotations.",
        modules=("classicseg.torch",),
    ),
    "torch-networks": Topic(
        "Networks", "Networks that the field learned from, in plain PyTorch.", modules=("classicseg.torch.networks",)
    ),
    "torch-losses": Topic("Losses", "What a network is asked for.", modules=("classicseg.torch.losses",)),
    "torch-training": Topic("Training", "Data, settings and the training loop.", modules=("classicseg.torch.train",)),
    "cluster": Topic(
        "On a cluster", "Images larger than memory, and the workers of Dask.", modules=("classicseg.dask",)
    ),
    "command-line": Topic("Command line", "All commands and their options."),
    "bench": Topic(
        "The benchmark", "What a solver or a problem of one's own needs to take part.", modules=("classicseg.bench",)
    ),
    "drop-ins": Topic(
        "Drop-in modules",
        "The interfaces of pydensecrf, SimpleCRF, numpymaxflow, PyMaxflow, gco-wrapper and MONAI, on these solvers.",
        modules=(
            "classicseg.pydensecrf.densecrf",
            "classicseg.pydensecrf.utils",
            "classicseg.simplecrf.denseCRF",
            "classicseg.simplecrf.denseCRF3D",
            "classicseg.simplecrf.maxflow",
            "classicseg.numpymaxflow",
            "classicseg.maxflow.graph",
            "classicseg.maxflow.fastmin",
            "classicseg.maxflow.structures",
            "classicseg.gco",
            "classicseg.monai",
        ),
    ),
    "machine": Topic("Threads and errors", "How many threads run, and what is raised.", ("machine", "errors")),
}


def names_by_room():
    """The public names, by the module that the stub takes them from."""
    stub = ast.parse((Path(classicseg.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    return [
        (statement.module, sorted(alias.name for alias in statement.names))
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom)
    ]


def entry(module, name):
    """The directive that documents one thing."""
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, type):
        members = "" if issubclass(thing, Exception) else "   :members:\n"
        if members and not is_a_module_of_torch(thing):
            members += "   :inherited-members: int, str, tuple, ndarray\n"
        return [f".. autoclass:: {module}.{name}", members]
    if inspect.isroutine(thing):
        return [f".. autofunction:: {module}.{name}", ""]
    said = f"``{thing!r}``" if isinstance(thing, int) else f"{type(thing).__name__}: {', '.join(map(str, thing))}."
    return [f".. py:data:: {module}.{name}", "", f"   {said}", ""]


def is_a_module_of_torch(thing):
    return any(base.__module__.startswith("torch.nn") for base in thing.__mro__)


def names_of(module):
    """What a module offers."""
    there = importlib.import_module(module)
    listed = getattr(there, "__all__", None)
    if listed is not None:
        return [name for name in listed if not inspect.ismodule(getattr(there, name))]
    return [
        name
        for name, thing in vars(there).items()
        if not name.startswith("_") and getattr(thing, "__module__", "").startswith(module.rpartition(".")[0])
    ]


def topic_page(topic, told):
    """One page of the reference; `told` are the things of earlier pages."""
    lines = [f"# {topic.title}", "", topic.sentence, ""]
    of_rooms = [name for room, names in names_by_room() for name in names if room.split(".")[0] in topic.rooms]
    first = topic.first.split()
    names = [*first, *(name for name in of_rooms if name not in first)]
    lines += directives("classicseg", names)
    told |= {id(getattr(classicseg, name)) for name in names}
    for module in topic.modules:
        there = importlib.import_module(module)
        names = [name for name in names_of(module) if id(getattr(there, name)) not in told]
        told |= {id(getattr(there, name)) for name in names}
        lines += [f"## {module}", "", (there.__doc__ or "").splitlines()[0], "", *directives(module, names)]
    return "\n".join(lines)


def directives(module, names):
    """What Sphinx makes the documentation of these names of."""
    if not names:
        return []
    return ["```{eval-rst}", *(line for name in names for line in entry(module, name)), "```", ""]


def command_page():
    """All commands and their options, as ``--help`` tells them."""
    lines = ["# Command line", "", "`classicseg COMMAND --help` says the same.", ""]
    for name, module in _COMMANDS.items():
        parser = Command(prog=f"classicseg {name}", description=module.__doc__)
        module.add_arguments(parser)
        lines += [f"## classicseg {name}", "", *(part.strip() for part in (parser.description or "").splitlines()), ""]
        lines += ["```{eval-rst}", f".. program:: classicseg {name}", ""]
        for action in parser._actions:
            if action.help == argparse.SUPPRESS or action.dest == "help":
                continue
            words = parser._get_formatter()._format_args(action, action.metavar or action.dest.upper())
            shown = ", ".join(f"{flag} {words}".strip() for flag in action.option_strings) or action.dest
            meaning = parser._get_formatter()._expand_help(action) if action.help else ""
            lines += [f".. option:: {shown}", "", f"   {re.sub(r'([*_|`])', chr(92) * 2 + '1', meaning)}", ""]
        lines += ["```", ""]
    return "\n".join(lines)


def pages():
    """Every page: its name and its text."""
    rooms = {room.split(".")[0] for room, _ in names_by_room()}
    if without := rooms - {room for topic in TOPICS.values() for room in topic.rooms}:
        raise ValueError(f"reference_pages.py has no topic for {sorted(without)}")
    told: set[int] = set()
    made = {name: topic_page(topic, told) for name, topic in TOPICS.items()}
    made["command-line"] = command_page()
    listing = [f"- [{topic.title}]({name}.md): {topic.sentence}" for name, topic in TOPICS.items()]
    head = ["# Reference", "", "Everything public, by topic.", ""]
    made["index"] = "\n".join([*head, *listing, "", "```{toctree}", ":hidden:", "", *TOPICS, "```", ""])
    return made


def write(folder: Path) -> None:
    """Write what has changed."""
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
