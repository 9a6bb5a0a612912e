"""The source's decision values as log odds, rescaled and shifted by the likelihood of the rows.

    P(class | x) = softmax(F),    F = αF̃ + b,    F̃ = Σ_k c_k s_k

A source with probabilities has its own scale c, and most of the prior is on α = 1. Any other α
brings the log odds to a root mean square around 2: log-normal, with a width of 1. Most of the
prior of b is on zero. Several sources are pooled first, with the weights that maximise the
likelihood under N(1/K, 1/K²).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import helmert
from scipy.optimize import minimize
from scipy.special import expit, softmax

from sklearn_alpha.linear_model._calibration import below_own, logits, losses, row_losses
from sklearn_alpha.linear_model._directions import unit_combinations
from sklearn_alpha.linear_model._labels import labels_of_codes
from sklearn_alpha.linear_model._solution import combine, posterior

USUAL, IMPLAUSIBLE = 2.0, 50.0  # root mean squares of log odds
CONSTANT = 1e-5  # a standard deviation of log odds that says nothing of the rows
SIZES = np.exp2(np.arange(-6, 3.5, 0.5))
GRID = np.concatenate([-SIZES[::-1], [0], SIZES])
# of α as a multiple of the usual scale: log-normal, but for .03 on zero and .03 on its reverse
LOG_NORMAL = np.exp(-(np.log(SIZES) ** 2) / 2) / np.exp(-(np.log(SIZES) ** 2) / 2).sum()
PRIOR = np.concatenate([0.03 * LOG_NORMAL[::-1], [0.03], 0.94 * LOG_NORMAL])
OWN = 0.85  # what is on α = 1 of the prior of positive α, where the source has its own scale
SHIFTED, SHIFT = 0.05, 1.0  # the prior probability of a label shift, and the width of b then
TOLERANCE = 1e-9  # of b
ROUNDING = 1e-12  # of differences of decision values
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class SourceOdds:
    """What the source says of the target's rows.

    Attributes
    ----------
    labels, weights : ndarray of shape (n_sample,)
        Of the problem's sample of rows.
    F : ndarray of shape (n_sample, n_outputs)
        αF̃ + b; of two classes, the log odds of the second.
    coef, intercept : ndarray of shape (n_outputs, n_features), (n_outputs,)
        F of any row.
    alpha : ndarray of shape (n_outputs, n_sources)
        What αF̃ makes of each source's weights.
    shift : ndarray of shape (n_outputs,)
        What the intercept has beside those of the sources.
    path : dict
        The grid of α and its posterior.
    """

    labels: np.ndarray
    weights: np.ndarray
    F: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    alpha: np.ndarray
    shift: np.ndarray
    path: dict

    @classmethod
    def of(cls, problem):
        """From the codes and the sources at the sample of a problem."""
        n_outputs, n_sources = problem.shape
        labels, weights = labels_of_codes(problem.Y[problem.sample]), problem.sampled.weights
        known = ~np.isnan(problem.log_odds)
        share, shift, F, rounding = pooled(problem, known, labels)
        size = np.sqrt(np.mean(weights @ F**2) / weights.sum())
        if size <= rounding:
            size = USUAL  # nothing is known of it
        alphas, prior = prior_of_alpha(size, n_sources and known.all())
        below = below_own(F, labels)
        of_alpha = losses(alphas[:, None] * below[:, None], weights)
        P = posterior(np.log(prior) - of_alpha)
        if n_sources:
            if known.all():
                warn_of_odd_rows(problem, F)
            warn_of_reversal(alphas, P)
        alpha = mean_alpha(alphas, P)
        F, shift = alpha * F, alpha * shift
        if problem.may_hold:
            b = label_shift(F, labels, weights)
            F, shift = F + b, shift + b
        alpha = np.tile(alpha * share, (n_outputs, 1))
        return cls(
            labels,
            weights,
            F,
            combine(np.moveaxis(problem.W, 2, 0), alpha).T,
            combine(problem.b, alpha) + shift,
            alpha,
            shift,
            {"alpha_grid": alphas, "alpha_posterior": P},
        )

    def expected_codes(self):
        """The linear function of a row that is nearest to T = link(F): its weights and intercept.

        The link is tanh(F/2) for codes ±1, and 2 softmax(F) − 2/C for centred codes of C classes.
        """
        F, n = self.F, self.weights.sum()
        T = np.tanh(F / 2) if F.shape[1] == 1 else 2 * softmax(F, axis=1) - 2 / F.shape[1]
        mean_F, mean_T = self.weights @ F / n, self.weights @ T / n
        root = np.sqrt(self.weights)[:, None]
        slopes = np.linalg.lstsq(root * (F - mean_F), root * (T - mean_T), rcond=1e-10)[0]
        return slopes.T @ self.coef, mean_T + (self.intercept - mean_F) @ slopes


def pooled(problem, known, labels):
    """F̃ = Σ_k c_k s_k of the sample.

    Returns
    -------
    share : ndarray of shape (n_sources,)
        c.
    shift : ndarray of shape (n_outputs,)
        What stands for the intercepts of sources that have none.
    F : ndarray of shape (n_sample, n_outputs)
        F̃.
    rounding : float
        The size of F̃ up to which it is only rounding.
    """
    rows, weights = problem.sampled, problem.sampled.weights
    S, n = rows.outputs(problem.W, problem.b), weights.sum()
    # an unknown intercept is the one that makes the classes equally likely
    shift = np.where(problem.has_intercept, 0.0, -np.tensordot(weights, S, 1) / n)
    S = S + shift
    S[:, np.abs(S).max(axis=0) < ROUNDING * np.abs(shift)] = 0.0  # the same on all rows
    # of one size and direction, sources count once, and a source without values not at all
    inner = np.einsum("i,ick,icl->kl", weights, S, S)
    units = unit_combinations(inner) * USUAL * np.sqrt(n * S.shape[1])
    together = (units > 0) / np.maximum((units > 0).sum(axis=0), 1)
    scale = np.where(known[:, None], together * np.nan_to_num(problem.log_odds)[:, None], units)
    share = scale @ pool(S @ scale, labels, weights)
    return share, shift @ share, S @ share, ROUNDING * np.abs(S * share).max(initial=0)


def prior_of_alpha(size, has_own_scale):
    """The grid of α and its prior, for log odds F̃ of a root mean square."""
    if not has_own_scale:
        return GRID, PRIOR
    usual = np.where(GRID > 0, (1 - OWN) * PRIOR, PRIOR)
    own = OWN * PRIOR[GRID > 0].sum()
    scale = USUAL / max(size, 1e-300)  # finite, and so are its multiples
    return np.append(scale * GRID, 1.0), np.append(usual, own)


def warn_of_odd_rows(problem, F):
    """Warn of log odds (n_sample, n_outputs) that no source has on rows of its own kind."""
    weights = problem.sampled.weights
    squares, mean = (weights @ values / weights.sum() for values in (F**2, F))
    size, spread = (np.sqrt(np.max(v)) for v in (squares, np.maximum(squares - mean**2, 0)))
    differ = len(F) > 1 and not problem.has_equal_rows
    if size > IMPLAUSIBLE:
        said = f"have a root mean square of {size:.0f}"
    elif differ and spread < CONSTANT:
        said = f"hardly differ: their standard deviation is {spread:.1g}"
    else:
        return
    warnings.warn(
        f"The log odds of the source on the rows of X {said}. Transform X by the same fitted steps "
        "as the source's own rows.",
        UserWarning,
        stacklevel=2,
    )


def warn_of_reversal(alphas, P):
    """Warn of a source that is most probably reversed."""
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

    b ~ N(0, σ²) among what sums to zero has the prior probability `SHIFTED`, and Laplace's
    evidence.
    """
    L, Q = logits(F), helmert(F.shape[1] if F.shape[1] > 1 else 2).T
    below, shares = below_own(L, labels), np.bincount(labels, weights, minlength=len(Q))

    def evaluate(b):
        """The loss, and P(class | x) of the rows, (n_classes, n_rows)."""
        of_class = Q @ b
        values = below + of_class[:, None] - of_class[labels]
        of_rows = row_losses(values)
        return of_rows @ weights + b @ b / (2 * SHIFT**2), np.exp(values - of_rows)

    b = np.zeros(Q.shape[1])
    loss, P = first, _ = evaluate(b)
    for _ in range(100):  # Newton's method; a few are enough
        mean = P @ weights
        slope = Q.T @ (mean - shares) + b / SHIFT**2
        curvature = Q.T @ (np.diag(mean) - (P * weights) @ P.T) @ Q
        curvature += np.eye(len(b)) / SHIFT**2
        step, enough = np.linalg.solve(curvature, slope), loss * (1 + 64 * EPS)
        loss, P = evaluate(b - step)
        while loss > enough and np.abs(step).max() > TOLERANCE:
            step = step / 2
            loss, P = evaluate(b - step)
        b = b - step
        if np.abs(step).max() <= TOLERANCE:
            break
    log_evidence = first - loss - np.linalg.slogdet(SHIFT**2 * curvature)[1] / 2
    b = Q @ b * expit(log_evidence + np.log(SHIFTED / (1 - SHIFTED)))
    return b[1:] - b[:1] if F.shape[1] == 1 else b


