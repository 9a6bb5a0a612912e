"""What tests of several rules share: parameters, and the generative rule by sums over pairs."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.special import log_softmax, softmax
from scipy.stats import multivariate_normal

from sklearn_alpha import AlphaTransferRegressor
from sklearn_alpha.linear_model._rules.evidence import LAMBDAS

KINDS = ("binary", "classes", "target", "targets")
SHAPES = [(13, 6), (8, 14)]
HEIGHTS = [None, 0.7, np.inf]

kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", SHAPES)
heights = pytest.mark.parametrize("height", HEIGHTS)
n_sources = pytest.mark.parametrize("n_sources", [0, 1, 2])


def constant(height):
    """Parameters for a constant column of that height; None is no intercept."""
    return {"fit_intercept": False} if height is None else {"intercept_scaling": height}


def k_of(height):
    return 0.0 if height is None else height


def residual(task, alpha):
    """y − Sα, (n, n_outputs)."""
    return task.Y - np.einsum("ick,ck->ic", task.S, alpha)


def columns(values):
    return values.reshape(len(values), -1)


def left_out_values(model, task):
    """Less what the classes share."""
    return columns(model.loo_decision_function_) - task.common


def mean_of_pairs(products, s):
    """Mean over pairs i ≠ j of rows of weights s."""
    shares = np.outer(s, s) * (1 - np.eye(len(s)))
    return np.sum(shares * products) / shares.sum() if shares.any() else 0.0


def log_normal_posterior(sqnorm, noise, dimension, centre):
    T = centre * np.exp(np.linspace(-6, 6, 61))
    log_P = -dimension / 2 * (np.log(T + noise) + sqnorm / (T + noise))
    P = np.exp(log_softmax(log_P - np.log(T / centre) ** 2 / 2))
    return P @ (T / (T + noise)), P @ T


def dimension(A, s):
    """(mean ‖Aᵢ‖²)² over the mean of ⟨Aᵢ, Aⱼ⟩² over pairs; all of them where that is zero."""
    gram = A @ A.T
    across = mean_of_pairs(gram**2, s)
    ratio = np.average(np.diag(gram), weights=s) ** 2 / across if across else np.inf
    return np.clip(ratio, 1, A.shape[1])


def shrunken_mean(X, height, s=None):
    """m, and the four numbers that decide how far x̄ is shrunk."""
    s = np.ones(len(X)) if s is None else s
    mean = np.average(X, axis=0, weights=s)
    if not height:
        return np.zeros_like(mean), None
    if np.isinf(height):
        return mean, None
    trace = np.average(np.sum(X**2, axis=1), weights=s)
    noise = (trace - mean_of_pairs(X @ X.T, s)) * np.sum(s**2) / s.sum() ** 2
    moments = mean @ mean, noise, dimension(X, s), 0.7 * trace / X.shape[1]
    return log_normal_posterior(*moments)[0] * mean, moments


def shift_oracle(X, y, c, W, m, s=None):
    """Every step of the generative rule for one output, on explicit rows of weights s."""
    s = np.ones(len(X)) if s is None else s
    (N, p), n = X.shape, s.sum()
    Q = np.linalg.qr(W.T)[0]
    P = np.eye(p) - Q @ Q.T
    Z = y[:, None] * (X - m)
    d = s * c @ Z / n
    R = Z @ P
    r = s * c @ R / n
    groups = [y > 0, y < 0] if len(np.unique(np.abs(y))) == 1 else [np.full(N, True)]
    scatter = sum(np.sum((R[g] - R[g].mean(axis=0)) ** 2) for g in groups)
    free = N - len(groups)
    v = scatter / free if free else np.sum(R**2) / N
    v *= np.sum((s * c) ** 2) / n**2
    trace = np.average(np.sum((X - m) ** 2, axis=1), weights=s)
    moments = r @ r, v, dimension((X - m) @ P, s), 0.7 * trace / p * (s * c @ y**2 / n)

    return d, r, source_oracle(d, y, c, X - m, W, s), moments


def source_oracle(d, y, c, X, W, s):
    """α of v = W̃ᵀα, clamped at two standard errors."""
    n, size = s.sum(), np.linalg.norm(W, axis=1)
    U = W.T / size
    Z = y[:, None] * (X @ U)

    def error(z):
        squares = np.sum((s * c * (z - s * c @ z / n)) ** 2)
        return np.sqrt(squares / (n**2 - np.sum(s**2)))

    if len(W) == 0:
        return np.zeros(0)
    if len(W) == 1:
        a, least = U[:, 0] @ d, 2 * error(Z[:, 0])
        return (max(a, least) if a > -least else a) / size
    # d ~ N(U(θ̄1 + δ), noise·I), δ ~ N(0, noise·κI), averaged over κ
    noise = np.mean([error(z) ** 2 for z in Z.T])
    log_likelihood, thetas, common = [], [], U.sum(axis=1)
    for kappa in LAMBDAS:
        V = np.eye(len(d)) + kappa * U @ U.T
        N = null_space(common[None])
        log_likelihood.append(multivariate_normal(cov=noise * N.T @ V @ N).logpdf(N.T @ d))
        G = np.linalg.inv(V)
        mean = common @ G @ d / (common @ G @ common)
        thetas.append(mean + kappa * U.T @ G @ (d - mean * common))
    theta = softmax(log_likelihood) @ thetas
    v = U @ theta
    return theta * max(1, 2 * error(Z @ theta) / (v @ v)) / size


def coded(task, counts, s=None):
    """For each output: its codes less their balanced mean, and the balancing weights."""
    Y = np.repeat(task.Y, counts, axis=0)
    if task.Estimator is AlphaTransferRegressor:
        return Y - Y.mean(axis=0), np.ones_like(Y)
    share = np.average(Y > 0, axis=0, weights=s)
    return np.sign(Y), np.where(Y > 0, 0.5 / share, 0.5 / (1 - share))
