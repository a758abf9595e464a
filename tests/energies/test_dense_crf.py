import copy as copies
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import classicseg as cs
from classicseg.errors import InputError, InputTypeError
from classicseg.filters import exact
from classicseg.machine.threads import map_tasks
from classicseg.reference import mean_field as reference
from tests.oracles import bilateral_features, costs, gaussian_matrix, normalized, photo, position_features

SHAPE = (9, 11)
IMAGE, UNARY = photo(*SHAPE), costs(3, SHAPE)


def crf(quality="fast", normalization="symmetric", compatibility=None, weight=2.0):
    kernels = [
        cs.GaussianKernel(1.5, weight, normalization=normalization),
        cs.BilateralKernel(IMAGE, 4, 20, 3, normalization=normalization),
    ]
    return cs.DenseCRF(UNARY, kernels, compatibility, quality=quality)


def matrices(normalization="symmetric"):
    features = position_features(SHAPE, 1.5), bilateral_features(IMAGE.astype(float), 4, 20)
    return [normalized(gaussian_matrix(f), normalization) for f in features]


@pytest.mark.parametrize("normalization", ["none", "before", "after", "symmetric"])
@pytest.mark.parametrize("compatibility", [None, cs.Diagonal([1.0, 0.5, 2.0]), [[0, 1, 2], [1, 0, 3], [2, 3, 1]]])
def test_energy_is_the_sum_over_all_pairs(normalization, compatibility):
    energy = crf(normalization=normalization, compatibility=compatibility)
    labels = np.random.default_rng(0).integers(0, 3, SHAPE)
    expected = reference.energy(labels.ravel(), UNARY.reshape(3, -1), matrices(normalization), energy.costs())
    assert energy.energy_is_exact
    np.testing.assert_allclose(energy.energy(labels), expected, rtol=1e-4)


def test_energy_of_large_images_comes_from_the_lattice_and_says_so():
    image, unary = photo(80, 90), costs(3, (80, 90))
    kernels = [cs.GaussianKernel(3, 3), cs.BilateralKernel(image, 20, 15, 5)]
    lattice = cs.DenseCRF(unary, kernels, quality="high")
    exact = cs.DenseCRF(unary, kernels, quality="exact")
    labels = unary.argmin(0)
    assert exact.energy_is_exact
    assert not lattice.energy_is_exact
    np.testing.assert_allclose(lattice.energy(labels), exact.energy(labels), rtol=0.02)


def test_free_energy_has_every_pair_once():
    energy = crf("exact")
    q = reference.gibbs(np.random.default_rng(1).standard_normal((3, *SHAPE)))
    terms = [(lambda v, m=m: v @ m.T, cost) for m, cost in zip(matrices(), energy.costs(), strict=True)]
    expected = reference.free_energy(q.reshape(3, -1), UNARY.reshape(3, -1), terms)
    np.testing.assert_allclose(energy.free_energy(q), expected, rtol=1e-4)


def test_free_energy_is_stationary_at_a_fixed_point():
    energy = crf("exact")
    q = cs.minimize(energy, "mean_field_convergent", max_iter=500, tol=1e-9).marginals.astype(float)
    log_q, direction = np.log(q), np.random.default_rng(2).standard_normal(q.shape)
    there, back = (energy.free_energy(reference.gibbs(-log_q - s * direction)) for s in (0.05, -0.05))
    away = cs.minimize(energy, max_iter=1).marginals.astype(float)
    there_from_away, back_from_away = (
        energy.free_energy(reference.gibbs(-np.log(away) - s * direction)) for s in (0.05, -0.05)
    )
    assert abs(there - back) < 0.05 * abs(there_from_away - back_from_away)


def test_per_kernel_compatibilities_and_negative_weights():
    energy = cs.DenseCRF(
        UNARY,
        [cs.GaussianKernel(1.5, 2.0, compatibility=cs.Diagonal(1.0)), cs.GaussianKernel(3, -1.0)],
        cs.Matrix(np.ones((3, 3)) - np.eye(3)),
    )
    costs_ = energy.costs()
    np.testing.assert_allclose(costs_[0], -2 * np.eye(3))
    np.testing.assert_allclose(costs_[1], np.eye(3) - 1)


