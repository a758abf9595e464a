"""The interface of pydensecrf, computed by classicseg.

Change ``import pydensecrf.densecrf as dcrf`` to ``import classicseg.pydensecrf.densecrf as dcrf`` and
``pydensecrf.utils`` to ``classicseg.pydensecrf.utils``; or change nothing and run a script with
``python -m classicseg.pydensecrf script.py``. Names, defaults, argument orders and results are those of pydensecrf;
where it crashes or reads beyond its arrays, there is an error instead.
"""

from classicseg import run_as

__all__ = ["install"]


def install() -> None:
    """Answer all further imports of pydensecrf in this process, and in worker processes that inherit its path."""
    run_as.install("pydensecrf")
