"""Arguments of Python as options of the command line, in the sentences of the library and in values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence

_SAME = {
    "batch_size": "batch",
    "from_logits": "logits",
    "n_epochs": "epochs",
    "n_threads": "threads",
    "n_workers": "workers",
    "name": "net",
    "np.transpose": "reverse_axes",
    "refine_streamed": "stream",
    "unary_from_labels": "labels",
    "unary_from_logits": "logits",
    "unary_from_sigmoid": "sigmoid",
}
"""What Python calls otherwise than the command line, which writes - for _."""
_VALUE = r"""'[^']*'|"[^"]*"|\([^)]*\)|[^\s,;:()]+"""


class Command(argparse.ArgumentParser):
    """The parser of one command, which knows what its options are in Python.

    Attributes
    ----------
    more_help : callable
        Tells what its help ends with; called when somebody asks for help, as it may have to import what is heavy.
    """

    more_help: Callable[[], str | None] = staticmethod(lambda: None)

    def format_help(self) -> str:
        """Its help as text."""
        self.epilog = self.more_help()
        return super().format_help()

    def in_options(self, sentence: str, typed: Sequence[str] = ()) -> str:
        """A sentence with the options of this command for arguments of Python; what the user has typed stays."""
        options = {action.dest: action for action in self._actions if action.option_strings}
        options.update({python: options[name] for python, name in _SAME.items() if name in options})

        def in_option(match: re.Match[str]) -> str:
            if match["name"] is None:
                return match[0]
            option, value = options[match["name"]], match["value"]
            is_flag = option.nargs == 0
            if value is None and (is_flag or match.start() > 0) and not re.search("[_.]", match["name"]):
                return match[0]  # a word like any other
            return option.option_strings[-1] + ("" if value is None or is_flag else " " + value.strip("'\""))

        kept = "|".join(re.escape(word) for word in typed if word and not word.startswith("-")) or "(?!)"
        names = "|".join(map(re.escape, options))
        argument = rf"(?P<name>{names})(?:=(?P<value>{_VALUE})|(?![\w=]|\.\w))"
        return re.sub(rf"(?<![\w./-])(?:(?:{kept})(?!\w)|{argument})", in_option, sentence)
