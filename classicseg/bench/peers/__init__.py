"""Other libraries as contenders, one file each. None is imported before it solves something."""

from __future__ import annotations

from classicseg.bench.contender import Contender
from classicseg.bench.peers import gco, pydensecrf, pymaxflow, thinqpbo, toulbar2


def contenders() -> list[Contender]:
    """All of them, whether they are installed or not."""
    return [contender for peer in (pymaxflow, gco, thinqpbo, pydensecrf, toulbar2) for contender in peer.CONTENDERS]
