import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError
from classicseg.reference import mean_field as reference
from classicseg.reference.lattice import Lattice
from tests.oracles import bilateral_features, costs, gaussian_matrix, normalized, photo, position_features, softmax

SHAPE = (16, 18)
IMAGE = photo(*SHAPE)


def crf(n_labels=3, quality="fast", compatibility=None, shape=SHAPE, normalization="symmetric"):
    kernels = [
        cs.GaussianKernel(2, 2.0, normalization=normalization),
        cs.BilateralKernel(photo(*shape), 8, 20, 4.0, normalization=normalization),
    ]
    return cs.DenseCRF(costs(n_labels, shape), kernels, compatibility, quality=quality)


def twin(energy, n_iter, exact=False, normalization="symmetric"):
    features = position_features(SHAPE, 2), bilateral_features(IMAGE.astype(np.float32), 8, 20)
    terms = []
    for f, cost in zip(features, energy.costs(), strict=True):
        if exact:
            matrix = normalized(gaussian_matrix(f), normalization)
            terms.append((lambda v, m=matrix: v @ m.T, cost))
        else:
            lattice = Lattice(f)
            terms.append((lambda v, k=lattice: k.filter(v, normalization), cost))
    q = reference.mean_field(energy.unary.reshape(energy.n_labels, -1), terms, n_iter)
    return q.reshape(energy.unary.shape)


@pytest.mark.parametrize("compatibility", [None, cs.Diagonal([1.0, 2.0, 0.5]), [[0, 1, 2], [1, 0, 3], [2, 3, 1]]])
def test_equals_the_twin(compatibility):
    energy = crf(compatibility=compatibility)
    result = cs.minimize(energy, "mean_field", max_iter=6)
    np.testing.assert_allclose(result.marginals, twin(energy, 6), atol=2e-4)
    tracked = cs.minimize(energy, "mean_field", max_iter=6, track=True)
    np.testing.assert_allclose(tracked.marginals, result.marginals, atol=2e-5)


@pytest.mark.parametrize("normalization", ["before", "after"])
@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_row_sums_divide_before_or_after(quality, normalization):
    energy = crf(quality=quality, normalization=normalization)
    expected = twin(energy, 6, quality == "exact", normalization)
    np.testing.assert_allclose(cs.minimize(energy, "mean_field", max_iter=6).marginals, expected, atol=2e-4)


@pytest.mark.parametrize("compatibility", [None, cs.Diagonal([1.0, 2.0]), [[0, 1], [1, 0]], [[1, 2], [2, 0]]])
def test_two_labels_equal_the_twin(compatibility):
    energy = crf(2, compatibility=compatibility)
    result = cs.minimize(energy, "mean_field", max_iter=6)
    np.testing.assert_allclose(result.marginals, twin(energy, 6), atol=2e-4)
    np.testing.assert_array_equal(result.labels, result.marginals.argmax(axis=0))


@pytest.mark.parametrize("small", [False, True])
def test_two_labels_as_one_channel_equal_two_channels(small):
    unary = costs(2, (6, 7) if small else (12, 14))
    unary[1, :2] = np.inf
    energy = cs.DenseCRF(unary, [cs.GaussianKernel(2, 3), cs.BilateralKernel(photo(12, 14), 8, 20, 5)], shape=(12, 14))
    one, two = (cs.minimize(energy, "mean_field", max_iter=5, track=track) for track in (False, True))
    np.testing.assert_allclose(one.marginals, two.marginals, atol=2e-5)
    assert (one.marginals[1, :2] == 0).all()


def test_exact_quality_equals_brute_force():
    energy = crf(quality="exact")
    np.testing.assert_allclose(cs.minimize(energy, max_iter=6).marginals, twin(energy, 6, exact=True), atol=1e-4)


def test_high_quality_is_closer_to_brute_force():
    truth = twin(crf(), 10, exact=True)
    errors = [np.abs(cs.minimize(crf(quality=quality)).marginals - truth).mean() for quality in ("fast", "high")]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("quality", ["fast", "high"])
