"""Regression asymptotics against simulation, and against the optimum of the paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import toeplitz
from scipy.optimize import minimize_scalar

from sklearn_alpha.theory import regression_asymptotics, target_asymptotics

ALPHAS = np.array([-1.0, 0.0, 1.0, 3.0])


def problem(shape, seed=0, K=None):
    rng = np.random.default_rng(seed)
    shape = np.atleast_1d(shape)
    coef = rng.standard_normal(shape) / np.sqrt(shape[-1])
    stack = tuple(shape) if K is None else (K, *shape)
    return coef, 0.6 * coef + 0.8 * rng.standard_normal(stack) / np.sqrt(shape[-1])


def ar1(p, correlation=0.6):
    return toeplitz(correlation ** np.arange(p))


@pytest.mark.parametrize("correlation", [0, 0.6])
@pytest.mark.parametrize(
    ("n", "p", "gamma"), [(600, 60, 0.1), (200, 200, 0.1), (200, 200, 1.0), (60, 240, 0.3)]
)
def test_simulation(simulate_regression, assert_simulated, n, p, gamma, correlation):
    coef, source = problem(p)
    options = {"n_samples": n, "gamma": gamma, "noise": 0.5}
    options["covariance"] = ar1(p, correlation) if correlation else None
    draws = simulate_regression(coef, source, ALPHAS, draws=50, seed=1, **options)
    # The error of the limit at these sizes is O(1/n).
    assert_simulated(draws, regression_asymptotics(coef, source, **options).risk(ALPHAS), rtol=0.01)


def test_simulation_of_several_outputs_and_sources(simulate_regression, assert_simulated):
    coef, sources = problem((3, 120), K=2)
    options = {"n_samples": 100, "gamma": 0.5, "noise": 0.3, "covariance": ar1(120)}
    theory = regression_asymptotics(coef, sources, **options)
    alphas = np.vstack([[0, 0], [1, 1], [2, -1], theory.optimal_alpha])
    draws = simulate_regression(coef, sources, alphas, draws=50, seed=2, **options)
    assert_simulated(draws, theory.risk(alphas), rtol=0.01)
    assert draws.mean(axis=0).argmin() == 3


@pytest.mark.parametrize("shape", [(50,), (4, 50)])
@pytest.mark.parametrize(("n", "gamma"), [(10, 0.01), (50, 1.0), (1000, 100.0)])
def test_isotropic_optimum_is_the_trace_ratio_at_every_n_and_gamma(shape, n, gamma):
    coef, source = problem(shape)
    theory = regression_asymptotics(coef, source, n_samples=n, gamma=gamma, noise=1.0)
    assert_allclose(theory.optimal_alpha, np.vdot(coef, source) / np.vdot(source, source))


def test_trace_ratio_holds_for_a_strong_penalty_and_not_for_a_weak_one():
    coef, source = problem(50)
    S = ar1(50, 0.9)
    ratio = source @ S @ coef / (source @ S @ source)
    options = {"n_samples": 60, "noise": 1.0, "covariance": S}
    strong = regression_asymptotics(coef, source, gamma=1e8, **options)
    weak = regression_asymptotics(coef, source, gamma=0.1, **options)
    assert_allclose(strong.optimal_alpha, ratio, rtol=1e-6)
    assert abs(weak.optimal_alpha - ratio) > 0.05


def test_optimal_alpha_is_the_numerical_minimiser():
    coef, source = problem(50)
    theory = regression_asymptotics(
        coef, source, n_samples=60, gamma=0.3, noise=1.0, covariance=ar1(50)
    )
    assert_allclose(minimize_scalar(theory.risk).x, theory.optimal_alpha, rtol=1e-6)


@pytest.mark.parametrize("covariance", [np.ones(30), np.eye(30)])
def test_identity_covariance_in_three_spellings(covariance):
    coef, source = problem(30)
    options = {"n_samples": 20, "gamma": 0.7, "noise": 1.0}
    isotropic = regression_asymptotics(coef, source, **options)
    general = regression_asymptotics(coef, source, covariance=covariance, **options)
    assert_allclose(isotropic.risk(ALPHAS), general.risk(ALPHAS))
    assert_allclose(isotropic.optimal_alpha, general.optimal_alpha)


def test_diagonal_equals_dense():
    coef, source = problem((2, 30))
    diagonal = np.geomspace(0.01, 10, 30)
    options = {"n_samples": 20, "gamma": 0.7, "noise": [0.5, 1.0]}
    left = regression_asymptotics(coef, source, covariance=diagonal, **options)
    right = regression_asymptotics(coef, source, covariance=np.diag(diagonal), **options)
    assert_allclose(left.risk(ALPHAS), right.risk(ALPHAS))


def test_outputs_add_up():
    coef, source = problem((2, 30))
    options = {"n_samples": 20, "gamma": 0.7}
    both = regression_asymptotics(coef, source, noise=[0.5, 1.0], **options)
    each = [
        regression_asymptotics(c, s, noise=sigma, **options)
        for c, s, sigma in zip(coef, source, [0.5, 1.0])
    ]
    assert_allclose(both.risk(ALPHAS), sum(theory.risk(ALPHAS) for theory in each))


def test_many_samples_give_population_ridge():
    coef, source = problem(30)
    S, gamma = ar1(30), 0.7
    theory = regression_asymptotics(
        coef, source, n_samples=1e9, gamma=gamma, noise=0.5, covariance=S
    )
    for alpha in ALPHAS:
        w = np.linalg.solve(S + gamma * np.eye(30), S @ coef + gamma * alpha * source)
        assert_allclose(theory.risk(alpha), (w - coef) @ S @ (w - coef) + 0.25, rtol=1e-6)


def test_scaling_the_source_divides_alpha():
    coef, source = problem(30)
    options = {"n_samples": 20, "gamma": 0.7, "noise": 1.0, "covariance": ar1(30)}
    theory = regression_asymptotics(coef, source, **options)
    scaled = regression_asymptotics(coef, -4 * source, **options)
    assert_allclose(scaled.optimal_alpha, theory.optimal_alpha / -4)


def test_the_target_itself_as_source_leaves_the_noise():
    coef, _ = problem(30)
    theory = regression_asymptotics(coef, coef / 3, n_samples=20, gamma=0.7, noise=0.5)
    assert_allclose(theory.optimal_alpha, 3)
    assert_allclose(theory.risk(3), theory.noise_risk)
    assert_allclose(theory.noise_risk, 0.25 / (1 - theory.kappa))


@pytest.mark.parametrize("covariance", [None, np.geomspace(0.01, 10, 30)])
def test_the_equivalent_is_that_of_classification_and_no_noise_is_allowed(covariance):
    coef, source = problem(30)
    options = {"n_samples": 20, "gamma": 0.7, "covariance": covariance}
    theory = regression_asymptotics(coef, source, noise=0, **options)
    classification = target_asymptotics(coef, source, **options)
    assert_allclose([theory.delta, theory.kappa], [classification.delta, classification.kappa])
    assert theory.noise_risk == 0


def test_degenerate_sources():
    coef, source = problem(30)
    options = {"n_samples": 20, "gamma": 0.7, "noise": 0.5}
    one = regression_asymptotics(coef, source, **options)
    zero = regression_asymptotics(coef, 0 * source, **options)
    assert zero.optimal_alpha == 0
    assert len(set(zero.risk([0.0, 5.0, np.inf]))) == 1
    two = regression_asymptotics(coef, [source, source], **options)
    assert_allclose(two.optimal_alpha, np.full(2, one.optimal_alpha / 2))
    assert one.risk(-np.inf) == np.inf
    assert_allclose(one.risk([0, 1e200, np.inf]), [one.risk(0), np.inf, np.inf])
    assert one.risk(np.ones((2, 3))).shape == (2, 3)
    assert two.risk(np.ones((4, 2))).shape == (4,)


magnitude = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 99),
    scale=st.one_of(st.just(0.0), magnitude),
    spectrum=st.lists(st.one_of(st.just(0.0), magnitude), min_size=5, max_size=5).filter(any),
    n_samples=st.one_of(st.just(1), st.just(5), st.floats(0, 12).map(lambda e: 10.0**e)),
    gamma=magnitude,
)
def test_corners(seed, scale, spectrum, n_samples, gamma):
    coef, source = problem(5, seed)
    theory = regression_asymptotics(
        coef, scale * source, n_samples=n_samples, gamma=gamma, noise=1.0, covariance=spectrum
    )
    risk = theory.risk([-1e12, 0, 1e-12, 1, 1e12, np.inf])
    assert not np.isnan(risk).any()
    assert theory.risk(theory.optimal_alpha) <= risk.min() * (1 + 1e-6)


GOOD = {"coef": np.ones(3), "source": np.ones(3), "n_samples": 5, "gamma": 1.0, "noise": 1.0}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"gamma": 0}, "gamma must be positive"),
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"coef": np.nan * np.ones(3)}, "coef contains NaN"),
        ({"source": np.ones((2, 4))}, r"source has shape \(2, 4\) but coef has shape \(3,\)"),
        ({"coef": np.ones((2, 3)), "source": np.ones(3)}, "source must be 2-dimensional or 3"),
        ({"noise": -1.0}, "noise must be one standard deviation"),
        ({"noise": [1.0, 1.0]}, "noise must be one standard deviation"),
        ({"covariance": np.ones(4)}, "covariance has shape"),
    ],
)
def test_bad_input(bad, message):
    with pytest.raises(ValueError, match=message):
        regression_asymptotics(**(GOOD | bad))


def test_bad_alpha():
    with pytest.raises(ValueError, match="alpha contains NaN"):
        regression_asymptotics(**GOOD).risk(np.nan)