@pytest.mark.parametrize("quality", ["fast", "high", "exact"])
def test_no_kernels_leave_the_unary(quality):
    energy = cs.DenseCRF(UNARY, [], quality=quality)
    result = cs.minimize(energy)
    np.testing.assert_array_equal(result.labels, UNARY.argmin(0))
    np.testing.assert_allclose(result.energy, UNARY.min(0).sum(), rtol=1e-5)


def test_label_axis_and_layouts():
    last = np.moveaxis(UNARY, 0, -1).astype(">f8")
    last.setflags(write=False)
    energy = cs.DenseCRF(last, cs.GaussianKernel(), label_axis=-1)
    assert energy.shape == SHAPE
    np.testing.assert_array_equal(energy.unary, UNARY)


def test_pickles_before_and_after_use():
    energy = crf()
    before = cs.minimize(pickle.loads(pickle.dumps(energy))).marginals
    cs.minimize(energy)
    np.testing.assert_array_equal(cs.minimize(pickle.loads(pickle.dumps(energy))).marginals, before)


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: cs.DenseCRF(UNARY[:1], []), InputError, "2 labels"),
        (lambda: cs.DenseCRF(np.full((2, 3, 3), np.nan), []), InputError, "finite"),
        (lambda: cs.DenseCRF(np.full((2, 3, 3), -np.inf), []), InputError, "finite"),
        (lambda: cs.DenseCRF(np.zeros((2, 0, 3)), []), InputError, "empty"),
        (lambda: cs.DenseCRF(np.zeros((2, 3, 3), complex), []), InputTypeError, "real"),
        (lambda: cs.DenseCRF(np.zeros((2, 3, 3), object), []), InputTypeError, "real"),
        (lambda: cs.DenseCRF(UNARY, [cs.BilateralKernel(IMAGE[:5])]), InputError, "image"),
        (lambda: cs.DenseCRF(UNARY, [cs.FeatureKernel(np.zeros((2, 5)))]), InputError, "features"),
        (lambda: cs.DenseCRF(UNARY, ["gaussian"]), InputTypeError, "kernels"),
        (lambda: cs.DenseCRF(UNARY, [cs.GaussianKernel((1, 2, 3))]), InputError, "sigma"),
        (lambda: cs.DenseCRF(UNARY, [], np.zeros((2, 2))), InputError, "labels"),
        (lambda: cs.DenseCRF(UNARY, [], quality="best"), InputError, "quality"),
        (lambda: cs.DenseCRF(UNARY, []).energy(np.zeros((3, 3), int)), InputError, "labels"),
        (lambda: cs.DenseCRF(UNARY, []).energy(np.full(SHAPE, 3)), InputError, "labels"),
        (lambda: cs.DenseCRF(UNARY, []).energy(np.zeros(SHAPE)), InputTypeError, "integers"),
        (lambda: cs.DenseCRF(UNARY, []).free_energy(UNARY), InputError, "marginals"),
        (lambda: cs.DenseCRF(np.zeros((2, 300, 300)), [], quality="exact"), InputError, "quadratic"),
        (lambda: cs.DenseCRF(UNARY, [cs.GaussianKernel(5e-324)]), InputError, "sigma must be between"),
        (lambda: cs.DenseCRF(UNARY, [cs.BilateralKernel(IMAGE, 80, 1e300)]), InputError, "sigma must be between"),
        (lambda: cs.DenseCRF(np.broadcast_to(1.0, (21, 10**5, 10**5)), []), cs.BudgetError, "unary of shape .* GiB"),
        (lambda: cs.minimize(cs.DenseCRF(UNARY, []), callback=3), InputTypeError, "callback"),
        (lambda: cs.minimize(cs.DenseCRF(UNARY, []), n_threads=np.inf), InputError, "n_threads"),
    ],
)
def test_bad_input_raises_and_names_the_argument(call, error, word):
    with pytest.raises(error, match=word):
        call()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: cs.GaussianKernel(0), "sigma"),
        (lambda: cs.GaussianKernel(-3), "sigma"),
        (lambda: cs.GaussianKernel(3, np.nan), "weight"),
        (lambda: cs.GaussianKernel(3, spacing=0), "spacing"),
        (lambda: cs.GaussianKernel(3, normalization="all"), "normalization"),
        (lambda: cs.BilateralKernel(IMAGE, 3, 0), "color_sigma"),
        (lambda: cs.BilateralKernel(IMAGE, 3, (1, 2)), "color_sigma"),
        (lambda: cs.BilateralKernel(IMAGE.astype(object), 3, 1), "image"),
        (lambda: cs.FeatureKernel(np.full((2, 4), np.inf)), "features"),
    ],
)
def test_bad_kernels_raise_and_name_the_argument(make, word):
    with pytest.raises((InputError, InputTypeError), match=word):
        make()


