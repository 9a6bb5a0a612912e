"""Simulations for the theory. Given the fitted weights they are exact: no test rows are drawn."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtr


class Draws(NamedTuple):
    """One row per simulated training sample, one column per α."""

    accuracy: np.ndarray
    margin_mean: np.ndarray
    margin_second_moment: np.ndarray
    risk: np.ndarray


def root(covariance, p):
    """A factor B with x = Bz ~ N(0, Σ)."""
    covariance = np.ones(p) if covariance is None else np.asarray(covariance)
    return np.diag(np.sqrt(covariance)) if covariance.ndim == 1 else np.linalg.cholesky(covariance)


def fine_tune(X, Y, source, gamma):
    """Q(Xᵀ(Y − X source)/n) + source for columns Y and source, in the smaller of n and p."""
    n, p = X.shape
    residual = Y - X @ source
    if p <= n:
        return source + np.linalg.solve(X.T @ X / n + gamma * np.eye(p), X.T @ residual / n)
    return source + X.T @ np.linalg.solve(X @ X.T / n + gamma * np.eye(n), residual / n)


@pytest.fixture(scope="session")
def simulate():
    def simulate(mean, source, alphas, *, n_samples, gamma, draws, seed, covariance=None):
        """`source` has shape (p,) or (K, p), or is a function that draws one from a generator."""
        rng = np.random.default_rng(seed)
        p = len(mean)
        factor = root(covariance, p)
        rows = []
        for _ in range(draws):
            frozen = np.atleast_2d(source(rng) if callable(source) else source)
            scaled = np.reshape(alphas, (-1, len(frozen))) @ frozen
            # Rows y·x: the sign of the label cancels in every fit.
            Z = mean + rng.standard_normal((n_samples, p)) @ factor.T
            w = fine_tune(Z, np.ones((n_samples, 1)), scaled.T, gamma)
            m, V = mean @ w, ((factor.T @ w) ** 2).sum(axis=0)
            rows.append((ndtr(m / np.sqrt(V)), m, V + m**2, V + (1 - m) ** 2))
        return Draws(*np.moveaxis(rows, 1, 0))

    return simulate


@pytest.fixture(scope="session")
def simulate_regression():
    def simulate(coef, source, alphas, *, n_samples, gamma, noise, draws, seed, covariance=None):
        """Risk, one row per draw, one column per α."""
        rng = np.random.default_rng(seed)
        coef = np.atleast_2d(coef)
        n_outputs, p = coef.shape
        source = np.reshape(source, (-1, n_outputs, p))
        factor = root(covariance, p)
        rows = []
        for _ in range(draws):
            X = rng.standard_normal((n_samples, p)) @ factor.T
            Y = X @ coef.T + noise * rng.standard_normal((n_samples, n_outputs))
            risks = []
            for alpha in np.reshape(alphas, (-1, len(source))):
                w = fine_tune(X, Y, np.einsum("k,klp->pl", alpha, source), gamma)
                risks.append(((factor.T @ (w - coef.T)) ** 2).sum() + n_outputs * noise**2)
            rows.append(risks)
        return np.array(rows)

    return simulate


@pytest.fixture(scope="session")
def assert_simulated():
    def assert_simulated(draws, theory, *, rtol):
        """The mean over draws within 4 standard errors, plus `rtol` for the finite size."""
        error = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
        np.testing.assert_array_less(
            np.abs(np.mean(draws, axis=0) - theory), 4 * error + rtol * np.abs(theory)
        )

    return assert_simulated
