"""The source's log odds of the anchored rule, by direct sums and the searches of SciPy."""

from types import SimpleNamespace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

TO_ROUNDING = {"xatol": 1e-10, "fatol": 1e-14, "maxiter": 4000}


def log_loss(F, labels, weights):
    """Of log odds (n, n_outputs), or of the second of two classes (n, 1)."""
    F = np.column_stack([np.zeros(len(F)), F[:, 0]]) if F.shape[1] == 1 else F
    return -weights @ log_softmax(F, axis=1)[np.arange(len(F)), labels]


def root_mean_square(S, weights):
    return np.sqrt(np.average((S**2).mean(axis=1), axis=0, weights=weights))


def grid_and_prior(size, has_own_scale):
    """α's, and their prior.

    A log-normal around 2/size of width 1, on steps of √2 from 1/64 to 8: .94 of it positive, .03
    reversed, and .03 on zero. Where the source has a scale of its own, .85 of what is positive is
    on α = 1. Elsewhere log odds are in units of a root mean square of 2.
    """
    steps = 2.0 ** (np.arange(19) / 2 - 6)
    density = np.exp(-(np.log(steps) ** 2) / 2)
    density /= density.sum()
    usual = 2 / size if has_own_scale else 1.0
    alphas = np.concatenate([-usual * steps[::-1], [0.0], usual * steps])
    prior = np.concatenate([0.03 * density[::-1], [0.03], 0.94 * density])
    if has_own_scale:
        prior[20:] *= 0.15
        alphas, prior = np.append(alphas, 1.0), np.append(prior, 0.85 * 0.94)
    return alphas, prior


def mean_of_signs(alphas, P):
    """The sum over both signs of its probability times its geometric mean."""
    mean = 0.0
    for sign in (1, -1):
        own = sign * alphas > 0
        share = P[own].sum()
        mean += sign * share * np.exp(P[own] @ np.log(sign * alphas[own]) / share)
    return mean


def label_shift(F, labels, weights):
    """P(b ≠ 0) times the mode of b, under b ~ N(0, 1) for each class and Laplace's evidence."""
    L = np.column_stack([np.zeros(len(F)), F[:, 0]]) if F.shape[1] == 1 else F
    n_classes = L.shape[1]

    def objective(b):
        return log_loss(L + b, labels, weights) + b @ b / 2

    def gradient(b):
        return weights @ (softmax(L + b, axis=1) - np.eye(n_classes)[labels]) + b

    found = minimize(objective, np.zeros(n_classes), jac=gradient, options={"gtol": 1e-9})
    b = found.x
    hessian = np.eye(n_classes)
    for row, weight in zip(softmax(L + b, axis=1), weights):
        hessian += weight * (np.diag(row) - np.outer(row, row))
    # of N(0, 1) and Laplace's (2π)^(C/2), the factors of 2π cancel
    log_ratio = log_loss(L, labels, weights) - objective(b) - np.log(np.linalg.det(hessian)) / 2
    b = b * expit(log_ratio + np.log(0.05 / 0.95))
    return b[1:] - b[:1] if F.shape[1] == 1 else b - b.mean()


def odds_oracle(S, labels, weights, has_own_scale, shifts):
    """F = αF̃ + b, with sources (n, n_outputs, n_sources) that are neither parallel nor zero.

    `alpha` (n_sources,) is what α makes of each, and `shift` is b.
    """
    n_outputs, n_sources = S.shape[1:]
    F, alpha = np.zeros(S.shape[:2]), np.zeros(n_sources)
    if n_sources:
        scale = np.ones(n_sources) if has_own_scale else 2 / root_mean_square(S, weights)
        share = np.full(n_sources, 1 / n_sources)
        if n_sources > 1:

            def objective(share):
                own = np.sum((n_sources * share - 1) ** 2) / 2
                return log_loss(S @ (scale * share), labels, weights) + own

            share = minimize(objective, share).x
            share = minimize(objective, share, method="Nelder-Mead", options=TO_ROUNDING).x
        F = S @ (scale * share)
        alphas, prior = grid_and_prior(root_mean_square(F, weights), has_own_scale)
        P = softmax([np.log(p) - log_loss(a * F, labels, weights) for a, p in zip(alphas, prior)])
        alpha = mean_of_signs(alphas, P) * scale * share
        F = S @ alpha
    shift = label_shift(F, labels, weights) if shifts else np.zeros(n_outputs)
    return SimpleNamespace(F=F + shift, alpha=alpha, shift=shift)