def test_sizes_that_do_not_fit_raise_before_work_starts(monkeypatch):
    cs.minimize(cs.DenseCRF(UNARY, cs.GaussianKernel()))  # kernels that are not loaded yet would ask for memory first
    crf = cs.DenseCRF(UNARY, cs.GaussianKernel())
    monkeypatch.setattr("classicseg.machine.memory.available_memory", lambda: 100)
    with pytest.raises(cs.BudgetError, match=r"a dense CRF of 3 labels at \d+ pixels would need"):
        cs.minimize(crf)


@pytest.mark.parametrize("thing", [crf(), *crf().kernels, cs.FeatureKernel(np.zeros((2, 3))), cs.Potts(2.0)])
def test_energies_kernels_and_compatibilities_never_change(thing):
    name = next(iter(vars(thing)))
    with pytest.raises(AttributeError):
        setattr(thing, name, 1)
    with pytest.raises(AttributeError):
        thing.new = 1
    with pytest.raises(AttributeError):
        delattr(thing, name)


def test_the_unary_is_read_only_but_that_of_the_caller_is_not():
    unary = costs(3, SHAPE).astype(np.float32)
    energy = cs.DenseCRF(unary, [])
    with pytest.raises(ValueError, match="read-only"):
        energy.unary[0] = 0
    unary[0] = 0


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_copies_leave_out_what_is_built_again(quality):
    energy = crf(quality)
    result = cs.minimize(energy, "mean_field", max_iter=2)
    for copy in (copies.copy(energy), copies.deepcopy(energy), pickle.loads(pickle.dumps(energy))):
        kept = {"unary", "n_labels", "n_points", "shape", "mask", "has_forbidden", "align_corners"}
        assert set(vars(copy)) == kept | {"kernels", "compatibilities", "quality"}
        again = cs.minimize(copy, "mean_field", max_iter=2)
        np.testing.assert_array_equal(again.marginals, result.marginals)
        assert again.energy == result.energy


@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_first_calls_from_several_threads_agree(quality):
    energy = crf(quality)
    labels = UNARY.argmin(0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: energy.energy(labels, n_threads=n), [1, 2, 3, 4]))
    assert len(set(found)) == 1


def test_threads_of_an_energy_are_checked():
    with pytest.raises(InputError, match="n_threads"):
        crf().energy(UNARY.argmin(0), n_threads=0)


def test_exact_filters_use_the_threads_that_are_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr(exact, "map_tasks", lambda call, n, threads: seen.append(threads) or map_tasks(call, n, 1))
    energy = crf("exact")
    energy.energy(UNARY.argmin(0), n_threads=3)
    assert set(seen) == {3}
    seen.clear()
    energy.pairwise_message(np.ones((3, *SHAPE)), n_threads=2)
    assert set(seen) == {2}


def test_terms_are_the_parts_of_the_energy():
    rng = np.random.default_rng(0)
    unary, image = rng.random((3, 7, 8)), rng.integers(0, 255, (7, 8, 3))
    kernels = [cs.GaussianKernel(2, 1.5), cs.BilateralKernel(image, 5, 60, -2, compatibility=cs.Diagonal([1, 2, 3]))]
    crf, labels = cs.DenseCRF(unary, kernels), rng.integers(0, 3, (7, 8))
    parts = crf.terms(labels)
    assert list(parts) == ["unary", "kernel 0", "kernel 1"]
    assert sum(parts.values()) == crf.energy(labels)
    for k, kernel in enumerate(kernels):
        alone = cs.DenseCRF(np.zeros_like(unary), kernel)
        assert parts[f"kernel {k}"] == pytest.approx(alone.energy(labels))
    assert cs.DenseCRF(unary, []).terms(labels) == {"unary": parts["unary"]}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda u: cs.DenseCRF(u * 3.4e38, cs.GaussianKernel()), "unary must be at most 1e.30 in size"),
        (lambda u: cs.DenseCRF(u, cs.GaussianKernel(3, 1e38), cs.Potts(9)), "weight times compatibility .* 9e.38"),
        (lambda u: cs.DenseCRF(u, cs.GaussianKernel(3, 1e38), cs.Potts(1e300)), "weight must be .* below 1e.100"),
        (lambda u: cs.DenseCRF(u, cs.GaussianKernel()).pairwise_message(u * 1e38), "marginals must be at most"),
        (lambda u: cs.PermutohedralLattice(u[0][None]).filter(u * 1e38), "values must be at most"),
        (lambda u: cs.ExactFilter(u).filter(u * 1e38), "values must be at most"),
        (lambda u: cs.GaussianFilter((4, 5)).filter(u * 1e38), "values must be at most"),
        (lambda u: cs.unary_from_logits(u * 1e38), "logits must be at most"),
        (
            lambda u: cs.unary_from_logits(u * [[[1e29]], [[0]]], temperature=1e-3),
            "temperature must be at most",
        ),
    ],
)
def test_what_could_sum_to_infinity_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(np.ones((2, 4, 5)) - np.arange(5) / 4)


