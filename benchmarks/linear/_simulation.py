"""Simulations of an α-rescaled fit, kept as coefficients in (1, α): every α from one draw.

Given the weights, the margin of a fresh point is Gaussian with known moments, so accuracy and risk
of a draw are exact without test rows.
"""

import numpy as np
from scipy.linalg import toeplitz
from scipy.optimize import minimize_scalar
from scipy.special import ndtr


def ridge_source(draws, seed, **setting):
    """Moments of the margin, one row per draw of source and target sample."""
    return [moments(*sample) for sample in ridge_source_samples(draws, seed, **setting)]


def fixed_source(n_samples, n_features, gamma, correlation, cosine, draws, seed):
    """Moments of the margin, one row per draw of the target sample."""
    rng = np.random.default_rng(seed)
    mean, source = unit_vectors(n_features, cosine)
    S = ar1(n_features, correlation)
    factor = np.linalg.cholesky(S)
    rows = []
    for _ in range(draws):
        Z = mean + rng.standard_normal((n_samples, n_features)) @ factor.T
        rows.append(moments(mean, fit(Z, np.ones(n_samples), source, gamma), S))
    return rows


def histogram(alpha, draws, seed, **setting):
    """Density of the decision values over 40 bins, mean and standard error over the draws."""
    rng = np.random.default_rng([seed, 1])
    edges = np.linspace(-3, 3, 41)
    densities = {-1: [], 1: []}
    for mean, weights, _ in ridge_source_samples(draws, seed, **setting):
        w = weights @ [1, alpha]
        for y, kept in densities.items():
            values = (y * mean + rng.standard_normal((1000, len(mean)))) @ w
            kept.append(np.histogram(values, edges)[0] / 1000 / np.diff(edges))
    middles = (edges[1:] + edges[:-1]) / 2
    return [
        {"y": y, "f": f, "density": density, "se": se}
        for y, kept in densities.items()
        for f, density, se in zip(middles, np.mean(kept, axis=0), standard_error(kept))
    ]


def regression_risk(n_samples, n_features, gamma, noise, cosine, draws, seed):
    """Coefficients of the test risk r₀ + 2αr₁ + α²r₂, one row per draw."""
    rng = np.random.default_rng(seed)
    coef, source = unit_vectors(n_features, cosine)
    rows = []
    for _ in range(draws):
        X = rng.standard_normal((n_samples, n_features))
        y = X @ coef + noise * rng.standard_normal(n_samples)
        e0, e1 = (fit(X, y, source, gamma) - np.outer(coef, [1, 0])).T
        rows.append({"r0": e0 @ e0 + noise**2, "r1": e0 @ e1, "r2": e1 @ e1})
    return rows


def ridge_source_samples(
    draws,
    seed,
    *,
    n_source,
    n_target,
    n_features,
    source_mean_norm,
    orthogonal_norm,
    beta,
    gamma_source,
    gamma_target,
):
    """Mean, weights as in `fit`, and covariance, for one draw after another."""
    rng = np.random.default_rng(seed)
    identity = np.eye(n_features)
    source_mean = source_mean_norm * identity[0]
    mean = beta * source_mean + orthogonal_norm * identity[1]
    for _ in range(draws):
        Z = source_mean + rng.standard_normal((n_source, n_features))
        source = np.linalg.solve(Z.T @ Z / n_source + gamma_source * identity, Z.mean(axis=0))
        Z = mean + rng.standard_normal((n_target, n_features))
        yield mean, fit(Z, np.ones(n_target), source, gamma_target), identity


def fit(X, y, source, gamma):
    """The weights as columns (w₀, w₁) of w(α) = w₀ + αw₁; rows yx stand for x where y is ±1."""
    n = len(X)
    residuals = np.column_stack([y, -X @ source])
    adapters = X.T @ np.linalg.solve(X @ X.T + n * gamma * np.eye(n), residuals)
    return adapters + np.outer(source, [0, 1])


def moments(mean, weights, covariance):
    """u and v with margin ~ N(u₀ + αu₁, v₀₀ + 2αv₀₁ + α²v₁₁) for a fresh point."""
    (u0, u1), v = mean @ weights, weights.T @ covariance @ weights
    return {"u0": u0, "u1": u1, "v00": v[0, 0], "v01": v[0, 1], "v11": v[1, 1]}


def unit_vectors(p, cosine):
    """Two unit vectors at a given angle; the first, and the plane, are always the same."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((p, 2)))[0].T
    return basis[0], cosine * basis[0] + np.sqrt(1 - cosine**2) * basis[1]


def ar1(p, correlation):
    """Covariance of a stationary autoregression of order 1; the identity for correlation 0."""
    return toeplitz(correlation ** np.arange(p))


def accuracies(draws, alphas):
    """Accuracy of every draw (rows) at every α (columns)."""
    u0, u1, v00, v01, v11 = draws[["u0", "u1", "v00", "v01", "v11"]].to_numpy().T[..., None]
    return ndtr((u0 + alphas * u1) / np.sqrt(v00 + 2 * alphas * v01 + alphas**2 * v11))


def best_alpha(draws):
    """The α of the highest mean accuracy over the draws, and its jackknife standard error."""

    def maximiser(draws):
        found = minimize_scalar(
            lambda angle: -accuracies(draws, np.tan(angle)).mean(),
            bounds=(-np.pi / 2, np.pi / 2),
            method="bounded",
        )
        return np.tan(found.x)

    n = len(draws)
    left_out = [maximiser(draws.drop(index)) for index in draws.index]
    return maximiser(draws), np.sqrt((n - 1) * np.var(left_out))


def standard_error(draws):
    """Standard error of the mean over the rows."""
    return np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
