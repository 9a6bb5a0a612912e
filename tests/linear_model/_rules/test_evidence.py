"""The evidence against dense restricted likelihoods, and its quadrature over γ."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import factorial, log_softmax, logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.base import clone

from sklearn_alpha.linear_model._rules.evidence import LAMBDAS, QUADRATURE_ERROR, quadrature
from tests.linear_model._rules.oracles import (
    constant,
    heights,
    k_of,
    kinds,
    n_sources,
    residual,
    shapes,
)


def profiled(y, V, fixed, centred, oracle):
    """Restricted log-likelihood of y ~ N(fixed effects, τ²V) at the best τ², by contrasts."""
    z, C = oracle.contrasts(y, fixed, V, centred)
    scale = z @ np.linalg.solve(C, z) / len(z)
    return multivariate_normal(cov=scale * C).logpdf(z)


def evidence_oracle(task, gamma, height, oracle):
    """log evidence and α of y ~ N(Sα, τ²K), averaged over λ where there are several sources.

    Sources of norm 1 have α = ᾱ1 + δ with δ ~ N(0, τ²γλI).
    """
    K, lambdas = oracle.kernel(task.X, task.counts, k_of(height), gamma), LAMBDAS
    if task.W.shape[1] < 2:
        lambdas = [0.0]
    log_likelihood = np.zeros(len(lambdas))
    alphas = np.zeros((len(lambdas), *task.W.shape[:2]))
    for j in range(len(task.W)):
        y, S = (np.repeat(v, task.counts, axis=0) for v in (task.Y[:, j], task.S[:, j]))
        if height == np.inf:
            y, S = y - y.mean(), S - S.mean(axis=0)
        size = np.linalg.norm(S, axis=0)
        S = S / size
        common = S.sum(axis=1, keepdims=True)[:, : S.shape[1]]
        for i, lam in enumerate(lambdas):
            V = K + gamma * lam * S @ S.T
            log_likelihood[i] += profiled(y, V, common, height == np.inf, oracle)
            if S.shape[1]:
                G, c = np.linalg.inv(V), common[:, 0]
                mean = c @ G @ y / (c @ G @ c)
                alphas[i, j] = (mean + gamma * lam * S.T @ G @ (y - mean * c)) / size
    share = softmax(log_likelihood)
    return logsumexp(log_likelihood), np.tensordot(share, alphas, axes=1)


@kinds
@shapes
@heights
@n_sources
def test_evidence_is_the_restricted_likelihood(kind, shape, height, n_sources, problem, oracle):
    task = problem(kind, *shape, n_sources=n_sources)
    gammas = np.array([0.01, 0.2, 3.0])
    model = task.Estimator(
        task.source, selection="evidence", gammas=gammas, **constant(height)
    ).fit(task.X, task.y, sample_weight=task.counts)
    expected = [evidence_oracle(task, gamma, height, oracle) for gamma in gammas]
    # the same up to what does not depend on γ
    difference = model.path_.log_evidence - [log_evidence for log_evidence, _ in expected]
    assert_allclose(difference, difference[0], atol=1e-7)
    assert_allclose(model.path_.alphas, [alpha for _, alpha in expected], rtol=1e-6)


@kinds
@heights
def test_evidence_at_a_given_alpha_is_the_profiled_likelihood(kind, height, problem, oracle):
    task = problem(kind, n_sources=2)
    gammas, alpha = np.array([0.01, 0.2, 3.0]), np.array([0.5, -1.0])
    model = task.Estimator(
        task.source, alpha=alpha, selection="evidence", gammas=gammas, **constant(height)
    ).fit(task.X, task.y, sample_weight=task.counts)
    expected, none = np.zeros(3), np.zeros((task.counts.sum(), 0))
    for y in residual(task, np.tile(alpha, (len(task.W), 1))).T:
        for i, gamma in enumerate(gammas):
            K = oracle.kernel(task.X, task.counts, k_of(height), gamma)
            expected[i] += profiled(np.repeat(y, task.counts), K, none, height == np.inf, oracle)
    difference = model.path_.log_evidence - expected
    assert_allclose(difference, difference[0], atol=1e-8)
    assert_allclose(model.alpha_, np.tile(alpha, (len(task.W), 1)))


@kinds
def test_gamma_is_averaged_over_its_posterior(kind, problem):
    task = problem(kind)
    model = task.Estimator(task.source, selection="evidence", intercept_scaling=np.inf)
    path = model.fit(task.X, task.y).path_
    assert_allclose(path.posterior.sum(), 1)
    centre = np.sum((task.X - task.X.mean(axis=0)) ** 2) / len(task.X) ** 2
    log_posterior = path.log_evidence - np.log(path.gammas / centre) ** 2 / 2
    assert_allclose(path.posterior, np.exp(log_softmax(log_posterior)), rtol=1e-8)
    assert_allclose(model.gamma_, path.posterior @ path.gammas)
    assert_allclose(model.alpha_, np.tensordot(path.posterior, path.alphas, axes=1))
    assert_allclose(np.log(path.gammas[[0, -1]] / centre), [-5, 5])

    fits = [
        clone(model).set_params(alpha=alpha, gamma=gamma).fit(task.X, task.y).coef_
        for alpha, gamma in zip(path.alphas, path.gammas, strict=True)
    ]
    assert_allclose(model.coef_, np.tensordot(path.posterior, fits, axes=1), atol=1e-10)


@pytest.mark.parametrize("width", [0.0, *np.geomspace(0.05, 2, 16)])
@pytest.mark.parametrize("n_points", [1, 2, 28])
def test_quadrature_is_exact_for_polynomials_and_no_larger_than_it_need_be(n_points, width):
    rng = np.random.default_rng(0)
    x = -3 + width * rng.normal(size=n_points)
    P = softmax(rng.normal(size=n_points))
    nodes, weights = quadrature(x, P)
    k = len(nodes)
    assert k <= n_points
    for degree in range(2 * k):
        assert_allclose(weights @ nodes**degree, P @ x**degree, rtol=1e-9)
    # of e^x, all derivatives of which are e^x, what is left is the stated part of the largest
    error = P @ np.exp(x) - weights @ np.exp(nodes)
    assert -1e-14 <= error <= QUADRATURE_ERROR * np.exp(x.max())
    assert left(x, P, nodes) <= QUADRATURE_ERROR
    if k > 1:  # and of one node less
        assert left(x, P, moments_nodes(x, P, k - 1)) > QUADRATURE_ERROR


def left(x, P, nodes):
    """What a quadrature leaves of the derivative of degree 2k."""
    polynomial = np.prod([np.subtract.outer(x, node) for node in nodes], axis=0)
    return P @ polynomial**2 / factorial(2 * len(nodes))


def moments_nodes(x, P, k):
    """Zeros of the polynomial of degree k that is orthogonal to all below it."""
    shift = P @ x
    powers = (x - shift) ** np.arange(2 * k)[:, None] @ P
    hankel = powers[np.add.outer(np.arange(k), np.arange(k))]
    return np.roots(np.append(1.0, -np.linalg.solve(hankel, powers[k:])[::-1])) + shift
