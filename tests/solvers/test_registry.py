import numpy as np
import pytest

import classicseg as cs
from classicseg.solvers.catalog import SOLVERS

CRF = cs.DenseCRF(np.zeros((2, 4, 4)), [])


def test_methods_are_listed_for_energies_that_they_accept():
    assert cs.methods() == tuple(dict.fromkeys(solver.name for solver in SOLVERS))
    assert cs.methods(CRF) == ("mean_field", "mean_field_convergent")
    assert cs.methods("no energy") == ()
    binary = cs.GridCRF(np.zeros((2, 4, 4)), cs.Potts())
    assert "graph_cut" in cs.methods(binary)
    assert "graph_cut" not in cs.methods(cs.GridCRF(np.zeros((2, 4, 4)), cs.Potts(-1)))
    assert not set(cs.methods(binary)) & {"mean_field_convergent"}
    assert {"mean_field", "icm", "belief_propagation", "annealing"} < set(cs.methods(binary))
    priced = cs.GridCRF(np.zeros((3, 4, 4)), cs.Potts(), label_costs=1)
    assert {"icm", "annealing"} < set(cs.methods(priced))
    assert not set(cs.methods(priced)) & {"mean_field", "belief_propagation"}
    for solver in SOLVERS:
        assert callable(solver.load())
        assert solver.summary
        assert solver.paper


def test_the_first_that_accepts_is_the_default():
    assert cs.minimize(CRF).method == "mean_field"


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.minimize(CRF, "meanfield"), cs.InputError, "'mean_field'"),
        (lambda: cs.minimize("crf"), cs.InputTypeError, "str"),
        (lambda: cs.minimize("crf", "mean_field"), cs.InputTypeError, "DenseCRF"),
        (lambda: cs.minimize(CRF, dampening=0.5), cs.InputTypeError, "its options are"),
    ],
)
def test_what_cannot_be_done_says_why(call, error, word):
    with pytest.raises(error, match=word):
        call()
