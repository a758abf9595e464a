"""How far an energy travels from a public call to its kernels: few stops, and mostly downwards.

``python tests/conventions/test_journeys.py`` prints the journey, stop by stop.
"""

import gc
import itertools
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import classicseg as cs

ROOT = Path(cs.__file__).parent
CONFIG = ROOT.parent / "pyproject.toml"


def floors():
    """Number of each room, the lowest first, as import-linter's contract stacks them."""
    contract = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    rooms = {}
    for height, layer in enumerate(reversed(contract["layers"])):
        for room in layer.replace(":", "|").split("|"):
            rooms[room.strip(" ()").removeprefix("classicseg.")] = height
    return rooms


class Journey:
    """Follows an energy, and what functions make of it, through all calls of the package.

    A function is entered if it is called, for the first time by its caller, with the energy or a copy, with a view of
    its arrays, or with something that another function made of these. Calls in one file after each other are one stop.
    A climb is a stop in a higher room than the one before.
    """

    def __init__(self, energy):
        self.calls, self._energy = [], energy
        self._luggage = {id(energy): energy}  # what is followed; kept, so that no id is used again
        self._old = {id(thing) for thing in gc.get_objects()}
        self._arrays = [x for x in vars(energy).values() if isinstance(x, np.ndarray)]
        self._arrays += [a for x in vars(energy).values() if isinstance(x, dict) for a in x.values()]
        self._arrays = [a for a in self._arrays if isinstance(a, np.ndarray) and a.size > 1]
        self._inside, self._seen = set(), set()

    def _is_followed(self, value):
        if isinstance(value, np.ndarray) and any(np.may_share_memory(value, a) for a in self._arrays):
            return True
        if isinstance(value, (tuple, list)):
            return any(map(self._is_followed, value[:8]))
        return id(value) in self._luggage or isinstance(value, type(self._energy))

    def _follow(self, value):
        if isinstance(value, (tuple, list)):
            for each in value:
                self._follow(each)
        elif isinstance(value, np.ndarray) or (
            type(value).__module__.startswith("classicseg") and id(value) not in self._old
        ):
            self._luggage[id(value)] = value

    def _event(self, frame, event, argument):
        code = frame.f_code
        path = Path(code.co_filename)
        if ROOT not in path.parents or code.co_name.startswith("<"):
            return
        if event == "call":
            given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if any(self._is_followed(frame.f_locals.get(name)) for name in given):
                self._inside.add(frame)
                if code.co_name == "__init__":
                    self._follow(frame.f_locals["self"])
                if (frame.f_back.f_code, code) not in self._seen:
                    self._seen.add((frame.f_back.f_code, code))
                    self.calls.append((path.relative_to(ROOT).as_posix(), code.co_qualname))
        elif event == "return" and frame in self._inside:
            self._inside.discard(frame)
            self._follow(argument)

    def run(self, call):
        sys.setprofile(self._event)
        try:
            call()
        finally:
            sys.setprofile(None)

    def stops(self):
        files = [file for file, _ in self.calls]
        return [file for file, before in zip(files, [None, *files[:-1]], strict=True) if file != before]

    def climbs(self):
        rooms = floors()
        heights = [rooms[stop.split("/")[0].removesuffix(".py")] for stop in self.stops()]
        return sum(later > earlier for earlier, later in itertools.pairwise(heights))


def journey_of_a_grid():
    unary = np.random.default_rng(0).integers(0, 9, (4, 12, 14))
    crf = cs.GridCRF(unary, cs.Potts(2), connectivity=4)
    cs.minimize(crf, "trws+expansion")  # what is compiled and imported once is no part of the way
    journey = Journey(crf)
    journey.run(lambda: cs.minimize(crf, "trws+expansion"))
    return journey


def test_a_grid_on_its_way_through_the_longest_method():
    if not CONFIG.is_file():
        pytest.skip("the package is installed without its sources")
    journey = journey_of_a_grid()
    assert len(journey.stops()) <= 23
    assert journey.climbs() <= 7


if __name__ == "__main__":
    journey, last = journey_of_a_grid(), ""
    for file, function in journey.calls:
        print(f"{file if file != last else '':32} {function}")
        last = file
    print(f"{len(journey.calls)} calls, {len(journey.stops())} stops, {journey.climbs()} climbs")