@pytest.mark.parametrize("method", ["mean_field", "mean_field_convergent"])
@pytest.mark.parametrize("quality", ["fast", "exact"])
def test_the_largest_costs_give_finite_results(method, quality):
    unary = np.stack([np.full((4, 5), 1e30), np.full((4, 5), -1e30)])
    unary[:, 0, 0] = -1e30, 1e30
    crf = cs.DenseCRF(unary, cs.GaussianKernel(2, 1e25), quality=quality)
    result = cs.minimize(crf, method, max_iter=3)
    assert np.isfinite(result.marginals).all()
    assert np.isfinite(result.energy)
    assert np.isfinite(crf.free_energy(result.marginals))


def bands(n, noise, shape=(40, 50)):
    """A smooth image of `n` bands with noise."""
    rng = np.random.default_rng(0)
    return 128 + 30 * np.sin(np.indices(shape).sum(0) / 9)[..., None] + noise * rng.standard_normal((*shape, n))


def test_high_quality_says_where_it_is_that_of_fast():
    image, unary = bands(5, 1), np.zeros((2, 40, 50))
    with pytest.warns(UserWarning, match="quality='high' serves up to 6 features; BilateralKernel.* has 7 and is filt"):
        cs.DenseCRF(unary, [cs.GaussianKernel(), cs.BilateralKernel(image)], quality="high")
    with pytest.warns(UserWarning, match="serves up to 6 features, got 7"):
        cs.PermutohedralLattice(np.zeros((7, 4)), accurate=True)
    cs.DenseCRF(unary, cs.BilateralKernel(image[..., :4]), quality="high")  # warnings are errors here


def test_a_nearly_empty_lattice_says_so_and_what_does_better():
    unary = np.zeros((2, 40, 50))
    sparse = cs.DenseCRF(unary, cs.BilateralKernel(bands(8, 20), 80, 13))
    with pytest.warns(UserWarning, match=r"hardly connects .* 10 features .* 1\d\.\d vertices .*'exact' \(up to"):
        sparse.lattice_bank(1)
    cs.DenseCRF(unary, cs.BilateralKernel(bands(8, 1), 80, 60)).lattice_bank(1)
    cs.DenseCRF(unary, cs.BilateralKernel(bands(8, 20), 80, 13), quality="exact").energy(np.zeros((40, 50), int))


UNITS = r"the colours of image span {}, less than half of color_sigma={}: .* 13 for values from 0 to 255 is 0.051"


@pytest.mark.parametrize(
    ("image", "sigma", "span"),
    [
        (IMAGE / 255, 13, "0.*"),
        (np.stack([np.arange(99).reshape(SHAPE) // 33 * 1.1, 0 * IMAGE[..., 0]], -1), (7, 1), "2.2"),
    ],
)
def test_colours_in_another_unit_are_told(image, sigma, span):
    with pytest.warns(UserWarning, match=UNITS.format(span, np.max(sigma))):
        cs.DenseCRF(UNARY, cs.BilateralKernel(image, 8, sigma))
    with pytest.warns(UserWarning, match=UNITS.format(span, np.max(sigma))):
        cs.refine(image, logits=-UNARY, color_sigma=sigma)
    kernel = cs.BilateralKernel(image, 8, sigma, origin=(0, 0))
    for silent in (kernel, cs.BilateralKernel(0 * image, 8, sigma), cs.BilateralKernel(image, 8, np.divide(sigma, 99))):
        cs.DenseCRF(UNARY, silent)  # a part of an image, one of one colour, and one with more colours; warnings raise