def pool(S, labels, weights):
    """The share of each source, (n_sources,), in the pooled log odds."""
    n_sources = S.shape[2]
    if n_sources < 2:
        return np.ones(n_sources)
    # log odds out of all proportion decide for a class no less surely when they are smaller
    size = np.sqrt(np.einsum("i,ick->k", weights, S**2).max() / (weights.sum() * S.shape[1]))
    even = np.full(n_sources, 1 / n_sources)
    below = below_own(np.moveaxis(S, 2, 0), labels) / max(1.0, size / IMPLAUSIBLE)
    if len(below) == 1:  # the own class has the value zero
        below = np.concatenate([np.zeros_like(below), below])

    def loss(share):
        """With its gradient."""
        values = np.tensordot(share, below, axes=(0, 1))
        slope = np.einsum("i,ci,cki->k", weights, softmax(values, axis=0), below)
        move = n_sources**2 * (share - even)
        return move @ (share - even) / 2 + losses(values, weights), move + slope

    def curvature(share):
        P = softmax(np.tensordot(share, below, axes=(0, 1)), axis=0)
        mean = np.einsum("ci,cki->ik", P, below)
        second = np.einsum("i,ci,cki,cli->kl", weights, P, below, below)
        return n_sources**2 * np.eye(n_sources) + second - (weights[:, None] * mean).T @ mean

    share = minimize(loss, even, jac=True, hess=curvature, method="trust-exact").x
    for _ in range(3):  # from there on Newton's steps square the error
        step = share - np.linalg.solve(curvature(share), loss(share)[1])
        if not loss(step)[0] <= loss(share)[0] * (1 + 64 * EPS):
            break
        share = step
    return share