def test_equal_to_the_bit_for_every_number_of_threads(quality):
    energy = crf(5, quality, shape=(150, 170))
    answers = [cs.minimize(energy, n_threads=n, max_iter=4).marginals for n in (1, 2, 3, 5)]
    fresh = cs.minimize(crf(5, quality, shape=(150, 170)), n_threads=3, max_iter=4).marginals
    for answer in (*answers[1:], fresh):
        np.testing.assert_array_equal(answer, answers[0])


@pytest.mark.parametrize("n_labels", [2, 3, 7, 12, 21, 30, 40, 182])
def test_marginals_are_probabilities_for_any_number_of_labels(n_labels):
    energy = crf(n_labels)
    result = cs.minimize(energy, max_iter=3)
    assert result.marginals.dtype == np.float32
    assert result.marginals.flags.c_contiguous
    np.testing.assert_allclose(result.marginals.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(result.labels, result.marginals.argmax(axis=0))
    np.testing.assert_allclose(result.marginals, twin(energy, 3), atol=2e-4)


def test_labels_can_be_permuted():
    energy, order = crf(5), np.array([3, 0, 4, 1, 2])
    permuted = cs.DenseCRF(energy.unary[order], energy.kernels)
    np.testing.assert_allclose(cs.minimize(permuted).marginals, cs.minimize(energy).marginals[order], atol=1e-5)


def test_no_updates_give_the_softmax():
    energy = crf()
    for result in (cs.minimize(energy, max_iter=0), cs.minimize(energy, max_iter=0, track=True)):
        np.testing.assert_allclose(result.marginals, reference.gibbs(energy.unary), atol=1e-6)
        assert result.n_iter == 0


def test_init_continues_where_another_run_stopped():
    energy = crf()
    half = cs.minimize(energy, max_iter=3).marginals
    np.testing.assert_allclose(
        cs.minimize(energy, init=half, max_iter=3).marginals, cs.minimize(energy, max_iter=6).marginals, atol=1e-4
    )


def test_history_has_free_energies_and_the_result_the_energy_of_its_labels():
    energy = crf()
    result = cs.minimize(energy, max_iter=5, track=True)
    assert [step.iteration for step in result.history] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(result.history[-1].energy, energy.free_energy(result.marginals), rtol=1e-4)
    assert result.energy == pytest.approx(energy.energy(result.labels))
    assert result.lower_bound is None
    assert result.gap is None
    assert result.method == "mean_field"


def test_tolerance_stops_and_says_so():
    result = cs.minimize(crf(), max_iter=500, tol=1e-5)
    assert result.converged
    assert result.n_iter < 500
    assert result.history[-1].change <= 1e-5


def test_a_callback_sees_every_step_and_can_stop():
    seen = []

    def callback(state):
        assert not state.marginals.flags.writeable
        seen.append(state.iteration)
        return state.iteration == 3

    result = cs.minimize(crf(), callback=callback, max_iter=9)
    assert seen == [1, 2, 3]
    assert result.n_iter == 3
    assert not result.converged


def test_errors_of_callbacks_pass_through():
    with pytest.raises(ZeroDivisionError):
        cs.minimize(crf(), callback=lambda state: 1 / 0)


def repulsive():
    return cs.DenseCRF(costs(2, SHAPE), cs.GaussianKernel(2, -8.0))


def test_repulsion_makes_parallel_updates_oscillate_but_not_the_convergent_method():
    parallel = [step.energy for step in cs.minimize(repulsive(), max_iter=20, track=True).history]
    assert max(np.diff(parallel)) > 1
    result = cs.minimize(repulsive(), "mean_field_convergent", max_iter=60)
    convergent = [step.energy for step in result.history]
    assert max(np.diff(convergent)) <= 1e-5 * abs(convergent[0])
    assert convergent[-1] < min(parallel)


def test_damping_calms_oscillation():
    damped = [step.energy for step in cs.minimize(repulsive(), max_iter=40, damping=0.7).history]
    assert abs(damped[-1] - damped[-2]) < 1


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_damping_weighs_old_and_new_log_marginals(quality):
    energy = crf(quality=quality)
    old, new = (cs.minimize(energy, max_iter=n).marginals for n in (0, 1))
    damped = cs.minimize(energy, max_iter=1, damping=0.7).marginals
    np.testing.assert_allclose(damped, softmax(0.7 * np.log(old) + 0.3 * np.log(new)), atol=1e-5)


@pytest.mark.parametrize("quality", ["fast", "high", "exact"])
def test_the_convergent_method_never_rises(quality):
    result = cs.minimize(crf(quality=quality), "mean_field_convergent", max_iter=30)
    energies = np.array([step.energy for step in result.history])
    assert np.diff(energies).max() <= 1e-5 * abs(energies[0])


def test_volumes_with_spacing_weigh_distances():
    unary = np.zeros((2, 9, 9, 9))
    unary[1] = 0.01
    unary[:, 4, 4, 4] = 50, 0
    energy = cs.DenseCRF(unary, cs.GaussianKernel(2.0, 3.0, spacing=(4.0, 1.0, 1.0)), quality="exact")
    q = cs.minimize(energy, max_iter=1).marginals[1]
    assert q[4, 4, 6] > q[6, 4, 4]


def test_extreme_costs_and_sigmas_stay_finite():
    for scale in (1e-20, 1e4, 1e6):
        for sigma in (1e-3, 1e6):
            energy = cs.DenseCRF(scale * costs(2, SHAPE), cs.GaussianKernel(sigma, 3.0))
            assert np.isfinite(cs.minimize(energy, max_iter=3).marginals).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"max_iter": -1}, "max_iter"),
        ({"max_iter": 1.5}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"damping": 1.0}, "damping"),
        ({"damping": -0.1}, "damping"),
        ({"n_threads": 0}, "n_threads"),
        ({"init": np.zeros((3, *SHAPE))}, "init"),
        ({"init": np.zeros((2, *SHAPE))}, "init"),
    ],
)
def test_bad_options_raise_and_name_the_argument(options, word):
    with pytest.raises((InputError, TypeError), match=word):
        cs.minimize(crf(), **options)


