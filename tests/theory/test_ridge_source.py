"""Moments of a ridge source: simulation agrees with the correction, not with the paper."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.linear._published import (
    TableConstants,
    published_accuracy,
    published_optimal_alpha,
    table_constants,
)
from sklearn_alpha.theory import isotropic_asymptotics, ridge_source_asymptotics

# A setting in which the published formula fails; its convention is ‖μ_⊥‖ = √(1 − β²)·1.
SIZES = {"n_source": 600, "n_target": 600, "n_features": 600}
PENALTIES = {"gamma_source": 0.1, "gamma_target": 1.0}
CORRECTED = {"source_mean_norm": 1.5, "orthogonal_norm": 0.6, "beta": 0.8}
PUBLISHED = {"m": 1.5, "mu_perp": 1.0, "beta": 0.8}


def simulate_ridge_source(
    simulate, alphas, *, n_source, n_target, n_features, gamma_source, gamma_target, draws,
    source_mean_norm, orthogonal_norm, beta,
):  # fmt: skip
    p = n_features
    mean_source = source_mean_norm * np.eye(p)[0]
    mean = beta * mean_source + orthogonal_norm * np.eye(p)[1]

    def ridge(rng):
        Z = mean_source + rng.standard_normal((n_source, p))
        return np.linalg.solve(Z.T @ Z / n_source + gamma_source * np.eye(p), Z.mean(axis=0))

    return simulate(
        mean, ridge, alphas, n_samples=n_target, gamma=gamma_target, draws=draws, seed=0
    )


@pytest.fixture(scope="module")
def refutation(simulate):
    return simulate_ridge_source(
        simulate, [0.238, 2.0, -1.58], draws=20, **SIZES, **PENALTIES, **CORRECTED
    )


@pytest.mark.parametrize(
    ("n_source", "n_target", "n_features", "gamma_source"),
    [(2000, 100, 100, 1.0), (200, 200, 200, 0.1), (100, 40, 200, 1.0), (210, 100, 200, 0.01)],
)
def test_simulation(simulate, assert_simulated, n_source, n_target, n_features, gamma_source):
    options = {
        "n_source": n_source,
        "n_target": n_target,
        "n_features": n_features,
        "source_mean_norm": 1.2,
        "orthogonal_norm": 0.7,
        "beta": 0.8,
        "gamma_source": gamma_source,
        "gamma_target": 0.5,
    }
    alphas = [-1.0, 0.0, 0.5, 3.0]
    draws = simulate_ridge_source(simulate, alphas, draws=60, **options)
    theory = ridge_source_asymptotics(**options)
    for name in ("accuracy", "margin_mean", "margin_second_moment", "risk"):
        # The error of the limit is O(1/n), with n ≥ 40.
        assert_simulated(getattr(draws, name), getattr(theory, name)(alphas), rtol=0.02)


def test_corrected_formula_agrees_with_simulation(refutation, assert_simulated):
    theory = ridge_source_asymptotics(**SIZES, **PENALTIES, **CORRECTED)
    assert_simulated(refutation.accuracy, theory.accuracy([0.238, 2.0, -1.58]), rtol=0)
    assert_allclose(theory.accuracy(2), 0.769, atol=5e-4)
    assert_allclose(theory.optimal_alpha, 0.238, atol=5e-4)


def test_published_formula_does_not(refutation):
    options = SIZES | PENALTIES | PUBLISHED
    assert_allclose(published_accuracy(2.0, **options), 0.948, atol=5e-4)
    assert_allclose(published_optimal_alpha(**options), -1.58, atol=5e-3)
    corrected_best, at_two, published_best = refutation.accuracy.mean(axis=0)
    error = refutation.accuracy[:, 1].std(ddof=1) / np.sqrt(len(refutation.accuracy))
    assert abs(at_two - 0.948) > 50 * error
    assert corrected_best > published_best + 0.25


def test_corrected_moments_as_written():
    """The formula of the docstring against the implementation."""
    N, p, gamma, norm, beta, orthogonal = 300, 200, 0.4, 1.3, 0.7, 0.5
    q = p / N - gamma - 1
    delta = (q + np.sqrt(q**2 + 4 * p / N * gamma)) / (2 * gamma)
    h = 1 - p / N / (1 + gamma * (1 + delta)) ** 2
    M = norm**2
    lam = M + 1 + gamma * (1 + delta)
    sqnorm = M / lam**2 * ((M + 1) / h - M) + (1 - h) / h * (1 - 2 * M / lam)
    written = isotropic_asymptotics(
        mean_sqnorm=beta**2 * M + orthogonal**2,
        alignment=beta * M / lam,
        source_gram=sqnorm,
        ratio=p / 50,
        gamma=0.9,
    )
    computed = ridge_source_asymptotics(
        n_source=N,
        n_target=50,
        n_features=p,
        source_mean_norm=norm,
        orthogonal_norm=orthogonal,
        beta=beta,
        gamma_source=gamma,
        gamma_target=0.9,
    )
    assert_allclose(computed.optimal_alpha, written.optimal_alpha)
    assert_allclose(computed.accuracy([0, 1, 2]), written.accuracy([0, 1, 2]))


def test_formulas_agree_where_source_rows_abound():
    options = SIZES | {"n_source": 10**8} | PENALTIES
    theory = ridge_source_asymptotics(**options, **CORRECTED)
    assert_allclose(
        published_optimal_alpha(**options, **PUBLISHED), theory.optimal_alpha, rtol=1e-4
    )
    assert_allclose(published_accuracy(2.0, **options, **PUBLISHED), theory.accuracy(2), rtol=1e-4)


def test_source_rows_abounding_give_population_ridge():
    # p/N → 0: w̃ = μ_s/(‖μ_s‖² + 1 + γ_pre).
    options = SIZES | {"n_source": 10**9} | PENALTIES
    theory = ridge_source_asymptotics(**options, **CORRECTED)
    shrunk = 1.5 / (1.5**2 + 1 + 0.1)
    limit = isotropic_asymptotics(
        mean_sqnorm=1.2**2 + 0.6**2,
        alignment=1.2 * shrunk,
        source_gram=shrunk**2,
        ratio=1.0,
        gamma=1.0,
    )
    assert_allclose(theory.accuracy([0, 1, 2]), limit.accuracy([0, 1, 2]), rtol=1e-5)
    assert_allclose(theory.optimal_alpha, limit.optimal_alpha, rtol=1e-5)


@pytest.mark.parametrize("beta", [-0.5, 0.0])
def test_opposed_and_unrelated_source(beta):
    theory = ridge_source_asymptotics(**SIZES, **PENALTIES, **(CORRECTED | {"beta": beta}))
    assert np.sign(theory.optimal_alpha) == np.sign(beta)


@pytest.mark.parametrize("name", ["source_mean_norm", "orthogonal_norm"])
def test_zero_norms(name):
    theory = ridge_source_asymptotics(**SIZES, **PENALTIES, **(CORRECTED | {name: 0.0}))
    assert np.isfinite(theory.accuracy([-1, 0, 1, np.inf])).all()
    assert np.isfinite(theory.optimal_alpha)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_source": 0}, "n_source must be at least 1"),
        ({"n_features": 0}, "n_features must be at least 1"),
        ({"gamma_source": 0}, "gamma_source must be positive"),
        ({"gamma_target": -1}, "gamma_target must be positive"),
        ({"source_mean_norm": -1}, "source_mean_norm must not be negative"),
        ({"orthogonal_norm": np.inf}, "orthogonal_norm contains NaN or infinity"),
        ({"beta": np.nan}, "beta contains NaN"),
    ],
)
def test_bad_input(bad, message):
    with pytest.raises(ValueError, match=message):
        ridge_source_asymptotics(**(SIZES | PENALTIES | CORRECTED | bad))


def test_table_constants_of_known_means():
    mean_source, mean_target = np.array([2.0, 0.0]), np.array([1.0, 3.0])
    y = np.array([1, -1])
    constants = table_constants(np.outer(y, mean_source), y, np.outer(y, mean_target), y)
    assert constants == TableConstants(beta=0.5, m=2.0, mu_perp=3.0)


@pytest.mark.parametrize(
    ("source", "target", "beta", "alpha_20", "alpha_40"),
    [
        ("books", "dvd", 0.80, 2.42, 2.47),
        ("dvd", "electronics", 0.71, 1.71, 1.69),
        ("kitchen", "books", 0.52, 1.86, 1.84),
    ],
)
def test_published_alpha_of_table_1(amazon_data_home, source, target, beta, alpha_20, alpha_40):
    from sklearn.preprocessing import StandardScaler

    from sklearn_alpha.datasets import fetch_amazon_review

    domains = [fetch_amazon_review(name, data_home=amazon_data_home) for name in (source, target)]
    data = [(StandardScaler().fit_transform(d.data), 1 - 2 * d.target) for d in domains]
    constants = table_constants(*data[0], *data[1])
    assert round(constants.beta, 2) == beta
    for n, printed in ((20, alpha_20), (40, alpha_40)):
        alpha = published_optimal_alpha(
            n_source=2000,
            n_target=n,
            n_features=400,
            gamma_source=1.0,
            gamma_target=1.0,
            **constants._asdict(),
        )
        assert round(alpha, 2) == printed
