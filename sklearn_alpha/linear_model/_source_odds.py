"""The source's decision values as log odds, rescaled by the likelihood of the target's rows.

    P(class | x) = softmax(αF̃),    F̃ = Σ_k c_k s_k

A source with probabilities has its own scale c, and most of the prior is on α = 1. Any other is
brought to decision values of root mean square 2, and the prior of log α has a width of 1. Several
sources are pooled first, with the weights that maximise the likelihood under N(1/K, 1/K²).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax

from sklearn_alpha.linear_model._calibration import below_own, logits, losses
from sklearn_alpha.linear_model._directions import unit_combinations
from sklearn_alpha.linear_model._solution import TINY, posterior

IMPLAUSIBLE = 50.0  # a root mean square of log odds
USUAL = 2.0  # the same, as most sources have it
SIZES = np.exp2(np.arange(-6, 3.5, 0.5))
GRID = np.concatenate([-SIZES[::-1], [0], SIZES])
# .03 on zero and .03 on a reversed source. The sizes are log-normal around 1, with width 1
LOG_NORMAL = np.exp(-(np.log(SIZES) ** 2) / 2) / np.exp(-(np.log(SIZES) ** 2) / 2).sum()
PRIOR = np.concatenate([0.03 * LOG_NORMAL[::-1], [0.03], 0.94 * LOG_NORMAL])
OWN = 0.7  # of the positive ones, on the scale that the source itself has
SHIFTED, SHIFT = 0.05, 1.0  # prior of a label shift, and its width in log odds


@dataclass(frozen=True)
class SourceOdds:
    """What the source says of the target's rows.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,)
    F : ndarray of shape (n_rows, n_outputs)
        αF̃; of two classes, the log odds of the second.
    T : ndarray of shape (n_rows, n_outputs)
        The codes that are expected under softmax(αF̃).
    code : float
        k, the size of a code in log odds: 2 for one column. For a column per class it is C/2 where
        all C classes are equally likely and 1 where two are left; k is the geometric mean.
    alpha : ndarray of shape (n_outputs, n_sources)
        What αF̃ makes of each source's weights.
    shift : ndarray of shape (n_outputs,)
        What F has beside that, where an intercept is unknown.
    path : dict
        The grid of α and its posterior.
    """

    labels: np.ndarray
    F: np.ndarray
    T: np.ndarray
    code: float
    alpha: np.ndarray
    shift: np.ndarray
    path: dict

    @classmethod
    def of(cls, problem):
        """From the codes and the sources of a problem."""
        labels, weights, S = problem.Y.argmax(axis=1), problem.rows.weights, problem.S
        # an unknown intercept is the one that makes the classes equally likely
        shift = np.where(problem.has_intercept, 0.0, -np.tensordot(weights, S, 1) / problem.n)
        S = S + shift
        n_outputs = problem.shape[0]
        if n_outputs == 1:
            labels = (problem.Y[:, 0] > 0).astype(int)
        # of one size and direction, sources count once, and a source without values not at all
        inner = np.einsum("i,ick,icl->kl", weights, S, S)
        units = unit_combinations(inner) * 2 * np.sqrt(problem.n * n_outputs)
        known = ~np.isnan(problem.log_odds)
        together = (units > 0) / np.maximum((units > 0).sum(axis=0), 1)
        scale = np.where(known[:, None], together * np.nan_to_num(problem.log_odds)[:, None], units)
        share = scale @ pool(S @ scale, labels, weights)
        F = S @ share
        sizes = np.sqrt(weights @ F**2 / problem.n)
        alphas, prior = GRID, PRIOR
        if known.all() and problem.shape[1]:
            usual = USUAL / max(np.sqrt(np.mean(sizes**2)), TINY)
            alphas = np.append(usual * GRID, 1.0)
            prior = np.append(np.where(GRID > 0, (1 - OWN) * PRIOR, PRIOR), OWN * PRIOR[GRID > 0].sum())
        below = below_own(F, labels)
        P = posterior(np.log(prior) - [losses(alpha * below, weights) for alpha in alphas])
        alpha = mean_alpha(alphas, P)
        if problem.shape[1]:
            warn_of_odd_sources(sizes, alphas, P, known.all())
        F, shift = alpha * F, alpha * (shift @ share)
        if problem.may_hold:
            b = label_shift(F, labels, weights)
            F, shift = F + b, shift + b
        T = np.tanh(F / 2) if n_outputs == 1 else 2 * softmax(F, axis=1) - 2 / n_outputs
        return cls(
            labels,
            F,
            T,
            2.0 if n_outputs == 1 else np.sqrt(n_outputs / 2),
            np.tile(alpha * share, (n_outputs, 1)),
            shift,
            {"alpha_grid": alphas, "alpha_posterior": P},
        )


def warn_of_odd_sources(sizes, alphas, P, known):
    """Warn of log odds that no source has on rows of its own kind, and of a reversed source."""
    if known and np.max(sizes) > IMPLAUSIBLE:
        warnings.warn(
            f"The log odds of the source on the rows of X have a root mean square of "
            f"{np.max(sizes):.0f}: transform X by the same fitted steps as the source's own rows.",
            UserWarning,
            stacklevel=2,
        )
    if P[alphas < 0].sum() > 0.95:
        warnings.warn(
            "The labels contradict the source, and alpha_ reverses it: check that both name the "
            "classes in the same way.",
            UserWarning,
            stacklevel=2,
        )


def mean_alpha(alphas, P):
    """The mean of α; that of one sign is geometric, as a scale asks for."""
    mean = 0.0
    for sign in (1, -1):
        own = sign * alphas > 0
        share = P[own].sum()
        if share > 0:
            mean += sign * share * np.exp(P[own] @ np.log(np.abs(alphas[own])) / share)
    return mean


def label_shift(F, labels, weights):
    """b (n_outputs,) of softmax(F + b): zero, unless the labels are rather of other shares.

    b ~ N(0, σ²) has the prior share `SHIFTED`, and Laplace's evidence.
    """
    L = logits(F)
    Y, b = np.eye(L.shape[1])[labels], np.zeros(L.shape[1])
    eye = np.eye(len(b)) / SHIFT**2

    def loss(b):
        return losses(below_own(L + b, labels), weights)

    for _ in range(50):
        P = softmax(L + b, axis=1)
        curvature = np.diag(weights @ P) - (weights[:, None] * P).T @ P + eye
        step = np.linalg.solve(curvature, weights @ (P - Y) + b / SHIFT**2)
        b = b - step
        if np.abs(step).max() < 1e-10:
            break
    log_evidence = loss(0 * b) - loss(b) - b @ b / (2 * SHIFT**2)
    log_evidence -= np.linalg.slogdet(SHIFT**2 * curvature)[1] / 2
    b = b * expit(log_evidence + np.log(SHIFTED / (1 - SHIFTED)))
    return b[1:] - b[:1] if F.shape[1] == 1 else b - b.mean()


def pool(S, labels, weights):
    """The share of each source, (n_sources,), in the pooled log odds."""
    n_sources = S.shape[2]
    if n_sources < 2:
        return np.ones(n_sources)
    # log odds out of all proportion decide for a class no less surely when they are smaller
    size = np.sqrt(np.einsum("i,ick->k", weights, S**2).max() / (weights.sum() * S.shape[1]))
    even = np.full(n_sources, 1 / n_sources)
    below = below_own(S, labels) / max(1.0, size / IMPLAUSIBLE)
    if below.shape[1] == 1:  # the own class has the value zero
        below = np.concatenate([np.zeros_like(below), below], axis=1)

    def loss(share):
        """With its gradient."""
        values = below @ share
        slope = np.einsum("i,ic,ick->k", weights, softmax(values, axis=1), below)
        move = n_sources**2 * (share - even)
        return move @ (share - even) / 2 + losses(values, weights), move + slope

    def curvature(share):
        P = softmax(below @ share, axis=1)
        mean = np.einsum("ic,ick->ik", P, below)
        second = np.einsum("i,ic,ick,icl->kl", weights, P, below, below)
        return n_sources**2 * np.eye(n_sources) + second - (weights[:, None] * mean).T @ mean

    share = minimize(loss, even, jac=True, hess=curvature, method="trust-exact").x
    for _ in range(3):  # from there on Newton's steps square the error
        step = share - np.linalg.solve(curvature(share), loss(share)[1])
        if not loss(step)[0] <= loss(share)[0]:
            break
        share = step
    return share