@pytest.mark.parametrize("method", ["mean_field", "mean_field_convergent"])
def test_the_energy_is_not_computed_before_it_is_read(method, monkeypatch):
    crf = cs.DenseCRF(costs(2), cs.GaussianKernel())
    calls = []
    monkeypatch.setattr(cs.DenseCRF, "energy", lambda self, labels: calls.append(labels) or 1.0)
    result = cs.minimize(crf, method, max_iter=2)
    assert (len(calls), result.n_iter) == (0, 2)
    assert (result.energy, result.energy) == (1.0, 1.0)
    assert len(calls) == 1


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_the_change_is_that_of_the_marginals(quality):
    marginals = []
    result = cs.minimize(
        crf(quality=quality), "mean_field", max_iter=3, track=True, callback=lambda s: marginals.append(s.marginals)
    )
    before = cs.minimize(crf(quality=quality), "mean_field", max_iter=0).marginals
    for step, after in zip(result.history, marginals, strict=True):
        assert step.change == pytest.approx(np.abs(after - before).sum(axis=0).mean(), rel=1e-4)
        before = after


def test_a_step_that_raised_the_free_energy_is_tried_again_from_where_it_began(monkeypatch):
    class Rising:
        """An engine whose first step fails twice."""

        logs = np.zeros((2, 4))
        begun, dampings, energies = [], [], iter([10.0, 12.0, 11.0, 9.0])

        def start(self, logits):
            self.begun.append(np.array(logits))
            self.logs = np.array(logits, np.float64)

        def update(self, damping):
            self.dampings.append(damping)
            self.logs = self.logs + 1
            return 1.0

        def free_energy(self):
            return next(self.energies)

        def marginals(self):
            return np.full((2, 2, 2), 0.5)

    engine = Rising()
    monkeypatch.setattr("classicseg.solvers.dense.mean_field.engine_for", lambda energy, n_threads: engine)
    energy = cs.DenseCRF(np.zeros((2, 2, 2)), cs.GaussianKernel(1, 1))
    result = cs.minimize(energy, "mean_field_convergent", max_iter=1)
    assert [step.energy for step in result.history] == [9.0]
    assert engine.dampings[0] == 0 < engine.dampings[1] < engine.dampings[2]
    first, *again = engine.begun
    assert len(again) == 2
    for logs in again:
        np.testing.assert_array_equal(logs.ravel(), first.ravel())
