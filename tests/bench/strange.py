"""A plugin whose contenders and problems do all that can go wrong."""

import os
import time

import numpy as np
from numba.core.compiler_lock import global_compiler_lock

import classicseg as cs
from classicseg import bench, io

GRIDS = (cs.GridCRF,)


def contender(name):
    return bench.register_contender(name, accepts=GRIDS)


@contender("cheapest")
def cheapest(instance, limits):
    return lambda: instance.unary.argmin(axis=0)


@cs.register_solver("one label", accepts=cs.GridCRF, summary="The one label that is cheapest everywhere.")
def one_label(energy, run):
    labels = np.zeros(energy.shape, np.int32)
    return run.result(labels, energy=energy.energy(labels))


@contender("crashes")
def crashes(instance, limits):
    return lambda: os._exit(3)


@contender("sleeps")
def sleeps(instance, limits):
    return lambda: time.sleep(1000)


@cs.register_solver("stays away", accepts=cs.GridCRF, summary="Is never heard of again after its first iteration.")
def stays_away(energy, run):
    labels = run.labels()
    run.record(energy=energy.energy(labels), lower_bound=-1.0, labels=lambda: labels)
    time.sleep(1000)


@contender("compiles")
def compiles(instance, limits):
    def call():
        with global_compiler_lock:
            time.sleep(2.6)  # longer than a run may take in the test
        return instance.unary.argmin(axis=0)

    return call


@contender("raises")
def raises(instance, limits):
    return lambda: 1 / 0


@contender("is out of range")
def is_out_of_range(instance, limits):
    return lambda: np.full(instance.shape, 7)


@contender("lies")
def lies(instance, limits):
    return lambda: bench.Answer(np.zeros(instance.shape, int), lower_bound=1e6)


@bench.register_problem("strange/small", quick=True)
def small(data):
    return cs.GridCRF(np.random.default_rng(0).integers(0, 9, (2, 6, 7)), cs.Potts(2))


@bench.register_problem("strange/again", quick=True)
def again(data):
    return small(data)


@bench.register_problem("strange/malformed", quick=True)
def malformed(data):
    return io.read_uai(data / "bad.uai")


@bench.register_problem("strange/absent", files=("nowhere.bin",), origin="the moon")
def absent(data):
    raise AssertionError
